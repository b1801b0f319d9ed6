"""The frozen contract of a run: all that decides it, hashed and stored, with nothing that names a person.

There are no names, no birth dates, no ages and no free text in it. With the seed it gives the solver's problem, and
with the solution every address: nothing else is needed to redo a run.
"""

import copy
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.allocation import declines, pinning, places
from app.allocation.draw import lottery_numbers
from app.allocation.gather import Gathered
from app.allocation.order import stages_of
from app.allocation.parts import (
    AsidePart,
    ClassPart,
    HouseholdPart,
    NeedPart,
    Part,
    PolicyPart,
    ProfilePart,
    RulePart,
    SettlementPart,
)
from app.allocation.pinning import PlacementPart
from app.allocation.placement_models import PlacementKind
from app.allocation.wishes import Sectors, Wish, Worth
from app.housing.models import House
from app.housing.readiness import capacities
from app.policy.assess import Assessment, Service, assess
from app.policy.eligibility import Ineligibility
from app.policy.facts import HouseFacts
from app.policy.occupancy import Measure, measured
from app.registry.facts import facts_of
from app.registry.models import Application
from solver import canonical_json


class Reserved(BaseModel):
    """What a snapshot says of the houses that were reserved already; the rest of one, which takes longer, is not read.

    `held`: household → the house reserved for it, of those that the run may move.
    """

    model_config = ConfigDict(frozen=True)

    house_classes: tuple[ClassPart, ...]
    held: dict[str, str] = Field({}, exclude_if=lambda held: not held)

    @property
    def homes(self) -> dict[str, str]:
        """Household → the class of the house reserved for it, which the stage `keep` counts."""
        classes = {house: part.id for part in self.house_classes for house in part.houses}
        return {household: classes[house] for household, house in self.held.items()}


class Snapshot(Part, Reserved):
    """All that decides a run. `problem` is a `hearth-problem/1` without lottery numbers.

    `stages`: what is optimised, first things first, where that is not the model's own order. `aside`: who could not
    take part, as if it could; nothing of the run rests on it, but what it would have given them can be worked out.
    What came to the format later is left out where it says nothing, so that older snapshots keep their spelling.
    """

    format: Literal["hearth-snapshot/1"] = "hearth-snapshot/1"
    run: str
    on: date
    policy: PolicyPart
    settlements: tuple[SettlementPart, ...]
    profiles: tuple[ProfilePart, ...]
    households: tuple[HouseholdPart, ...]
    placements: tuple[PlacementPart, ...] = Field((), exclude_if=lambda placements: not placements)
    stages: tuple[str, ...] = Field((), exclude_if=lambda stages: not stages)
    aside: tuple[AsidePart, ...] = Field((), exclude_if=lambda aside: not aside)
    problem: dict[str, Any]

    @property
    def kept(self) -> dict[str, str]:
        """Household → the house that the draw keeps for it, where it is given the class of that house."""
        return self.held | {part.household: part.house for part in self.placements if part.house is not None}

    @property
    def tiers_before(self) -> int:
        """How many tiers of the problem come before the policy's: one where somebody has precedence, and else none."""
        return int(any(part.precedence and part.eligible for part in self.households))

    def text(self) -> str:
        """Return the one spelling: JSON, sorted keys, no spaces."""
        return canonical_json.dumps(self.model_dump(mode="json"))


def sha256(text: str) -> str:
    """Return the hex digest of a document's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def problem_of(snapshot: Snapshot, seed: str) -> dict[str, Any]:
    """Return the solver's problem, a `hearth-problem/1`: the snapshot's, with the lottery numbers that `seed` draws."""
    problem = copy.deepcopy(snapshot.problem)
    numbers = lottery_numbers(seed, snapshot.run, (row["id"] for row in problem["households"]))
    for row in problem["households"]:
        row["lottery"] = numbers[row["id"]]
    return problem


def build(rows: Gathered) -> Snapshot:
    """Return the snapshot of `rows`, whose order does not matter. Raises pinning.Impossible."""
    rows = _without_staying(rows)
    places = {settlement.id: settlement.reference for settlement in rows.settlements}
    worth = Worth(rows.policy.wishes, places, rows.jobs, rows.suitabilities)
    applications = sorted(rows.applications, key=lambda application: application.household.reference)
    assessed = _assessed(rows, applications)
    wishes = {application.id: worth.wish(application) for application in applications}
    settlements = _settlements(rows)
    anywhere = [wish for wish in wishes.values() if wish.anywhere is not None]
    profiles = {
        sectors: ProfilePart(id=f"work-{number}", sectors=dict(sectors))
        for number, sectors in enumerate(sorted({wish.sectors for wish in anywhere if wish.sectors}), 1)
    }
    apart = _apart_from_kin(rows, places)
    declined = _declined(rows, places, apart)
    forbidden = {application: apart[application] | declined[application] for application in declined}
    aside = [each for each in assessed if not each[1].eligibility.eligible] + _assessed(rows, rows.refused)
    parts = tuple(
        _household(rows, application, assessment, wishes[application.id], declined)
        for application, assessment in assessed
    )
    households = [
        _problem_row(rows, application, assessment, wishes[application.id], profiles, forbidden)
        for application, assessment in assessed
        if assessment.eligibility.eligible
    ]
    _put_first(households, {part.reference for part in parts if part.precedence})
    by_reference = {row["id"]: row for row in households}
    held = {
        application.household.reference: rows.held[application.household_id].reference
        for application in applications
        if application.household_id in rows.held
    }
    tiers = max((row["tier"] for row in households), default=1)
    before = int(any(part.precedence and part.eligible for part in parts))
    classes = _classes(rows, places, _kept_for_others(rows, by_reference))
    placements = pinning.parts(
        rows.placements, by_reference, {part.id: part.houses for part in classes}, sorted(places.values())
    )
    pinning.apply(households, placements)
    return Snapshot(
        run=rows.run,
        on=rows.on,
        policy=PolicyPart(
            reference=rows.policy_reference,
            sha256=rows.policy.sha256(),
            document=rows.policy.model_dump(mode="json"),
        ),
        settlements=settlements,
        house_classes=classes,
        profiles=tuple(profiles.values()),
        households=parts,
        placements=placements,
        held=held,
        stages=stages_of(rows.policy.stages, tiers, keeps=bool(held), before=before),
        aside=_aside(rows, aside, worth, profiles, forbidden, declined, sorted(places.values())),
        problem={
            "format": "hearth-problem/1",
            "spare_bedroom_penalty": rows.policy.spare_penalty,
            "settlements": [
                {
                    "id": part.reference,
                    "capacities": {
                        service.value: max(stated - part.taken[service], 0)
                        for service, stated in part.capacities.items()
                    },
                }
                for part in settlements
            ],
            "house_classes": [_class_row(part, households, rows.policy.step_free_reserved_percent) for part in classes],
            "profiles": [
                {"id": part.id, "values": {place: worth.work(sectors, place) for place in sorted(places.values())}}
                for sectors, part in profiles.items()
            ],
            "households": households,
        },
    )


def _without_staying(rows: Gathered) -> Gathered:
    """Return `rows` where who may not take part under this policy keeps the house reserved for it.

    Its family is placed, as in a run that moves nobody: it takes its places, its kin follow it, and it is told nothing.
    """
    held = [application for application in rows.applications if application.household_id in rows.held]
    staying = {each.id: each for each, found in _assessed(rows, held) if not found.eligibility.eligible}
    others = [application for application in rows.applications if application.id not in staying]
    return replace(rows, applications=others, placed=[*rows.placed, *staying.values()])


def _assessed(rows: Gathered, applications: Iterable[Application]) -> list[tuple[Application, Assessment]]:
    return [
        (application, assess(facts_of(application.household, on=rows.on, has_home=False, declines=past), rows.policy))
        for application in applications
        for past in (declines.of(rows.declined, application.household_id),)
    ]


def _aside(
    rows: Gathered,
    assessed: Iterable[tuple[Application, Assessment]],
    worth: Worth,
    profiles: Mapping[Sectors, ProfilePart],
    forbidden: Mapping[int, set[str]],
    declined: Mapping[int, set[str]],
    places: Sequence[str],
) -> tuple[AsidePart, ...]:
    found: list[AsidePart] = []
    signed = {application.id for application in rows.refused}
    for application, assessment in sorted(assessed, key=lambda each: each[0].household.reference):
        wish = worth.wish(application)
        row = _problem_row(rows, application, assessment, wish, profiles, forbidden)
        work: dict[str, int] = {}
        if wish.anywhere is not None and wish.sectors and row["profile"] is None:
            row["profile"] = f"work-{len(profiles) + sum(bool(each.work) for each in found) + 1}"
            work = {place: worth.work(wish.sectors, place) for place in places}
        part = None
        if application.id in signed:
            reasons = tuple(Ineligibility(code) for code in application.ineligible_for or ())
            said = {"eligible": False, "ineligible": reasons}
            part = _household(rows, application, assessment, wish, declined).model_copy(update=said)
        found.append(AsidePart(row=row, household=part, work=work))
    return tuple(found)


def _settlements(rows: Gathered) -> tuple[SettlementPart, ...]:
    taken = places.taken(rows.placed, rows.policy, rows.on)
    return tuple(
        SettlementPart(
            reference=settlement.reference,
            name=settlement.name,
            capacities=dict(capacities(settlement)),
            taken={service: taken[settlement.id][service] for service in Service},
        )
        for settlement in sorted(rows.settlements, key=lambda settlement: settlement.reference)
    )


def class_of(house: House, place: str, measure: Measure) -> str:
    """Return the identifier of the class that `house`, in the settlement of reference `place`, belongs to."""
    return f"{place}/{_size(house, measure)}/{'step-free' if house.step_free else 'stairs'}"


def _size(house: House, measure: Measure) -> int:
    return measured(HouseFacts(house.bedrooms, house.rooms, house.floor_area_m2, house.step_free), measure)


def _kept_for_others(rows: Gathered, taking_part: Collection[str]) -> set[int]:
    """Houses that are kept or reserved for households that do not take part, and so for nobody who does."""
    applying = {application.household_id: application.household.reference for application in rows.applications}
    reserved = {house.id for household, house in rows.held.items() if applying.get(household) not in taking_part}
    return reserved | {
        placement.house_id
        for placement in rows.placements
        if placement.kind is PlacementKind.HOUSE
        and placement.house_id is not None
        and placement.household.reference not in taking_part
    }


def _classes(rows: Gathered, places: Mapping[int, str], left_out: Collection[int]) -> tuple[ClassPart, ...]:
    measure = rows.policy.occupancy.measure
    by_class: dict[str, list[House]] = defaultdict(list)
    for house in rows.houses:
        if house.id in left_out:
            continue
        by_class[class_of(house, places[house.settlement_id], measure)].append(house)
    return tuple(
        ClassPart(
            id=identifier,
            settlement=places[houses[0].settlement_id],
            size=_size(houses[0], measure),
            step_free=houses[0].step_free,
            houses=tuple(sorted(house.reference for house in houses)),
        )
        for identifier, houses in sorted(by_class.items())
    )


def _apart_from_kin(rows: Gathered, places: Mapping[int, str]) -> dict[int, set[str]]:
    """Application → the settlements where none of its kin is, if some of it is placed already: kin follow their kin."""
    homes: dict[int, set[str | None]] = defaultdict(set)
    for application in rows.placed:
        if application.household.kin_group_id is not None and application.settlement_id is not None:
            homes[application.household.kin_group_id].add(places.get(application.settlement_id))
    apart: dict[int, set[str]] = defaultdict(set)
    for application in (*rows.applications, *rows.refused):
        kin = application.household.kin_group_id
        if kin is not None and kin in homes:
            apart[application.id] = set(places.values()) - homes[kin]
    return apart


def _declined(rows: Gathered, places: Mapping[int, str], apart: Mapping[int, set[str]]) -> dict[int, set[str]]:
    """Application → those of the other settlements that its family declined and that are not offered to it again."""
    return {
        application.id: {
            places[each]
            for each in declines.not_again(rows.declined, application, rows.policy.offers)
            if each in places
        }
        - apart[application.id]
        for application in (*rows.applications, *rows.refused)
    }


def _put_first(households: Iterable[dict[str, Any]], first: Collection[str]) -> None:
    """Give those who have precedence a tier of their own before all others, which the first stage houses."""
    households = list(households)
    if any(row["id"] in first for row in households):
        for row in households:
            row["tier"] = 1 if row["id"] in first else row["tier"] + 1


def _household(
    rows: Gathered,
    application: Application,
    assessment: Assessment,
    wish: Wish,
    declined: Mapping[int, set[str]],
) -> HouseholdPart:
    need, priority = assessment.need, assessment.priority
    return HouseholdPart(
        reference=application.household.reference,
        application=application.reference,
        eligible=assessment.eligibility.eligible,
        ineligible=tuple(reason.code for reason in assessment.eligibility.reasons),
        need=NeedPart(standard=need.standard, version=need.version, measure=need.measure, amount=need.amount),
        size_override=application.size_override,
        needs_step_free=assessment.needs_step_free,
        tier=priority.tier,
        points=priority.points,
        rules=tuple(RulePart(rule=each.rule, tier=each.tier, points=each.points) for each in priority.reasons),
        options=dict(wish.options),
        anywhere=wish.anywhere,
        precedence=declines.has_precedence(rows.declined, application),
        declined=tuple(sorted(declined[application.id])),
    )


def _problem_row(
    rows: Gathered,
    application: Application,
    assessment: Assessment,
    wish: Wish,
    profiles: Mapping[Sectors, ProfilePart],
    forbidden: Mapping[int, set[str]],
) -> dict[str, Any]:
    household = application.household
    override = application.size_override
    size = assessment.size_min if override is None else override
    profile = profiles.get(wish.sectors) if wish.anywhere is not None else None
    return {
        "id": household.reference,
        "tier": assessment.priority.tier,
        "points": assessment.priority.points,
        "bedrooms_min": size,
        "bedrooms_max": rows.policy.size_max(size),
        "needs_step_free": assessment.needs_step_free,
        "options": dict(wish.options),
        "anywhere": wish.anywhere,
        "profile": profile.id if profile else None,
        "kin_group": household.kin_group.reference if household.kin_group else None,
        "uses": {service.value: places for service, places in assessment.uses.items() if places},
        "forbidden": sorted(forbidden[application.id]),
    }


def _class_row(part: ClassPart, households: list[dict[str, Any]], percent: int) -> dict[str, Any]:
    row = {
        "id": part.id,
        "settlement": part.settlement,
        "bedrooms": part.size,
        "step_free": part.step_free,
        "count": len(part.houses),
    }
    return row | {"reserved": pinning.reserved(row, households, percent)}
