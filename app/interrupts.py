"""Ctrl+C, heard where it does no harm.

Python raises KeyboardInterrupt wherever the main thread happens to be: just after a transaction that claimed a run,
which nobody would then give back, or between taking the lock of the database's writers and keeping it.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deferred() -> Iterator[threading.Event]:
    """Hand out an event that Ctrl+C sets while the block runs; raise KeyboardInterrupt after it if it was set.

    The block, in the main thread, is to look at it often and end; an error of its own is passed on instead.
    """
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda _number, _frame: interrupted.set())
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted.is_set():
        raise KeyboardInterrupt
