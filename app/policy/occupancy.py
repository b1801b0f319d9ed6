"""How many bedrooms, rooms or square metres a household needs, under a named and versioned standard.

Couples have a room of their own. With them taken out, each bedroom standard says which two people may share,
and the need is couples + singles - the largest number of disjoint pairs who may: a maximum matching. Pairing
greedily is wrong (one boy and one girl in each age band).

Sources: English Housing Survey and Housing Act 1985 s.325 as proposed (`england_bedroom_standard`); UK Local
Housing Allowance (`lha_size_criteria`); National Occupancy Standard of CMHC and Statistics Canada
(`canada_nos`); Sphere Handbook 2018 (`floor_area`); the tables of `rooms_by_headcount` name their own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Annotated, Literal, NamedTuple, Self

import networkx as nx
from pydantic import AfterValidator, Field, model_validator

from app.policy.facts import HouseFacts, Member, Relationship, Sex
from app.policy.frozen import Count, Frozen

ADULT_AGE = 18
LARGEST = 1_000
"""Where sizes end, as the solver's do: what is larger counts as this, in a need and in a house alike."""


class Measure(StrEnum):
    """What a standard counts, and so which property of a house it is compared with."""

    BEDROOMS = "bedrooms"
    ROOMS = "rooms"
    FLOOR_AREA_M2 = "floor_area_m2"


class BedroomStandard(Frozen):
    """A standard that pairs people into bedrooms."""

    standard: Literal["england_bedroom_standard", "lha_size_criteria", "canada_nos"]
    version: Literal[1] = 1

    @property
    def measure(self) -> Measure:
        return Measure.BEDROOMS


class HeadcountRow(Frozen):
    """Households of `persons_from` to `persons_to` people (None: and more) need `rooms` rooms."""

    persons_from: Count
    persons_to: Count | None
    rooms: Count


def _headcount_table(*rows: tuple[int, int | None, int]) -> tuple[HeadcountRow, ...]:
    return tuple(HeadcountRow(persons_from=low, persons_to=high, rooms=rooms) for low, high, rooms in rows)


HEADCOUNT_TABLES: Mapping[str, tuple[HeadcountRow, ...]] = {
    # Azerbaijan, Cabinet Resolution 65 of 2017, temporary fund
    "azerbaijan_resolution_65_2017": _headcount_table((1, 1, 1), (2, 3, 2), (4, 5, 3), (6, None, 4)),
    # inferred from published draws of 2023; nobody published the table itself
    "azerbaijan_draws_2023_inferred": _headcount_table((1, 2, 2), (3, 4, 3), (5, 5, 4), (6, None, 5)),
}


class RoomsByHeadcount(Frozen):
    """Rooms (not bedrooms) from a table by the number of people: no gap or overlap from 1 up."""

    standard: Literal["rooms_by_headcount"]
    version: Literal[1] = 1
    table: Annotated[tuple[HeadcountRow, ...], Field(min_length=1, max_length=100)] = HEADCOUNT_TABLES[
        "azerbaijan_resolution_65_2017"
    ]

    @property
    def measure(self) -> Measure:
        return Measure.ROOMS

    @model_validator(mode="after")
    def _covers_every_household(self) -> Self:
        if self.table[0].persons_from != 1:
            raise ValueError("the first row must start at 1 person")
        if self.table[-1].persons_to is not None:
            raise ValueError("the last row must be open-ended (persons_to null)")
        for row, following in pairwise(self.table):
            if row.persons_to is None or row.persons_to < row.persons_from:
                raise ValueError(f"the row from {row.persons_from} persons must end at {row.persons_from} or more")
            if following.persons_from != row.persons_to + 1:
                raise ValueError(
                    f"after {row.persons_to} persons the next row must start at {row.persons_to + 1}, "
                    f"not {following.persons_from}"
                )
            if following.rooms < row.rooms:
                raise ValueError(f"from {following.persons_from} persons the table gives fewer rooms than before")
        return self


SquareMetres = Annotated[
    Decimal,
    Field(ge=1, le=100, max_digits=5, decimal_places=2),
    AfterValidator(lambda area: area.quantize(Decimal("0.01"))),  # one spelling, so one hash, of 3.5 and 3.50
]


class FloorArea(Frozen):
    """A least floor area per person: 3.5 m² (Sphere), 4.5-5.5 in cold climates or with kitchen and bath."""

    standard: Literal["floor_area"]
    version: Literal[1] = 1
    m2_per_person: SquareMetres = Decimal("3.50")

    @property
    def measure(self) -> Measure:
        return Measure.FLOOR_AREA_M2


Standard = Annotated[BedroomStandard | RoomsByHeadcount | FloorArea, Field(discriminator="standard")]

STANDARDS: Mapping[str, BedroomStandard | RoomsByHeadcount | FloorArea] = {
    "england_bedroom_standard": BedroomStandard(standard="england_bedroom_standard"),
    "lha_size_criteria": BedroomStandard(standard="lha_size_criteria"),
    "canada_nos": BedroomStandard(standard="canada_nos"),
    "rooms_by_headcount": RoomsByHeadcount(standard="rooms_by_headcount"),
    "floor_area": FloorArea(standard="floor_area"),
}


class RoomReason(StrEnum):
    """Why a person counts as they do."""

    COUPLE = "couple"
    SHARES = "shares"
    OWN_ROOM_AGE = "own_room_age"
    OWN_ROOM_LONE_PARENT = "own_room_lone_parent"
    OWN_ROOM_UNMATCHED = "own_room_unmatched"
    STUDIO = "studio"
    HEADCOUNT = "headcount"
    FLOOR_AREA = "floor_area"


@dataclass(frozen=True, slots=True)
class PersonReason:
    """Why the member of this key counts as they do; `shares_with` are keys of members."""

    member: str
    code: RoomReason
    sentence: str
    shares_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """What a household needs: `amount` in units of `measure`, and a reason per member in their order."""

    standard: str
    version: int
    measure: Measure
    amount: int
    reasons: tuple[PersonReason, ...]


def need(standard: BedroomStandard | RoomsByHeadcount | FloorArea, members: Sequence[Member]) -> Need:
    """The need of a household under a standard; nobody needs nothing (0).

    Whole square metres are rounded up. Raises ValueError for two members of one key.
    """
    if len({member.key for member in members}) < len(members):
        raise ValueError("two members have the same key")
    match standard:
        case BedroomStandard():
            amount, reasons = _bedrooms(SHARING[standard.standard], members)
        case RoomsByHeadcount():
            amount, reasons = _rooms(standard, members)
        case FloorArea():
            amount, reasons = _floor_area(standard, members)
    return Need(standard.standard, standard.version, standard.measure, min(amount, LARGEST), reasons)


def measured(house: HouseFacts, measure: Measure) -> int:
    """The size of a house under a measure, up to `LARGEST`; whole square metres, rounded down."""
    match measure:
        case Measure.BEDROOMS:
            return house.bedrooms
        case Measure.ROOMS:
            return house.rooms
        case Measure.FLOOR_AREA_M2:
            return min(math.floor(house.floor_area_m2), LARGEST)


def couples(members: Sequence[Member]) -> tuple[tuple[Member, Member], ...]:
    """The couples of a household, nobody in two: linked partners, then the head and the spouse, then each
    child-in-law with the adult child nearest in age, then two parents of the head.

    Doesn't depend on the order of the members: the elder first, then by key. Three or more parents without a
    partner are nobody's couple, since it isn't known who belongs to whom.
    """
    found: list[tuple[Member, Member]] = []
    free = {member.key: member for member in sorted(members, key=lambda member: (-member.age, member.key))}

    def of(relationship: Relationship) -> list[Member]:
        return [member for member in free.values() if member.relationship is relationship]

    def pair(one: Member, other: Member) -> None:
        found.append((free.pop(one.key), free.pop(other.key)))

    for member in list(free.values()):
        if member.key in free and member.partner in free:
            pair(member, free[member.partner])
    if (heads := of(Relationship.HEAD)) and (spouses := of(Relationship.SPOUSE)):
        pair(heads[0], spouses[0])
    for in_law in of(Relationship.CHILD_IN_LAW):
        children = [child for child in of(Relationship.CHILD) if child.age >= ADULT_AGE]
        if children:
            pair(min(children, key=lambda child: abs(child.age - in_law.age)), in_law)
    if len(parents := of(Relationship.PARENT)) == 2:
        pair(*parents)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Sharing:
    """Who may share: two under `any_sex_under`; two of one known sex under `one_sex_under`; else nobody."""

    any_sex_under: int
    one_sex_under: int
    lone_parent_apart: bool = False
    studio_for_one: bool = False


SHARING: Mapping[str, Sharing] = {
    "england_bedroom_standard": Sharing(any_sex_under=10, one_sex_under=21),
    "lha_size_criteria": Sharing(any_sex_under=10, one_sex_under=16),
    "canada_nos": Sharing(any_sex_under=5, one_sex_under=18, lone_parent_apart=True, studio_for_one=True),
}


class _Sharer(NamedTuple):
    """All that a bedroom standard sees of someone; equal sharers are interchangeable."""

    under_any_sex: bool
    under_one_sex: bool
    sex: Sex
    role: Literal["", "lone parent", "child"]

    def may_share_with(self, other: "_Sharer") -> bool:
        if {self.role, other.role} == {"lone parent", "child"}:
            return False
        if self.under_any_sex and other.under_any_sex:
            return True
        one_sex = self.sex is other.sex and self.sex is not Sex.UNSPECIFIED
        return one_sex and self.under_one_sex and other.under_one_sex


@lru_cache(maxsize=65_536)  # a few hundred kinds of household make up a whole programme
def _pairs(sharers: tuple[_Sharer, ...]) -> tuple[tuple[int, int], ...]:
    """A largest set of disjoint pairs who may share, as positions; of those, one with the most of one sex."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_weighted_edges_from(
        (i, j, 2 if sharers[i].sex is sharers[j].sex else 1)
        for i, j in combinations(range(len(sharers)), 2)
        if sharers[i].may_share_with(sharers[j])
    )
    return tuple(sorted((min(i, j), max(i, j)) for i, j in nx.max_weight_matching(graph, maxcardinality=True)))


def _bedrooms(sharing: Sharing, members: Sequence[Member]) -> tuple[int, tuple[PersonReason, ...]]:
    reasons: dict[str, PersonReason] = {}
    paired = couples(members)
    for one, other in (*paired, *((other, one) for one, other in paired)):
        reasons[one.key] = PersonReason(one.key, RoomReason.COUPLE, f"couple with {other.key}", (other.key,))
    singles = [member for member in members if member.key not in reasons]
    if sharing.studio_for_one and len(members) == 1:
        (alone,) = members
        return 0, (PersonReason(alone.key, RoomReason.STUDIO, "one person alone: a studio will do"),)

    lone_parents = sharing.lone_parent_apart and any(m.relationship is Relationship.CHILD for m in singles)

    def seen(member: Member) -> _Sharer:
        roles: dict[Relationship, Literal["lone parent", "child"]] = (
            {Relationship.HEAD: "lone parent", Relationship.CHILD: "child"} if lone_parents else {}
        )
        return _Sharer(
            member.age < sharing.any_sex_under,
            member.age < sharing.one_sex_under,
            member.sex,
            roles.get(member.relationship, ""),
        )

    sharers = sorted(((seen(m), m.age, m.key) for m in singles if m.age < sharing.one_sex_under), reverse=True)
    pairs = _pairs(tuple(sharer for sharer, _, _ in sharers))
    for i, j in (*pairs, *((j, i) for i, j in pairs)):
        key, other_key = sharers[i][2], sharers[j][2]
        reasons[key] = PersonReason(key, RoomReason.SHARES, f"shares with {other_key}", (other_key,))
    for member in singles:
        if member.key not in reasons:
            reasons[member.key] = _own_room(sharing, member, seen(member))
    amount = len(paired) + len(singles) - len(pairs)
    return amount, tuple(reasons[member.key] for member in members)


def _own_room(sharing: Sharing, member: Member, sharer: _Sharer) -> PersonReason:
    if not sharer.under_one_sex:
        sentence = f"own room: {sharing.one_sex_under} or over"
        return PersonReason(member.key, RoomReason.OWN_ROOM_AGE, sentence)
    if sharer.role == "lone parent":
        sentence = "own room: a lone parent does not share with a child"
        return PersonReason(member.key, RoomReason.OWN_ROOM_LONE_PARENT, sentence)
    return PersonReason(member.key, RoomReason.OWN_ROOM_UNMATCHED, "own room: nobody left who may share it")


def _rooms(standard: RoomsByHeadcount, members: Sequence[Member]) -> tuple[int, tuple[PersonReason, ...]]:
    people = len(members)
    rooms = max((row.rooms for row in standard.table if row.persons_from <= people), default=0)
    sentence = f"one of {people} people, for whom the table gives {rooms} rooms"
    return rooms, tuple(PersonReason(member.key, RoomReason.HEADCOUNT, sentence) for member in members)


def _floor_area(standard: FloorArea, members: Sequence[Member]) -> tuple[int, tuple[PersonReason, ...]]:
    sentence = f"{standard.m2_per_person} m² for each person"
    reasons = tuple(PersonReason(member.key, RoomReason.FLOOR_AREA, sentence) for member in members)
    return math.ceil(standard.m2_per_person * len(members)), reasons
