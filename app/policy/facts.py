"""What a policy may know of a household and of a house: no names, nothing that it must not judge by."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Sex(StrEnum):
    """As registered; someone of unspecified sex shares a room only where sex doesn't matter."""

    FEMALE = "female"
    MALE = "male"
    UNSPECIFIED = "unspecified"


class Relationship(StrEnum):
    """What a member is to the head of household."""

    HEAD = "head"
    SPOUSE = "spouse"
    CHILD = "child"
    CHILD_IN_LAW = "child_in_law"
    GRANDCHILD = "grandchild"
    PARENT = "parent"
    SIBLING = "sibling"
    OTHER_RELATIVE = "other_relative"
    NON_RELATIVE = "non_relative"


class Accommodation(StrEnum):
    """Where a household lives at present."""

    DORMITORY = "dormitory"
    UNSAFE_BUILDING = "unsafe_building"
    PUBLIC_BUILDING = "public_building"
    HOST_FAMILY = "host_family"
    RENTED = "rented"
    OWNED = "owned"
    OTHER = "other"


class DeclineReason(StrEnum):
    """Why a family declines an offer."""

    TOO_FAR = "too_far"
    TOO_SMALL = "too_small"
    NOT_ACCESSIBLE = "not_accessible"
    KIN_ELSEWHERE = "kin_elsewhere"
    NO_WORK = "no_work"
    HEALTH_CARE = "health_care"
    SCHOOL = "school"
    SAFETY = "safety"
    NOT_READY_TO_RETURN = "not_ready_to_return"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Decline:
    """An offer that was declined for a reason, or ran out unanswered (None), so many days ago."""

    reason: DeclineReason | None
    days_ago: int


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a household; `age` in whole years on the run's date, `partner` the key of another member.

    A partner who is not a member of the household makes no couple there. Raises ValueError for a negative age
    and for someone who is their own partner.
    """

    key: str
    age: int
    sex: Sex
    relationship: Relationship
    partner: str | None = None
    needs_step_free: bool = False
    occupation: str | None = None

    def __post_init__(self) -> None:
        if self.age < 0:
            raise ValueError(f"member {self.key}: age {self.age} is negative")
        if self.partner == self.key:
            raise ValueError(f"member {self.key} is their own partner")


@dataclass(frozen=True, slots=True)
class HouseholdFacts:
    """A household on the run's date.

    `displaced`: the date of displacement is known and an origin is recorded. `has_home`: a house is reserved
    for it, or it holds a current tenancy. `waiting_days`: since registration. `declines`: of earlier offers. Raises
    ValueError for two members of one key and for negative waiting days.
    """

    reference: str
    members: tuple[Member, ...]
    accommodation: Accommodation
    displaced: bool
    consented: bool
    has_home: bool
    waiting_days: int
    declines: tuple[Decline, ...] = ()

    def __post_init__(self) -> None:
        if len({member.key for member in self.members}) < len(self.members):
            raise ValueError(f"household {self.reference}: two members have the same key")
        if self.waiting_days < 0:
            raise ValueError(f"household {self.reference}: {self.waiting_days} waiting days are negative")

    @property
    def needs_step_free(self) -> bool:
        """Whether any member needs step-free access."""
        return any(member.needs_step_free for member in self.members)


@dataclass(frozen=True, slots=True)
class HouseFacts:
    """A house as built: bedrooms (0 = studio) and rooms are two counts, never compared with each other."""

    bedrooms: int
    rooms: int
    floor_area_m2: Decimal | float
    step_free: bool


def age_on(birth_date: date, on: date) -> int:
    """Whole years of age on a date.

    Someone born on 29 February completes a year on 1 March in a common year. Raises ValueError when `on` is
    before the birth.
    """
    if on < birth_date:
        raise ValueError(f"born on {birth_date}, after {on}")
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))
