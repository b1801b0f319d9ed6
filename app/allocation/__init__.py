"""Policies in force, and runs: snapshot, solution, proposals, approval, draw."""
