"""What the solver answers: who gets which class, what each stage achieved, and the certificate of it."""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np

from solver import canonical_json
from solver.tables import StrArray
from solver.validation import identifier_fault, value_fault

FORMAT = "hearth-solution/1"
SCOPES: tuple[Literal["any", "housed"], ...] = ("any", "housed")
CHUNK = 20_000
"""Assignments written at a time."""
T = TypeVar("T")
S = TypeVar("S", bound=str)


class InvalidSolution(ValueError):  # noqa: N818 - named like InvalidProblem
    """A document that is not a `hearth-solution/1`."""


class Status(StrEnum):
    """optimal: every stage's bound equals what was achieved. feasible: the best found in the time limit."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    CANCELLED = "cancelled"


@dataclass(frozen=True, eq=False)
class Assignments:
    """Two columns, sorted by household: identifiers of households and of their house classes."""

    household: StrArray = field(default_factory=lambda: np.zeros(0, np.str_))
    house_class: StrArray = field(default_factory=lambda: np.zeros(0, np.str_))

    def __len__(self) -> int:
        return len(self.household)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.household.tolist(), self.house_class.tolist(), strict=True)


@dataclass(frozen=True)
class Witness:
    """Where a household is in another allocation than the solution's; None: not housed."""

    household: str
    house_class: str | None = None


@dataclass(frozen=True)
class Stage:
    """achieved ≤ bound ≤ price_bound; price_bound is what the certificate proves; `bound` rests on proof.

    terms: {basic term: weight}, where the name alone is not the term that it counts. A stage that later ones may
    undercut says by `required` what they kept of it, by `final` what the assignments give it, and by `witness`, sorted
    by household, where the allocation that achieves it differs from the assignments.
    """

    name: str
    achieved: int
    bound: int
    price_bound: int
    proof: Literal["prices", "search"]
    scope: Literal["any", "housed"] | None = None
    terms: Mapping[str, int] | None = None
    required: int | None = None
    final: int | None = None
    witness: tuple[Witness, ...] | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """{basic term: weight}."""
        return {self.name: 1} if self.terms is None else self.terms

    @property
    def kept(self) -> int:
        """What later stages had to keep."""
        return self.achieved if self.required is None else self.required


@dataclass(frozen=True)
class Price:
    """The price of a class's count, of its unreserved part, or of a service, over the denominator."""

    kind: Literal["class", "unreserved", "service"]
    price: int
    house_class: str | None = None
    settlement: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class StageCertificate:
    """Prices and the multipliers of earlier stages ({stage: multiplier}), integers over `denominator`."""

    name: str
    denominator: int
    prices: tuple[Price, ...]
    multipliers: Mapping[str, int]


@dataclass(frozen=True)
class Statistics:
    """What the run took. Seconds per phase, memory and threads do not enter the canonical bytes. previous_sha256: that
    of the canonical bytes of the solution that it started from, if any."""

    problem_sha256: str
    seed: int
    threads: int
    versions: Mapping[str, str]
    seconds: Mapping[str, float]
    peak_memory_bytes: int
    previous_sha256: str | None = None


@dataclass(frozen=True, eq=False)
class Solution:
    """`reason` says why a problem is infeasible; then, and when cancelled, the rest is empty. `previous`, where a stage
    counts `keep`: where households were before, of those whose class the problem still has."""

    status: Status
    assignments: Assignments
    stages: tuple[Stage, ...]
    certificate: tuple[StageCertificate, ...]
    statistics: Statistics
    reason: str | None = None
    previous: Assignments | None = None

    @classmethod
    def from_dict(cls, document: object) -> "Solution":
        """From the parsed JSON form `hearth-solution/1`. Raises InvalidSolution."""
        top = _Object(document, "solution")
        if top.value("format", str) != FORMAT:
            raise InvalidSolution(f"format must be {FORMAT!r}")
        status = top.one_of("status", tuple(Status))
        certificate = _Object(top.value("certificate", dict), "certificate")
        solution = cls(
            status=Status(status),
            assignments=_assignments(top.value("assignments", list)),
            stages=tuple(_stage(row) for row in top.value("stages", list)),
            certificate=tuple(_stage_certificate(row) for row in certificate.value("stages", list)),
            statistics=_statistics(top.value("statistics", dict)),
            reason=top.optional("reason", str),
            previous=_assignments(top.value("previous", list)) if "previous" in top.fields else None,
        )
        for row in (top, certificate):
            row.done()
        return solution

    @classmethod
    def from_json(cls, text: str | bytes) -> "Solution":
        """From the JSON form `hearth-solution/1`. Raises InvalidSolution."""
        try:
            document = canonical_json.loads(text)
        except ValueError as error:
            raise InvalidSolution(f"not JSON: {error}") from error
        return cls.from_dict(document)

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        placements = {
            key: [{"household": h, "house_class": c} for h, c in placed] for key, placed in self._placements().items()
        }
        return self._document() | placements | {"statistics": self._statistics()}

    def to_json(self) -> str:
        """The JSON form, sorted keys, no white space."""
        return "".join(self._texts(self._document() | {"statistics": self._statistics()}))

    def canonical_bytes(self) -> bytes:
        """The JSON form without what differs between two runs (seconds, memory, threads), UTF-8."""
        return "".join(self._texts(self._document())).encode()

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the canonical bytes, in hexadecimal."""
        return hashlib.sha256(self.canonical_bytes()).hexdigest()

    def _texts(self, document: Mapping[str, object]) -> Iterator[str]:
        """The JSON form in pieces: a million assignments never become a million objects."""
        members: dict[str, Iterable[str]] = {key: [canonical_json.dumps(value)] for key, value in document.items()}
        for key, placed in self._placements().items():
            members[key] = canonical_json.array_texts(_rows(placed))
        return canonical_json.object_texts(members)

    def _placements(self) -> dict[str, Assignments]:
        placements = {"assignments": self.assignments}
        return placements if self.previous is None else placements | {"previous": self.previous}

    def _statistics(self) -> dict[str, object]:
        statistics = self.statistics
        return self._lasting_statistics() | {
            "threads": statistics.threads,
            "seconds": dict(statistics.seconds),
            "peak_memory_bytes": statistics.peak_memory_bytes,
        }

    def _lasting_statistics(self) -> dict[str, object]:
        statistics = self.statistics
        lasting = {
            "problem_sha256": statistics.problem_sha256,
            "previous_sha256": statistics.previous_sha256,
            "seed": statistics.seed,
            "versions": dict(statistics.versions),
        }
        return _without_nulls(lasting)

    def _document(self) -> dict[str, object]:
        """The canonical JSON form but for the placements."""
        document: dict[str, object] = {
            "format": FORMAT,
            "status": self.status.value,
            "stages": [_stage_row(stage) for stage in self.stages],
            "certificate": {"stages": [_certificate_row(stage) for stage in self.certificate]},
            "statistics": self._lasting_statistics(),
        }
        return document if self.reason is None else document | {"reason": self.reason}


def _rows(placed: Assignments) -> Iterator[list[str]]:
    for first in range(0, len(placed), CHUNK):
        columns = (placed.house_class, placed.household)
        pairs = zip(
            *(map(canonical_json.dumps, column[first : first + CHUNK].tolist()) for column in columns), strict=True
        )
        yield [f'{{"house_class":{c},"household":{h}}}' for c, h in pairs]


def _stage_row(stage: Stage) -> dict[str, object]:
    row = _without_nulls(vars(stage))
    if stage.terms is not None:
        row["terms"] = dict(stage.terms)
    if stage.witness is not None:
        row["witness"] = [_without_nulls(vars(other)) for other in stage.witness]
    return row


def _without_nulls(row: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if value is not None}


def _certificate_row(stage: StageCertificate) -> dict[str, object]:
    return {
        "name": stage.name,
        "denominator": stage.denominator,
        "prices": [
            {"class" if key == "house_class" else key: value for key, value in _without_nulls(vars(price)).items()}
            for price in stage.prices
        ],
        "multipliers": [{"stage": name, "multiplier": number} for name, number in stage.multipliers.items()],
    }


class _Object:
    """A JSON object that is taken apart field by field; `done` refuses what is left over."""

    def __init__(self, document: object, what: str) -> None:
        if not isinstance(document, dict):
            raise InvalidSolution(f"{what} must be an object")
        self.fields, self.what, self.seen = document, what, set[str]()

    def value(self, key: str, kind: type[T]) -> T:
        self.seen.add(key)
        if key not in self.fields:
            raise InvalidSolution(f"{self.what}: {key} is missing")
        value = self.fields[key]
        if type(value) is not kind:
            raise InvalidSolution(f"{self.what}: {key} must be of type {kind.__name__}")
        if fault := value_fault(key) or value_fault(value):
            raise InvalidSolution(f"{self.what}: {key!r} {fault}")
        return value

    def optional(self, key: str, kind: type[T]) -> T | None:
        return self.value(key, kind) if key in self.fields else None

    def one_of(self, key: str, choices: tuple[S, ...]) -> S:
        text = self.value(key, str)
        for choice in choices:
            if choice == text:
                return choice
        raise InvalidSolution(f"{self.what}: {key} must be one of {', '.join(choices)}")

    def done(self) -> None:
        for key in sorted(self.fields.keys() - self.seen):
            raise InvalidSolution(f"{self.what}: {key} is not a field of the format")


def _assignments(rows: list[Any]) -> Assignments:
    """Column by column: a million rows are not taken apart one by one."""
    names = ("household", "house_class")
    for row in rows:
        if not isinstance(row, dict) or row.keys() != set(names):
            entry = _Object(row, "assignment")
            for name in names:
                entry.value(name, str)
            entry.done()
    return Assignments(*(_identifiers([row[name] for row in rows], name) for name in names))


def _identifiers(column: list[Any], name: str) -> StrArray:
    for identifier in column:
        if fault := identifier_fault(identifier) if type(identifier) is str else "must be of type str":
            raise InvalidSolution(f"assignment: {name} {identifier!r} {fault}")
    return np.array(column, np.str_)


def _stage(document: object) -> Stage:
    row = _Object(document, "stage")
    stage = Stage(
        name=row.value("name", str),
        achieved=row.value("achieved", int),
        bound=row.value("bound", int),
        price_bound=row.value("price_bound", int),
        proof=row.one_of("proof", ("prices", "search")),
        scope=row.one_of("scope", SCOPES) if "scope" in row.fields else None,
        terms=_named(row.value("terms", dict), "terms", int) if "terms" in row.fields else None,
        required=row.optional("required", int),
        final=row.optional("final", int),
        witness=tuple(map(_witness, row.value("witness", list))) if "witness" in row.fields else None,
    )
    row.done()
    return stage


def _named(document: dict[str, object], what: str, kind: type[T]) -> dict[str, T]:
    row = _Object(document, what)
    return {name: row.value(name, kind) for name in document}


def _witness(document: object) -> Witness:
    row = _Object(document, "witness")
    witness = Witness(row.value("household", str), row.optional("house_class", str))
    row.done()
    return witness


def _price(document: object) -> Price:
    row = _Object(document, "price")
    price = Price(
        kind=row.one_of("kind", ("class", "unreserved", "service")),
        price=row.value("price", int),
        house_class=row.optional("class", str),
        settlement=row.optional("settlement", str),
        service=row.optional("service", str),
    )
    row.done()
    return price


def _stage_certificate(document: object) -> StageCertificate:
    row = _Object(document, "certificate")
    multipliers = {}
    for entry in row.value("multipliers", list):
        multiplier = _Object(entry, "multiplier")
        stage = multiplier.value("stage", str)
        if stage in multipliers:
            raise InvalidSolution(f"multiplier: stage {stage!r} is there twice")
        multipliers[stage] = multiplier.value("multiplier", int)
        multiplier.done()
    certificate = StageCertificate(
        name=row.value("name", str),
        denominator=row.value("denominator", int),
        prices=tuple(_price(price) for price in row.value("prices", list)),
        multipliers=multipliers,
    )
    row.done()
    return certificate


def _statistics(document: object) -> Statistics:
    row = _Object(document, "statistics")
    statistics = Statistics(
        problem_sha256=row.value("problem_sha256", str),
        seed=row.value("seed", int),
        threads=row.value("threads", int),
        versions=_named(row.value("versions", dict), "versions", str),
        seconds=_seconds(row.value("seconds", dict)),
        peak_memory_bytes=row.value("peak_memory_bytes", int),
        previous_sha256=row.optional("previous_sha256", str),
    )
    row.done()
    return statistics


def _seconds(document: dict[str, Any]) -> dict[str, float]:
    for key, value in document.items():
        if value_fault(key) or type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
            raise InvalidSolution(f"statistics: seconds of {key!r} must be a number")
    return {key: float(value) for key, value in document.items()}
