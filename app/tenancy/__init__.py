"""Move-in, move-out and who lives where."""
