"""What the programme has decided: who needs what, who may take part, who comes first. Pure functions only."""
