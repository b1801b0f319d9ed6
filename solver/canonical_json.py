"""JSON with one text for one document, and a reader that refuses what JSON leaves open."""

import json


def loads(text: str | bytes) -> object:
    """Text → Python. Raises ValueError on what is not JSON, on NaN, and on a key that is there twice."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def dumps(document: object) -> str:
    """Python → text: sorted keys, no white space, characters unescaped."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return document
