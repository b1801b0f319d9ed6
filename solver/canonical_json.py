"""JSON with one text for one document, and a reader that refuses what JSON leaves open."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def loads(text: str | bytes) -> object:
    """Text → Python. Raises ValueError on what is not JSON, on NaN, and on a key that is there twice."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def dumps(document: object) -> str:
    """Python → text: sorted keys, no white space, characters unescaped."""
    return _ENCODER.encode(document)


def object_texts(members: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The text of an object in pieces, from the pieces of its members: what is too large for one document."""
    for before, key in zip(chain("{", repeat(",")), sorted(members), strict=False):
        yield f"{before}{dumps(key)}:"
        yield from members[key]
    yield "}"


def array_texts(chunks: Iterable[Sequence[str]]) -> Iterator[str]:
    """The text of an array in pieces, from the texts of its rows, some rows at a time."""
    yield "["
    for before, rows in zip(chain([""], repeat(",")), filter(None, chunks), strict=False):
        yield before + ",".join(rows)
    yield "]"


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return document
