"""The NumPy form of a problem: the same problem as in JSON, and a file that is anything else is refused by name."""

import io
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from solver import InvalidProblem, Problem
from solver.generate import generate
from tests.solver.exhaustive import tiny_problem

Columns = dict[str, NDArray[Any]]


def packed(problem: Problem) -> bytes:
    file = io.BytesIO()
    problem.to_npz(file)
    return file.getvalue()


TOWN = generate(30, 3, 5, pinned_share=0.1)
FILE = packed(TOWN)


def columns() -> Columns:
    with np.load(io.BytesIO(FILE), allow_pickle=False) as file:
        return dict(file)


def saved(columns: Columns, save: Callable[..., None] = np.savez) -> bytes:
    file = io.BytesIO()
    save(file, **columns)
    return file.getvalue()


def read(content: bytes) -> Problem:
    return Problem.from_npz(io.BytesIO(content))


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60)
def test_it_goes_round_and_is_the_problem_of_the_json_form(seed: int) -> None:
    problem = Problem.from_dict(tiny_problem(seed))
    again = read(packed(problem))
    assert again.to_json() == problem.to_json()
    assert again == Problem.from_json(problem.to_json())
    assert packed(again) == packed(problem)


def test_a_problem_without_anything_goes_round() -> None:
    empty = generate(0, 1, 1)
    assert read(packed(empty)) == empty


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_as_good_as_open_files(tmp_path: Path, kind: type[str] | type[Path]) -> None:
    TOWN.to_npz(kind(tmp_path / "town"))
    assert [path.name for path in tmp_path.iterdir()] == ["town"]
    assert (tmp_path / "town").read_bytes() == FILE
    assert Problem.from_npz(kind(tmp_path / "town")) == TOWN
    with pytest.raises(FileNotFoundError):
        Problem.from_npz(kind(tmp_path / "none"))


def test_numpy_reads_it_and_what_numpy_writes_is_read() -> None:
    given = columns()
    assert given["format"] == "hearth-problem/1"
    assert given["households.tier"].tolist() == TOWN.households.tier.tolist()
    assert given["households.options.start"].tolist() == TOWN.households.options.start.tolist()
    given["profiles.value"] = np.asfortranarray(given["profiles.value"])
    for save in (np.savez, np.savez_compressed):
        assert read(saved(given, save)) == TOWN


@pytest.mark.parametrize("name", columns())
def test_every_array_must_be_there_and_of_its_type_and_shape(name: str) -> None:
    place = (*name.partition("."),) if "." in name else ("", "", name)
    right = columns()[name]
    wrong: list[NDArray[Any]] = [
        right[..., None],
        np.concatenate([right, right]) if right.ndim else right[None],
        right.astype(np.float64) if right.dtype.kind == "i" else np.zeros(right.shape),
        right.astype(np.int32) if right.dtype.kind == "i" else np.zeros(right.shape, np.int64),
        np.zeros(right.shape, ">i8"),
        np.zeros(right.shape, "S8"),
        np.zeros(right.shape, "datetime64[s]"),
        np.zeros(right.shape, [("x", "i8")]),
        np.full(right.shape, None, object),
    ]
    if right.dtype.kind in "iU":
        wrong.append(np.zeros(right.shape, np.bool_))
    for column in wrong:
        with pytest.raises(InvalidProblem) as refused:
            read(saved(columns() | {name: column}))
        assert refused.value.table in (place[0], "kin groups", "services", "households", "profiles", "settlements")
        assert refused.value.sentence
    with pytest.raises(InvalidProblem) as refused:
        read(saved({key: column for key, column in columns().items() if key != name}))
    assert (refused.value.table, refused.value.field, refused.value.sentence) == (place[0], place[2], "is missing")


@pytest.mark.parametrize(
    ("name", "column", "sentence"),
    [
        ("format", np.array("hearth-problem/2"), "format: must be 'hearth-problem/1'"),
        ("households.tier", np.zeros(30, np.int64), "households 'H01', tier: must be an integer from 1 to 100"),
        ("households.tier", np.ones(30), "households, tier: must be 64-bit integers, not float64"),
        ("households.tier", np.ones((30, 1), np.int64), r"tier: has shape \(30, 1\), not one of 1 dimensions"),
        ("households.options.start", np.arange(31)[::-1], "options: has row starts that do not ascend"),
        ("households.options.column", np.zeros(3, np.int64), "households, options: has"),
        ("households.pinned", np.full(30, 10**6), "pinned: points to a row that does not exist"),
        ("households.id", np.array(["a"] * 30), "households 'a', id: is there twice"),
        ("settlements.id", np.array(["a\nb", "b", "c"]), "cannot be printed"),
        ("spare_bedroom_penalty", np.array(-1), "spare_bedroom_penalty: must be an integer from 0"),
        ("households.name", np.array(["Ana"] * 30), "'households.name.npy': is not a field of the format"),
    ],
)
def test_the_refusal_says_where_and_what(name: str, column: NDArray[Any], sentence: str) -> None:
    with pytest.raises(InvalidProblem, match=sentence):
        read(saved(columns() | {name: column}))


def test_row_starts_that_ascend_only_by_overflow_are_refused() -> None:
    starts = columns()["households.options.start"]
    starts[1:5] = np.array([2**62, 2**63 - 1, -(2**63) + 5, -(2**62)])
    with pytest.raises(InvalidProblem, match="options: has row starts that do not ascend"):
        read(saved(columns() | {"households.options.start": starts}))


def rezipped(change: Callable[[str, bytes], bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The file with the bytes of its arrays changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(FILE)) as old, zipfile.ZipFile(file, "w", method) as new:
        for member in old.namelist():
            new.writestr(member, change(member, old.read(member)))
    return file.getvalue()


def test_bytes_that_are_no_boolean_and_no_character_are_refused() -> None:
    for name, last, sentence in (
        ("households.needs_step_free", b"\2", "needs_step_free: has bytes that are not booleans"),
        ("households.id", struct.pack("<I", 0x110000), "id: has bytes that are not Unicode strings"),
    ):
        wrong = rezipped(
            lambda member, content: content[: -len(last)] + last if member == f"{name}.npy" else content  # noqa: B023 - called in this round
        )
        with pytest.raises(InvalidProblem, match=sentence):
            read(wrong)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<i8', 'fortran_order': False, 'shape': (4000000000000000000,), }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (-5, -6), }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (29,), }",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (30,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (30,), }",
        "{'descr': ('<i8', 3), 'fortran_order': False, 'shape': (10,), }",
        "{'descr': '<i8', 'shape': (30,), }",
        "{'descr': (), 'fortran_order': False, 'shape': (30,), }",
        "{'descr': ('<i8',), 'fortran_order': False, 'shape': (30,), }",
        "-" * 9000 + "1",
        "{'descr': " + "[" * 5000 + ", 'fortran_order': False, 'shape': (30,), }",
        "[" * 3000,
        " {'descr': '<i8',\n 'fortran_order': False, 'shape': (30L,), }",
        "__import__('os').abort()",
        "",
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3, 9])
def test_a_header_that_lies_is_refused(header: str, version: int) -> None:
    with pytest.raises(InvalidProblem, match="households, points: "):
        read(with_header(header, version, 240))


def test_a_boolean_is_no_size() -> None:
    header = "{'descr': '<i8', 'fortran_order': False, 'shape': (True,), }"
    with pytest.raises(InvalidProblem, match=r"households, points: has shape \(True,\), which its 8 bytes are not"):
        read(with_header(header, 1, 8))


def with_header(header: str, version: int, most: int) -> bytes:
    """The file with this header of `points`, and so many bytes after it."""
    length = struct.pack("<H" if version == 1 else "<I", len(header) + 1)
    start = b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + b"\n"
    return rezipped(lambda member, content: start + content[-most:] if member == "households.points.npy" else content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not an .npz file"),
        (b"hello", "not an .npz file"),
        (TOWN.to_json().encode(), "not an .npz file"),
        (FILE[:-1], "not an .npz file"),
        (FILE[: len(FILE) // 2], "not an .npz file"),
        (rezipped(lambda _, content: content[:-1]), "format: has shape"),
        (rezipped(lambda _, content: content[:5]), "format: cannot be read"),
        (rezipped(lambda _, content: content, zipfile.ZIP_BZIP2), "format: must be stored or deflated"),
    ],
)
def test_what_is_no_npz_file_or_cut_off_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(InvalidProblem, match=re.escape(sentence)):
        read(content)


def test_an_array_that_is_there_twice_is_refused() -> None:
    file = io.BytesIO(FILE)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("households.tier.npy", b"")
    with pytest.raises(InvalidProblem, match="households, tier: is there twice"):
        read(file.getvalue())


def test_what_unpacks_to_far_more_than_the_file_is_not_unpacked() -> None:
    content = saved(columns() | {"households.tier": np.zeros(10**7, np.int64)}, np.savez_compressed)
    assert len(content) < 10**6
    with pytest.raises(InvalidProblem, match=r"is too large: 8\d+ bytes, out of a file of"):
        read(content)


@given(st.data())
@settings(max_examples=300)
def test_any_change_of_bytes_is_refused_or_makes_no_difference(data: st.DataObject) -> None:
    changed = bytearray(FILE)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(FILE) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = read(bytes(changed))
    except InvalidProblem:
        return
    assert again == TOWN
