"""The allocation problem: frozen, validated, canonical.

It holds identifiers and integers only: no names, no dates of birth. Rows may be given in any order and are
kept sorted by identifier, so that the same problem always has the same bytes and the same SHA-256.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from solver import problem_json, problem_npz, validation
from solver.tables import (
    NONE,
    UNLIMITED,
    HouseClasses,
    Households,
    IntArray,
    InvalidProblem,
    Profiles,
    Settlements,
    SparseRows,
    StrArray,
)

__all__ = [
    "NONE",
    "UNLIMITED",
    "HouseClasses",
    "Households",
    "InvalidProblem",
    "Problem",
    "Profiles",
    "Settlements",
    "SparseRows",
]


@dataclass(frozen=True, eq=False)
class Problem:
    """What the solver is given, in the columns of `solver.tables`; `services` [K] names those of capacity.

    Raises InvalidProblem, naming the table, the row and the field, where the tables contradict the model.
    """

    settlements: Settlements
    house_classes: HouseClasses
    profiles: Profiles
    households: Households
    services: StrArray
    spare_bedroom_penalty: int = 0

    def __post_init__(self) -> None:
        validation.validate(*self._tables)
        for name, value in _canonical(self).items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_dict(cls, document: object) -> "Problem":
        """From the parsed JSON form `hearth-problem/1`. Raises InvalidProblem."""
        return cls(*problem_json.read(document))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Problem":
        """From the JSON form `hearth-problem/1`. Raises InvalidProblem."""
        return cls(*problem_json.read(problem_json.parse(text)))

    @classmethod
    def from_npz(cls, source: str | os.PathLike[str] | IO[bytes]) -> "Problem":
        """From the columns that `to_npz` writes: a path or an open file. Raises InvalidProblem, OSError."""
        with Path(source).open("rb") if isinstance(source, str | os.PathLike) else nullcontext(source) as file:
            return cls(*problem_npz.read(file))

    def to_npz(self, target: str | os.PathLike[str] | IO[bytes]) -> None:
        """Write the columns to a path or an open file, as `solver.problem_npz` says. Raises OSError."""
        with Path(target).open("wb") if isinstance(target, str | os.PathLike) else nullcontext(target) as file:
            problem_npz.write(file, self._tables)

    def to_dict(self) -> dict[str, object]:
        """The JSON form, parsed: rows sorted by identifier, fields with an empty default left out."""
        document: dict[str, object] = json.loads(self.to_json())
        return document

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no white space. The hash is taken of its UTF-8 bytes."""
        return "".join(self._texts())

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        digest = hashlib.sha256()
        for text in self._texts():
            digest.update(text.encode())
        return digest.hexdigest()

    def _texts(self) -> Iterator[str]:
        return problem_json.texts(*self._tables)

    @property
    def _tables(self) -> problem_json.Tables:
        return (
            self.settlements,
            self.house_classes,
            self.profiles,
            self.households,
            self.services,
            self.spare_bedroom_penalty,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def among(self, households: IntArray) -> "Problem":
        """The same problem with some of its households alone."""
        return replace(self, households=self.households.take(households))

    @property
    def tiers(self) -> int:
        """T: the largest tier of the problem; 0 where there are no households."""
        return int(self.households.tier.max(initial=0))

    @property
    def stages(self) -> tuple[str, ...]:
        """The order of the model: `tier 1` … `tier T`, `points`, `value`."""
        return (*(f"tier {tier}" for tier in range(1, self.tiers + 1)), "points", "value")


def _rank(order: IntArray) -> IntArray:
    """Old index → new index, with NONE kept as NONE."""
    rank = np.full(len(order) + 1, NONE, np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _used_identifiers(identifiers: StrArray, *columns: IntArray) -> tuple[StrArray, IntArray]:
    """Sorted identifiers that some column points to, and the map from old to new index."""
    used = np.unique(np.concatenate(columns)) if columns else np.zeros(0, np.int64)
    used = used[used != NONE]
    order = used[np.argsort(identifiers[used], kind="stable")]
    rank = np.full(len(identifiers) + 1, NONE, np.int64)
    rank[order] = np.arange(len(order))
    return identifiers[order], rank


def _mapped(rows: SparseRows, rank: IntArray) -> SparseRows:
    return replace(rows, column=rank[rows.column])


def _without_zeros(rows: SparseRows) -> SparseRows:
    keep = rows.value != 0
    start = np.concatenate([[0], np.cumsum(np.bincount(rows.row[keep], minlength=len(rows.start) - 1))])
    return SparseRows(start.astype(np.int64), rows.column[keep], rows.value[keep])


def _canonical(problem: Problem) -> dict[str, object]:
    """Every table sorted by identifier, references follow; uses of zero places and unused names dropped."""
    settlements, classes, profiles = problem.settlements, problem.house_classes, problem.profiles
    households = problem.households
    by_settlement, by_class = np.argsort(settlements.id), np.argsort(classes.id)
    by_profile, by_household = np.argsort(profiles.id), np.argsort(households.id)
    settlement_rank, profile_rank = _rank(by_settlement), _rank(by_profile)
    uses = _without_zeros(households.uses)
    limited = np.flatnonzero((settlements.capacity != UNLIMITED).any(axis=0))
    services, service_rank = _used_identifiers(problem.services, limited, uses.column)
    by_service = np.argsort(service_rank[:-1], kind="stable")[len(service_rank) - 1 - len(services) :]
    kin_groups, kin_rank = _used_identifiers(households.kin_groups, households.kin_group)
    return {
        "settlements": Settlements(
            settlements.id[by_settlement], settlements.capacity[np.ix_(by_settlement, by_service)]
        ),
        "house_classes": HouseClasses(
            classes.id[by_class],
            settlement_rank[classes.settlement[by_class]],
            classes.bedrooms[by_class],
            classes.step_free[by_class],
            classes.count[by_class],
            classes.reserved[by_class],
        ),
        "profiles": Profiles(profiles.id[by_profile], profiles.value[np.ix_(by_profile, by_settlement)]),
        "households": Households(
            id=households.id[by_household],
            tier=households.tier[by_household],
            points=households.points[by_household],
            bedrooms_min=households.bedrooms_min[by_household],
            bedrooms_max=households.bedrooms_max[by_household],
            needs_step_free=households.needs_step_free[by_household],
            options=_mapped(households.options, settlement_rank).take(by_household),
            has_anywhere=households.has_anywhere[by_household],
            anywhere=np.where(households.has_anywhere, households.anywhere, 0)[by_household],
            profile=profile_rank[households.profile[by_household]],
            kin_groups=kin_groups,
            kin_group=kin_rank[households.kin_group[by_household]],
            uses=_mapped(uses, service_rank).take(by_household),
            lottery=households.lottery[by_household],
            pinned=_rank(by_class)[households.pinned[by_household]],
            forbidden=_mapped(households.forbidden, settlement_rank).take(by_household),
        ),
        "services": services,
    }
