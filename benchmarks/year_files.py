"""A district's files cut into what is there when a year begins and what comes week by week."""

import csv
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType

Row = dict[str, str]
WITHOUT_CONSENT = 0.04
"""The share of the families that register without it, and cannot take part until it is there."""


def read(path: Path) -> list[Row]:
    """Return the rows of a file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> None:
    """Write rows under these columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(columns))
        table.writeheader()
        table.writerows(rows)


def _one_number_each(people: list[Row]) -> list[Row]:
    """Leave a document's number with the first who has it: an import refuses the second, for a clerk to look at."""
    seen: set[str] = set()
    for row in people:
        if row["national_id"] in seen:
            row["national_id"] = ""
        seen.add(row["national_id"])
    return people


class District:
    """A folder of files whose households arrive, and whose houses are handed over, in the course of a year.

    Kin arrive together: a kin group is known once all of it has registered. `weeks` is the last week with arrivals.
    """

    def __init__(self, folder: Path, weeks: int, random: Random) -> None:
        self._folder, self._random, self._weeks = folder, random, weeks
        self._households = read(folder / "households.csv")
        self._people = _one_number_each(read(folder / "people.csv"))
        self._houses = read(folder / "houses.csv")
        for row in self._households:
            if random.random() < WITHOUT_CONSENT:
                row["consent_on"] = ""
        self._arrives = self._spread(
            sorted({row["kin_group"] or row["household"] for row in self._households}), at_once=0.55
        )
        finished = sorted(row["house"] for row in self._houses if row["handed_over_on"])
        self.handed_over = self._waves(finished)

    def _spread(self, keys: list[str], at_once: float) -> dict[str, int]:
        """Return the week in which each key comes: that share of them in week 0, the others one by one."""
        return {key: 0 if self._random.random() < at_once else self._random.randint(1, self._weeks) for key in keys}

    def _waves(self, houses: list[str]) -> dict[int, list[str]]:
        """Return week → houses handed over: a third at once, the others in a wave every four weeks."""
        order = self._random.sample(houses, len(houses))
        weeks = range(4, self._weeks + 1, 4)
        first = len(order) // 3
        waves = {week: order[first + number :: len(weeks)] for number, week in enumerate(weeks)}
        return {0: order[:first]} | waves

    def start(
        self,
        target: Path,
        whole: bool = False,
        alone: Collection[str] = (),
        otherwise: Mapping[str, Row] = MappingProxyType({}),
    ) -> Path:
        """Write into a folder of `target` what is there at the start, or the `whole` of the year, and return it.

        Households in `alone` are in no kin group, and `otherwise` has columns of some that are not as in the files.
        """
        target = target / ("whole" if whole else "start")
        target.mkdir()
        for path in self._folder.iterdir():
            if path.name not in ("households.csv", "people.csv", "houses.csv"):
                (target / path.name).write_bytes(path.read_bytes())
        there = set(self.handed_over[0])
        houses = (
            self._houses
            if whole
            else [
                {**row, "handed_over_on": row["handed_over_on"] if row["house"] in there else ""}
                for row in self._houses
            ]
        )
        write(target / "houses.csv", houses, self._houses[0])
        self._register(target, lambda week: whole or week == 0, alone, otherwise)
        return target

    def arrivals(self, target: Path, week: int) -> Path | None:
        """Write into a folder of `target` who registers in a week, and return it. None where nobody does."""
        target = target / f"week-{week}"
        target.mkdir()
        return target if self._register(target, lambda arrived: arrived == week) else None

    def _register(
        self,
        target: Path,
        comes: Callable[[int], bool],
        alone: Collection[str] = (),
        otherwise: Mapping[str, Row] = MappingProxyType({}),
    ) -> bool:
        rows = [row for row in self._households if comes(self._arrives[row["kin_group"] or row["household"]])]
        keys = {row["household"] for row in rows}
        rows = [row | {"kin_group": "" if row["household"] in alone else row["kin_group"]} for row in rows]
        rows = [row | otherwise.get(row["household"], {}) for row in rows]
        write(target / "households.csv", rows, self._households[0])
        write(target / "people.csv", (row for row in self._people if row["household"] in keys), self._people[0])
        return bool(rows)
