"""Finding who is registered twice: `python -m benchmarks.duplicates [--sizes 2000 50000] [--splink] [--json FILE]`.

Registers of invented families, on SQLite, in which some are there a second time: with slips in names, in another
script, given and family name swapped, slips in dates, or only part of the family. Names repeat as they do in life: some
are common, most are rare. Every pair that is found counts for precision, also two families that share names and dates
by chance. One look is what submitting an application costs.
"""

import argparse
import json
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app import keys, migration
from app.access.permissions import OPERATOR
from app.database import Database
from app.duplicates import sweep
from app.housing.models import Origin
from app.policy.facts import Accommodation, Relationship, Sex
from app.registry import duplicates
from app.registry.duplicate_models import DuplicateCandidate
from app.registry.models import Household, Person
from app.sealed import closed, table_of
from benchmarks.tables import Table

TWICE = 0.04
"""Share of households that are registered a second time."""
LOOKS = 50
ORIGINS = 100
"""Places that families left, all of one size."""
ONSETS, VOWELS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"), ("a", "e", "i", "o", "u")
ENDINGS = ("ov", "yev", "enko", "li", "zade", "ishvili", "yan", "sky", "uk", "oglu")
CYRILLIC = str.maketrans("abvgdezijklmnoprstufhy", "абвгдезийклмнопрстуфхы")
KINDS = (
    "slip in a name",
    "another script",
    "names swapped",
    "slip in a date",
    "part of the family",
    "several of these",
)
Family = list[dict[str, Any]]


@dataclass
class Register:
    """Families, the second records of some, and which pairs are one (by position), by kind."""

    families: list[Family] = field(default_factory=list)
    phones: list[str | None] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    twice: dict[tuple[int, int], str] = field(default_factory=dict)


class Names:
    """Names of which a few are common and most are rare (Zipf)."""

    def __init__(self, random_: random.Random) -> None:
        self._random = random_
        self._given = [self._word(2) for _ in range(600)]
        self._family = [self._word(2) + random_.choice(ENDINGS) for _ in range(6_000)]

    def _word(self, syllables: int) -> str:
        return "".join(self._random.choice(ONSETS) + self._random.choice(VOWELS) for _ in range(syllables)).title()

    def _pick(self, names: list[str]) -> str:
        return names[min(int(len(names) ** self._random.random()) - 1, len(names) - 1)]

    def given(self) -> str:
        return self._pick(self._given)

    def family(self) -> str:
        return self._pick(self._family)


def register(size: int, seed: int = 1) -> Register:
    """Invent a register of `size` families and the second records of some of them."""
    random_ = random.Random(seed)
    names, made = Names(random_), Register()
    for _ in range(size):
        family_name = names.family()
        parents = random_.randint(23, 60)
        ages = [parents, parents + random_.randint(-5, 5)][: random_.choice((1, 2, 2, 2))]
        ages += [random_.randint(0, max(parents - 20, 1)) for _ in range(random_.choice((0, 1, 2, 2, 3, 4)))]
        made.families.append([_person(random_, names, family_name, age, number) for number, age in enumerate(ages)])
        made.origins.append(random_.randrange(ORIGINS))
        made.phones.append(f"+999 50 {random_.randrange(10**7):07}" if random_.random() < 0.9 else None)
    for first in random_.sample(range(size), int(size * TWICE)):
        kind = random_.choice(KINDS)
        made.twice[first, len(made.families)] = kind
        made.families.append(_again(random_, made.families[first], kind))
        made.origins.append(made.origins[first] if random_.random() < 0.95 else random_.randrange(ORIGINS))
        made.phones.append(made.phones[first] if random_.random() < 0.4 else None)
    return made


def _person(random_: random.Random, names: Names, family_name: str, age: int, number: int) -> dict[str, Any]:
    born = date(2026 - age, 1, 1) + timedelta(days=0 if random_.random() < 0.08 else random_.randrange(365))
    relationship = (Relationship.HEAD, Relationship.SPOUSE)[number] if number < 2 and age > 17 else Relationship.CHILD
    sex = random_.choice((Sex.FEMALE, Sex.MALE))
    return {
        "given_name": names.given(),
        "family_name": family_name,
        "birth_date": born,
        "sex": sex,
        "relationship": relationship,
    }


def _again(random_: random.Random, family: Family, kind: str) -> Family:
    people = [dict(person) for person in family]
    kinds = random_.sample(KINDS[:-1], 2) if kind == KINDS[-1] else [kind]
    if "part of the family" in kinds and len(people) > 1:
        kept = random_.sample(people, max(1, len(people) // 2))
        people = [person for person in people if person in kept]
        people[0]["relationship"] = Relationship.HEAD
    for person in people:
        if "slip in a name" in kinds:
            which = random_.choice(("given_name", "family_name"))
            person[which] = _slip(random_, person[which])
        if "another script" in kinds:
            for which in ("given_name", "family_name"):
                person[which] = person[which].lower().translate(CYRILLIC).title()
        if "names swapped" in kinds:
            person["given_name"], person["family_name"] = person["family_name"], person["given_name"]
        if "slip in a date" in kinds and random_.random() < 0.7:
            person["birth_date"] = _date_slip(random_, person["birth_date"])
    return people


def _slip(random_: random.Random, name: str) -> str:
    place = random_.randrange(1, len(name))
    match random_.choice(("drop", "double", "other")):
        case "drop":
            return name[:place] + name[place + 1 :] or name
        case "double":
            return name[:place] + name[place - 1].lower() + name[place:]
    return name[:place] + random_.choice(ONSETS + VOWELS) + name[place + 1 :]


def _date_slip(random_: random.Random, born: date) -> date:
    if born.day <= 12 and random_.random() < 0.4:
        return born.replace(month=born.day, day=born.month)
    if random_.random() < 0.5:
        return born.replace(year=born.year - random_.choice((1, 10)), day=min(born.day, 28))
    return born + timedelta(days=1)


def _write(session: Session, made: Register) -> list[int]:
    """Write the register; return the ids of its households, by position."""
    places = [{"name": f"Origin {number}", "latitude": 0.0, "longitude": 0.0} for number in range(ORIGINS)]
    session.execute(insert(Origin), places)
    origins = list(session.scalars(select(Origin.id).order_by(Origin.id)))
    rows = [
        closed(
            Household,
            {
                "registered_on": date(2025, 1, 1),
                "current_accommodation": Accommodation.RENTED,
                "phone": phone,
                "origin_id": origins[origin],
            },
            None,
        )
        for phone, origin in zip(made.phones, made.origins, strict=True)
    ]
    session.execute(insert(table_of(Household)), rows)
    ids = list(session.scalars(select(Household.id).order_by(Household.id)))
    people = [
        {**person, "household_id": household, "needs_step_free": False}
        for household, family in zip(ids, made.families, strict=True)
        for number, person in enumerate(family)
    ]
    heads: set[int] = set()
    for person in people:  # one head a household
        if person["relationship"] is Relationship.HEAD and person["household_id"] in heads:
            person["relationship"] = Relationship.OTHER_RELATIVE
        heads.add(person["household_id"])
    session.execute(insert(table_of(Person)), people)
    return ids


def measure(size: int, *, with_model: bool) -> dict[str, Any]:
    """Make a register and find who is there twice."""
    made = register(size)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HEARTH_DATA_DIR"] = folder
        with Database(f"sqlite:///{folder}/hearth.db") as database:
            migration.upgrade(database)
            with database.session(writes=True) as session:
                ids = _write(session, made)
            begun, processor = time.perf_counter(), time.process_time()
            with database.session(writes=True) as session:
                if with_model:
                    sweep.sweep(session, OPERATOR, with_model=True)
                else:
                    duplicates.look_everywhere(session)
            seconds, processor = time.perf_counter() - begun, time.process_time() - processor
            looks = []
            with database.session(writes=True) as session:
                for household in random.Random(2).sample(ids, LOOKS):
                    start = time.process_time()
                    duplicates.look(session, [household])
                    looks.append(time.process_time() - start)
            with database.session(writes=False) as session:
                pairs = session.execute(select(DuplicateCandidate.first_id, DuplicateCandidate.second_id)).all()
    found = {(first, second) for first, second in pairs}
    expected = {(ids[first], ids[second]): kind for (first, second), kind in made.twice.items()}
    by_kind = {
        kind: round(
            sum(pair in found for pair, each in expected.items() if each == kind)
            / max(1, sum(each == kind for each in expected.values())),
            3,
        )
        for kind in KINDS
    }
    return {
        "households": len(ids),
        "people": sum(map(len, made.families)),
        "twice": len(expected),
        "found": len(found),
        "recall": round(len(found & expected.keys()) / len(expected), 4),
        "precision": round(len(found & expected.keys()) / max(1, len(found)), 4),
        "recall by kind": by_kind,
        "seconds": round(seconds, 1),
        "processor seconds": round(processor, 1),
        "one look, processor ms": round(1000 * statistics.median(looks), 1),
        "slowest look, processor ms": round(1000 * max(looks), 1),
        "peak memory MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 50_000])
    parser.add_argument("--splink", action="store_true", help="with the statistical model too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HEARTH_KEYS_FILE"] = str(keys.make(Path(folder) / "keys.json").path)
        for size in arguments.sizes:
            result = measure(size, with_model=arguments.splink)
            results.append(result)
            print(json.dumps(result), flush=True)
    shown = [name for name in results[0] if name not in ("recall by kind", "seconds")]
    rows: list[Sequence[str]] = [[f"{result[name]:,}" for name in shown] for result in results]
    table = Table("Who is registered twice", shown, rows)
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1), "utf-8")


if __name__ == "__main__":
    main()
