"""`python -m solver`, which ends as soon as whoever started it is gone: its standard input is then closed."""

import os
import runpy
import sys
import threading

ORPHANED = 3


def _end_with_parent() -> None:
    # Not through sys.stdin: a thread that waits inside it aborts the interpreter when that ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module("solver", run_name="__main__", alter_sys=True)
