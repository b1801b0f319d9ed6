"""What the rows of households ask for: settlements, best first, or anywhere."""

from collections import defaultdict
from typing import Any

from app.exchange.parsing import Parsed, Row
from app.exchange.survey import Change, Handle, Record, Survey
from app.registry.checks import HANDED_IN, RECORDED
from app.registry.corrections import NOT_CHECKED
from app.registry.models import ApplicationState

NO_HISTORY = (ApplicationState.DRAFT, ApplicationState.WITHDRAWN)
SETTLED = (ApplicationState.ALLOCATED, ApplicationState.HOUSED, ApplicationState.WITHDRAWN)
PREFERRED = ("preferred_1", "preferred_2", "preferred_3")
TO_BE_CHECKED: dict[str, Any] = {"state": ApplicationState.SUBMITTED, **dict.fromkeys(RECORDED)}
"""What becomes of an application that was handed in, once the files change what it rests on."""


def latest(applications: list[Record]) -> dict[int, Record]:
    """Return each household's live application, or else the last that was withdrawn."""
    by_age = sorted(applications, key=lambda each: (each["state"] is not ApplicationState.WITHDRAWN, each["id"]))
    return {each["household_id"]: each for each in by_age}


def ranked(preferences: list[Record]) -> dict[int, tuple[int, ...]]:
    """Return the settlements that each application prefers, best first."""
    found: dict[int, list[int]] = defaultdict(list)
    for each in sorted(preferences, key=lambda each: int(each["rank"])):
        found[each["application_id"]].append(each["settlement_id"])
    return {application: tuple(settlements) for application, settlements in found.items()}


def have_checked_anew(survey: Survey) -> None:
    """Note that the applications of households that change are verified and decided on anew, once these are surveyed.

    One that is not handed in, or has a house, stays so; that somebody changed what it rests on is kept of it.

    How to reach a household is nothing that was checked.
    """
    changed = set(survey.touched_households)
    for change in survey.changes["households"].changed:
        if any(change.record[name] != value for name, value in change.values.items() if name not in NOT_CHECKED):
            changed.add(int(change.record["id"]))
    if not changed:
        return
    surveyed = {change.record["id"] for change in survey.changes["applications"].changed}
    wishes = ranked(survey.records("preferences"))
    for household, record in latest(survey.records("applications")).items():
        goes_on = record["state"] is not ApplicationState.WITHDRAWN
        if household in changed and goes_on and record["id"] not in surveyed:
            as_before = {"preferences": wishes.get(record["id"], ()), "anywhere": record["anywhere"]}
            void = TO_BE_CHECKED if record["state"] in HANDED_IN else {}
            survey.changes["applications"].changed.append(Change(record, as_before | void))


class Applications:
    """Surveys the applications in the file of households."""

    def __init__(self, survey: Survey, file: Parsed) -> None:
        self._survey = survey
        self._file = file
        applications = survey.records("applications")
        self._there = latest(applications)
        self._own = latest([each for each in applications if (each["reference"], "household_id") not in survey.decided])
        self._preferences = ranked(survey.records("preferences"))

    def survey(self, row: Row, household: Handle) -> bool:
        """Note what becomes of a household's application, and return whether anything does."""
        record, own = (each.get(household) if isinstance(household, int) else None for each in (self._there, self._own))
        status = row.values.get("application") or ApplicationState.SUBMITTED.value
        if status == "none":
            self._check_none(row, own)
            return False
        preferences = self._preferred(row)
        wish = {"preferences": preferences, "anywhere": row.values["anywhere"]}
        if own is not None and own is not record and self._differing(row, own, wish) is None:
            return False  # so it was until the application of a household that was merged into this one went on
        handed_in = {"state": ApplicationState.SUBMITTED, "submitted_on": row.values["registered_on"]}
        changes = self._survey.changes["applications"]
        if record is None:
            made = handed_in if status != "draft" else {"state": ApplicationState.DRAFT, "submitted_on": None}
            changes.created[(household,)] = {"household_id": household, **wish, **made}
        else:
            submits = record["state"] is ApplicationState.DRAFT and status != "draft"
            differing = self._differing(row, record, wish)
            if differing is None and not submits:
                return False
            if record["state"] in SETTLED:
                message = f"the application is {record['state'].value}, so what it asks for cannot change; undo this"
                self._survey.refuse(self._file, row, differing or "anywhere", message)
                return False
            again = record["state"] in HANDED_IN or (record["state"] is ApplicationState.RETURNED and status != "draft")
            moved = handed_in if submits else TO_BE_CHECKED if again else {}
            changes.changed.append(Change(record, wish | moved))
        if not preferences and not wish["anywhere"] and status != "draft":
            self._refuse_empty(row)
        return True

    def _preferred(self, row: Row) -> tuple[Handle, ...]:
        found: list[Handle] = []
        given = [column for column in PREFERRED if row.values[column] is not None]
        for column in given:
            settlement = self._survey.refer("settlements", self._file, row, column)
            if settlement in found:
                message = "this settlement is preferred twice; leave it at the better rank"
                self._survey.refuse(self._file, row, column, message)
            elif settlement is not None:
                found.append(settlement)
        if given != list(PREFERRED[: len(given)]):
            column = next(column for column in PREFERRED if row.values[column] is None)
            message = f"this is empty and {given[-1]} is not; move the preferences up"
            self._survey.refuse(self._file, row, column, message)
        return tuple(found)

    def _differing(self, row: Row, record: Record, wish: dict[str, Any]) -> str | None:
        """Return the first column that asks for something else than the application does."""
        before = self._preferences.get(record["id"], ())
        for rank, column in enumerate(PREFERRED):
            if before[rank : rank + 1] != wish["preferences"][rank : rank + 1]:
                return column
        return None if record["anywhere"] == row.values["anywhere"] else "anywhere"

    def _check_none(self, row: Row, record: Record | None) -> None:
        if row.values["anywhere"] or any(row.values[column] is not None for column in PREFERRED):
            message = "a household without an application prefers nothing; empty its preferences, or this"
        elif record is not None and record["state"] is not ApplicationState.WITHDRAWN:
            message = f"the application is {record['state'].value}; withdraw it where the reason is recorded"
        else:
            return
        self._survey.refuse(self._file, row, "application", message)

    def _refuse_empty(self, row: Row) -> None:
        if any(row.values[column] is not None for column in PREFERRED):
            return  # their settlements are unknown, which has been said
        message = "the household prefers no settlement and does not accept any; give preferred_1, or 1 here"
        self._survey.refuse(self._file, row, "anywhere", message)
