"""A family is given everything that is held of it, to read and to carry away."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import runs
from app.allocation.models import Proposal
from app.database import Database, utc_now
from app.housing.models import House, Settlement
from app.registry.models import Application, ApplicationState, Household, Suitability
from app.sealed import sealed_of
from app.tenancy import moves
from tests import appealing, factories
from tests.allocation.conftest import Register, decide, drawn, proposed, read, request
from tests.conftest import ActingAs

NAME, SURNAME = "لیلا", "<script>alert('1')</script> & \"O'Brien\""
PERMITTED = (Role.CASEWORKER, Role.PLANNER)
NEVER_SHOWN = {
    "id",
    "household_id",
    "version",
    "created_by_id",
    "submitted_by_id",
    "written_by",
    "verified_by_id",
    "decided_by_id",
    "kin_group_id",
    "origin_id",
}
VOID = {"meta", "br", "hr", "img", "link", "input"}


class _Page(HTMLParser):
    """Text, tags and attributes of a page; every tag must be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.directions: dict[str, str | None] = {}
        self._direction: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._direction = dict(attrs).get("dir")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._direction = None

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((data.strip(), self.open[-1] if self.open else ""))
            self.directions[data.strip()] = self._direction


@pytest.fixture
def family(database: Database, register: Register) -> str:
    """A household with everything: names of every kind, an estimate, a run that housed it, a house it left."""
    reference = register.families["wheelchair"]
    with database.session(writes=True) as session:
        household = session.scalars(
            select(Household)
            .where(Household.reference == reference)
            .options(selectinload(Household.people), joinedload(Household.origin))
        ).one()
        valley = session.scalars(select(Settlement).where(Settlement.reference == register.valley)).one()
        household.origin = factories.origin(session, valley)
        household.key, household.phone, household.language = "K-1", "+999 50 1", "fa"
        household.kin_group = factories.kin_group(session)
        head = household.people[0]
        head.given_name, head.family_name, head.key = NAME, SURNAME, "P-1"
        head.national_id, head.occupation = "ID-4821907", "health"
        application = session.scalars(select(Application).where(Application.household_id == household.id)).one()
        application.size_override, application.size_override_reason = 1, "A carer lives with her."
        session.add(Suitability(household_id=household.id, settlement_id=valley.id, score=0.75))
        factories.placement(session, household, valley, note="Threats.")
    drawn(database)
    with database.session(writes=True) as session:
        reserved = session.scalars(
            select(Proposal).join(Proposal.household).where(Household.reference == reference)
        ).one()
        days = {"issued_at": factories.SO_LONG_AGO, "answered_on": factories.LONG_AGO}
        factories.offer(session, reserved, accepted=True, **days)
        household = session.scalars(select(Household).where(Household.reference == reference)).one()
        application = session.scalars(select(Application).where(Application.household_id == household.id)).one()
        appealing.appeal(session, application, household=household, statement="We live in a cellar.")
    for step in (moves.move_in, moves.move_out):
        with database.session(writes=True) as session:
            house = session.scalars(select(House).where(House.step_free).options(joinedload(House.settlement))).one()
            text = reference if step is moves.move_in else "Moved to her son."
            if step is moves.move_in:
                moves.move_in(session, house, text, factories.LONG_AGO, OPERATOR)
            else:
                moves.move_out(session, house, factories.LONG_AGO, text, OPERATOR)
    return reference


@pytest.fixture
def client(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.CASEWORKER)


def _read(client: httpx2.Client, family: str) -> dict[str, Any]:
    answer = client.get(f"/households/{family}/subject-access")
    assert answer.status_code == 200
    held: dict[str, Any] = answer.json()
    return held


def _values(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return [each for value in document.values() for each in _values(value)]
    if isinstance(document, list):
        return [each for value in document for each in _values(value)]
    return [document]


def test_everything_is_there(database: Database, family: str, client: httpx2.Client) -> None:
    held = _read(client, family)
    head = held["household"]["people"][0]
    assert (head["given_name"], head["family_name"], head["national_id"]) == (NAME, SURNAME, "ID-4821907")
    assert held["household"] == client.get(f"/households/{family}").json()
    (application,) = held["applications"]
    assert (application["state"], application["withdrawn_reason"]) == ("withdrawn", "Moved out: Moved to her son.")
    assert held["estimates"] == [{"settlement": "Valley", "score": 0.75}]
    assert [each["statement"] for each in held["appeals"]] == ["We live in a cellar."]
    (decision,) = held["decisions"]
    assert decision["outcome"] == "moved_in"
    assert decision["known"]["reference"] == family
    assert {rule["rule"] for rule in decision["known"]["rules"]} >= {"step-free need"}
    assert decision["explanation"].startswith("A step-free house") or decision["explanation"]
    (placement,) = held["placements"]
    assert (placement["reason"], placement["note"], placement["settlement"]) == ("safety", "Threats.", "Valley")
    (tenancy,) = held["tenancies"]
    assert (tenancy["house"], tenancy["end_reason"]) == (decision["house"], "Moved to her son.")


def test_who_did_what_and_who_looked_is_there(family: str, acting_as: ActingAs, client: httpx2.Client) -> None:
    reader = acting_as(Role.PLANNER)
    _read(reader, family)
    held = _read(client, family)
    acts = [each["act"] for each in held["trail"]]
    assert acts[-3:] == ["tenancy.move_in", "tenancy.move_out", "subject_access.give"]
    assert held["trail"][-1] == {
        "recorded_at": held["trail"][-1]["recorded_at"],
        "act": "subject_access.give",
        "subject": family,
        "actor": reader.get("/me").json()["reference"],
    }


def test_who_opened_it_beyond_their_scope_and_who_reviewed_that_is_there(
    family: str, acting_as: ActingAs, client: httpx2.Client
) -> None:
    clerk, auditor = acting_as(Role.CASEWORKER, district="Nowhere"), acting_as(Role.AUDITOR)
    grant = clerk.post("/break-glass-grants", json={"household": family, "reason": "It is here."}).json()["reference"]
    assert clerk.post(f"/break-glass-grants/{grant}/read").status_code == 200
    assert auditor.post(f"/break-glass-grants/{grant}/review", json={"remark": "Justified."}).status_code == 200
    acts = [(each["act"], each["subject"]) for each in _read(client, family)["trail"]]
    assert acts[-3:] == [("break_glass.open", grant), ("break_glass.read", family), ("break_glass.review", grant)]


def test_no_column_of_the_register_is_forgotten(database: Database, family: str, client: httpx2.Client) -> None:
    shown = {str(each) for each in _values(_read(client, family))}
    with database.session(writes=False) as session:
        household = session.scalars(
            select(Household).where(Household.reference == family).options(selectinload(Household.people))
        ).one()
        application = session.scalars(select(Application).where(Application.household_id == household.id)).one()
        for row in (household, *household.people, application):
            model = type(row)
            stored = {name for each in sealed_of(model) for name in (each.sealed_name, each.index_name)}
            names = {column.key for column in model.__table__.columns} - stored - NEVER_SHOWN
            names |= {each.name for each in sealed_of(model)}
            for name in names - {"created_at", "updated_at", "submitted_at", "withdrawn_at", "partner_id"}:
                value = getattr(row, name)
                text = getattr(value, "value", value)
                assert text is None or str(text) in shown, f"{model.__name__}.{name}"


def test_the_page_fits_its_window_however_long_a_word_or_deep_a_fact(family: str, client: httpx2.Client) -> None:
    page = client.get(f"/households/{family}/subject-access", params={"format": "html"}).text
    columns = re.findall("grid-template-columns: ([^;]+);", page)
    assert columns
    for each in columns:  # a column that cannot shrink below its words is as wide as a SHA-256
        assert re.sub(r"minmax\(0, [0-9a-z]+\)", "", each).strip() == "", each
    assert "dt, dd { overflow-wrap: anywhere; }" in page
    assert "dl dl dl > div { grid-template-columns: minmax(0, 1fr); }" in page


def test_the_page_says_what_the_json_says(family: str, client: httpx2.Client) -> None:
    held = _read(client, family)  # reading the page is recorded too, and so there is more on it
    answer = client.get(f"/households/{family}/subject-access", params={"format": "html"})
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="subject-access-{family}.html"'
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    page = _Page(answer.text)
    assert page.open == []
    assert page.tags.isdisjoint({"script", "link", "img", "iframe"})
    assert page.attributes.isdisjoint({"src", "href", "onclick", "onerror"})
    assert page.texts[page.texts.index(("corrections", "dt")) + 1] == ("nothing recorded", "span")
    texts = {text for text, _ in page.texts}
    for value in _values({name: value for name, value in held.items() if name != "prepared_at"}):
        if isinstance(value, str):
            assert value in texts
    assert {page.directions[name] for name in (NAME, SURNAME)} == {"auto"}
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("accept", "params", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", {}, "text/html"),
        ("application/json", {}, "application/json"),
        ("*/*", {}, "application/json"),
        ("application/json, text/html", {}, "application/json"),
        ("text/html", {"format": "json"}, "application/json"),
        ("application/json", {"format": "html"}, "text/html"),
    ],
)
def test_it_comes_as_it_is_asked_for(
    family: str, client: httpx2.Client, accept: str, params: dict[str, str], kind: str
) -> None:
    answer = client.get(f"/households/{family}/subject-access", params=params, headers={"Accept": accept})
    assert answer.headers["Content-Type"].partition(";")[0] == kind


def test_what_nobody_has_decided_is_not_promised(database: Database, register: Register, client: httpx2.Client) -> None:
    run = proposed(database)
    (decision,) = _read(client, register.families["wheelchair"])["decisions"]
    assert (decision["run"], decision["run_state"]) == (run, "proposed")
    assert {decision[name] for name in ("proposal", "outcome", "house", "settlement", "reason", "explanation")} == {
        None
    }


def test_what_many_runs_knew_is_read_one_run_at_a_time(
    database: Database, register: Register, client: httpx2.Client, snapshots_held: list[int]
) -> None:
    family, asked = register.families["large"], []
    for _ in range(4):
        asked.append(request(database))
        decide(database, asked[-1], runs.cancel)
    snapshots_held.clear()
    decisions = _read(client, family)["decisions"]
    assert [each["run"] for each in decisions] == asked
    assert len(snapshots_held) == 4
    assert max(snapshots_held) <= 2  # one is there before the other is let go
    for each in decisions:
        parts = json.loads(read(database, each["run"]).snapshot)["households"]
        assert [part for part in parts if part["reference"] == family] == [each["known"]]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_run_kept_of_who_was_signed_as_ineligible_before_it_is_there(
    database: Database, register: Register, client: httpx2.Client
) -> None:
    family = register.families["rented"]
    with database.session(writes=True) as session:
        application = session.scalars(
            select(Application).join(Application.household).where(Household.reference == family)
        ).one()
        application.state, application.decided_at = ApplicationState.INELIGIBLE, utc_now()
        application.ineligible_for = ["owns_home"]
    request(database)
    (decision,) = _read(client, family)["decisions"]
    known = decision["known"]
    assert (known["reference"], known["eligible"], known["ineligible"]) == (family, False, ["owns_home"])


def test_a_household_that_did_nothing_has_a_page_too(database: Database, client: httpx2.Client) -> None:
    with database.session(writes=True) as session:
        reference = factories.household(session, origin=None, displaced_on=None).reference
    held = _read(client, reference)
    assert [held[name] for name in ("applications", "estimates", "decisions", "tenancies")] == [[], [], [], []]
    page = _Page(client.get(f"/households/{reference}/subject-access", params={"format": "html"}).text)
    assert ("nothing recorded", "span") in page.texts


def test_only_who_may_hands_it_out_and_only_there(family: str, register: Register, acting_as: ActingAs) -> None:
    path = f"/households/{family}/subject-access"
    for role in set(Role) - set(PERMITTED):
        assert acting_as(role).get(path).status_code == 403
    assert acting_as(Role.CASEWORKER, settlement=register.valley).get(path).status_code == 200
    assert acting_as(Role.CASEWORKER, settlement=register.hillside).get(path).status_code == 404
    assert acting_as(Role.CASEWORKER).get("/households/HH-00000000/subject-access").status_code == 404
