"""Households that may be registered twice: the queue, what a person decides, and merges that can be undone."""
