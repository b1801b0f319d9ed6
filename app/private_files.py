"""Files that only their owner reads."""

import os
from io import BufferedWriter
from pathlib import Path


def created(path: Path) -> BufferedWriter:
    """Open a new file for its owner alone, to be written. Raises FileExistsError where there is one."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
