"""Random feasible instances, seeded: the family of problems that the solver is measured on.

Each settlement has house classes of one to four bedrooms, with and without steps; families ask for up to three
neighbouring settlements, some of them accept any; kin groups want to stay together; schools and clinics are tight.
"""

import numpy as np

from solver.problem import NONE, HouseClasses, Households, Problem, Profiles, Settlements, SparseRows
from solver.tables import IntArray, StrArray

SERVICES = ("clinic", "school")
BEDROOMS = np.array([1, 2, 3, 4])
BEDROOM_SHARE = np.array([0.2, 0.35, 0.3, 0.15])
WISHES = np.array([100, 60, 35])


def generate(
    households: int,
    settlements: int,
    seed: int,
    *,
    tiers: int = 5,
    households_per_house: float = 1.3,
    kin_share: float = 0.12,
    places_per_need: float = 0.95,
    anywhere_share: float = 0.3,
    step_free_share: float = 0.12,
    pinned_share: float = 0.0,
    forbidden_share: float = 0.02,
    profiles: int = 6,
    most_points: int = 100,
    spare_bedroom_penalty: int = 8,
) -> Problem:
    """A feasible problem; the same arguments give the same bytes.

    places_per_need: places of a service over what the families that fit in the houses would use on average.
    pinned_share is an upper limit: pins that would contradict each other are left out. Raises ValueError where
    households is negative or settlements or tiers is less than 1.
    """
    if households < 0 or settlements < 1 or tiers < 1:
        raise ValueError("needs no fewer than 0 households, 1 settlement and 1 tier")
    random = np.random.default_rng(seed)
    classes = _house_classes(random, settlements, round(households / households_per_house), step_free_share)
    bedrooms = random.choice(BEDROOMS, households, p=BEDROOM_SHARE)
    kin_group, kin_groups = _kin_groups(random, households, kin_share)
    home = random.integers(0, settlements, households)
    home = np.where(kin_group == NONE, home, random.integers(0, settlements, len(kin_groups) + 1)[kin_group])
    options = _options(random, home, settlements)
    people = bedrooms + random.integers(0, 3, households)
    pupils = random.binomial(np.maximum(people - 1, 0), 0.4)
    uses = _pairs(np.column_stack([people, pupils]))
    houses = np.bincount(classes.settlement, classes.count, settlements)
    need = np.array([people.mean(), pupils.mean()]) if households else np.zeros(2)
    capacity = np.ceil(places_per_need * houses[:, None] * need).astype(np.int64)
    forbidden = (random.random(households) < forbidden_share) & (settlements > 1)
    away = (home + 1) % settlements
    step_free = random.random(households) < step_free_share
    pinned = _pins(random, pinned_share, classes, home, bedrooms, kin_group, people, pupils, capacity)
    return Problem(
        settlements=Settlements(_names("S", settlements), capacity),
        house_classes=classes,
        profiles=Profiles(_names("P", profiles), random.integers(0, 20, (profiles, settlements))),
        households=Households(
            id=_names("H", households),
            tier=random.integers(1, tiers + 1, households),
            points=random.integers(0, most_points + 1, households),
            bedrooms_min=bedrooms,
            bedrooms_max=bedrooms + 1,
            needs_step_free=step_free & (pinned == NONE),
            options=options,
            has_anywhere=random.random(households) < anywhere_share,
            anywhere=random.integers(0, 10, households),
            profile=random.integers(0, profiles, households) if profiles else np.full(households, NONE),
            kin_groups=kin_groups,
            kin_group=kin_group,
            uses=uses,
            lottery=random.permutation(households) + 1,
            pinned=pinned,
            forbidden=SparseRows.where(forbidden & (pinned == NONE), away),
        ),
        services=np.array(SERVICES),
        spare_bedroom_penalty=spare_bedroom_penalty,
    )


def _names(letter: str, count: int) -> StrArray:
    width = len(str(count))
    return np.array([f"{letter}{i:0{width}}" for i in range(1, count + 1)], np.str_)


def _house_classes(random: np.random.Generator, settlements: int, houses: int, step_free_share: float) -> HouseClasses:
    """Eight classes a settlement; the houses are shared out at random, step-free ones somewhat generously."""
    weight = random.uniform(0.5, 1.5, settlements)
    free = np.array([1 - 1.2 * step_free_share, 1.2 * step_free_share])
    share = (weight / weight.sum())[:, None, None] * BEDROOM_SHARE[:, None] * free
    count = random.multinomial(houses, share.ravel() / share.sum())
    step_free = np.tile([False, True], settlements * len(BEDROOMS))
    return HouseClasses(
        id=_names("C", len(count)),
        settlement=np.repeat(np.arange(settlements), 2 * len(BEDROOMS)),
        bedrooms=np.tile(np.repeat(BEDROOMS, 2), settlements),
        step_free=step_free,
        count=count,
        reserved=np.where(step_free, count // 2, 0),
    )


def _kin_groups(random: np.random.Generator, households: int, share: float) -> tuple[IntArray, StrArray]:
    """Groups of two to four until their members are `share` of the households."""
    members = round(share * households)
    sizes = np.cumsum(random.integers(2, 5, members // 2))
    groups = int(np.searchsorted(sizes, members, side="right"))
    column = np.full(households, NONE)
    chosen = random.permutation(households)[: int(sizes[groups - 1]) if groups else 0]
    column[chosen] = np.searchsorted(sizes, np.arange(len(chosen)), side="right")
    return column, _names("K", groups)


def _options(random: np.random.Generator, home: IntArray, settlements: int) -> SparseRows:
    """One to three wishes: home, then its neighbours, each worth less; the members of a kin group agree on home."""
    wishes = np.minimum(random.integers(1, 4, len(home)), settlements)
    start = np.concatenate([[0], np.cumsum(wishes)])
    household = np.repeat(np.arange(len(home)), wishes)
    rank = np.arange(len(household)) - start[household]
    value = WISHES[rank] + random.integers(0, 10, len(household))
    return SparseRows(start, (home[household] + rank) % settlements, value)


def _pairs(table: IntArray) -> SparseRows:
    rows, columns = table.shape
    start = np.arange(rows + 1) * columns
    return SparseRows(start, np.tile(np.arange(columns), rows), table.ravel())


def _pins(
    random: np.random.Generator,
    share: float,
    classes: HouseClasses,
    home: IntArray,
    bedrooms: IntArray,
    kin_group: IntArray,
    people: IntArray,
    pupils: IntArray,
    capacity: IntArray,
) -> IntArray:
    """Pins to the class with steps at home that fits exactly, as long as houses and places last."""
    house_class = home * 2 * len(BEDROOMS) + 2 * (bedrooms - 1)
    wanted = np.flatnonzero((random.random(len(home)) < share) & (kin_group == NONE))
    wanted = wanted[_running(house_class[wanted], np.ones(len(wanted), np.int64)) <= classes.count[house_class[wanted]]]
    for service, amount in enumerate((people, pupils)):
        wanted = wanted[_running(home[wanted], amount[wanted]) <= capacity[home[wanted], service]]
    pinned = np.full(len(home), NONE)
    pinned[wanted] = house_class[wanted]
    return pinned


def _running(group: IntArray, amount: IntArray) -> IntArray:
    """The running total of amounts within each group, in the order of the rows."""
    order = np.argsort(group, kind="stable")
    total = np.cumsum(amount[order])
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    before = np.repeat((total - amount[order])[starts], np.diff(np.append(starts, len(group))))
    running = np.empty(len(group), np.int64)
    running[order] = total - before
    return running
