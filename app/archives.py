"""What archives that are none, or are damaged, make their readers raise."""

import lzma
import zipfile
import zlib

ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    RuntimeError,  # encrypted, or packed in a way that Python does not know
    EOFError,
    OSError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
)
