"""Keys, who holds the title, and families whose house becomes unfit."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.access.models import Role
from app.allocation import reservations
from app.allocation.offer_models import Offer
from app.database import Database, utc_now
from app.housing.models import House
from app.registry.models import PLACED, Application, ApplicationState
from app.tenancy.models import Tenancy
from tests import factories
from tests.conftest import ActingAs
from tests.tenancy import living

TODAY = utc_now().date()


@pytest.fixture
def client(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.VILLAGE_ADMINISTRATOR, Role.PLANNER, Role.CASEWORKER)


def _post(client: httpx2.Client, path: str, **body: Any) -> httpx2.Response:
    return client.post(path, json=body) if body else client.post(path)


@dataclass(frozen=True)
class Home:
    """A house by its address, its settlement, and the family that lives there, with the address of its application."""

    path: str
    place: str
    family: str
    application: str


@pytest.fixture
def home(client: httpx2.Client, database: Database) -> Home:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        lived_in = factories.tenancy(session, factories.house(session, place))
    family = lived_in.household.reference
    (read,) = client.get(f"/applications?household={family}").json()["items"]
    return Home(f"/houses/{lived_in.house.reference}", place.reference, family, f"/applications/{read['reference']}")


def test_keys_are_given_and_moving_in_is_confirmed_later(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        given = factories.reservation(session, house, children=1)
        offered = {"issued_at": utc_now() - timedelta(days=3), "answered_on": TODAY - timedelta(days=3)}
        factories.offer(session, given, accepted=True, **offered)
        family = given.household
        stranger = factories.household(session).people[0].reference
    house_path, member = f"/houses/{house.reference}", family.people[0].reference
    day = TODAY - timedelta(days=3)
    keys = {"household": family.reference, "given_on": str(day)}
    assert _post(client, f"{house_path}/keys", **keys).status_code == 422  # somebody took them
    refused = _post(client, f"{house_path}/keys", **keys, received_by=stranger)
    assert [each["pointer"] for each in refused.json()["errors"]] == ["#/body/received_by"]
    taken = _post(client, f"{house_path}/keys", **keys, received_by=member)
    assert taken.status_code == 201, taken.text
    read = taken.json()
    assert (read["state"], read["keys_given_on"], read["received_by"]) == ("keys_given", str(day), member)
    assert read["moved_in_on"] is None
    assert [each["person"] for each in read["holders"]] == [member]  # of head and child, the head
    assert client.get(house_path).json()["state"] == "occupied"
    assert _post(client, f"{house_path}/keys", **keys, received_by=member).status_code == 409

    early = _post(client, f"{house_path}/move-in", household=family.reference, moved_in_on=str(day - timedelta(1)))
    assert [each["pointer"] for each in early.json()["errors"]] == ["#/body/moved_in_on"]
    other = _post(client, f"{house_path}/move-in", household="HH-00000000", moved_in_on=str(TODAY))
    assert other.status_code == 409
    moved = _post(client, f"{house_path}/move-in", household=family.reference, moved_in_on=str(TODAY))
    assert (moved.json()["state"], moved.json()["reference"]) == ("current", read["reference"])
    out = _post(client, f"{house_path}/move-out", moved_out_on=str(TODAY), reason="Work.", code="work_elsewhere")
    assert (out.json()["state"], out.json()["ended_for"]) == ("ended", "work_elsewhere")


@pytest.mark.parametrize(("act", "name"), [("keys", "given_on"), ("move-in", "moved_in_on")])
def test_nobody_gets_a_house_before_the_day_on_which_it_was_offered(
    client: httpx2.Client, database: Database, act: str, name: str
) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        given = factories.reservation(session, house)
        issued_at = utc_now() - timedelta(days=5)
        # What was typed in as the day of its answer may be too late, and cannot be put right.
        factories.offer(session, given, accepted=True, issued_at=issued_at, answered_on=TODAY)
    offered_on = (issued_at - timedelta(hours=12)).date()  # where on earth days come last
    path = f"/houses/{house.reference}/{act}"
    body = {"household": given.household.reference} | ({"representative": "A neighbour"} if act == "keys" else {})
    for day in (offered_on - timedelta(days=1), date(1000, 1, 1)):
        refused = _post(client, path, **body, **{name: str(day)})
        assert [each["pointer"] for each in refused.json()["errors"]] == [f"#/body/{name}"]
        assert str(offered_on) in refused.text
    assert _post(client, path, **body, **{name: str(offered_on)}).status_code == 201


@pytest.mark.parametrize(("act", "name"), [("keys", "given_on"), ("move-in", "moved_in_on")])
def test_a_day_before_the_family_moved_to_its_unfit_house_is_pointed_at_where_it_was_given(
    client: httpx2.Client, database: Database, act: str, name: str
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        lived_in = factories.tenancy(session, factories.house(session, place), moved_in_on=TODAY)
        house, family = factories.house(session, place), lived_in.household
    (application,) = client.get(f"/applications?household={family.reference}").json()["items"]
    assert _post(client, f"/houses/{lived_in.house.reference}/unfit", reason="It leaks.").status_code == 200
    with database.session(writes=True) as session:
        given = living.reserve(session, session.merge(house), family, application["reference"])
        offer = session.scalars(select(Offer).where(Offer.proposal_id == given.id)).one()
        offer.issued_at, offer.answered_on = utc_now() - timedelta(days=2), TODAY - timedelta(days=2)
    body = {"household": family.reference} | ({"representative": "A neighbour"} if act == "keys" else {})
    refused = _post(client, f"/houses/{house.reference}/{act}", **body, **{name: str(TODAY - timedelta(days=1))})
    assert [each["pointer"] for each in refused.json()["errors"]] == [f"#/body/{name}"]


def test_nobody_moves_into_a_house_that_became_unfit_after_the_keys_were_given(
    client: httpx2.Client, database: Database
) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        family = factories.accepted(session, house).household.reference
    path, moves = f"/houses/{house.reference}", {"household": family, "moved_in_on": str(TODAY)}
    keys = {"household": family, "given_on": str(TODAY), "representative": "A neighbour"}
    assert _post(client, f"{path}/keys", **keys).status_code == 201
    assert _post(client, f"{path}/unfit", reason="It burnt down.").status_code == 200
    refused = _post(client, f"{path}/move-in", **moves)
    assert (refused.status_code, "unfit" in refused.json()["detail"]) == (409, True)
    (read,) = client.get("/tenancies").json()["items"]
    assert (read["state"], read["moved_in_on"]) == ("keys_given", None)
    assert _post(client, f"{path}/fit").status_code == 200
    assert _post(client, f"{path}/move-in", **moves).json()["state"] == "current"


def test_head_and_spouse_hold_the_title_jointly_unless_one_wants_otherwise(
    client: httpx2.Client, database: Database
) -> None:
    with database.session(writes=True) as session:
        title = living.joint_tenancy(session, factories.house(session, factories.settlement(session)))
    head, spouse, child = (person.reference for person in title.household.people)
    (read,) = client.get("/tenancies").json()["items"]
    assert [(each["person"], each["opted_out_reason"]) for each in read["holders"]] == [(head, None), (spouse, None)]

    path = f"/tenancies/{title.reference}"
    assert _post(client, f"{path}/opt-out", person=child, reason="A child.").status_code == 409
    assert _post(client, f"{path}/opt-out", person="PE-00000000", reason="Nobody.").status_code == 422
    out = _post(client, f"{path}/opt-out", person=spouse, reason="He holds the title to another house.")
    assert [each["opted_out_reason"] for each in out.json()["holders"]] == [
        None,
        "He holds the title to another house.",
    ]
    alone = _post(client, f"{path}/opt-out", person=head, reason="None.")
    assert (alone.status_code, "Nobody else" in alone.json()["detail"]) == (409, True)

    assert _post(client, f"{path}/holders", person=head).status_code == 409
    back = _post(client, f"{path}/holders", person=spouse)
    assert [each["opted_out_reason"] for each in back.json()["holders"]] == [None, None]
    assert len(_post(client, f"{path}/holders", person=child).json()["holders"]) == 3
    held = client.get(f"/households/{title.household.reference}/subject-access").json()
    assert len(held["tenancies"][0]["holders"]) == 3
    _post(client, f"/houses/{title.house.reference}/move-out", moved_out_on=str(TODAY), reason="Gone.")
    assert _post(client, f"{path}/holders", person=spouse).status_code == 409


def _remove(client: httpx2.Client, household: str, person: str) -> httpx2.Response:
    headers = {"If-Match": client.get(f"/households/{household}").headers["ETag"]}
    return client.delete(f"/people/{person}", headers=headers)


def test_the_only_member_who_holds_the_title_is_not_removed_before_another_does(
    client: httpx2.Client, database: Database
) -> None:
    with database.session(writes=True) as session:
        title = living.joint_tenancy(session, factories.house(session, factories.settlement(session)))
    family, path = title.household.reference, f"/tenancies/{title.reference}"
    head, spouse, child = (person.reference for person in title.household.people)
    assert _post(client, f"{path}/opt-out", person=spouse, reason="He holds another.").status_code == 200
    headers = {"If-Match": client.get(f"/households/{family}").headers["ETag"]}
    assert client.patch(f"/people/{spouse}", json={"relationship": "head"}, headers=headers).status_code == 200

    refused = _remove(client, family, head)
    assert (refused.status_code, "Nobody else" in refused.json()["detail"]) == (409, True)
    assert _remove(client, family, child).status_code == 204  # who holds none leaves as ever
    assert _post(client, f"{path}/holders", person=spouse).status_code == 200
    assert _remove(client, family, head).status_code == 204
    (read,) = client.get("/tenancies").json()["items"]
    assert [(each["person"], each["opted_out_reason"]) for each in read["holders"]] == [(spouse, None)]


def test_who_has_left_the_household_is_taken_out_of_the_title_and_counts_as_no_holder(
    client: httpx2.Client, database: Database
) -> None:
    with database.session(writes=True) as session:
        title = living.joint_tenancy(session, factories.house(session, factories.settlement(session)))
        head, spouse, _ = (person.reference for person in title.household.people)
        title.household.people[1].household_id = factories.household(session).id
    path = f"/tenancies/{title.reference}"
    alone = _post(client, f"{path}/opt-out", person=head, reason="None.")
    assert (alone.status_code, "Nobody else" in alone.json()["detail"]) == (409, True)
    out = _post(client, f"{path}/opt-out", person=spouse, reason="He lives elsewhere.")
    assert out.status_code == 200, out.text
    assert [each["opted_out_reason"] for each in out.json()["holders"]] == [None, "He lives elsewhere."]
    assert _post(client, f"{path}/opt-out", person=spouse, reason="Again.").status_code == 409


def test_a_family_in_an_unfit_house_is_housed_again(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        lived_in = factories.tenancy(session, factories.house(session, place))
    path = f"/houses/{lived_in.house.reference}"
    application = client.get(f"/applications?household={lived_in.household.reference}").json()["items"][0]["reference"]

    def state() -> str:
        return str(client.get(f"/applications/{application}").json()["state"])

    assert _post(client, f"{path}/unfit", reason="The roof fell in.").status_code == 200
    assert state() == reservations.WAITING
    assert _post(client, f"{path}/fit").status_code == 200  # mended, before anything else was found
    assert state() == "housed"
    assert _post(client, f"{path}/unfit", reason="It fell in again.").status_code == 200

    with database.session(writes=True) as session:  # a run gives it another house, which it accepts
        house = factories.house(session, place)
        living.reserve(session, house, lived_in.household, application)
    refused = _post(client, f"{path}/fit")
    assert (refused.status_code, "reserved" in refused.json()["detail"]) == (409, True)
    moved = _post(
        client,
        f"/houses/{house.reference}/move-in",
        household=lived_in.household.reference,
        moved_in_on=str(TODAY),
    )
    assert moved.status_code == 201, moved.text
    assert state() == "housed"
    with database.session(writes=False) as session:
        former = session.scalars(select(Tenancy).where(Tenancy.reference == lived_in.reference)).one()
        assert (former.moved_out_on, former.ended_for) == (TODAY, "house_unfit")
        assert session.scalars(select(House.state).where(House.reference == lived_in.house.reference)).one() == "unfit"
    assert _post(client, f"{path}/fit").json()["state"] == "available"


def test_a_family_that_leaves_an_unfit_house_waits_on(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        lived_in = factories.tenancy(session, factories.house(session, factories.settlement(session)))
    path = f"/houses/{lived_in.house.reference}"
    assert _post(client, f"{path}/unfit", reason="It leaks.").status_code == 200
    assert _post(client, f"{path}/move-out", moved_out_on=str(TODAY), reason="To a hostel.").status_code == 200
    (application,) = client.get(f"/applications?household={lived_in.household.reference}").json()["items"]
    assert application["state"] == reservations.WAITING


@pytest.mark.parametrize("meanwhile", sorted(set(ApplicationState) - {*PLACED, ApplicationState.ELIGIBLE}))
def test_a_family_whose_house_is_fit_again_waits_for_no_other_whatever_became_of_its_application(
    client: httpx2.Client, database: Database, home: Home, meanwhile: ApplicationState
) -> None:
    path, own = home.path, home.application
    assert _post(client, f"{path}/unfit", reason="It leaks.").status_code == 200
    if meanwhile is not ApplicationState.WITHDRAWN:
        headers = {"If-Match": client.get(own).headers["ETag"]}
        assert client.patch(own, json={"anywhere": True}, headers=headers).json()["state"] == "submitted"
    with database.session(writes=True) as session:
        application = session.scalars(select(Application)).one()
        application.state = meanwhile
        match meanwhile:
            case ApplicationState.DRAFT:
                application.submitted_at = None
            case ApplicationState.VERIFIED:
                application.verified_at = utc_now()
            case ApplicationState.INELIGIBLE:
                application.verified_at = application.decided_at = utc_now()
                application.ineligible_for = ["no_consent"]
            case ApplicationState.WITHDRAWN:
                application.withdrawn_at, application.withdrawn_reason = utc_now(), "We mend it ourselves."

    assert _post(client, f"{path}/fit").json()["state"] == "occupied"
    read = client.get(own).json()
    assert (read["state"], read["withdrawn_at"], read["withdrawn_reason"]) == ("housed", None, None)
    assert _post(client, "/applications", household=home.family).status_code == 409
    assert _post(client, f"{path}/unfit", reason="It leaks again.").status_code == 200
    then = {ApplicationState.RETURNED: "submitted", ApplicationState.WITHDRAWN: reservations.WAITING}
    assert client.get(own).json()["state"] == then.get(meanwhile, meanwhile)


def test_a_house_that_is_fit_and_unfit_again_makes_nothing_eligible_that_nobody_decided_on(
    client: httpx2.Client, home: Home
) -> None:
    own = home.application

    def again(application: str) -> str:
        assert _post(client, f"{home.path}/fit").status_code == 200
        assert _post(client, f"{home.path}/unfit", reason="It leaks again.").status_code == 200
        return str(client.get(application).json()["state"])

    assert _post(client, f"{home.path}/unfit", reason="It leaks.").status_code == 200
    assert again(own) == reservations.WAITING
    larger = {"size_override": 4, "size_override_reason": "They say so."}
    corrected = client.patch(own, json=larger, headers={"If-Match": client.get(own).headers["ETag"]})
    assert corrected.json()["state"] == "submitted"
    assert again(own) == "submitted"
    assert _post(client, f"{own}/withdraw", reason="They apply anew.").status_code == 200
    begun = _post(client, "/applications", household=home.family, preferences=[home.place])
    anew = f"/applications/{begun.json()['reference']}"
    assert again(anew) == "draft"
    assert _post(client, f"{anew}/submit").status_code == 200
    assert again(anew) == "submitted"


@pytest.mark.parametrize("ineligible_for", [[], ["no_consent"]])
def test_what_was_decided_on_an_application_stands_once_the_house_is_unfit_again(
    client: httpx2.Client, database: Database, home: Home, ineligible_for: list[str]
) -> None:
    assert _post(client, f"{home.path}/unfit", reason="It leaks.").status_code == 200
    assert _post(client, f"{home.application}/withdraw", reason="They apply anew.").status_code == 200
    begun = _post(client, "/applications", household=home.family, preferences=[home.place])
    anew = begun.json()["reference"]
    with database.session(writes=True) as session:
        application = session.scalars(select(Application).where(Application.reference == anew)).one()
        application.state = ApplicationState.INELIGIBLE if ineligible_for else ApplicationState.ELIGIBLE
        application.submitted_at = application.verified_at = application.decided_at = utc_now()
        application.ineligible_for = ineligible_for
    assert _post(client, f"{home.path}/fit").status_code == 200
    assert _post(client, f"{home.path}/unfit", reason="It leaks again.").status_code == 200
    assert client.get(f"/applications/{anew}").json()["state"] == ("ineligible" if ineligible_for else "eligible")


def test_a_family_that_applied_anew_from_an_unfit_house_gets_no_second_one_once_it_is_fit(
    client: httpx2.Client, home: Home
) -> None:
    path = home.path
    assert _post(client, f"{path}/unfit", reason="It leaks.").status_code == 200
    assert _post(client, f"{home.application}/withdraw", reason="Not now.").status_code == 200
    again = _post(client, "/applications", household=home.family, preferences=[home.place])
    assert _post(client, f"{path}/fit").status_code == 200
    found = {each["reference"]: each["state"] for each in client.get("/applications").json()["items"]}
    first = home.application.rpartition("/")[2]
    assert found == {first: "withdrawn", again.json()["reference"]: "housed"}
    assert _post(client, f"{path}/move-out", moved_out_on=str(TODAY), reason="Gone.").status_code == 200
    assert client.get(f"/applications/{again.json()['reference']}").json()["state"] == "withdrawn"


def test_a_family_that_lives_in_a_fit_house_leaves_that_before_it_gets_the_keys_of_another(
    client: httpx2.Client, database: Database
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        lived_in = factories.tenancy(session, factories.house(session, place))
        application = session.scalars(select(Application)).one().reference
        house = factories.house(session, place)
        living.reserve(session, house, lived_in.household, application)
    keys = {"household": lived_in.household.reference, "given_on": str(TODAY), "representative": "A neighbour"}
    refused = _post(client, f"/houses/{house.reference}/keys", **keys)
    assert (refused.status_code, lived_in.house.reference in refused.json()["detail"]) == (409, True)
    old = f"/houses/{lived_in.house.reference}"
    assert _post(client, f"{old}/move-out", moved_out_on=str(TODAY), reason="To the other.").status_code == 200
    assert _post(client, f"/houses/{house.reference}/keys", **keys).status_code == 201
    assert client.get(old).json()["state"] == "available"
