"""Asking for every family of a run what would have housed it: once, however many ask."""

from sqlalchemy import func, select

from app.access.permissions import OPERATOR
from app.allocation import what_ifs
from app.allocation.what_if_models import WhatIf
from app.audit import Act
from app.database import Database
from app.housing.models import Settlement
from tests import factories
from tests.allocation.conftest import Register, drawn, register
from tests.audit.trail import acts
from tests.concurrency import at_once

__all__ = ["register"]


def test_two_who_ask_at_once_ask_once(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        wanted = session.scalars(select(Settlement).where(Settlement.reference == register.valley)).one()
        for _ in range(3):
            factories.applicant(session, wanted)
    run = drawn(database)

    def ask() -> tuple[int, int]:
        with database.session(writes=True) as session:
            return what_ifs.ask_of_run(session, run, 200, OPERATOR)

    assert {left for _, left in at_once(ask, ask)} == {0}
    with database.session(writes=False) as session:
        asked = session.scalar(select(func.count()).select_from(WhatIf))
    assert (asked, acts(database).count(Act.WHAT_IF_ASK)) == (4, 4)
