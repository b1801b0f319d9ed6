"""`python -m solver`, which ends as soon as whoever started it is gone: its standard input is then closed.

Its first argument is the folder of its files, which nobody else would delete then.
"""

import os
import runpy
import shutil
import sys
import threading

ORPHANED = 3


def _end_with_parent(folder: str) -> None:
    # Not through sys.stdin: a thread that waits inside it aborts the interpreter when that ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)  # which households have which needs does not stay behind
    os._exit(ORPHANED)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, args=(sys.argv.pop(1),), daemon=True).start()
    runpy.run_module("solver", run_name="__main__", alter_sys=True)
