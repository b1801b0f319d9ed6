"""Good imports: what they write, what they leave alone, on both databases."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from app.access.models import Role, User
from app.access.permissions import HeldRole, Principal
from app.database import Database
from app.errors import Conflict, Forbidden
from app.exchange import exports, imports
from app.exchange.imports import Counts
from app.exchange.parsing import parse
from app.exchange.reading import sheets
from app.exchange.refusals import ImportRefused, Refusals
from app.exchange.stock import survey_stock
from app.exchange.survey import MODELS, Survey
from app.exchange.writing import write
from app.housing.models import House, HouseState, Origin, Settlement
from app.housing.readiness import gates, loaded_for_gates
from app.policy.facts import Relationship
from app.registry.models import Application, ApplicationState, Household, KinGroup, Person
from tests.exchange.village import (
    ROWS,
    VILLAGE,
    Files,
    area,
    land,
    load,
    only,
    refused,
    rows,
    sizes,
    with_cell,
    with_row,
    written,
)

PEOPLE, LAND = "people.csv", "land_release.geojson"


def _house(session: Session, key: str) -> House:
    return session.scalars(select(House).where(House.key == key)).one()


def _application(session: Session, household: str) -> Application:
    query = select(Application).join(Household).where(Household.key == household)
    return session.scalars(query.options(selectinload(Application.preferences))).one()


def _person(session: Session, key: str) -> Person:
    return session.scalars(select(Person).where(Person.key == key)).one()


def test_everything_sent_is_there(session: Session) -> None:
    report = load(session)
    assert report.tables == {name: Counts(count, 0, 0) for name, count in ROWS.items()}
    assert report.sentence == "21 rows added, 0 changed, 0 unchanged."
    settlement = session.scalars(
        select(Settlement).where(Settlement.key == "ALD").options(selectinload(Settlement.origins))
    ).one()
    assert (settlement.latitude, settlement.version) == (0.8400000000000001, 1)
    assert [origin.key for origin in settlement.origins] == ["O-1", "O-2"]
    assert {house.key: house.state for house in session.scalars(select(House))} == {
        "ALD-1": HouseState.HANDED_OVER,
        "ALD-2": HouseState.UNDER_CONSTRUCTION,
    }
    assert _person(session, "H-1-2").given_name == "李"
    application = _application(session, "H-1")
    assert application.state is ApplicationState.SUBMITTED
    assert application.submitted_at == datetime(2024, 2, 29, tzinfo=UTC)
    assert [preference.rank for preference in application.preferences] == [1, 2]
    kin = session.scalars(select(KinGroup)).one()
    assert [each.kin_group_id for each in session.scalars(select(Household).order_by(Household.key))] == [
        kin.id,
        kin.id,
        None,
    ]


def test_the_same_again_changes_nothing_and_says_so(session: Session) -> None:
    load(session)
    before = session.execute(select(Household.key, Household.version, Household.updated_at)).all()
    report = load(session)
    assert report.tables == {name: Counts(0, 0, count) for name, count in ROWS.items()}
    assert report.sentence == "Nothing changed: all 21 rows are there as they are."
    assert session.execute(select(Household.key, Household.version, Household.updated_at)).all() == before


def test_a_dry_run_counts_and_writes_nothing(session: Session, operator: Principal) -> None:
    report = imports.run(session, VILLAGE, actor=operator, dry_run=True)
    assert report.dry_run
    assert report.tables == {name: Counts(count, 0, 0) for name, count in ROWS.items()}
    assert report.sentence == "21 rows would be added, 0 would be changed, 0 unchanged."
    assert set(sizes(session).values()) == {0}


def test_what_an_import_writes_is_not_committed(database: Database, session: Session) -> None:
    load(session)
    session.rollback()
    assert set(sizes(session).values()) == {0}


@pytest.mark.parametrize(
    ("file", "row", "column", "value"),
    [
        ("settlements.csv", 2, "school_places", "41"),
        ("settlements.csv", 2, "merged_from", "O-1;O-2;O-3"),
        ("settlements.csv", 2, "merged_from", ""),
        ("origins.csv", 4, "name", "Gone Since"),
        ("houses.csv", 2, "solar_kw", "6.25"),
        ("houses.csv", 2, "settlement", "BIR"),
        ("milestones.csv", 3, "achieved_on", "2025-01-01"),
        ("jobs.csv", 2, "openings", "0"),
        ("households.csv", 2, "phone", ""),
        ("households.csv", 2, "kin_group", "K-2"),
        ("households.csv", 2, "preferred_2", ""),
        ("households.csv", 2, "anywhere", "1"),
        ("people.csv", 3, "needs_step_free", "0"),
        ("suitability.csv", 2, "score", "0.5"),
    ],
)
def test_a_changed_cell_changes_its_row_alone(
    scratch: Session, operator: Principal, file: str, row: int, column: str, value: str
) -> None:
    load(scratch)
    files = with_cell(file, row, column, value)
    report = load(scratch, files)
    changed = {name: counts.changed for name, counts in report.tables.items() if counts.changed}
    assert changed == {file.removesuffix(".csv"): 1}
    assert not any(counts.created for counts in report.tables.values())
    assert rows(exports.write(scratch, actor=operator)[file]) == rows(files[file])
    assert load(scratch, files).sentence.startswith("Nothing changed")


def test_a_change_counts_the_version_up(session: Session) -> None:
    load(session)
    load(session, with_cell("houses.csv", 2, "rooms", "4"))
    house = _house(session, "ALD-1")
    assert (house.rooms, house.version) == (4, 2)
    load(session, with_cell(PEOPLE, 4, "occupation", "health"))
    household = session.scalars(select(Household).where(Household.key == "H-2")).one()
    assert household.version == 2  # its people are part of it


def test_nothing_missing_from_the_files_is_deleted(session: Session) -> None:
    load(session)
    before = sizes(session)
    lines = rows(VILLAGE["houses.csv"])
    report = load(session, {"houses.csv": written(lines[:2])})
    assert report.tables == {"houses": Counts(0, 0, 1)}
    assert sizes(session) == before


def test_some_of_the_files_may_refer_to_what_is_there(session: Session) -> None:
    load(session, only(VILLAGE, "settlements.csv", "origins.csv"))
    load(session, only(VILLAGE, "households.csv", "people.csv"))
    load(session, only(VILLAGE, "suitability.csv", "houses.csv"))
    assert sizes(session)["suitability"] == 2
    more = with_row(PEOPLE, "H-3,H-3-2,Mia,Pop,female,2020-01-01,child,0,,")
    assert load(session, only(more, PEOPLE)).tables["people"] == Counts(1, 0, 4)


def test_a_public_reference_is_recognised_as_key(session: Session, operator: Principal) -> None:
    load(session)
    for name in ("settlements", "origins", "houses", "households", "people", "kin_groups", "land_release"):
        session.execute(update(MODELS[name]).values(key=None))
    session.expire_all()
    files = exports.write(session, actor=operator)
    assert VILLAGE.keys() == files.keys()
    assert files["houses.csv"].count(b"HO-") == 2
    assert load(session, files).sentence == "Nothing changed: all 21 rows are there as they are."
    house = session.scalars(select(House).order_by(House.rooms)).first()
    assert house is not None
    row = 2 + [line[0] for line in rows(files["houses.csv"])[1:]].index(house.reference)
    report = load(session, with_cell("houses.csv", row, "rooms", "5", files))
    assert report.tables["houses"] == Counts(0, 1, 1)
    assert (house.key, house.rooms) == (None, 5)


def test_the_same_thing_by_key_and_by_reference_is_refused(session: Session) -> None:
    load(session)
    reference = _house(session, "ALD-1").reference
    files = with_row("houses.csv", f"{reference},ALD,Street 9,3,2,64,1,1,5,")
    (error,) = refused(session, files)
    assert (error.file, error.row, error.column) == ("houses.csv", 4, "house")
    assert "row 2 is the same" in error.message


def test_a_head_may_hand_over_to_another(session: Session) -> None:
    load(session)
    files = with_cell(PEOPLE, 2, "relationship", "spouse")
    files = with_cell(PEOPLE, 3, "relationship", "head", files)
    assert load(session, files).tables["people"] == Counts(0, 2, 2)
    assert _person(session, "H-1-2").relationship is Relationship.HEAD
    assert load(session).tables["people"] == Counts(0, 2, 2)


# partners


def _with_partners(*partners: str) -> Files:
    lines = rows(VILLAGE[PEOPLE])
    columns = ("partner", *partners)
    return {**VILLAGE, PEOPLE: written([*line, each] for line, each in zip(lines, columns, strict=True))}


@pytest.mark.parametrize("partners", [("H-1-2", "H-1-1"), ("H-1-2", ""), ("", "H-1-1")])
def test_partners_are_two_whoever_names_the_other(
    scratch: Session, operator: Principal, partners: tuple[str, str]
) -> None:
    load(scratch, _with_partners(*partners, "", ""))
    first, second = _person(scratch, "H-1-1"), _person(scratch, "H-1-2")
    assert (first.partner_id, second.partner_id) == (second.id, first.id)
    files = exports.write(scratch, actor=operator)
    assert files[PEOPLE] == _with_partners("H-1-2", "H-1-1", "", "")[PEOPLE]
    assert load(scratch, files).sentence.startswith("Nothing changed")


def test_partners_stay_without_the_column_and_part_with_empty_cells(session: Session) -> None:
    load(session, _with_partners("H-1-2", "H-1-1", "", ""))
    assert load(session).tables["people"] == Counts(0, 0, 4)
    assert load(session, _with_partners("", "", "", "")).tables["people"] == Counts(0, 2, 2)
    assert [person.partner_id for person in session.scalars(select(Person))] == [None] * 4


def test_partners_may_change(session: Session) -> None:
    line = "H-1,H-1-3,Eva,Ek,female,1990-01-01,other_relative,0,,"
    header, *people = [",".join(line) for line in rows(VILLAGE[PEOPLE])]
    three = [header, *people[:2], line, *people[2:]]

    def sent(*partners: str) -> Files:
        lines = [f"{each},{partner}" for each, partner in zip(three, ("partner", *partners), strict=True)]
        return {**VILLAGE, PEOPLE: ("\n".join(lines) + "\n").encode()}

    load(session, sent("H-1-2", "", "", "", ""))
    assert load(session, sent("H-1-3", "", "", "", "")).tables["people"] == Counts(0, 3, 2)
    assert _person(session, "H-1-2").partner_id is None
    taken = {PEOPLE: f"{header},partner\n{people[1]},H-1-1\n".encode()}
    (error,) = refused(session, taken)
    assert (error.row, error.column, error.value) == (2, "partner", "H-1-1")
    assert "another partner" in error.message


@pytest.mark.parametrize(
    ("partners", "row"),
    [
        (("H-1-1", "", "", ""), 2),  # oneself
        (("H-9-9", "", "", ""), 2),  # nobody
        (("", "", "H-1-1", ""), 4),  # in another household
    ],
)
def test_a_partner_is_somebody_else_in_the_household(scratch: Session, partners: tuple[str, ...], row: int) -> None:
    (error,) = refused(scratch, _with_partners(*partners))
    assert (error.file, error.row, error.column) == (PEOPLE, row, "partner")


# applications


def _move_application(session: Session, household: str, state: ApplicationState) -> None:
    _application(session, household).state = state
    session.flush()


@pytest.mark.parametrize("state", ["allocated", "housed", "withdrawn"])
@pytest.mark.parametrize(("column", "value"), [("preferred_2", ""), ("anywhere", "1"), ("preferred_1", "BIR")])
def test_a_settled_application_cannot_ask_for_something_else(
    scratch: Session, state: str, column: str, value: str
) -> None:
    load(scratch)
    _move_application(scratch, "H-1", ApplicationState(state))
    assert load(scratch).sentence.startswith("Nothing changed")
    files = with_cell("households.csv", 2, column, value)
    if value == "BIR":
        files = with_cell("households.csv", 2, "preferred_2", "", files)
    errors = refused(scratch, files)
    assert [(each.file, each.row, each.column) for each in errors] == [("households.csv", 2, column)]
    assert state in errors[0].message


def test_a_withdrawn_family_is_exported_and_does_not_apply_again(session: Session, operator: Principal) -> None:
    load(session)
    _move_application(session, "H-1", ApplicationState.WITHDRAWN)
    files = exports.write(session, actor=operator)
    header, *lines = rows(files["households.csv"])
    assert [line[header.index("application")] for line in lines] == ["none", "", ""]
    assert load(session, files).sentence.startswith("Nothing changed")
    assert _application(session, "H-1").state is ApplicationState.WITHDRAWN


def test_a_household_without_application_needs_saying(scratch: Session) -> None:
    lines = rows(VILLAGE["households.csv"])
    lines = [[*line, "application" if number == 0 else ""] for number, line in enumerate(lines)]
    lines[2] = [*lines[2][:8], "0", *lines[2][9:13], "none"]
    lines[3][-1] = "draft"
    load(scratch, {**VILLAGE, "households.csv": written(lines)})
    query = select(Household.key, Application.state).join(Application)
    states = {key: state for key, state in scratch.execute(query)}  # noqa: C416 - a row is not a pair to mypy
    assert states == {"H-1": ApplicationState.SUBMITTED, "H-3": ApplicationState.DRAFT}
    files = exports.write(scratch, actor=Principal(None, "", "", is_operator=True))
    assert load(scratch, files).sentence.startswith("Nothing changed")
    assert load(scratch).tables["households"] == Counts(0, 2, 1)  # H-2 applies, H-3 hands its draft in
    assert _application(scratch, "H-3").submitted_at == datetime(2024, 3, 2, tzinfo=UTC)
    lines[1][-1] = "none"
    errors = refused(scratch, {**VILLAGE, "households.csv": written(lines)})
    assert {(each.row, each.column) for each in errors} == {(2, "application"), (3, "application")}


# houses


@pytest.mark.parametrize("state", ["reserved", "occupied", "vacated", "unfit"])
def test_an_import_does_not_move_a_house_in_use(scratch: Session, state: str) -> None:
    load(scratch)
    house = _house(scratch, "ALD-1")
    house.state = HouseState(state)
    house.unfit_reason = "The roof leaks." if state == "unfit" else None
    scratch.flush()
    load(scratch, with_cell("houses.csv", 2, "address", "Street 7"))
    assert (house.state, house.address) == (HouseState(state), "Street 7")
    for column, value in (("handed_over_on", ""), ("settlement", "BIR")):
        (error,) = refused(scratch, with_cell("houses.csv", 2, column, value))
        assert (error.file, error.row, error.column) == ("houses.csv", 2, column)
        assert state in error.message
    if state in ("reserved", "occupied"):
        for column, value in (("bedrooms", "1"), ("step_free", "0"), ("handed_over_on", "2025-07-02")):
            (error,) = refused(scratch, with_cell("houses.csv", 2, column, value))
            assert (error.row, error.column) == (2, column)


def test_handing_over_and_taking_it_back(session: Session) -> None:
    load(session)
    load(session, with_cell("houses.csv", 3, "handed_over_on", "2026-01-02"))
    house = _house(session, "ALD-2")
    assert (house.state, house.handed_over_on) == (HouseState.HANDED_OVER, date(2026, 1, 2))
    load(session)
    assert (house.state, house.handed_over_on) == (HouseState.UNDER_CONSTRUCTION, None)
    house.state = HouseState.PLANNED
    session.flush()
    assert load(session).sentence.startswith("Nothing changed")
    assert house.state is HouseState.PLANNED


# land release


def test_land_suspected_again_keeps_its_release_whatever_the_file_leaves_empty(
    session: Session, operator: Principal
) -> None:
    papers = {"method": "manual", "released_on": "2023-04-05", "certificate": "C-77"}
    first, second = (area(key, "ALD", "cleared", **papers) for key in ("L-1", "L-2"))
    load(session, {**VILLAGE, LAND: land(first, second)})
    query = select(Settlement).where(Settlement.key == "ALD").options(*loaded_for_gates())

    def is_released() -> bool:
        session.expire_all()
        return next(gate.met for gate in gates(session.scalars(query).one()) if gate.name == "land")

    assert is_released()
    suspected = {LAND: land(first, area("L-2", "ALD", "suspected_hazardous"))}
    assert imports.run(session, suspected, actor=operator, dry_run=True).tables["land_release"] == Counts(0, 1, 1)
    assert load(session, suspected).tables["land_release"] == Counts(0, 1, 1)
    assert not is_released()
    files = exports.write(session, actor=operator)
    assert files[LAND] == land(first, area("L-2", "ALD", "suspected_hazardous", **papers))
    for again in (files, suspected):
        assert load(session, again).sentence.startswith("Nothing changed")
    assert not is_released()
    with pytest.raises(ImportRefused) as refusal:  # what was done about the suspicion is not in a file from before it
        load(session, {LAND: land(second)})
    assert [(error.row, error.column, error.value) for error in refusal.value.rows] == [(1, "certificate", "C-77")]
    assert not is_released()
    renewed = {
        LAND: land(area("L-2", "ALD", "cleared", **papers | {"released_on": "2024-05-06", "certificate": "C-78"}))
    }
    load(session, renewed)
    assert is_released()
    assert load(session, renewed).sentence.startswith("Nothing changed")


# origins


def test_an_origin_moves_when_both_settlements_are_sent(session: Session) -> None:
    load(session)
    files = with_cell("settlements.csv", 2, "merged_from", "O-1")
    files = with_cell("settlements.csv", 3, "merged_from", "O-2", files)
    assert load(session, files).tables["settlements"] == Counts(0, 2, 0)
    birch = session.scalars(select(Settlement.id).where(Settlement.key == "BIR")).one()
    assert session.scalars(select(Origin.settlement_id).where(Origin.key == "O-2")).one() == birch


def test_an_origin_is_not_taken_from_a_settlement_that_is_not_sent(session: Session) -> None:
    load(session)
    lines = rows(with_cell("settlements.csv", 3, "merged_from", "O-2")["settlements.csv"])
    (error,) = refused(session, {"settlements.csv": written([lines[0], lines[2]])})
    assert (error.row, error.column, error.value) == (2, "merged_from", "O-2")
    assert "ALD" in error.message
    assert "BIR" in error.message


# who, and at the same time


def test_only_who_may_import_everywhere_imports(session: Session) -> None:
    planner = Principal(None, "US-1", "p", (HeldRole(Role.PLANNER, district="North"),))
    with pytest.raises(Forbidden):
        imports.run(session, VILLAGE, actor=planner)
    with pytest.raises(Forbidden):
        exports.write(session, actor=Principal(None, "US-2", "c", (HeldRole(Role.CASEWORKER),)))


def test_applications_name_who_imported_them(session: Session) -> None:
    user = User(username="p", display_name="P", password_hash="-")
    session.add(user)
    session.flush()
    imports.run(session, VILLAGE, actor=Principal(user.id, user.reference, "p", (HeldRole(Role.PLANNER),)))
    assert {each.created_by_id for each in session.scalars(select(Application))} == {user.id}
    assert {each.submitted_by_id for each in session.scalars(select(Application))} == {user.id}


def test_a_change_made_meanwhile_is_not_overwritten(database: Database, session: Session) -> None:
    load(session)
    refusals = Refusals()
    sent = sheets(with_cell("houses.csv", 2, "rooms", "9"), refusals, 1)
    survey = Survey(session, {each.table.name: parse(each, refusals) for each in sent}, refusals)
    survey_stock(survey)
    _house(session, "ALD-1").address = "Moved meanwhile"
    session.flush()
    with pytest.raises(Conflict, match="houses"):
        write(session, survey, Principal(None, "", "", is_operator=True))


def test_a_refusal_is_a_problem_document_that_names_the_cell(scratch: Session) -> None:
    with pytest.raises(ImportRefused) as caught:
        load(scratch, with_cell("houses.csv", 3, "rooms", "many"))
    problem = caught.value.problem()
    assert problem["status"] == 422
    assert problem["more"] == 0
    message = "this is not a whole number; write digits alone"
    assert problem["rows"] == [{"file": "houses.csv", "row": 3, "column": "rooms", "value": "many", "message": message}]
    assert problem["errors"] == [
        {"pointer": "#/houses.csv/3/rooms", "message": f"houses.csv, row 3, rooms “many”: {message}"}
    ]


def test_two_people_may_exchange_their_numbers(session: Session) -> None:
    load(session, with_cell(PEOPLE, 3, "national_id", "D-2"))
    exchanged = with_cell(PEOPLE, 3, "national_id", "D1", with_cell(PEOPLE, 2, "national_id", "D-2"))
    assert load(session, exchanged).tables["people"] == Counts(0, 2, 2)
    assert [_person(session, key).national_id for key in ("H-1-1", "H-1-2")] == ["D-2", "D1"]
    assert load(session, exchanged).sentence.startswith("Nothing changed")


def test_a_number_goes_from_one_person_to_another(session: Session) -> None:
    load(session)
    given = with_cell(PEOPLE, 3, "national_id", "d 1", with_cell(PEOPLE, 2, "national_id", ""))
    load(session, given)
    assert [_person(session, key).national_id for key in ("H-1-1", "H-1-2")] == [None, "d 1"]


def test_a_number_belongs_to_one_person(session: Session) -> None:
    (error,) = refused(session, with_cell(PEOPLE, 5, "national_id", "d-1"))
    assert (error.file, error.row, error.column, error.value) == (PEOPLE, 5, "national_id", None)
    assert "row 2 has this number" in error.message
    load(session)
    header, *lines = rows(VILLAGE[PEOPLE])
    lines[1][-1] = "d/1"
    (error,) = refused(session, {PEOPLE: written([header, lines[1]])})
    assert "another person in the register has this number" in error.message
    assert "d/1" not in error.sentence


def test_a_wrong_number_is_not_repeated(session: Session) -> None:
    for file, column in ((PEOPLE, "national_id"), ("households.csv", "phone")):
        (error,) = refused(session, with_cell(file, 2, column, "+secret-4821907"))
        assert (error.column, error.value) == (column, None)
        assert "4821907" not in error.sentence
