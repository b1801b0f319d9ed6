"""The small register of the allocation's tests, for what becomes of its families afterwards."""

from tests.allocation.conftest import register, settings, snapshots_held

__all__ = ["register", "settings", "snapshots_held"]
