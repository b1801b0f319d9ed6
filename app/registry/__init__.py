"""Households, people, kin groups and applications."""
