"""What is read of one family is found by an index, however many families and runs there are."""

import pytest

from app.access.models import Role
from app.database import Database
from tests import factories
from tests.conftest import ActingAs, PlansOf


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("/applications/{application}/explanation", "ix_proposals_application_id"),
        ("/applications/{application}/letter", "ix_proposals_application_id"),
        ("/households/{household}/subject-access", "ix_proposals_household_id"),
    ],
)
def test_a_family_s_proposals_are_found_by_an_index(
    database: Database, acting_as: ActingAs, plans_of: PlansOf, path: str, index: str
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        given = [factories.reservation(session, factories.house(session, place)) for _ in range(20)][-1]
        names = {"application": given.application.reference, "household": given.household.reference}
    client = acting_as(Role.CASEWORKER)
    plans = plans_of(lambda: client.get(path.format(**names)).raise_for_status())
    assert any(index in plan for plan in plans)
