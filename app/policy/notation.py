"""Households in short: `40M* 38F* 16F 3F` is a couple of 40 and 38 with girls of 16 and 3."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from app.policy.facts import Member, Relationship, Sex
from app.policy.occupancy import ADULT_AGE

OLDEST = 130
GENERATION_YEARS = 15  # a member so much younger than an adult head is taken for a child

_MEMBER = re.compile(r"(?P<age>[0-9]{1,3})(?P<sex>[FMU])(?P<couple>\*?)", re.ASCII)
_SEXES = {"F": Sex.FEMALE, "M": Sex.MALE, "U": Sex.UNSPECIFIED}


class _Written(NamedTuple):
    key: str
    age: int
    sex: Sex
    in_couple: bool


def parse_members(notation: Sequence[str]) -> tuple[Member, ...]:
    """Members from ages and sexes (F, M, U = unspecified); each two with `*`, in order, are a couple.

    The head is the first adult, else the first person. The head's partner is the spouse; members at least 15
    years younger than an adult head are children; all others are other relatives, so that nobody but those
    marked makes a couple. Keys are the notation without `*`, numbered where it repeats (`3F`, `3F-2`).
    Raises ValueError, naming the member, for one that can't be read and for a `*` without its other half.
    """
    written = _read(notation)
    if not written:
        return ()
    halves = [person.key for person in written if person.in_couple]
    if len(halves) % 2:
        raise ValueError(f"member {halves[-1]}*: a couple takes two members marked *, and the other is missing")
    partners = dict(zip(halves[::2], halves[1::2], strict=True))
    partners |= {other: one for one, other in partners.items()}
    head = next((person for person in written if person.age >= ADULT_AGE), written[0])

    def relationship(person: _Written) -> Relationship:
        if person is head:
            return Relationship.HEAD
        if partners.get(person.key) == head.key:
            return Relationship.SPOUSE
        if head.age >= ADULT_AGE and head.age - person.age >= GENERATION_YEARS:
            return Relationship.CHILD
        return Relationship.OTHER_RELATIVE

    return tuple(
        Member(person.key, person.age, person.sex, relationship(person), partners.get(person.key)) for person in written
    )


def _read(notation: Sequence[str]) -> list[_Written]:
    seen: Counter[str] = Counter()
    written = []
    for text in notation:
        match = _MEMBER.fullmatch(text.strip().upper())
        if match is None or int(match["age"]) > OLDEST:
            raise ValueError(
                f"member {text!r}: expected an age up to {OLDEST}, then F, M or U, and * for half of a couple"
            )
        name = f"{int(match['age'])}{match['sex']}"
        seen[name] += 1
        key = name if seen[name] == 1 else f"{name}-{seen[name]}"
        written.append(_Written(key, int(match["age"]), _SEXES[match["sex"]], bool(match["couple"])))
    return written
