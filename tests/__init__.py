"""Tests of everything, through public interfaces."""

import gc

# What is imported is not garbage, and a test leaves little: looking for it every 700 objects took a fifth of the time.
gc.set_threshold(50_000, 20, 50)
