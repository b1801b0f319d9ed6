"""What an entry says, and that it stands and falls with its act."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import OPERATOR
from app.allocation import reservations
from app.audit import Act
from app.database import Database
from app.errors import Conflict
from app.exchange import imports
from app.housing import houses, settlements
from app.housing.models import SettlementStatus
from app.housing.queries import house as visible_house
from app.housing.queries import settlement as visible_settlement
from app.registry import households
from app.registry.queries import visible_application, visible_household
from tests import factories
from tests.audit.trail import acts, entries, require_chained
from tests.concurrency import at_once
from tests.exchange.village import VILLAGE, with_cell

WRITERS, ACTS_EACH = 4, 5


def _add_origin(session: Session, name: str = "Upper Valley") -> None:
    settlements.add_origin(session, {"name": name, "latitude": 0.5, "longitude": 0.3}, OPERATOR)


def test_an_entry_tells_what_changed_and_nothing_else(database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
    with database.session(writes=True) as session:
        place = visible_settlement(session, place.reference)
        fields = {"status": SettlementStatus.SUSPENDED, "name": place.name}
        settlements.change(session, place, fields, None, OPERATOR)
    entry = entries(database)[-1]
    assert (entry["actor"], entry["act"], entry["token"]) == ("operator", "settlement.change", None)
    assert (entry["subject_type"], entry["subject"]) == ("settlement", place.reference)
    assert entry["details"] == {
        "changes": [
            {
                "thing": "settlement",
                "reference": place.reference,
                "before": {"status": "open"},
                "after": {"status": "suspended"},
            }
        ]
    }


def test_everything_that_an_act_moves_is_told_with_it(database: Database) -> None:
    with database.session(writes=True) as session:
        given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    with database.session(writes=True) as session:
        application = visible_application(session, OPERATOR, given.application.reference)
        reservations.withdraw(session, application, "Settled with relatives.", OPERATOR)
    entry = entries(database)[-1]
    changes = {each["thing"]: each for each in entry["details"]["changes"]}
    assert {thing: (each["before"]["state"], each["after"]["state"]) for thing, each in changes.items()} == {
        "application": ("allocated", "withdrawn"),
        "house": ("reserved", "handed_over"),
        "proposal": ("reserved", "released"),
    }
    assert changes["application"]["before"]["settlement_id"].startswith("ST-")
    assert changes["application"]["after"]["settlement_id"] is None
    assert changes["application"]["after"]["withdrawn_reason"] == entry["reason"]
    assert entry["reason"].startswith("hmac-sha256:"), "what a family says of itself is personal"


def test_personal_data_is_told_by_digests_of_its_own(database: Database) -> None:
    with database.session(writes=True) as session:
        family = factories.household(session, children=1)
    told = []
    for member, name in ((0, "Leyla"), (1, "Leyla"), (0, "Amina"), (0, "Leyla")):
        with database.session(writes=True) as session:
            household = visible_household(session, OPERATOR, family.reference)
            households.change_person(session, household, household.people[member], {"given_name": name}, OPERATOR)
        (change,) = entries(database)[-1]["details"]["changes"]
        assert change["reference"] == family.people[member].reference
        told.append(change["after"]["given_name"])
    leyla, child_of_that_name, amina, leyla_again = told
    assert all(re.fullmatch("hmac-sha256:[0-9a-f]{64}", each) for each in told)
    assert leyla == leyla_again, "one may see that a name is again what it was"
    assert len({leyla, child_of_that_name, amina}) == 3, "and not that two people have the same"


def test_the_reason_of_an_act_is_told(database: Database) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        houses.declare_unfit(session, house, "The roof leaks.", OPERATOR)
    assert entries(database)[-1]["reason"] == "The roof leaks."


def test_an_import_tells_what_is_new_and_what_changes(database: Database) -> None:
    with database.session(writes=True) as session:
        imports.run(session, VILLAGE, actor=OPERATOR)
    first = entries(database)[-1]["details"]
    assert first["changes"] == []
    assert first["tables"]["houses"] == {"created": 2, "changed": 0}
    assert len(first["created"]["houses"]) == 2
    assert all(each.startswith("HO-") for each in first["created"]["houses"])

    changed = with_cell("houses.csv", 2, "rooms", "4", with_cell("households.csv", 2, "phone", "+1 555 0100"))
    with database.session(writes=True) as session:
        imports.run(session, changed, actor=OPERATOR)
    second = entries(database)[-1]["details"]
    assert second["created"] == {}
    house, household = second["changes"]
    assert house == {
        "thing": "house",
        "reference": house["reference"],
        "before": {"rooms": 3},
        "after": {"rooms": 4},
    }
    assert household["thing"] == "household"
    assert household["after"]["phone"].startswith("hmac-sha256:")

    seen = len(entries(database))
    with database.session(writes=True) as session:
        imports.run(session, VILLAGE, actor=OPERATOR, dry_run=True)
    assert len(entries(database)) == seen, "what only checks does nothing"


def _refuse_after(session: Session) -> None:
    _add_origin(session, "refused")
    raise Conflict("Not now.")


def test_what_is_rolled_back_leaves_no_entry_and_no_gap(database: Database) -> None:
    with pytest.raises(Conflict), database.session(writes=True) as session:
        _refuse_after(session)
    assert acts(database) == []
    with database.session(writes=True) as session:
        _add_origin(session, "first")
        undone = session.begin_nested()
        _add_origin(session, "second")
        with session.begin_nested():
            _add_origin(session, "third")
        undone.rollback()
        with session.begin_nested():
            _add_origin(session, "fourth")
    found = entries(database)
    require_chained(found)
    assert [each["details"]["changes"][0]["after"]["name"] for each in found] == ["first", "fourth"]
    assert all(len(each["details"]["changes"]) == 1 for each in found)


def test_what_an_undone_savepoint_wrote_is_not_told(database: Database) -> None:
    with database.session(writes=True) as session:
        made = factories.house(session, factories.settlement(session))
    with database.session(writes=True) as session:
        house = visible_house(session, OPERATOR, made.reference)
        savepoint = session.begin_nested()
        house.storeys = 7
        session.flush()
        savepoint.rollback()
        house = visible_house(session, OPERATOR, made.reference)
        houses.change(session, house, {"rooms": 9}, OPERATOR)
    (change,) = entries(database)[-1]["details"]["changes"]
    assert (change["before"], change["after"]) == ({"rooms": 2}, {"rooms": 9})


def test_an_act_whose_entry_cannot_be_written_does_not_happen(database: Database) -> None:
    with pytest.raises(RuntimeError, match="writes"), database.session(writes=False) as session:
        audit.record(session, OPERATOR, Act.USER_SIGN_OUT)
    assert acts(database) == []


def test_writers_at_the_same_moment_make_one_chain(database: Database) -> None:
    def write(writer: int) -> None:
        for number in range(ACTS_EACH):
            with database.session(writes=True) as session:
                _add_origin(session, f"{writer}-{number}")
                _add_origin(session, f"{writer}-{number} again")

    at_once(*(lambda writer=writer: write(writer) for writer in range(WRITERS)))
    found = entries(database)
    assert len(found) == 2 * WRITERS * ACTS_EACH
    require_chained(found)
    names = [each["details"]["changes"][0]["after"]["name"] for each in found]
    assert [f"{name} again" for name in names[::2]] == names[1::2], "entries of one transaction stand together"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_waits_for_the_head_of_the_chain_while_another_still_works(database: Database) -> None:
    with database.session(writes=True) as slow:
        _add_origin(slow, "slow")
        with ThreadPoolExecutor(1) as threads:
            threads.submit(_in_its_own_transaction, database).result(timeout=30)
    names = [each["details"]["changes"][0]["after"]["name"] for each in entries(database)]
    assert names == ["quick", "slow"]


def _in_its_own_transaction(database: Database) -> None:
    with database.session(writes=True) as session:
        _add_origin(session, "quick")
