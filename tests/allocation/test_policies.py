"""One policy is in force at a time, and none that was drafted ever changes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import policies
from app.allocation.models import PolicyState, PolicyVersion
from app.database import Database
from app.errors import Conflict, Forbidden, NotFound
from app.policy.parameters import DEFAULT_POLICY
from tests import factories

STRICTER = DEFAULT_POLICY.model_copy(update={"version": "2", "spare_allowed": 0})


def test_the_default_is_put_in_force_once(session: Session) -> None:
    with pytest.raises(NotFound, match="No policy is in force yet"):
        policies.in_force(session)
    policies.ensure_default(session)
    version, policy = policies.in_force(session)
    assert policy == DEFAULT_POLICY
    assert version.sha256 == DEFAULT_POLICY.sha256()
    policies.ensure_default(session)
    assert policies.in_force(session)[0] is version


def test_a_draft_decides_nothing_until_it_is_put_in_force(session: Session) -> None:
    approver = factories.user(session, Role.APPROVER)
    policies.ensure_default(session)
    first, _ = policies.in_force(session)
    draft = policies.draft(session, STRICTER, factories.user(session, Role.PLANNER))
    assert policies.in_force(session) == (first, DEFAULT_POLICY)
    with pytest.raises(Conflict, match=f"Preview it first: POST /policies/{draft.reference}/preview"):
        policies.put_in_force(session, draft, approver)
    policies.put_in_force(session, factories.previewed(session, draft), approver)
    assert policies.in_force(session) == (draft, STRICTER)
    assert first.state is PolicyState.SUPERSEDED
    for version in (first, draft):
        with pytest.raises(Conflict, match="only a draft can be put in force"):
            policies.put_in_force(session, version, approver)


def test_nobody_puts_their_own_draft_in_force(session: Session) -> None:
    both, another = (factories.user(session, Role.PLANNER, Role.APPROVER) for _ in range(2))
    draft = policies.draft(session, STRICTER, both)
    with pytest.raises(Forbidden, match="drafted this policy"):
        policies.put_in_force(session, draft, both)
    assert policies.put_in_force(session, draft, another).state is PolicyState.IN_FORCE


def test_a_preview_counts_for_what_was_previewed_against_what_is_in_force(session: Session) -> None:
    planner, approver = factories.user(session, Role.PLANNER), factories.user(session, Role.APPROVER)
    other = DEFAULT_POLICY.model_copy(update={"version": "3"})
    first, second, again = (policies.draft(session, each, planner) for each in (STRICTER, other, STRICTER))
    factories.previewed(session, second)
    with pytest.raises(Conflict, match="Nobody has previewed"):
        policies.put_in_force(session, first, approver)
    factories.preview(session).draft = first  # one that waits to be solved
    session.flush()
    with pytest.raises(Conflict, match="Nobody has previewed"):
        policies.put_in_force(session, first, approver)
    policies.put_in_force(session, factories.previewed(session, first), approver)
    for draft in (second, again):  # they were compared with what is superseded by now
        with pytest.raises(Conflict, match=f"against {first.reference}, which is in force"):
            policies.put_in_force(session, draft, approver)


def test_policies_are_the_planners_business_everywhere(session: Session) -> None:
    here = factories.user(session, Role.PLANNER, district="North")
    caseworker = factories.user(session, Role.CASEWORKER)
    draft = policies.draft(session, STRICTER, factories.user(session, Role.PLANNER))
    for actor in (here, caseworker):
        with pytest.raises(Forbidden):
            policies.draft(session, STRICTER, actor)
        with pytest.raises(Forbidden):
            policies.put_in_force(session, draft, actor)


def test_an_unknown_version_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        policies.get(session, "PO-00000000")


def test_of_two_put_in_force_at_once_one_is_told(database: Database) -> None:
    with database.session(writes=True) as session:
        planner = factories.user(session, Role.PLANNER)
        drafts = [policies.draft(session, STRICTER, planner) for _ in range(2)]
        references = [factories.previewed(session, draft).reference for draft in drafts]
    barrier = Barrier(2)

    def put(reference: str) -> str | None:
        barrier.wait()
        try:
            with database.session(writes=True) as session:
                policies.put_in_force(session, policies.get(session, reference), OPERATOR)
        except Conflict as refused:
            return refused.detail
        return None

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(put, references))
    told = ("at the same moment", "Preview it first")  # the second was previewed against what is superseded
    assert [any(each in answer for each in told) for answer in answers if answer] == [True]
    with database.session(writes=False) as session:
        states = session.scalars(select(PolicyVersion.state)).all()
    assert states.count(PolicyState.IN_FORCE) == 1


def test_of_two_first_starts_at_once_one_puts_the_default_in_force(database: Database) -> None:
    barrier = Barrier(2)

    def start(_number: int) -> None:
        barrier.wait()
        with database.session(writes=True) as session:
            policies.ensure_default(session)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(start, range(2)))
    with database.session(writes=False) as session:
        assert session.scalars(select(PolicyVersion.state)).all() == [PolicyState.IN_FORCE]
