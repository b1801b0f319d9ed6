"""The JSON form of a problem, `hearth-problem/1`: exactly the keys of the model, nothing else."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from solver import canonical_json
from solver.tables import (
    LARGEST,
    NONE,
    UNLIMITED,
    BoolArray,
    HouseClasses,
    Households,
    IntArray,
    InvalidProblem,
    Profiles,
    Settlements,
    SparseRows,
    StrArray,
)
from solver.validation import identifier_fault

FORMAT = "hearth-problem/1"
REQUIRED = object()
CHUNK = 20_000
"""Households written at a time."""

Tables = tuple[Settlements, HouseClasses, Profiles, Households, StrArray, int]


@dataclass(frozen=True)
class _Field:
    fault: Callable[[Any], str]
    default: Any = REQUIRED


def _integer(value: object) -> str:
    if type(value) is not int:
        return "must be an integer"
    return "" if -LARGEST <= value <= LARGEST else f"must be an integer from {-LARGEST} to {LARGEST}"


def _count(value: object) -> str:
    return _integer(value) or ("must not be negative" if isinstance(value, int) and value < 0 else "")


def _boolean(value: object) -> str:
    return "" if type(value) is bool else "must be true or false"


def _identifier(value: object) -> str:
    return identifier_fault(value) if isinstance(value, str) else "must be a string"


def _or_null(fault: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "" if value is None else fault(value)


def _mapping(fault: Callable[[Any], str]) -> Callable[[Any], str]:
    def of(value: object) -> str:
        if not isinstance(value, dict):
            return "must be an object"
        for key, number in value.items():
            if problem := identifier_fault(key) or fault(number):
                return f"{key!r} {problem}"
        return ""

    return of


def _identifiers(value: object) -> str:
    if not isinstance(value, list):
        return "must be an array"
    return next((f"{entry!r} {fault}" for entry in value if (fault := _identifier(entry))), "")


TABLES: dict[str, dict[str, _Field]] = {
    "settlements": {"id": _Field(_identifier), "capacities": _Field(_mapping(_count), {})},
    "house_classes": {
        "id": _Field(_identifier),
        "settlement": _Field(_identifier),
        "bedrooms": _Field(_count),
        "step_free": _Field(_boolean),
        "count": _Field(_count),
        "reserved": _Field(_count, 0),
    },
    "profiles": {"id": _Field(_identifier), "values": _Field(_mapping(_integer), {})},
    "households": {
        "id": _Field(_identifier),
        "tier": _Field(_count),
        "points": _Field(_count, 0),
        "bedrooms_min": _Field(_count),
        "bedrooms_max": _Field(_count),
        "needs_step_free": _Field(_boolean),
        "options": _Field(_mapping(_integer), {}),
        "anywhere": _Field(_or_null(_integer), None),
        "profile": _Field(_or_null(_identifier), None),
        "kin_group": _Field(_or_null(_identifier), None),
        "uses": _Field(_mapping(_count), {}),
        "lottery": _Field(_integer, 0),
        "pinned": _Field(_or_null(_identifier), None),
        "forbidden": _Field(_identifiers, []),
    },
}
KEYS = {"format", "spare_bedroom_penalty", *TABLES}


def parse(text: str | bytes) -> object:
    """JSON text → Python. Raises InvalidProblem."""
    try:
        return canonical_json.loads(text)
    except ValueError as error:
        raise InvalidProblem("", "", "", f"not JSON: {error}") from error


def read(document: object) -> Tables:
    """Parsed JSON → the arguments of `Problem`. Raises InvalidProblem."""
    if not isinstance(document, dict):
        raise InvalidProblem("", "", "", "must be a JSON object")
    if document.get("format") != FORMAT:
        raise InvalidProblem("", "", "format", f"must be {FORMAT!r}")
    _exact_keys("", "", document, KEYS, KEYS)
    columns = {table: _columns(table, fields, document[table]) for table, fields in TABLES.items()}
    penalty = document["spare_bedroom_penalty"]
    if fault := _count(penalty):
        raise InvalidProblem("", "", "spare_bedroom_penalty", fault)
    return _tables(columns, penalty)


def _exact_keys(table: str, row: str, given: Mapping[str, object], known: set[str], needed: set[str]) -> None:
    for key in sorted(given.keys() - known):
        raise InvalidProblem(table, row, str(key), "is not a field of the format")
    for key in sorted(needed - given.keys()):
        raise InvalidProblem(table, row, key, "is missing")


def _columns(table: str, fields: dict[str, _Field], rows: object) -> dict[str, list[Any]]:
    """Rows of one table → a list per field, defaults filled in."""
    if not isinstance(rows, list):
        raise InvalidProblem("", "", table, "must be an array of objects")
    needed = {name for name, field in fields.items() if field.default is REQUIRED}
    names = []
    for position, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise InvalidProblem(table, f"row {position}", "", "must be an object")
        identifier = row.get("id")
        names.append(repr(identifier) if isinstance(identifier, str) else f"row {position}")
        if not needed <= row.keys() <= fields.keys():
            _exact_keys(table, names[-1], row, set(fields), needed)
    columns = {name: [row.get(name, field.default) for row in rows] for name, field in fields.items()}
    for name, column in columns.items():
        for position, value in enumerate(column):
            if fault := fields[name].fault(value):
                raise InvalidProblem(table, names[position], name, fault)
    return columns


class _References:
    """Identifier → index in one table."""

    def __init__(self, table: str, identifiers: list[str]) -> None:
        self.table, self.index = table, {identifier: i for i, identifier in enumerate(identifiers)}

    def column(self, table: str, field: str, rows: list[str], references: list[str | None]) -> IntArray:
        return np.array(
            [
                NONE if reference is None else self.of(table, field, row, reference)
                for row, reference in zip(rows, references, strict=True)
            ],
            np.int64,
        )

    def of(self, table: str, field: str, row: str, reference: str) -> int:
        if reference not in self.index:
            raise InvalidProblem(table, repr(row), field, f"{reference!r} is not in {self.table}")
        return self.index[reference]

    def rows(self, field: str, rows: list[str], mappings: list[dict[str, int]]) -> SparseRows:
        """Mappings by identifier of every household → sparse rows by index."""
        return SparseRows.from_mappings(
            [
                {self.of("households", field, row, key): number for key, number in mapping.items()}
                for row, mapping in zip(rows, mappings, strict=True)
            ]
        )


def _tables(columns: dict[str, dict[str, list[Any]]], penalty: int) -> Tables:
    places, homes, profiles, people = (columns[table] for table in TABLES)
    settlement = _References("settlements", places["id"])
    house_class = _References("house_classes", homes["id"])
    profile = _References("profiles", profiles["id"])
    service_names = sorted({s for row in (*places["capacities"], *people["uses"]) for s in row})
    service = _References("services", service_names)
    kin_names = sorted({name for name in people["kin_group"] if name is not None})
    capacity = np.full((len(places["id"]), len(service_names)), UNLIMITED, np.int64)
    for i, row in enumerate(places["capacities"]):
        for name, number in row.items():
            capacity[i, service.index[name]] = number
    value = np.zeros((len(profiles["id"]), len(places["id"])), np.int64)
    for i, row in enumerate(profiles["values"]):
        for name, number in row.items():
            value[i, settlement.of("profiles", "values", profiles["id"][i], name)] = number
    ids = people["id"]
    for row_id, names in zip(ids, people["forbidden"], strict=True):
        if len(set(names)) < len(names):
            raise InvalidProblem("households", repr(row_id), "forbidden", "names a settlement twice")
    return (
        Settlements(np.array(places["id"], np.str_), capacity),
        HouseClasses(
            id=np.array(homes["id"], np.str_),
            settlement=settlement.column("house_classes", "settlement", homes["id"], homes["settlement"]),
            bedrooms=np.array(homes["bedrooms"], np.int64),
            step_free=np.array(homes["step_free"], np.bool_),
            count=np.array(homes["count"], np.int64),
            reserved=np.array(homes["reserved"], np.int64),
        ),
        Profiles(np.array(profiles["id"], np.str_), value),
        Households(
            id=np.array(ids, np.str_),
            tier=np.array(people["tier"], np.int64),
            points=np.array(people["points"], np.int64),
            bedrooms_min=np.array(people["bedrooms_min"], np.int64),
            bedrooms_max=np.array(people["bedrooms_max"], np.int64),
            needs_step_free=np.array(people["needs_step_free"], np.bool_),
            options=settlement.rows("options", ids, people["options"]),
            has_anywhere=np.array([number is not None for number in people["anywhere"]], np.bool_),
            anywhere=np.array([number or 0 for number in people["anywhere"]], np.int64),
            profile=profile.column("households", "profile", ids, people["profile"]),
            kin_groups=np.array(kin_names, np.str_),
            kin_group=_References("kin groups", kin_names).column("households", "kin_group", ids, people["kin_group"]),
            uses=service.rows("uses", ids, people["uses"]),
            lottery=np.array(people["lottery"], np.int64),
            pinned=house_class.column("households", "pinned", ids, people["pinned"]),
            forbidden=settlement.rows("forbidden", ids, [dict.fromkeys(row, 1) for row in people["forbidden"]]),
        ),
        np.array(service_names, np.str_),
        penalty,
    )


def texts(
    settlements: Settlements,
    classes: HouseClasses,
    profiles: Profiles,
    households: Households,
    services: StrArray,
    spare_bedroom_penalty: int,
) -> Iterator[str]:
    """The tables, sorted by identifier → their canonical JSON in pieces, fields that hold their default left out.

    A piece holds at most CHUNK households: a million never become a million objects.
    """
    places, service = _strings(settlements.id), _strings(services)
    house_classes = {
        "id": _strings(classes.id),
        "settlement": [places[s] for s in classes.settlement.tolist()],
        "bedrooms": _numbers(classes.bedrooms),
        "step_free": _booleans(classes.step_free),
        "count": _numbers(classes.count),
        "reserved": _numbers(classes.reserved),
    }
    profile_rows = {"id": _strings(profiles.id), "values": _dense_objects(profiles.value, places, absent=0)}
    capacities = _dense_objects(settlements.capacity, service, absent=UNLIMITED)
    return canonical_json.object_texts(
        {
            "format": [canonical_json.dumps(FORMAT)],
            "spare_bedroom_penalty": [str(spare_bedroom_penalty)],
            "settlements": canonical_json.array_texts([_rows("settlements", {"id": places, "capacities": capacities})]),
            "house_classes": canonical_json.array_texts([_rows("house_classes", house_classes)]),
            "profiles": canonical_json.array_texts([_rows("profiles", profile_rows)]),
            "households": canonical_json.array_texts(
                _household_rows(households, places, house_classes["id"], profile_rows["id"], service)
            ),
        }
    )


def _household_rows(
    households: Households, places: list[str], classes: list[str], profiles: list[str], services: list[str]
) -> Iterator[list[str]]:
    kin_groups = _strings(households.kin_groups)
    for first in range(0, len(households.id), CHUNK):
        some = slice(first, first + CHUNK)
        anywhere = zip(households.has_anywhere[some].tolist(), households.anywhere[some].tolist(), strict=True)
        columns = {
            "id": _strings(households.id[some]),
            "tier": _numbers(households.tier[some]),
            "points": _numbers(households.points[some]),
            "bedrooms_min": _numbers(households.bedrooms_min[some]),
            "bedrooms_max": _numbers(households.bedrooms_max[some]),
            "needs_step_free": _booleans(households.needs_step_free[some]),
            "options": _objects(households.options, some, places),
            "anywhere": [str(number) if has else "null" for has, number in anywhere],
            "profile": _references(households.profile[some], profiles),
            "kin_group": _references(households.kin_group[some], kin_groups),
            "uses": _objects(households.uses, some, services),
            "lottery": _numbers(households.lottery[some]),
            "pinned": _references(households.pinned[some], classes),
            "forbidden": _arrays(households.forbidden, some, places),
        }
        yield _rows("households", columns)


def _rows(table: str, columns: dict[str, list[str]]) -> list[str]:
    """JSON texts by field → the text of every row."""
    members = []
    for name, field in sorted(TABLES[table].items()):
        default = None if field.default is REQUIRED else canonical_json.dumps(field.default)
        members.append([f'"{name}":{text}' if text != default else "" for text in columns[name]])
    return ["{" + ",".join(filter(None, row)) + "}" for row in zip(*members, strict=True)]


def _strings(column: StrArray) -> list[str]:
    return [canonical_json.dumps(text) for text in column.tolist()]


def _numbers(column: IntArray) -> list[str]:
    return [str(number) for number in column.tolist()]


def _booleans(column: BoolArray) -> list[str]:
    return ["true" if flag else "false" for flag in column.tolist()]


def _references(column: IntArray, names: list[str]) -> list[str]:
    return ["null" if i == NONE else names[i] for i in column.tolist()]


def _dense_objects(table: IntArray, names: list[str], absent: int) -> list[str]:
    return [
        "{" + ",".join(f"{name}:{n}" for name, n in zip(names, row, strict=True) if n != absent) + "}"
        for row in table.tolist()
    ]


def _objects(rows: SparseRows, some: slice, names: list[str]) -> list[str]:
    part = rows[some]
    entries = [f"{names[c]}:{n}" for c, n in zip(part.column.tolist(), part.value.tolist(), strict=True)]
    return ["{" + ",".join(entries[a:b]) + "}" for a, b in pairwise(part.start.tolist())]


def _arrays(rows: SparseRows, some: slice, names: list[str]) -> list[str]:
    part = rows[some]
    entries = [names[c] for c in part.column.tolist()]
    return ["[" + ",".join(entries[a:b]) + "]" for a, b in pairwise(part.start.tolist())]
