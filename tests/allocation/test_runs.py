"""A run is frozen at the request, decided once, and redone by anyone from its documents."""

import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import policies, proof, queries, runs
from app.allocation.models import Proposal, ProposalState, Run, RunSettlement, RunState
from app.allocation.report import proof_line, run_report
from app.database import Database
from app.errors import Conflict, Forbidden, Invalid
from app.housing.models import House, HouseState, Milestone, Settlement
from app.registry.models import Application, ApplicationState
from solver import solve
from tests import factories
from tests.allocation.conftest import Register, decide, drawn, proposed, read, request, said, solved
from tests.solver.small import household, problem


def verified(database: Database, reference: str) -> list[str]:
    with database.session(writes=False) as session:
        return proof.verify(session, queries.run(session, OPERATOR, reference))


def held(database: Database, reference: str) -> set[bool]:
    query = select(RunSettlement.held).join(Run, Run.id == RunSettlement.run_id).where(Run.reference == reference)
    with database.session(writes=False) as session:
        return set(session.scalars(query))


def change(database: Database, *statements: Any) -> None:
    with database.session(writes=True) as session:
        for statement in statements:
            session.execute(statement)


def at_once(act: Callable[[int], str]) -> list[str]:
    """Do the same twice at the same moment. Returns what came of each: a result, or the refusal's detail."""
    barrier = Barrier(2)

    def guarded(number: int) -> str:
        barrier.wait()
        try:
            return act(number)
        except Conflict as refused:
            return refused.detail

    with ThreadPoolExecutor(2) as threads:
        return sorted(threads.map(guarded, range(2)))


def test_from_request_to_addresses(database: Database, register: Register) -> None:
    reference = proposed(database)
    family = register.families
    outcome = {household: (each.state, each.reason) for household, each in said(database, reference).items()}
    assert outcome == {
        family["wheelchair"]: ("proposed", "housed"),
        family["unsafe"]: ("proposed", "housed"),
        family["dormitory"]: ("proposed", "housed"),
        family["rented"]: ("not_housed", "taken_by_priority"),
        family["large"]: ("proposed", "housed"),
        family["anywhere"]: ("proposed", "housed"),
        family["without consent"]: ("ineligible", "no_consent"),
    }
    assert verified(database, reference) == []
    decide(database, reference, runs.approve)
    assert verified(database, reference) == []
    assert read(database, reference).state is RunState.DRAWN
    assert held(database, reference) == {False}
    after = said(database, reference)
    reserved = {household: each for household, each in after.items() if each.state is ProposalState.RESERVED}
    assert set(reserved) == {name for name, (state, _) in outcome.items() if state == "proposed"}
    for each in reserved.values():
        assert each.house is not None
        assert each.house.state is HouseState.RESERVED
        assert each.application.state is ApplicationState.ALLOCATED
        assert each.application.settlement_id == each.house.settlement_id
    assert after[family["wheelchair"]].house.step_free  # type: ignore[union-attr]  # reserved, as said above
    assert after[family["rented"]].application.state is ApplicationState.ELIGIBLE


def test_the_report_adds_up(database: Database, register: Register) -> None:
    reference = proposed(database)
    with database.session(writes=False) as session:
        report = run_report(session, queries.run(session, OPERATOR, reference))
    assert [(each.settlement, each.size, each.step_free, each.used, each.available) for each in report.houses] == [
        ("Hillside", 3, False, 2, 2),
        ("Valley", 1, False, 2, 2),
        ("Valley", 1, True, 1, 1),
    ]
    assert [(each.tier, each.housed, each.households) for each in report.tiers] == [(1, 2, 2), (2, 3, 3), (4, 0, 1)]
    assert report.not_housed == (("no_consent", 1), ("taken_by_priority", 1))
    assert report.proof.startswith("Proven optimal in every stage: tier 1, ")
    assert report.proof.endswith(hashlib.sha256((read(database, reference).problem or "").encode()).hexdigest())


@pytest.mark.parametrize(
    ("bound", "claim"),
    [
        (2, "Proven optimal in every stage: tier 1, points, value of those housed; "),
        (3, "Not proven optimal: value of those housed 2 of at most 3; "),
    ],
)
def test_what_is_proven_for_those_alone_who_are_housed_is_called_so(bound: int, claim: str) -> None:
    solution = solve(problem([household("a", options={"S": 2})]))
    value = replace(solution.stages[-1], bound=bound, scope="housed")
    assert proof_line(replace(solution, stages=(*solution.stages[:-1], value)), "0").startswith(claim)


def test_there_is_no_report_before_there_is_a_solution(database: Database, register: Register) -> None:
    reference = request(database)
    with database.session(writes=False) as session:
        run = queries.run(session, OPERATOR, reference)
        with pytest.raises(Conflict, match="queued and has no solution"):
            run_report(session, run)
        assert proof.verify(session, run) == [f"Run {reference} is queued and has no solution."]


def test_anyone_can_redo_lottery_and_draw_from_the_documents(database: Database, register: Register) -> None:
    reference = request(database, seed_source="Ball draw of 3 May 2026")
    decide(database, reference, runs.enter_seed, "4 17 23 31")
    assert solved(database) == reference
    decide(database, reference, runs.approve)
    run = read(database, reference)
    problem, solution, snapshot = (json.loads(text or "") for text in (run.problem, run.solution, run.snapshot))

    def order(label: str, household: str) -> str:
        return hmac.digest(b"4 17 23 31", f"{reference}\n{label}\n{household}".encode(), "sha256").hex()

    lottery = {row["id"]: row["lottery"] for row in problem["households"]}
    assert sorted(lottery, key=lambda household: order("lottery", household)) == sorted(
        lottery, key=lottery.__getitem__
    )
    addresses: dict[str, str] = {}
    for part in snapshot["house_classes"]:
        given = [row["household"] for row in solution["assignments"] if row["house_class"] == part["id"]]
        addresses |= dict(
            zip(sorted(given, key=lambda each: order("address", each)), sorted(part["houses"]), strict=False)
        )
    assert addresses == {
        household: each.house.reference for household, each in said(database, reference).items() if each.house
    }
    assert hashlib.sha256(run.snapshot.encode()).hexdigest() == run.snapshot_sha256
    assert (run.seed_source, run.seed_is_public) == ("Ball draw of 3 May 2026", True)


def test_without_a_seed_the_service_draws_one_and_says_so(database: Database, register: Register) -> None:
    run = read(database, request(database))
    assert len(bytes.fromhex(run.seed or "")) == 32
    assert (run.seed_source, run.seed_is_public) == ("drawn by this service; not public", False)


def test_a_settlement_is_in_one_undecided_run_at_most(database: Database, register: Register) -> None:
    first = request(database, settlements=[register.valley])
    with pytest.raises(Conflict, match=rf"Run {first} is queued and holds Valley \({register.valley}\)"):
        request(database)
    second = request(database, settlements=[register.hillside.lower()])
    decide(database, first, runs.cancel)
    assert held(database, first) == {False}
    assert held(database, second) == {True}
    request(database, settlements=[register.valley])


def test_of_two_requests_at_once_one_is_refused(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        policies.ensure_default(session)
    answers = at_once(lambda _number: request(database))
    assert sum(answer.startswith("RUN-") for answer in answers) == 1
    winner = next(answer for answer in answers if answer.startswith("RUN-"))
    assert any(answer.startswith(f"Run {winner} is queued and holds ") for answer in answers)


def test_what_cannot_be_allocated_is_refused_by_name(database: Database, register: Register) -> None:
    with pytest.raises(Invalid) as unknown:
        request(database, settlements=[register.valley, "ST-00000000"])
    assert [(error.pointer, error.message) for error in unknown.value.errors] == [
        ("#/body/settlements/1", "There is no settlement ST-00000000 where you may request a run.")
    ]
    with pytest.raises(Invalid):
        request(database, settlements=[])
    change(database, update(Milestone).where(Milestone.name == "electricity").values(achieved_on=None))
    with pytest.raises(Conflict, match=rf"Valley \({register.valley}\) is not ready: Electricity: not there\."):
        request(database, settlements=[register.valley])
    with pytest.raises(Conflict, match="No settlement where you may request a run is ready"):
        request(database)


def test_nothing_to_do_is_refused(database: Database, register: Register) -> None:
    change(database, update(Application).values(state=ApplicationState.DRAFT))
    with pytest.raises(Conflict, match="No application that waits for a house is eligible"):
        request(database)
    change(database, update(House).values(state=HouseState.PLANNED))
    with pytest.raises(Conflict, match="No house can be allocated in Valley"):
        request(database, settlements=[register.valley])


def test_what_the_solver_cannot_take_is_refused_at_the_request(database: Database, register: Register) -> None:
    change(database, update(Application).values(size_override=2_000_000_000, size_override_reason="A slip of the pen."))
    with pytest.raises(Conflict, match=r"This cannot be solved as it stands: .* bedrooms_min"):
        request(database)


def test_a_planner_acts_where_the_role_is_held(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        north, south = (factories.user(session, Role.PLANNER, district=district) for district in ("North", "South"))
        auditor = factories.user(session, Role.AUDITOR)
    reference = request(database, actor=north)
    assert [part.settlement.reference for part in read(database, reference).settlements] == [register.valley]
    with pytest.raises(Invalid):
        request(database, actor=north, settlements=[register.hillside])
    for other in (south, auditor):
        with pytest.raises(Forbidden), database.session(writes=True) as session:
            runs.cancel(session, queries.run(session, OPERATOR, reference), other)
    with database.session(writes=False) as session:
        seen = {actor: session.scalars(queries.runs(actor)).all() for actor in (north, south, auditor)}
    assert [len(rows) for rows in seen.values()] == [1, 0, 1]


def test_nobody_approves_what_they_requested(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        both, another = (factories.user(session, Role.PLANNER, Role.APPROVER) for _ in range(2))
    reference = proposed(database, actor=both)
    with pytest.raises(Forbidden, match="somebody else"), database.session(writes=True) as session:
        runs.approve(session, queries.run(session, OPERATOR, reference), both)
    assert read(database, reference).state is RunState.PROPOSED
    with database.session(writes=True) as session:
        runs.approve(session, queries.run(session, OPERATOR, reference), another)
    assert read(database, reference).decided_by_id == another.user_id


def test_what_the_operator_requested_somebody_approves_by_name(database: Database, register: Register) -> None:
    reference = proposed(database)
    with pytest.raises(Forbidden, match="operator requested this run"), database.session(writes=True) as session:
        runs.approve(session, queries.run(session, OPERATOR, reference), OPERATOR)


def test_a_rejected_run_is_discarded_with_the_reason(database: Database, register: Register) -> None:
    reference = proposed(database)
    decide(database, reference, runs.reject, "Two households were entered twice.")
    run = read(database, reference)
    assert (run.state, run.decision_reason) == (RunState.REJECTED, "Two households were entered twice.")
    assert {each.state for each in said(database, reference).values()} == {"discarded", "not_housed", "ineligible"}
    assert held(database, reference) == {False}
    with pytest.raises(Conflict, match="rejected and cannot become drawn"):
        decide(database, reference, runs.approve)


@pytest.mark.parametrize(
    ("operation", "arguments", "wanted"),
    [(runs.approve, (), "drawn"), (runs.reject, ("No.",), "rejected")],
)
def test_what_is_not_solved_cannot_be_decided(
    database: Database, register: Register, operation: Callable[..., object], arguments: tuple[str, ...], wanted: str
) -> None:
    reference = request(database)
    with pytest.raises(Conflict, match=f"queued and cannot become {wanted}"):
        decide(database, reference, operation, *arguments)


def test_what_is_proposed_can_be_cancelled_no_more(database: Database, register: Register) -> None:
    reference = proposed(database)
    with pytest.raises(Conflict, match="proposed and cannot become cancelled"):
        decide(database, reference, runs.cancel)


def test_approval_refuses_a_house_that_became_unfit(database: Database, register: Register) -> None:
    reference = proposed(database)
    with database.session(writes=False) as session:
        house = session.scalars(select(House.reference).where(House.step_free)).one()
    change(
        database, update(House).where(House.step_free).values(state=HouseState.UNFIT, unfit_reason="The roof leaks.")
    )
    with pytest.raises(Conflict, match=f"Houses that cannot be allocated any more: {house}\\."):
        decide(database, reference, runs.approve)
    assert read(database, reference).state is RunState.PROPOSED
    assert {each.state for each in said(database, reference).values()} == {"proposed", "not_housed", "ineligible"}


def test_approval_refuses_a_house_that_is_not_what_it_was(database: Database, register: Register) -> None:
    reference = proposed(database)
    change(database, update(House).where(House.bedrooms == 3).values(bedrooms=2))
    with pytest.raises(Conflict, match="Houses that cannot be allocated any more: HO-"):
        decide(database, reference, runs.approve)


def test_a_house_that_nobody_was_to_get_may_change(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        valley = session.scalars(select(Settlement).where(Settlement.reference == register.valley)).one()
        spare = factories.house(session, valley, bedrooms=6).id
    reference = proposed(database)
    change(database, update(House).where(House.id == spare).values(state=HouseState.UNFIT, unfit_reason="No roof."))
    decide(database, reference, runs.approve)


def test_approval_refuses_when_a_gate_has_closed(database: Database, register: Register) -> None:
    reference = proposed(database)
    change(database, update(Milestone).where(Milestone.name == "access_road").values(achieved_on=None))
    with pytest.raises(Conflict, match=r"Valley .* is not ready: Access road: not there\."):
        decide(database, reference, runs.approve)


def test_approval_refuses_when_a_family_waits_no_more(database: Database, register: Register) -> None:
    reference = proposed(database)
    application = said(database, reference)[register.families["unsafe"]].application.reference
    change(
        database,
        update(Application).where(Application.reference == application).values(state=ApplicationState.WITHDRAWN),
    )
    with pytest.raises(Conflict, match=f"Applications that changed or wait no more: {application}\\."):
        decide(database, reference, runs.approve)


def test_of_two_approvals_at_once_one_draws(database: Database, register: Register) -> None:
    reference = proposed(database)

    def approve(_number: int) -> str:
        decide(database, reference, runs.approve)
        return "approved"

    assert at_once(approve) == ["The run is drawn already.", "approved"]
    assert verified(database, reference) == []


def test_of_two_runs_that_propose_one_family_the_second_is_refused(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        for place in session.scalars(select(Settlement)).all():
            for bedrooms in (2, 3):
                factories.house(session, place, bedrooms=bedrooms)
    references = [proposed(database, settlements=[place]) for place in (register.valley, register.hillside)]
    twice = register.families["anywhere"]
    assert {said(database, reference)[twice].state for reference in references} == {"proposed"}
    decide(database, references[0], runs.approve)
    with pytest.raises(Conflict, match="Applications that changed or wait no more: AP-"):
        decide(database, references[1], runs.approve)


@pytest.mark.parametrize(
    ("forged", "fault"),
    [
        ({"seed": "another"}, "The problem is not what snapshot and seed give."),
        ({"snapshot_sha256": "0" * 64}, "The snapshot is not the one whose hash was published."),
        ({"solution": lambda text: text.replace('"status":"optimal"', '"status":"feasible"')}, None),
        ({"solution": lambda text: text.replace("/1/stairs", "/1/step-free")}, None),
    ],
)
def test_a_forged_document_is_found_and_never_approved(
    database: Database, register: Register, forged: dict[str, Any], fault: str | None
) -> None:
    reference = proposed(database)
    run = read(database, reference)
    values = {name: value(getattr(run, name)) if callable(value) else value for name, value in forged.items()}
    change(database, update(Run).where(Run.reference == reference).values(values))
    found = verified(database, reference)
    assert found
    assert fault is None or fault in found
    with pytest.raises(Conflict, match="The stored solution does not hold"):
        decide(database, reference, runs.approve)


def test_an_address_that_was_not_drawn_is_found(database: Database, register: Register) -> None:
    reference = drawn(database)
    first = register.families["large"]
    other = said(database, reference)[register.families["anywhere"]]
    change(database, update(Proposal).where(Proposal.id == other.id).values(state=ProposalState.RELEASED))
    change(
        database,
        update(Proposal)
        .where(Proposal.id == said(database, reference)[first].id)
        .values(house_id=other.house_id, house_class="elsewhere/1/stairs"),
    )
    found = verified(database, reference)
    assert any(f"Household {first}: solved as" in fault for fault in found)
    assert any(f"Household {first}: the draw gives" in fault for fault in found)


def test_a_drawn_family_takes_part_no_more(database: Database, register: Register) -> None:
    drawn(database)
    with database.session(writes=True) as session:
        place = session.scalars(select(Settlement).where(Settlement.reference == register.valley)).one()
        factories.house(session, place)
    second = proposed(database)
    states = {household: each.state for household, each in said(database, second).items()}
    assert states == {register.families["rented"]: "proposed", register.families["without consent"]: "ineligible"}


def test_every_run_ends_where_the_table_of_transitions_says() -> None:
    ends = {state for states in runs.TRANSITIONS.values() for state in states} - set(runs.TRANSITIONS)
    assert ends == {RunState.OFFERS_ISSUED, RunState.REJECTED, RunState.FAILED, RunState.CANCELLED}
    assert set(RunState) == ends | runs.UNDECIDED | {RunState.DRAWN}


def test_proposals_are_counted_once(database: Database, register: Register, session: Session) -> None:
    proposed(database)
    assert session.scalar(select(func.count()).select_from(Proposal)) == len(register.families)
