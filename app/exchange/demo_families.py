"""Inventing families: who lives together, how old they are, what they ask for."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from random import Random

from app.exchange.demo_names import FAMILY, FEMALE, MALE
from app.exchange.exports import Line
from app.policy.facts import Accommodation, Relationship, Sex

TODAY = date(2026, 1, 1)
ADULT, RETIRED = 18, 66
KIN_SHARE = 0.15
SECTORS = (
    *("agriculture", "construction", "education", "health", "hospitality"),
    *("manufacturing", "public_administration", "retail", "transport"),
)
LANGUAGES = ("ar", "en", "es", "fr", "hi", "pt-BR", "sw", "tr", "uk", "zh-Hant")
ACCOMMODATION = {
    Accommodation.RENTED: 27,
    Accommodation.HOST_FAMILY: 24,
    Accommodation.DORMITORY: 22,
    Accommodation.UNSAFE_BUILDING: 11,
    Accommodation.PUBLIC_BUILDING: 9,
    Accommodation.OTHER: 4,
    Accommodation.OWNED: 3,
}

Member = tuple[Relationship, int, Sex]
"""Relationship to the head, age in years, sex."""


def families(
    random: Random, count: int, homes: Mapping[str, str | None], shares: Mapping[str, float]
) -> tuple[list[Line], list[Line]]:
    """Return lines of `count` households and of their people.

    `homes`: the settlement that each origin is merged into, if any; `shares`: the settlements and their sizes.
    """
    households: list[Line] = []
    people: list[Line] = []
    weights = [0.04 if home is None else shares[home] for home in homes.values()]
    kin_left = 0
    kin_number = 0
    for number in range(1, count + 1):
        household = _household(random, f"FAM-{number:05}", homes, list(shares), weights)
        if kin_left:
            kin_left -= 1
            like = ("origin", "displaced_on", "preferred_1", "preferred_2", "preferred_3", "anywhere", "kin_group")
            household |= {column: households[-1][column] for column in like}
        elif number + 1 < count and random.random() < KIN_SHARE / 2.2:  # a group has 2.6 households on average
            kin_number += 1
            kin_left = random.choices((1, 2, 3), (55, 30, 15))[0]
            household["kin_group"] = f"KIN-{kin_number:04}"
        households.append(household)
        people += _people(random, household["household"])
    return households, people


def _household(
    random: Random, key: str, homes: Mapping[str, str | None], settlements: list[str], weights: list[float]
) -> Line:
    origin = random.choices(list(homes), weights)[0]
    home = homes[origin]
    preferred = [] if home is None or random.random() < 0.12 else [home]
    others = [settlement for settlement in settlements if settlement not in preferred]
    preferred += random.sample(others, random.choices((0, 1, 2), (62, 25, 13))[0])
    registered_on = date(2021, 1, 4) + timedelta(days=random.randrange(1_790))
    return {
        "household": key,
        "registered_on": registered_on,
        "origin": origin,
        "displaced_on": date(1998, 4, 1) + timedelta(days=random.randrange(300)),
        "current_accommodation": random.choices(list(ACCOMMODATION), list(ACCOMMODATION.values()))[0],
        **{f"preferred_{rank}": preferred[rank - 1] if rank <= len(preferred) else None for rank in (1, 2, 3)},
        "anywhere": not preferred or random.random() < 0.35,
        "kin_group": None,
        "phone": None
        if random.random() < 0.07
        else f"+999 {random.randint(20, 89)} {random.randint(10**6, 10**7 - 1)}",
        "language": random.choice(LANGUAGES),
        "consent_on": None if random.random() < 0.02 else registered_on,
    }


def _sex(random: Random) -> Sex:
    return random.choices((Sex.FEMALE, Sex.MALE, Sex.UNSPECIFIED), (500, 497, 3))[0]


def _couple(random: Random, low: int, high: int) -> list[Member]:
    age = random.randint(low, high)
    sexes = [Sex.FEMALE, Sex.MALE]
    random.shuffle(sexes)
    return [
        (Relationship.HEAD, age, sexes[0]),
        (Relationship.SPOUSE, max(ADULT + 1, age + random.randint(-6, 4)), sexes[1]),
    ]


def _children(random: Random, parent_age: int, counts: Mapping[int, int]) -> list[Member]:
    count = random.choices(list(counts), list(counts.values()))[0]
    oldest = max(0, min(parent_age - 20, 26))
    return [(Relationship.CHILD, random.randint(0, oldest), _sex(random)) for _ in range(count)]


def _couple_with_children(random: Random) -> list[Member]:
    couple = _couple(random, 23, 58)
    return couple + _children(random, couple[1][1], {1: 16, 2: 30, 3: 28, 4: 17, 5: 9})


def _pair(random: Random) -> list[Member]:
    return _couple(random, 24, 80)


def _single_parent(random: Random) -> list[Member]:
    age = random.randint(21, 60)
    sex = random.choices((Sex.FEMALE, Sex.MALE), (8, 2))[0]
    return [(Relationship.HEAD, age, sex), *_children(random, age, {1: 40, 2: 36, 3: 24})]


def _alone(random: Random) -> list[Member]:
    return [(Relationship.HEAD, random.randint(19, 64), _sex(random))]


def _elderly_alone(random: Random) -> list[Member]:
    return [(Relationship.HEAD, random.randint(66, 94), random.choices((Sex.FEMALE, Sex.MALE), (7, 3))[0])]


def _with_grandparents(random: Random) -> list[Member]:
    family = _couple_with_children(random)
    age = min(97, family[0][1] + random.randint(20, 32))
    parents = [(Relationship.PARENT, age, Sex.FEMALE), (Relationship.PARENT, min(97, age + 3), Sex.MALE)]
    return family + parents[: random.choices((1, 2), (7, 3))[0]]


def _headed_by_grandparents(random: Random) -> list[Member]:
    elders = _couple(random, 56, 82)[: random.choices((1, 2), (5, 5))[0]]
    age = max(20, elders[-1][1] - random.randint(21, 34))
    grandchildren = [
        (Relationship.GRANDCHILD, random.randint(0, max(0, age - 19)), _sex(random))
        for _ in range(random.choices((1, 2, 3, 4), (25, 40, 25, 10))[0])
    ]
    return [
        *elders,
        (Relationship.CHILD, age, Sex.MALE),
        (Relationship.CHILD_IN_LAW, max(19, age - random.randint(0, 5)), Sex.FEMALE),
        *grandchildren,
    ]


def _siblings(random: Random) -> list[Member]:
    age = random.randint(20, 60)
    others = range(random.choices((1, 2), (7, 3))[0])
    return [
        (Relationship.HEAD, age, _sex(random)),
        *((Relationship.SIBLING, max(ADULT, age + random.randint(-8, 8)), _sex(random)) for _ in others),
    ]


def _with_others(random: Random) -> list[Member]:
    other = random.choice((Relationship.OTHER_RELATIVE, Relationship.NON_RELATIVE))
    return [*_couple_with_children(random), (other, random.randint(ADULT, 75), _sex(random))]


COMPOSITIONS: dict[Callable[[Random], list[Member]], int] = {
    _couple_with_children: 43,
    _with_grandparents: 13,
    _single_parent: 11,
    _headed_by_grandparents: 9,
    _pair: 7,
    _elderly_alone: 6,
    _with_others: 4,
    _siblings: 4,
    _alone: 3,
}


def _people(random: Random, household: str) -> list[Line]:
    members = random.choices(list(COMPOSITIONS), list(COMPOSITIONS.values()))[0](random)
    serial = household.removeprefix("FAM-")  # keeps apart what chance might make the same
    family_name = random.choice(FAMILY)
    return [
        {
            "household": household,
            "person": f"{household}-{number:02}",
            "given_name": _given_name(random, sex),
            "family_name": random.choice(FAMILY) if _has_own_name(random, relationship) else family_name,
            "sex": sex,
            "birth_date": TODAY - timedelta(days=age * 365.25 + random.randrange(365)),
            "relationship": relationship,
            "needs_step_free": random.random() < (0.09 if age >= 70 else 0.009),
            "occupation": _occupation(random, age),
            "national_id": None
            if age < 16 or random.random() < 0.1
            else f"{random.choice('KMRTX')}{random.randint(10**6, 10**7 - 1)}{serial}{number:02}",
        }
        for number, (relationship, age, sex) in enumerate(members, 1)
    ]


def _given_name(random: Random, sex: Sex) -> str:
    return random.choice({Sex.FEMALE: FEMALE, Sex.MALE: MALE}.get(sex, FEMALE + MALE))


def _has_own_name(random: Random, relationship: Relationship) -> bool:
    if relationship is Relationship.NON_RELATIVE:
        return True
    return relationship in (Relationship.SPOUSE, Relationship.CHILD_IN_LAW) and random.random() < 0.3


def _occupation(random: Random, age: int) -> str | None:
    if age < ADULT or age >= RETIRED:
        return None
    return "none" if random.random() < 0.3 else random.choice(SECTORS)
