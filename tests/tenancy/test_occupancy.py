"""How full each settlement is."""

from app.access.models import Role
from app.database import Database
from app.housing.models import HouseState, SettlementStatus
from tests import factories
from tests.conftest import ActingAs
from tests.tenancy import living

ZERO = dict.fromkeys(("being_built", "waiting_for_gates", "available", "reserved", "occupied", "unfit", "people"), 0)


def test_every_house_is_counted_once_by_its_size_and_state(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        ready = factories.settlement(session, "Ready")
        closed = factories.settlement(session, "Closed", status=SettlementStatus.REBUILDING)
        factories.settlement(session, "Empty")
        for place in (ready, closed):
            factories.house(session, place, state=HouseState.PLANNED)
            factories.house(session, place, state=HouseState.UNDER_CONSTRUCTION)
            factories.house(session, place, state=HouseState.HANDED_OVER)
            factories.house(session, place, state=HouseState.VACATED)
        factories.house(session, ready, bedrooms=2, state=HouseState.UNFIT, unfit_reason="It leaks.")
        factories.reservation(session, factories.house(session, ready, bedrooms=2), children=5)
        factories.tenancy(session, factories.house(session, ready, bedrooms=2), children=1)
        factories.tenancy(session, factories.house(session, ready, bedrooms=2), children=3)
        left = factories.tenancy(session, factories.house(session, ready, bedrooms=3), children=4)
        living.left(left, factories.LONG_AGO)
        left.house.state = HouseState.VACATED

    client = acting_as(Role.AUDITOR)
    here = {"settlement": ready.reference, "settlement_name": "Ready"}
    of_ready = [
        ZERO | here | {"bedrooms": 1, "houses": 4, "being_built": 2, "available": 2},
        ZERO | here | {"bedrooms": 2, "houses": 4, "unfit": 1, "reserved": 1, "occupied": 2, "people": 6},
        ZERO | here | {"bedrooms": 3, "houses": 1, "available": 1},
    ]
    there = {"settlement": closed.reference, "settlement_name": "Closed"}
    of_closed = [ZERO | there | {"bedrooms": 1, "houses": 4, "being_built": 2, "waiting_for_gates": 2}]
    assert client.get("/occupancy").json() == of_closed + of_ready
    assert client.get("/occupancy", params={"settlement": ready.reference.lower()}).json() == of_ready
    assert client.get("/occupancy", params={"settlement": "nowhere"}).json() == []


def test_tenancies_and_reservations_are_listed_by_settlement(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        here, there = factories.settlement(session), factories.settlement(session, "Hillside")
        lived_in = factories.tenancy(session, factories.house(session, here)).reference
        factories.tenancy(session, factories.house(session, there))
        reserved = factories.house(session, here)
        factories.reservation(session, reserved)
        factories.reservation(session, factories.house(session, there))
    client = acting_as(Role.VILLAGE_ADMINISTRATOR)
    for query, tenancies, reservations in (
        ({"settlement": here.reference}, [lived_in], [reserved.reference]),
        ({"settlement": "nowhere"}, [], []),
    ):
        assert [each["reference"] for each in client.get("/tenancies", params=query).json()["items"]] == tenancies
        assert [each["house"] for each in client.get("/reservations", params=query).json()["items"]] == reservations
    assert len(client.get("/tenancies").json()["items"]) == 2
