"""The next run: who has accepted never moves, who has not moves only when that is asked for, and as few as can be."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import bundle, bundle_check, policies, proof, queries, reservations, runs
from app.allocation.models import Proposal, ProposalState, RunState
from app.allocation.offer_models import GivenHow, Offer, OfferState
from app.allocation.order import stages_of
from app.allocation.report import run_report
from app.allocation.snapshot import Snapshot
from app.database import Database, utc_now
from app.errors import Conflict, Invalid
from app.housing.models import House, HouseState, Settlement
from app.policy.assess import Service
from app.policy.facts import Accommodation
from app.policy.parameters import DEFAULT_POLICY, Policy
from app.registry.models import ApplicationState
from app.settings import Settings
from app.tenancy import answers, offer_queries, offers
from app.worker import work_one
from solver import Solution
from tests import factories
from tests.allocation.conftest import Register, decide, drawn, read, request, said
from tests.concurrency import at_once
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def first(database: Database, register: Register) -> str:
    """A drawn run, whose offers are issued: everybody has a house but who rents, and who may not take part."""
    reference = drawn(database)
    with database.session(writes=True) as session:
        offers.issue(session, queries.run_in_short(session, OPERATOR, reference), UTC, OPERATOR)
    return reference


def solved(database: Database, settings: Settings, *, move_issued: bool = True) -> str:
    """Request the next run and solve it as a worker does."""
    reference = request(database, move_issued=move_issued)
    assert work_one(database, settings) == reference
    run = read(database, reference)
    assert (run.state, run.failure) == (RunState.PROPOSED, None)
    return reference


def accept(database: Database, family: str) -> None:
    with database.session(writes=True) as session:
        query = offer_queries.offers(OPERATOR).order_by(Offer.id)
        offer = [each for each in session.scalars(query) if each.household.reference == family][-1]
        answers.accept(
            session,
            offer,
            answered_on=utc_now().date(),
            given_how=GivenHow.IN_PERSON,
            zone=UTC,
            actor=OPERATOR,
        )


def urgent(database: Database, register: Register, number: int = 1) -> list[str]:
    """Families of the first tier, who come late and want to live in Valley, where no house is free."""
    with database.session(writes=True) as session:
        valley = session.scalars(select(Settlement).where(Settlement.reference == register.valley)).one()
        return [
            factories.applicant(
                session, valley, current_accommodation=Accommodation.UNSAFE_BUILDING, registered_on=factories.LONG_AGO
            ).household.reference
            for _ in range(number)
        ]


def homes(database: Database) -> dict[str, str]:
    """Household → the house that is reserved for it."""
    query = select(Proposal).where(Proposal.state == ProposalState.RESERVED)
    with database.session(writes=False) as session:
        rows = session.scalars(query.options(*factories.named(Proposal.household, Proposal.house))).all()
        return {each.household.reference: each.house.reference for each in rows if each.house is not None}


def live(database: Database) -> dict[str, OfferState]:
    """Household → state of its latest offer."""
    with database.session(writes=False) as session:
        rows = session.scalars(select(Offer).options(*factories.named(Offer.household)).order_by(Offer.id)).all()
        return {each.household.reference: each.state for each in rows}


def test_nobody_moves_where_nothing_is_to_be_gained(
    database: Database, register: Register, settings: Settings, first: str
) -> None:
    before, offered = homes(database), live(database)
    reference = solved(database, settings)
    snapshot = Snapshot.model_validate_json(read(database, reference).snapshot)
    assert snapshot.held == before
    assert snapshot.stages[-2:] == ("keep", "value")
    decide(database, reference, runs.approve)
    assert (homes(database), live(database)) == (before, offered)
    states = {household: each.state for household, each in said(database, reference).items()}
    assert {states[household] for household in before} == {ProposalState.KEPT}
    for run in (first, reference):
        with database.session(writes=False) as session:
            assert proof.verify(session, queries.run(session, OPERATOR, run)) == []


def test_who_comes_first_is_housed_and_as_few_as_can_be_move(
    database: Database, register: Register, settings: Settings, first: str
) -> None:
    family, before = register.families, homes(database)
    (late,) = urgent(database, register)
    reference = solved(database, settings)
    with database.session(writes=False) as session:
        report = run_report(session, queries.run(session, OPERATOR, reference))
    assert report.moves is not None
    assert (len(report.moves.kept), report.moves.moved, report.moves.lost) == (4, (), (family["dormitory"],))
    decide(database, reference, runs.approve)
    after = homes(database)
    assert after == {
        **{each: house for each, house in before.items() if each != family["dormitory"]},
        late: after[late],
    }
    assert after[late] == before[family["dormitory"]]
    assert live(database)[family["dormitory"]] is OfferState.WITHDRAWN
    with database.session(writes=False) as session:
        assert proof.verify(session, queries.run(session, OPERATOR, reference)) == []
        ended = session.scalars(select(Offer).where(Offer.state == OfferState.WITHDRAWN)).one()
        assert ended.end_reason == f"Run {reference} moved it."
    assert said(database, reference)[family["dormitory"]].application.state is ApplicationState.ELIGIBLE


def test_how_many_a_run_moves_is_read_without_what_it_knows_of_everybody(
    database: Database, register: Register, settings: Settings, first: str, acting_as: ActingAs
) -> None:
    urgent(database, register)
    reference = solved(database, settings)
    with database.session(writes=True) as session:
        run = queries.run(session, OPERATOR, reference)
        run.snapshot = json.dumps(json.loads(run.snapshot) | {"households": None, "problem": None})
    told = acting_as(Role.PLANNER).get(f"/runs/{reference}")
    assert (told.status_code, told.json()["moves"]) == (200, {"kept": 4, "moved": 0, "ended": 1})
    assert acting_as(Role.PLANNER).get(f"/runs/{first}").json()["moves"] is None


@on_sqlite
def test_who_has_accepted_never_moves_and_others_only_when_asked(
    database: Database, register: Register, settings: Settings, first: str
) -> None:
    family, before = register.families, homes(database)
    for name in ("dormitory", "unsafe", "wheelchair"):
        accept(database, family[name])
    urgent(database, register)
    with pytest.raises(Conflict, match="No house can be allocated"):
        request(database, settlements=[register.valley])
    reference = solved(database, settings)
    snapshot = Snapshot.model_validate_json(read(database, reference).snapshot)
    assert set(snapshot.held) == {family["large"], family["anywhere"]}
    decide(database, reference, runs.approve)
    assert homes(database) == before


@on_sqlite
@pytest.mark.parametrize(("stages", "moved"), [((), 0), (("tiers", "points", "value", "keep"), 1)])
def test_a_policy_says_whether_wishes_go_before_staying(
    database: Database, register: Register, settings: Settings, first: str, stages: tuple[str, ...], moved: int
) -> None:
    """A house without a spare bedroom is free: the family of three would be there a little better than where it is."""
    family, before = register.families, homes(database)
    with database.session(writes=True) as session:
        hillside = session.scalars(select(Settlement).where(Settlement.reference == register.hillside)).one()
        factories.house(session, hillside, bedrooms=2)  # fits the family of three better: no spare bedroom
        if stages:
            draft = policies.draft(session, DEFAULT_POLICY.model_copy(update={"stages": stages}), OPERATOR)
            policies.put_in_force(session, factories.previewed(session, draft), factories.user(session, Role.APPROVER))
    reference = solved(database, settings)
    run = read(database, reference)
    assert [stage.name for stage in Solution.from_json(run.solution or "").stages][-2:] == (
        ["value", "keep"] if stages else ["keep", "value"]
    )
    decide(database, reference, runs.approve)
    after = homes(database)
    assert [each for each in before if after.get(each) != before[each]] == [family["large"]] * moved
    if moved:
        with database.session(writes=False) as session:
            left = session.scalars(select(House).where(House.reference == before[family["large"]])).one()
            assert left.state is HouseState.HANDED_OVER
        assert live(database)[family["large"]] is OfferState.WITHDRAWN


@on_sqlite
def test_what_changed_since_the_request_is_refused_by_name(
    database: Database, register: Register, settings: Settings, first: str
) -> None:
    family = register.families
    urgent(database, register)
    reference = solved(database, settings)
    accept(database, family["dormitory"])
    with pytest.raises(Conflict, match=f"Families that have accepted since: {family['dormitory']}"):
        decide(database, reference, runs.approve)
    with database.session(writes=True) as session:
        kept = session.scalars(
            select(Proposal)
            .where(Proposal.state == ProposalState.RESERVED)
            .options(*factories.named(Proposal.household))
        ).all()
        proposal = next(each for each in kept if each.household.reference == family["large"])
        reservations.release(session, proposal, "They asked for it.", OPERATOR)
    before = homes(database)
    with pytest.raises(Conflict, match=f"Families whose reservation has ended since: {family['large']}"):
        decide(database, reference, runs.approve)
    assert homes(database) == before
    decide(database, reference, runs.reject, "It moved who had accepted.")


def test_who_may_take_part_no_more_keeps_its_house_and_its_places_and_its_kin_follow_it(
    database: Database, settings: Settings, acting_as: ActingAs
) -> None:
    with database.session(writes=True) as session:
        valley = factories.settlement(session, "Valley", school_places=2)
        factories.house(session, valley, bedrooms=3)
        kin, owned = factories.kin_group(session), Accommodation.OWNED
        excluded = factories.applicant(session, valley, children=2, kin_group=kin, current_accommodation=owned)
        family, page = excluded.household.reference, f"/applications/{excluded.reference}/explanation"
    first = drawn(database)
    with database.session(writes=True) as session:
        offers.issue(session, queries.run_in_short(session, OPERATOR, first), UTC, OPERATOR)
        rules = DEFAULT_POLICY.eligibility.model_copy(update={"owners_excluded": True})
        draft = policies.draft(session, DEFAULT_POLICY.model_copy(update={"eligibility": rules}), OPERATOR)
        policies.put_in_force(session, factories.previewed(session, draft), factories.user(session, Role.APPROVER))
    before, told = homes(database), acting_as(Role.CASEWORKER).get(page).json()
    assert (set(before), told["sections"][1]["heading"]) == ({family}, "Your answer")
    with database.session(writes=True) as session:
        valley, hillside = session.merge(valley), factories.settlement(session, "Hillside")
        for place, bedrooms in ((valley, 3), (valley, 1), (hillside, 1)):
            factories.house(session, place, bedrooms=bedrooms)
        pupils = factories.applicant(session, valley, children=2).household.reference
        sister = factories.applicant(session, anywhere=True, kin_group=session.merge(kin)).household.reference
    reference = solved(database, settings)
    snapshot = Snapshot.model_validate_json(read(database, reference).snapshot)
    assert {each.name: each.taken[Service.SCHOOL] for each in snapshot.settlements} == {"Valley": 2, "Hillside": 0}
    said_of = said(database, reference)
    assert {each: (row.reason, row.house_class) for each, row in said_of.items()} == {
        pupils: ("services_full", None),
        sister: ("housed", f"{valley.reference}/1/stairs"),
    }
    decide(database, reference, runs.approve)
    after = homes(database)
    assert after == {**before, sister: after[sister]}
    assert acting_as(Role.CASEWORKER).get(page).json() == told


def test_accepting_while_a_run_moves_it_is_one_or_the_other(
    database: Database, register: Register, settings: Settings, first: str
) -> None:
    family, before = register.families["dormitory"], homes(database)
    (late,) = urgent(database, register)
    reference = solved(database, settings)

    def guarded(act: Callable[[], None]) -> str:
        try:
            act()
        except Conflict as refused:
            return refused.detail
        return "done"

    answered, approved = at_once(
        lambda: guarded(lambda: accept(database, family)),
        lambda: guarded(lambda: decide(database, reference, runs.approve)),
    )
    assert [answered, approved].count("done") == 1, (answered, approved)
    after = homes(database)
    if approved == "done":
        assert (family in after, after[late]) == (False, before[family])
    else:
        assert after == before
        assert "accepted since" in approved or "same moment" in approved


@on_sqlite
def test_its_bundle_says_by_which_stages_it_is_checked(
    database: Database, register: Register, settings: Settings, first: str, tmp_path: Path
) -> None:
    reference = solved(database, settings)
    decide(database, reference, runs.approve)
    with database.session(writes=False) as session:
        members = bundle_check.read(bundle.write(session, queries.run(session, OPERATOR, reference)))
    assert bundle_check.faults(members) == []
    for name, content in members.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run([sys.executable, "-I", "draw.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    command = bundle.check_command(Solution.from_json(members["solution.json"]))
    assert "--stage 'keep: keep'" in command or "--stage keep" in command
    words = [str(tmp_path / word) if word.endswith(".json") else word for word in shlex.split(command)[1:]]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("optimal: "), done.stderr
    forged = json.loads(members["snapshot.json"])
    forged["held"].popitem()
    others = {name: content for name, content in members.items() if name != bundle.SUMS}
    changed = bundle.sealed({**others, "snapshot.json": json.dumps(forged).encode()})
    assert "Solution: what it keeps is not what was reserved." in bundle_check.faults(bundle_check.read(changed))


@pytest.mark.parametrize(
    ("stated", "tiers", "keeps", "stages"),
    [
        ((), 3, False, ()),
        ((), 2, True, ("tier 1", "tier 2", "points", "keep", "value")),
        (("tiers", "points", "value", "keep"), 2, True, ("tier 1", "tier 2", "points", "value", "keep")),
        (("tiers", "points", "value", "keep"), 1, False, ("tier 1", "points", "value")),
        (("tier 2", "tiers", "points"), 3, False, ("tier 2", "tier 1", "tier 3", "points")),
        (("tier 1, may lose 2", "points + 2 value"), 1, True, ("tier 1, may lose 2", "keep", None)),
        (("late: tier 3 + tier 9", "points"), 4, False, ("late: tier 3", "points")),
        (("tier 9", "points"), 4, False, ("points",)),
    ],
)
def test_stages_of_a_policy_fit_the_problem(
    stated: tuple[str, ...], tiers: int, keeps: bool, stages: tuple[str | None, ...]
) -> None:
    found = stages_of(stated, tiers, keeps=keeps)
    assert len(found) == len(stages)
    assert all(wanted in (None, stage) for stage, wanted in zip(found, stages, strict=True))
    assert stages_of(found, tiers, keeps=keeps) == found


def test_who_comes_before_all_tiers_is_a_stage_before_all_others() -> None:
    stated = ("tier 2 + tier 1, may lose 1", "late: tier 3", "tiers", "points")
    assert stages_of(stated, 5, keeps=False, before=1) == (
        "tier 1",
        "tier 3 + tier 2: tier 3 + tier 2, may lose 1",
        "late: tier 4",
        "tier 5",
        "points",
    )


def test_a_policy_states_its_stages_and_older_ones_keep_their_hash(session: Session) -> None:
    assert "stages" not in json.loads(DEFAULT_POLICY.canonical_json())
    stated = DEFAULT_POLICY.model_dump(mode="json") | {"stages": ["tiers", "wishes: points + 2 value, may lose 3"]}
    policy = Policy.model_validate(stated)
    assert Policy.model_validate_json(policy.canonical_json()) == policy
    for wrong in (["tier 0"], ["tiers", "tiers"], ["points,"], ["hope"], ["points + tiers"], [""]):
        with pytest.raises(ValueError, match="stage"):
            Policy.model_validate(DEFAULT_POLICY.model_dump(mode="json") | {"stages": wrong})
    for wrong, named in (
        (["points: value", "tiers"], "'points' is named like a basic term"),
        (["tiers", "2 points", "points + points", "value"], "not name a stage twice: '2 points'"),
        (["tiers", "x: points", "x : value"], "not name a stage twice: 'x'"),
    ):
        refused = Policy.model_validate(stated | {"stages": wrong})
        with pytest.raises(Invalid, match="stages cannot be solved") as refusal:
            policies.draft(session, refused, OPERATOR)
        assert [named in error.message for error in refusal.value.errors] == [True]
