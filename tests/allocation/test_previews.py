"""A draft of the policy beside the policy in force, over the live register: who gains, who loses, both ways."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import comparison, policies, previews
from app.allocation.claims import ClaimLost
from app.allocation.comparison import Effect
from app.allocation.models import PolicyState
from app.allocation.preview_models import PolicyPreview, PreviewState
from app.database import Database
from app.errors import Conflict, Forbidden
from app.policy.facts import Accommodation, HouseholdFacts, Member, Relationship, Sex
from app.policy.parameters import DEFAULT_POLICY, Policy
from app.policy.priority import AccommodationRule
from app.settings import Settings
from app.worker import SILENT_FOR, preview_one, work_one
from tests import factories
from tests.allocation.conftest import Register, request, said
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RENTED_FIRST: Policy = DEFAULT_POLICY.model_copy(
    update={
        "version": "2",
        "priority_rules": (
            *DEFAULT_POLICY.priority_rules,
            AccommodationRule(name="rented", accommodation=(Accommodation.RENTED,), tier=1, points=100),
        ),
    }
)
"""Turns the order over: who rents comes first."""


def drafted(database: Database, policy: Policy = RENTED_FIRST) -> str:
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        return policies.draft(session, policy, OPERATOR).reference


def requested(database: Database, draft: str, *, solve: bool = False) -> str:
    with database.session(writes=True) as session:
        actor = factories.user(session, Role.PLANNER)
        found = policies.get(session, draft)
        return previews.request(session, found, solve=solve, time_limit_seconds=20, actor=actor).reference


def read(database: Database, reference: str) -> tuple[Any, dict[str, dict[str, Any]]]:
    """Return the preview, and household → what it says of it."""
    with database.session(writes=False) as session:
        found = previews.get(session, reference, whole=True)
        return found, {row["household"]: row for row in json.loads(found.households)}


def test_who_gains_and_who_loses_and_who_would_be_housed(
    database: Database, register: Register, settings: Settings
) -> None:
    reference = requested(database, drafted(database), solve=True)
    waiting, _ = read(database, reference)
    assert (waiting.state, waiting.summary["solved"]) == (PreviewState.QUEUED, None)
    assert preview_one(database, settings) == reference
    assert preview_one(database, settings) is None
    preview, rows = read(database, reference)
    assert (preview.state, preview.failure) == (PreviewState.DONE, None)
    family = register.families
    effects = {name: rows[household]["effect"] for name, household in family.items()}
    assert effects == {
        "wheelchair": "same",  # the first before and after
        "unsafe": "loses",
        "dormitory": "loses",
        "rented": "gains",
        "large": "gains",
        "anywhere": "gains",
        "without consent": "same",
    }
    assert rows[family["rented"]]["before"] == {"eligible": True, "tier": 4, "points": 0, "size": 1, "ahead": 5}
    assert rows[family["rented"]]["after"]["tier"] == 1
    groups = {each["group"]: each for each in preview.summary["assessed"]["groups"]}
    assert (groups["step_free_need"]["same"], groups["step_free_need"]["households"]) == (1, 1)
    assert (groups["accommodation:dormitory"]["loses"], groups["accommodation:rented"]["gains"]) == (1, 3)
    assert sum(group.startswith("origin:") for group in groups) == len(family)
    everybody = preview.summary["assessed"]["all"]
    assert (everybody["gains"], everybody["loses"], everybody["same"]) == (3, 2, 2)
    moves = {(each["before"], each["after"]): each["households"] for each in preview.summary["assessed"]["tiers"]}
    assert moves[(4, 1)] == 1
    assert sum(moves.values()) == len(family)
    solved = preview.summary["solved"]
    assert solved["all"] == {"housed_before": 5, "housed_after": 5, "gain_a_house": 1, "lose_a_house": 1}
    assert rows[family["rented"]]["housed_before"] is None
    assert rows[family["rented"]]["housed_after"] == f"{register.valley}/1/stairs"
    assert rows[family["dormitory"]]["housed_after"] is None
    housed = {each["group"]: each for each in solved["groups"]}
    assert housed["accommodation:dormitory"]["lose_a_house"] == 1
    with database.session(writes=False) as session:
        assert policies.in_force(session)[1] == DEFAULT_POLICY  # nothing was decided


def points_first(database: Database) -> tuple[str, str, str]:
    """One house for two families. Returns who comes first by tier, who by points, and a draft that counts points first.

    Nothing but its stages differs from the policy in force.
    """
    unsafe, host = Accommodation.UNSAFE_BUILDING, Accommodation.HOST_FAMILY
    rules = (
        AccommodationRule(name="unsafe", accommodation=(unsafe,), tier=1, points=1),
        AccommodationRule(name="host", accommodation=(host,), tier=3, points=100),
    )
    by_tier = DEFAULT_POLICY.model_copy(update={"version": "2", "priority_rules": rules})
    with database.session(writes=True) as session:
        place = factories.settlement(session, "Valley")
        factories.house(session, place)
        first, second = (
            factories.applicant(session, place, current_accommodation=each).household.reference
            for each in (unsafe, host)
        )
        draft = factories.previewed(session, policies.draft(session, by_tier, OPERATOR))
        policies.put_in_force(session, draft, factories.user(session, Role.APPROVER))
    stages = ("points", "tiers", "value")
    return first, second, drafted(database, by_tier.model_copy(update={"version": "3", "stages": stages}))


def test_each_policy_is_solved_by_its_own_stages_as_the_run_will_be(database: Database, settings: Settings) -> None:
    by_tier, by_points, draft = points_first(database)
    solved = requested(database, draft, solve=True)
    assert preview_one(database, settings) == solved
    preview, rows = read(database, solved)
    assert (preview.state, preview.failure) == (PreviewState.DONE, None)
    counts = preview.summary["solved"]["all"]
    assert (counts["gain_a_house"], counts["lose_a_house"]) == (1, 1)
    house = rows[by_tier]["housed_before"]
    assert house is not None
    assert (rows[by_tier]["housed_after"], rows[by_points]["housed_before"]) == (None, None)
    assert rows[by_points]["housed_after"] == house
    with database.session(writes=True) as session:
        policies.put_in_force(session, policies.get(session, draft), factories.user(session, Role.APPROVER))
    run = request(database)
    assert work_one(database, settings) == run
    assert {each: row.house_class for each, row in said(database, run).items()} == {by_tier: None, by_points: house}
    # The policy in force has stages of its own now.
    back = drafted(database, DEFAULT_POLICY.model_copy(update={"version": "4"}))
    again = requested(database, back, solve=True)
    assert preview_one(database, settings) == again
    assert read(database, again)[1][by_points]["housed_before"] == house


@on_sqlite
def test_a_preview_that_was_frozen_without_stages_is_still_solved(database: Database, settings: Settings) -> None:
    by_tier, _by_points, draft = points_first(database)
    reference = requested(database, draft, solve=True)
    with database.session(writes=True) as session:
        waiting = select(PolicyPreview).where(PolicyPreview.reference == reference)
        preview = session.scalars(waiting.options(undefer(PolicyPreview.frozen))).one()
        frozen = json.loads(preview.frozen or "")
        del frozen["stages"]
        preview.frozen = json.dumps(frozen)
    assert preview_one(database, settings) == reference
    done, rows = read(database, reference)
    assert (done.state, done.failure) == (PreviewState.DONE, None)
    assert rows[by_tier]["housed_after"] is not None  # in the model's own order, as it was then


@on_sqlite
def test_the_same_policy_changes_nothing_and_only_a_draft_is_previewed(database: Database, register: Register) -> None:
    draft = drafted(database, DEFAULT_POLICY.model_copy(update={"name": "The same"}))
    preview, rows = read(database, requested(database, draft))
    assert preview.state is PreviewState.DONE
    assert {row["effect"] for row in rows.values()} == {"same"}
    assert all(row["before"] == row["after"] for row in rows.values())
    again, _ = read(database, requested(database, draft))
    assert again.register_sha256 == preview.register_sha256
    with database.session(writes=True) as session:
        factories.applicant(session, anywhere=True)
    later, _ = read(database, requested(database, draft))
    assert later.register_sha256 != preview.register_sha256
    with database.session(writes=True) as session:
        found = policies.put_in_force(session, policies.get(session, draft), factories.user(session, Role.APPROVER))
        assert found.state is PolicyState.IN_FORCE
    with pytest.raises(Conflict, match="only a draft can be previewed"):
        requested(database, draft)


@on_sqlite
def test_who_may_take_part_under_the_draft_gains(database: Database, register: Register) -> None:
    milder = DEFAULT_POLICY.eligibility.model_copy(update={"consent_required": False})
    draft = drafted(database, DEFAULT_POLICY.model_copy(update={"eligibility": milder}))
    _, rows = read(database, requested(database, draft))
    row = rows[register.families["without consent"]]
    assert (row["effect"], row["before"]["ahead"], row["after"]["eligible"]) == ("gains", None, True)


@on_sqlite
def test_a_preview_is_cancelled_given_back_and_taken_over(
    database: Database, register: Register, settings: Settings
) -> None:
    draft = drafted(database)
    first = requested(database, draft, solve=True)
    with database.session(writes=True) as session:
        claim = previews.take(session, SILENT_FOR)
        assert claim is not None
    with database.session(writes=True) as session:
        previews.cancel(session, previews.get(session, first), OPERATOR)
    acts: tuple[Callable[[Session], None], ...] = (
        lambda session: previews.beat(session, claim, []),
        lambda session: previews.finish(session, claim, []),
        lambda session: previews.fail(session, claim, "Late."),
    )
    for act in acts:
        with pytest.raises(ClaimLost), database.session(writes=True) as session:
            act(session)
    preview, rows = read(database, first)
    assert (preview.state, preview.summary["solved"], len(rows)) == (PreviewState.CANCELLED, None, 7)
    with pytest.raises(Conflict, match="nothing to cancel"), database.session(writes=True) as session:
        previews.cancel(session, previews.get(session, first), OPERATOR)

    second = requested(database, draft, solve=True)
    stopping = threading.Event()
    stopping.set()
    assert preview_one(database, settings, stopping=stopping) == second
    assert (read(database, second)[0].state, read(database, second)[0].attempts) == (PreviewState.QUEUED, 0)
    with database.session(writes=True) as session:
        taken = previews.take(session, SILENT_FOR)
        assert taken is not None
        previews.fail(session, taken, "The solver ended.")
    assert (read(database, second)[0].state, read(database, second)[0].failure) == (
        PreviewState.FAILED,
        "The solver ended.",
    )


@on_sqlite
def test_over_the_api(database: Database, register: Register, acting_as: ActingAs, settings: Settings) -> None:
    draft = drafted(database)
    planner, auditor = acting_as(Role.PLANNER), acting_as(Role.AUDITOR)
    asked = planner.post(f"/policies/{draft}/preview", json={"solve": True})
    assert (asked.status_code, asked.json()["state"]) == (202, "queued")
    address = asked.headers["Location"].removeprefix("/api/v1")
    preview_one(database, settings)
    done = auditor.get(address).json()
    assert (done["state"], done["solved"]["all"]["gain_a_house"]) == ("done", 1)
    assert auditor.get("/policy-previews", params={"policy": draft}).json()["items"] == [done]
    assert auditor.get(f"{address}/households").status_code == 403
    shown, cursor = [], None
    while True:
        page = planner.get(f"{address}/households", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        shown += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [row["household"] for row in shown] == sorted(register.families.values())
    losers = planner.get(f"{address}/households", params={"effect": "loses"}).json()["items"]
    assert {row["household"] for row in losers} == {
        register.families["unsafe"],
        register.families["dormitory"],
    }
    assert planner.post(f"{address}/cancel").status_code == 409
    with database.session(writes=True) as session:
        here = factories.user(session, Role.PLANNER, district="North")
        with pytest.raises(Forbidden):
            previews.request(session, policies.get(session, draft), solve=False, time_limit_seconds=1, actor=here)


MEMBERS = st.lists(st.integers(0, 90), min_size=1, max_size=7)


@settings(max_examples=40)
@given(st.lists(st.tuples(MEMBERS, st.sampled_from(Accommodation), st.booleans()), min_size=1, max_size=12))
def test_gains_and_losses_are_the_other_way_round_the_other_way(
    families: list[tuple[list[int], Accommodation, bool]],
) -> None:
    facts = [
        HouseholdFacts(
            reference=f"HH-{number:08}",
            members=tuple(
                Member(f"{place}", age, Sex.FEMALE, Relationship.HEAD if place == 0 else Relationship.CHILD)
                for place, age in enumerate(ages)
            ),
            accommodation=accommodation,
            displaced=True,
            consented=consented,
            has_home=False,
            waiting_days=400,
        )
        for number, (ages, accommodation, consented) in enumerate(families)
    ]
    there = comparison.compare(facts, DEFAULT_POLICY, RENTED_FIRST)
    back = comparison.compare(facts, RENTED_FIRST, DEFAULT_POLICY)
    other = {Effect.GAINS: Effect.LOSES, Effect.LOSES: Effect.GAINS, Effect.SAME: Effect.SAME}
    assert [each.effect for each in back] == [other[each.effect] for each in there]
    counted = comparison.summary(there, comparison.groups(facts, {each.reference: None for each in facts}))
    assert sum(counted["all"][effect.value] for effect in Effect) == len(facts)
    assert sum(each["households"] for each in counted["tiers"]) == len(facts)
    eligible = [each for each in there if each.after.eligible]
    for each in eligible:  # by the definition, for everybody against everybody
        ahead = sum((o.after.tier, -o.after.points) < (each.after.tier, -each.after.points) for o in eligible)
        assert each.after.ahead == ahead
