"""Checking what was sent of settlements, origins, houses, milestones, jobs and land against what is there."""

from typing import Any

from app.exchange.parsing import Parsed, Row, Values
from app.exchange.survey import Handle, Record, Survey, keyed
from app.housing.houses import BEING_BUILT, IN_USE, SIZE
from app.housing.land import PAPERS, needed
from app.housing.models import HouseState, LandState
from app.housing.readiness import RELEASED


def survey_stock(survey: Survey) -> None:
    """Survey every table of the stock that was sent."""
    _settlements(survey)
    for row, key, record in keyed(survey, "origins"):
        survey.settle("origins", row, key, record, _plain(row, "name", "latitude", "longitude"))
    _houses(survey)
    _milestones(survey)
    _jobs(survey)
    _land(survey)


def _plain(row: Row, *columns: str) -> Values:
    return {column: row.values[column] for column in columns}


def _settlements(survey: Survey) -> None:
    if "settlements" not in survey.parsed:
        return
    file = survey.parsed["settlements"]
    homes = {record["id"]: record["settlement_id"] for record in survey.records("origins")}
    names = {record["id"]: record["key"] or record["reference"] for record in survey.records("settlements")}
    merged: dict[Handle, tuple[Handle, str]] = {}
    sent: set[int] = {record["id"] for _, _, record in keyed(survey, "settlements") if record is not None}
    for row, key, record in keyed(survey, "settlements"):
        settlement: Handle = key if record is None else record["id"]
        origins = set()
        for code in row.values["merged_from"] or ():
            origin = survey.refer("origins", file, row, "merged_from", code)
            if origin is None:
                continue
            home = homes.get(origin) if isinstance(origin, int) else None
            other = merged.get(origin, (None, ""))[1]
            if not other and home is not None and home != settlement and home not in sent:
                other = names[home]
            if other:
                message = f"origin {code!r} is merged into {other} already, and now into {key[0]}; leave it in one"
                survey.refuse(file, row, "merged_from", message, code)
            merged[origin] = (settlement, key[0])
            origins.add(origin)
        before = set() if record is None else {origin for origin, home in homes.items() if home == settlement}
        values = _plain(row, "name", "district", "latitude", "longitude", "school_places", "clinic_patients", "status")
        survey.settle("settlements", row, key, record, values, touched=origins != before)
    left = {origin: None for origin, home in homes.items() if home in sent}
    wanted: dict[Handle, Handle | None] = {**left, **{origin: home for origin, (home, _) in merged.items()}}
    survey.origin_homes = {
        origin: home
        for origin, home in wanted.items()
        if (homes.get(origin) if isinstance(origin, int) else None) != home
    }


def _houses(survey: Survey) -> None:
    for row, key, record in keyed(survey, "houses"):
        file = survey.parsed["houses"]
        values = _plain(
            row,
            "address",
            "rooms",
            "bedrooms",
            "floor_area_m2",
            "step_free",
            "storeys",
            "solar_kw",
            "handed_over_on",
        )
        values["settlement_id"] = survey.refer("settlements", file, row, "settlement")
        values["state"] = _state(record, values["handed_over_on"])
        if not survey.settle("houses", row, key, record, values):
            continue
        if values["bedrooms"] > values["rooms"]:
            message = f"{values['bedrooms']} bedrooms do not fit in {values['rooms']} rooms; correct one of the two"
            survey.refuse(file, row, "bedrooms", message)
        if record is not None:
            _check_kept(survey, file, row, record, values)


def _state(record: Record | None, handed_over_on: Any) -> HouseState:
    """Return the state that a date of handover makes; one that it doesn't change, and every later one, stays."""
    if record is not None and (record["handed_over_on"] == handed_over_on):
        return HouseState(record["state"])
    if record is None or record["state"] in (*BEING_BUILT, HouseState.HANDED_OVER):
        return HouseState.UNDER_CONSTRUCTION if handed_over_on is None else HouseState.HANDED_OVER
    return HouseState(record["state"])


def _check_kept(survey: Survey, file: Parsed, row: Row, record: Record, values: Values) -> None:
    """Refuse changes that the house's present state forbids."""
    state = HouseState(record["state"])
    changed = {column for column, value in values.items() if record[column] != value}
    if state not in (*BEING_BUILT, HouseState.HANDED_OVER):
        if values["handed_over_on"] is None and "handed_over_on" in changed:
            message = f"the house is {state.value}, so it was handed over; keep {record['handed_over_on']}"
            survey.refuse(file, row, "handed_over_on", message)
        if "settlement_id" in changed:
            survey.refuse(file, row, "settlement", f"the house is {state.value} and cannot move to another settlement")
    if state in IN_USE:
        kept = {column: record[column] for column in SIZE | {"handed_over_on"} if column in changed}
        for column in sorted(kept):
            if values[column] is not None:
                message = f"the house is {state.value}: this cannot change now; keep {_cell(kept[column])}"
                survey.refuse(file, row, column, message)


def _cell(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else "it empty" if value is None else str(value)


def _milestones(survey: Survey) -> None:
    if "milestones" not in survey.parsed:
        return
    there = {(record["settlement_id"], record["name"]): record for record in survey.records("milestones")}
    for _, row in survey.rows("milestones"):
        settlement = survey.refer("settlements", survey.parsed["milestones"], row, "settlement")
        if settlement is None:
            continue
        name = row.values["milestone"]
        values = _plain(row, "achieved_on", "expected_on") | {"settlement_id": settlement, "name": name}
        survey.settle("milestones", row, (settlement, name), there.get((settlement, name)), values)


def _jobs(survey: Survey) -> None:
    if "jobs" not in survey.parsed:
        return
    there = {
        (record["settlement_id"], record["employer"], record["sector"]): record for record in survey.records("jobs")
    }
    for _, row in survey.rows("jobs"):
        settlement = survey.refer("settlements", survey.parsed["jobs"], row, "settlement")
        if settlement is None:
            continue
        identity = (settlement, row.values["employer"], row.values["sector"])
        values = _plain(row, "employer", "sector", "openings") | {"settlement_id": settlement}
        survey.settle("jobs", row, identity, there.get(identity), values)


def _land(survey: Survey) -> None:
    for row, key, record in keyed(survey, "land_release"):
        file = survey.parsed["land_release"]
        values = _plain(row, "state", "method", "hectares", "released_on", "certificate", "geometry")
        values["settlement_id"] = survey.refer("settlements", file, row, "settlement")
        state: LandState = values["state"]
        if record is not None and record["released_on"] is not None and state not in RELEASED:
            # Who sends a suspected area leaves its papers empty; the release before is what closes the settlement.
            values |= {name: record[name] for name in PAPERS if values[name] is None}
        if not survey.settle("land_release", row, key, record, values):
            continue
        for column in needed(state):
            if values[column] is None:
                message = f"an area that is {state.value} needs this (IMAS 07.11); add it, or correct the state"
                survey.refuse(file, row, column, message)
        if state in RELEASED:
            if record is not None and record["state"] not in RELEASED and _is_same_release(record, values):
                message = (
                    "the area was suspected again after this release; give the day and certificate of the new one, or "
                    "correct the state"
                )
                survey.refuse(file, row, "certificate", message, values["certificate"])
        elif values["certificate"] is not None and values["released_on"] is None:
            message = (
                f"an area that is {state.value} and was never released has no certificate; remove it, correct the "
                "state, or give the day of the release that was since revoked"
            )
            survey.refuse(file, row, "certificate", message)


def _is_same_release(record: Record, values: Values) -> bool:
    """A file from before a suspicion says nothing of what was done about it."""
    papers = ("released_on", "certificate")
    return record["released_on"] is not None and all(record[name] == values[name] for name in papers)
