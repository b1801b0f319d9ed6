"""Hearth: which displaced family gets which rebuilt house, and the proof that the decision was right."""
