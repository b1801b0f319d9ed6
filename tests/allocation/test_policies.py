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
    policies.put_in_force(session, draft, approver)
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


def test_of_two_put_in_force_at_once_both_hold_in_turn_or_one_is_told(database: Database) -> None:
    with database.session(writes=True) as session:
        planner = factories.user(session, Role.PLANNER)
        drafts = [policies.draft(session, STRICTER, planner).reference for _ in range(2)]
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
        answers = list(threads.map(put, drafts))
    assert [answer for answer in answers if answer and "at the same moment" not in answer] == []
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
