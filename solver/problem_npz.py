"""The NumPy form of a problem, `.npz`: a zip of the columns of `solver.tables`, for what is too large for JSON.

`numpy.load` reads it: `format` ("hearth-problem/1"), `services` and `spare_bedroom_penalty`, and for every field of a
table an array named for both, as in `households.tier` or `households.options.start`. All of them, and nothing else.
"""

import io
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import fields
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from solver import problem_json
from solver.tables import InvalidProblem

Array = NDArray[Any]
PARTS = ("settlements", "house_classes", "profiles", "households", "services", "spare_bedroom_penalty")
KINDS = {"i": "64-bit integers", "b": "booleans", "U": "Unicode strings"}
RAW = {"b": (np.uint8, 1), "U": (np.uint32, 0x10FFFF)}
"""What a boolean and a character are made of, and the largest that is one."""
MOST_BYTES = 2**32
"""Unpacked: some twenty million households."""
MOST_EXPANSION = 250
"""Times the file, where that is past SMALL: real columns stay below, what is packed to do harm does not."""
SMALL = 2**26
BROKEN = (
    EOFError,
    IndexError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    UserWarning,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What readers of zip files and array headers raise on bytes that are neither; the file is in memory by then."""


def write(file: IO[bytes], tables: problem_json.Tables) -> None:
    """The tables → a file; the same tables give the same bytes with the same zlib."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, column in _columns(tables).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, column, allow_pickle=False)


def read(file: IO[bytes]) -> problem_json.Tables:
    """A file → the arguments of `Problem`, not yet validated. Raises InvalidProblem, OSError."""
    packed = file.read()
    try:
        archive = zipfile.ZipFile(io.BytesIO(packed))
    except BROKEN as error:
        raise InvalidProblem("", "", "", f"not an .npz file: {error}") from error
    members = _members(archive)
    unpacked = sum(member.file_size for member in members.values())
    if unpacked > min(MOST_BYTES, max(SMALL, MOST_EXPANSION * len(packed))):
        raise InvalidProblem("", "", "", f"is too large: {unpacked} bytes, out of a file of {len(packed)}")
    with warnings.catch_warnings(action="error", category=UserWarning):  # NumPy's, of headers that it has to mend
        columns = {name: _read_column(archive, members[name], name) for name in members}
    if columns["format"] != problem_json.FORMAT:
        raise InvalidProblem("", "", "format", f"must be {problem_json.FORMAT!r}")
    *tables, penalty = (_built(part, name, columns) for name, part in zip(PARTS, EMPTY, strict=True))
    return (*tables, int(penalty))


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name not in TEMPLATE or name == member.filename:
            raise InvalidProblem("", "", repr(member.filename), "is not a field of the format")
        if name in members:
            raise _refusal(name, "is there twice")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refusal(name, "must be stored or deflated")
        members[name] = member
    for name in TEMPLATE:
        if name not in members:
            raise _refusal(name, "is missing")
    return members


def _read_column(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Array:
    """One array, of the type and number of dimensions of TEMPLATE; no more is allocated than was unpacked."""
    try:
        with archive.open(member) as file:
            first = np.lib.format.read_magic(file) == (1, 0)
            header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
            shape, fortran_order, dtype = header(file)
            content = file.read()
    except BROKEN as error:
        raise _refusal(name, f"cannot be read: {error}") from error
    template = TEMPLATE[name]
    kind = template.dtype.kind
    if dtype.kind != kind or (kind in "ib" and dtype != template.dtype) or not dtype.isnative or not dtype.itemsize:
        raise _refusal(name, f"must be {KINDS[kind]}, not {dtype}")
    if len(shape) != template.ndim:
        raise _refusal(name, f"has shape {shape}, not one of {template.ndim} dimensions")
    sizes = all(type(size) is int and size >= 0 for size in shape)
    if not sizes or math.prod(shape) * dtype.itemsize != len(content):
        raise _refusal(name, f"has shape {shape}, which its {len(content)} bytes are not")
    if kind in RAW:
        raw, most = RAW[kind]
        if (np.frombuffer(content, raw) > most).any():
            raise _refusal(name, f"has bytes that are not {KINDS[kind]}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")


def _refusal(name: str, sentence: str) -> InvalidProblem:
    table, _, field = name.partition(".") if "." in name else ("", "", name)
    return InvalidProblem(table, "", field, sentence)


def _columns(tables: problem_json.Tables) -> dict[str, Array]:
    *parts, penalty = tables
    columns = {"format": np.array(problem_json.FORMAT), PARTS[-1]: np.array(penalty, np.int64)}
    for name, part in zip(PARTS[:-1], parts, strict=True):
        columns |= _flat(part, name)
    return columns


def _flat(part: Any, name: str) -> Iterator[tuple[str, Array]]:
    if isinstance(part, np.ndarray):
        yield name, part
        return
    for field in fields(part):
        yield from _flat(getattr(part, field.name), f"{name}.{field.name}")


def _built(template: Any, name: str, columns: dict[str, Array]) -> Any:
    """A part like the template, of other columns."""
    if name in columns:
        return columns[name]
    names = [field.name for field in fields(template)]
    return type(template)(**{each: _built(getattr(template, each), f"{name}.{each}", columns) for each in names})


EMPTY = problem_json.read(
    {"format": problem_json.FORMAT, "spare_bedroom_penalty": 0} | {table: [] for table in problem_json.TABLES}
)
TEMPLATE = _columns(EMPTY)
"""Which arrays there are, with their types and numbers of dimensions."""
