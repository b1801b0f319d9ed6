"""Appeals for tests."""

from datetime import UTC, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation.corrections import Correction
from app.database import utc_now
from app.registry import queries
from app.registry.models import Application
from app.tenancy import appeals
from app.tenancy.appeal_models import Appeal, AppealAgainst, AppealGround, AppealState
from tests import factories


def appeal(session: Session, decided: Application, **fields: Any) -> Appeal:
    """An appeal about the application `decided`, lodged now, to be decided in a month."""
    ordinary: dict[str, Any] = {
        "household": fields.pop("household", None) or decided.household,
        "application": decided,
        "against": AppealAgainst.INELIGIBILITY,
        "subject": decided.reference,
        "ground": AppealGround.FACTS_WRONG,
        "corrections": {},
        "took_part": [],
        "state": AppealState.LODGED,
        "lodged_by_id": factories.user(session, Role.CASEWORKER).user_id,
        "decide_by": utc_now().date() + timedelta(days=30),
    }
    statement = fields.pop("statement", "Amina Kovalenko says that it is wrong.")
    row = Appeal(**ordinary | fields)
    row.statement = statement
    session.add(row)
    session.flush()
    return row


def lodged(session: Session, application: str) -> Appeal:
    """An appeal that is lodged as anybody lodges one, against having been found ineligible."""
    return appeals.lodge(
        session,
        queries.visible_application(session, OPERATOR, application),
        against=AppealAgainst.INELIGIBILITY,
        ground=AppealGround.FACTS_WRONG,
        statement="Nobody asked us.",
        correction=Correction(),
        zone=UTC,
        actor=OPERATOR,
    )
