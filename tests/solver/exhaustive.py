"""The model of the design, by brute force: every allocation of a tiny problem is looked at.

It reads the JSON form alone and shares nothing with the solver.
"""

import random
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]
Vector = tuple[int, ...]


def best(problem: Row) -> Vector | None:
    """The lexicographically largest (tier 1, …, tier T, points, value); None where the pins contradict."""
    vectors = (vector(problem, allocation) for allocation in allocations(problem))
    return max(vectors, default=None)


def allocations(problem: Row) -> Iterator[dict[str, Row]]:
    """Every allocation, {household: class row}, that keeps the six rules."""
    chosen: dict[str, Row] = {}

    def place(position: int) -> Iterator[dict[str, Row]]:
        if position == len(problem["households"]):
            if _kin_whole(problem, chosen) and _services_hold(problem, chosen):
                yield dict(chosen)
            return
        household = problem["households"][position]
        if not household.get("pinned"):
            yield from place(position + 1)
        for house_class in problem["house_classes"]:
            if not _may(problem, household, house_class):
                continue
            chosen[household["id"]] = house_class
            if _classes_hold(problem, chosen, house_class):
                yield from place(position + 1)
            del chosen[household["id"]]

    return place(0)


def value(problem: Row, household: Row, house_class: Row) -> int | None:
    """What a household gains in a class; None where it does not accept the settlement."""
    settlement = house_class["settlement"]
    options = household.get("options", {})
    gain: int | None = None
    if settlement in options:
        gain = options[settlement]
    elif household.get("anywhere") is not None:
        gain = household["anywhere"]
        for profile in problem["profiles"]:
            if profile["id"] == household.get("profile"):
                gain += profile.get("values", {}).get(settlement, 0)
    if gain is None:
        return None
    spare = house_class["bedrooms"] - household["bedrooms_min"]
    return int(gain - problem["spare_bedroom_penalty"] * spare)


def _may(problem: Row, household: Row, house_class: Row) -> bool:
    if household.get("pinned") not in (None, house_class["id"]):
        return False
    if not household["bedrooms_min"] <= house_class["bedrooms"] <= household["bedrooms_max"]:
        return False
    if household["needs_step_free"] and not house_class["step_free"]:
        return False
    if house_class["settlement"] in household.get("forbidden", []):
        return False
    return value(problem, household, house_class) is not None


def _classes_hold(problem: Row, chosen: dict[str, Row], house_class: Row) -> bool:
    needs = {row["id"]: row["needs_step_free"] for row in problem["households"]}
    takers = [household for household, given in chosen.items() if given is house_class]
    others = sum(not needs[household] for household in takers)
    unreserved = house_class["count"] - house_class.get("reserved", 0)
    return bool(len(takers) <= house_class["count"] and others <= unreserved)


def _services_hold(problem: Row, chosen: dict[str, Row]) -> bool:
    for settlement in problem["settlements"]:
        for service, places in settlement.get("capacities", {}).items():
            used = sum(
                row.get("uses", {}).get(service, 0)
                for row in problem["households"]
                if row["id"] in chosen and chosen[row["id"]]["settlement"] == settlement["id"]
            )
            if used > places:
                return False
    return True


def _kin_whole(problem: Row, chosen: dict[str, Row]) -> bool:
    groups: dict[str, set[str | None]] = {}
    for row in problem["households"]:
        if row.get("kin_group"):
            at = chosen[row["id"]]["settlement"] if row["id"] in chosen else None
            groups.setdefault(row["kin_group"], set()).add(at)
    return all(len(places) == 1 for places in groups.values())


def vector(problem: Row, chosen: dict[str, Row]) -> Vector:
    rows = [row for row in problem["households"] if row["id"] in chosen]
    last = max((row["tier"] for row in problem["households"]), default=0)
    tiers = [sum(row["tier"] == tier for row in rows) for tier in range(1, last + 1)]
    points = sum(row.get("points", 0) for row in rows)
    worth = sum(value(problem, row, chosen[row["id"]]) or 0 for row in rows)
    return (*tiers, points, worth)


Stages = list[tuple[dict[str, int], int]]


def worth(problem: Row, chosen: dict[str, Row], terms: dict[str, int], before: dict[str, str]) -> int:
    """Σ weight · term of an allocation. before: {household: class} of the one that `keep` compares with."""
    amount: dict[str, int] = {"points": 0, "value": 0, "keep": 0}
    for row in problem["households"]:
        if row["id"] not in chosen:
            continue
        tier = f"tier {row['tier']}"
        amount[tier] = amount.get(tier, 0) + 1
        amount["points"] += row.get("points", 0)
        amount["value"] += value(problem, row, chosen[row["id"]]) or 0
        amount["keep"] += before.get(row["id"]) == chosen[row["id"]]["id"]
    return sum(weight * amount.get(term, 0) for term, weight in terms.items())


def best_in_order(problem: Row, stages: Stages, before: dict[str, str]) -> tuple[Vector, set[Vector]] | None:
    """What each stage (its terms, and what later ones may lose of it) can achieve under what those before it keep, and
    what allocations that are left in the end give all of them; None where the pins contradict."""
    vectors = {tuple(worth(problem, a, terms, before) for terms, _ in stages) for a in allocations(problem)}
    achieved = []
    for stage, (_, may_lose) in enumerate(stages):
        if not vectors:
            return None
        achieved.append(max(vector[stage] for vector in vectors))
        vectors = {vector for vector in vectors if vector[stage] >= achieved[-1] - may_lose}
    return tuple(achieved), vectors


def tiny_stages(seed: int, problem: Row) -> tuple[Stages, dict[str, str]]:
    """Random stages for a tiny problem, and a random allocation of much the same problem to keep to."""
    dice = random.Random(seed)
    last = max(row["tier"] for row in problem["households"])
    terms = [*(f"tier {tier}" for tier in range(1, last + 1)), "points", "value", "keep"]
    stages: Stages = []
    for _ in range(dice.randint(1, 5)):
        some = dice.sample(terms, dice.choice([1, 1, 1, 2, 3]))
        stages.append(({term: dice.choice([1, 1, 2, 5]) for term in some}, dice.choice([0, 0, 0, 1, 2, 7])))
    known = [row["id"] for row in problem["house_classes"]]
    before = {row["id"]: dice.choice(known) for row in problem["households"] if dice.random() < 0.7}
    return stages, before


def tiny_problem(seed: int) -> Row:
    """A random problem of at most six households with every rule and stage in play, as JSON."""
    dice = random.Random(seed)
    settlements = [f"s{i}" for i in range(dice.randint(1, 3))]
    services = ["clinic", "school"][: dice.randint(0, 2)]
    classes = [f"c{i}" for i in range(dice.randint(1, 5))]
    counts = [dice.choice([0, 1, 1, 1, 2, 2]) for _ in classes]
    households = [f"h{i}" for i in range(dice.randint(1, 6))]
    profiles = ["p0", "p1"][: dice.randint(0, 2)]
    pin_share = dice.choice([0, 0, 0.2])
    rows = [_household(dice, name, settlements, services, profiles) for name in households]
    for row in rows:
        if dice.random() < pin_share:
            row["pinned"] = dice.choice(classes)
    for _ in range(dice.choice([0, 0, 1, 2])):
        same, twin = dice.choice(rows), dice.choice(rows)
        twin.update({key: same[key] for key in same if key not in ("id", "lottery")})
    dice.shuffle(rows)
    return {
        "format": "hearth-problem/1",
        "spare_bedroom_penalty": dice.choice([0, 1, 3]),
        "settlements": [
            {"id": name, "capacities": {s: dice.randint(0, 4) for s in services if dice.random() < 0.7}}
            for name in settlements
        ],
        "house_classes": [
            {
                "id": name,
                "settlement": dice.choice(settlements),
                "bedrooms": dice.randint(1, 3),
                "step_free": dice.random() < 0.4,
                "count": count,
                "reserved": dice.randint(0, count) if dice.random() < 0.3 else 0,
            }
            for name, count in zip(classes, counts, strict=True)
        ],
        "profiles": [{"id": name, "values": {s: dice.randint(-2, 5) for s in settlements}} for name in profiles],
        "households": rows,
    }


def _household(dice: random.Random, name: str, settlements: list[str], services: list[str], profiles: list[str]) -> Row:
    least = dice.randint(1, 3)
    asked = dice.sample(settlements, dice.randint(0, len(settlements)))
    return {
        "id": name,
        "tier": dice.randint(1, 3),
        "points": dice.choice([0, 1, 2, 3, 5, 5]),
        "bedrooms_min": least,
        "bedrooms_max": dice.randint(least, 4),
        "needs_step_free": dice.random() < 0.2,
        "options": {s: dice.randint(-3, 10) for s in asked},
        "anywhere": dice.randint(-2, 4) if dice.random() < 0.4 else None,
        "profile": dice.choice(profiles) if profiles and dice.random() < 0.6 else None,
        "kin_group": dice.choice(["k0", "k1"]) if dice.random() < 0.4 else None,
        "uses": {s: dice.randint(0, 2) for s in services},
        "lottery": dice.randint(1, 5),
        "forbidden": dice.sample(settlements, 1) if dice.random() < 0.15 else [],
    }
