"""Reading a household beyond one's scope: for a stated reason, for hours, in the open, and reviewed."""
