"""Verifying what families submit, and signing what the rules say of it."""
