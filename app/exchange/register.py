"""Checking what was sent of households, people, applications and suitability against what is there."""

from app.exchange.applications import Applications, have_checked_anew
from app.exchange.merged import keep_absorbed
from app.exchange.parsing import Row
from app.exchange.people import survey_people
from app.exchange.survey import Handle, Survey, keyed


def survey_register(survey: Survey) -> None:
    """Survey every table of the register that was sent."""
    households = _households(survey)
    survey_people(survey, households)
    have_checked_anew(survey)
    _suitability(survey)


def _households(survey: Survey) -> dict[Handle, Row]:
    """Return the rows of new households."""
    new: dict[Handle, Row] = {}
    if "households" not in survey.parsed:
        return new
    file = survey.parsed["households"]
    applications = Applications(survey, file)
    for row, key, record in keyed(survey, "households"):
        if record is not None and record["erased_at"] is not None:
            survey.refuse(
                file, row, "household", f"this household was erased on {record['erased_at']:%Y-%m-%d}; leave it out"
            )
            continue
        if record is not None and survey.survivor(record["id"]) is not None:
            survey.changes["households"].unchanged += 1  # it is the other household, whose own facts count
            continue
        values = {
            "registered_on": row.values["registered_on"],
            "origin_id": survey.refer("origins", file, row, "origin"),
            "displaced_on": row.values["displaced_on"],
            "current_accommodation": row.values["current_accommodation"],
            "kin_group_id": _kin_group(survey, row.values["kin_group"]),
            "phone": row.values["phone"],
            "language": row.values["language"],
            "consent_on": row.values["consent_on"],
        }
        if record is not None:
            keep_absorbed(survey, record, values)
        handle: Handle = key if record is None else record["id"]
        applies = applications.survey(row, handle)
        if not survey.settle("households", row, key, record, values, touched=applies):
            continue
        if record is None:
            new[key] = row
        displaced_on, registered_on = row.values["displaced_on"], row.values["registered_on"]
        if displaced_on is not None and displaced_on > registered_on:
            message = f"this is after the registration on {registered_on}; correct one of the two dates"
            survey.refuse(file, row, "displaced_on", message)
    return new


def _kin_group(survey: Survey, key: str | None) -> Handle | None:
    if key is None:
        return None
    record = survey.find("kin_groups", key)
    if record is not None:
        return int(record["id"])
    survey.changes["kin_groups"].created.setdefault((key,), {})
    return (key,)


def _suitability(survey: Survey) -> None:
    if "suitability" not in survey.parsed:
        return
    file = survey.parsed["suitability"]
    there = {(record["household_id"], record["settlement_id"]): record for record in survey.records("suitability")}
    for _, row in survey.rows("suitability"):
        household = survey.refer("households", file, row, "household")
        settlement = survey.refer("settlements", file, row, "settlement")
        if household is None or settlement is None or survey.survivor(household) is not None:
            continue
        values = {"household_id": household, "settlement_id": settlement, "score": row.values["score"]}
        survey.settle("suitability", row, (household, settlement), there.get((household, settlement)), values)
