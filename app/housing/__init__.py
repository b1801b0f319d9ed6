"""Settlements, the origins merged into them, houses, services and readiness gates."""
