"""What an import corrects of families whose applications were handed in, for the history of each."""

from collections import defaultdict
from typing import Any

from app.access.permissions import Principal
from app.audit.digests import plain
from app.database import utc_now
from app.exchange.applications import NO_HISTORY, latest, ranked
from app.exchange.survey import Handle, Record, Survey
from app.registry import corrections
from app.registry.checks import DECIDED, HANDED_IN
from app.registry.models import Correction
from app.sealed import closed

FOREIGN_KEYS = {"origin_id": ("origin", "origins"), "kin_group_id": ("kin_group", "kin_groups")}
Found = dict[str, Any]


def corrected(survey: Survey, actor: Principal) -> list[dict[str, Any]]:
    """Return the corrections that these files are, as rows to be inserted.

    Ask before anything is written, and once what is new has its reference.
    """
    rows = []
    for record, changes in _Corrections(survey).found():
        is_void = record["state"] in HANDED_IN and corrections.is_checked(changes)
        checked = {name: record[name] for name in ("verified_at", *DECIDED)} if is_void else {}
        row = {
            "application_id": record["id"],
            "state_before": record["state"],
            "corrected_at": utc_now(),
            "corrected_by_id": actor.user_id,
            "content": corrections.content(changes, checked),
        }
        rows.append(closed(Correction, row, None))
    return rows


class _Corrections:
    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._by_household: dict[int, list[Found]] = defaultdict(list)
        self._people = {int(each["id"]): each for each in survey.records("people")}
        self._references = {
            table: {int(each["id"]): str(each["reference"]) for each in survey.records(table)}
            for table in ("people", "settlements", "origins", "kin_groups")
        }

    def found(self) -> list[tuple[Record, list[Found]]]:
        applications = latest(self._survey.records("applications"))
        self._households()
        self._persons()
        self._partners()
        self._wishes()
        return [
            (applications[household], changes)
            for household, changes in sorted(self._by_household.items())
            if changes and household in applications and applications[household]["state"] not in NO_HISTORY
        ]

    def _tell(self, household: int, thing: str, field: str, before: Any, after: Any) -> None:
        if before != after:
            change = {"thing": thing, "field": field, "before": plain(before), "after": plain(after)}
            self._by_household[household].append(change)

    def _households(self) -> None:
        for change in self._survey.changes["households"].changed:
            for name, value in change.values.items():
                field, table = FOREIGN_KEYS.get(name, (name, None))
                before, after = change.record[name], value
                if table is not None:
                    before, after = self._reference(table, before), self._reference(table, after)
                self._tell(change.record["id"], change.record["reference"], field, before, after)

    def _persons(self) -> None:
        changes = self._survey.changes["people"]
        for change in changes.changed:
            for name in corrections.PERSON:
                after = change.values.get(name, change.record[name])
                self._tell(change.record["household_id"], change.record["reference"], name, change.record[name], after)
        for handle, values in changes.created.items():
            if isinstance(handle[0], int):
                for name in corrections.PERSON:
                    self._tell(handle[0], values["reference"], name, None, values.get(name))

    def _partners(self) -> None:
        for person, partner in self._survey.partners.items():
            household = self._people[person]["household_id"] if isinstance(person, int) else person[0]
            if isinstance(household, int):
                before = self._people[person]["partner_id"] if isinstance(person, int) else None
                thing = self._reference("people", person) or ""
                self._tell(
                    household, thing, "partner", self._reference("people", before), self._reference("people", partner)
                )

    def _wishes(self) -> None:
        before = ranked(self._survey.records("preferences"))
        for change in self._survey.changes["applications"].changed:
            record, household = change.record, change.record["household_id"]
            was = [self._reference("settlements", each) for each in before.get(record["id"], ())]
            now = [self._reference("settlements", each) for each in change.values["preferences"]]
            self._tell(household, record["reference"], "preferences", was, now)
            self._tell(household, record["reference"], "anywhere", record["anywhere"], change.values["anywhere"])

    def _reference(self, table: str, handle: Handle | None) -> str | None:
        if handle is None:
            return None
        if not isinstance(handle, int):
            return str(self._survey.changes[table].created[handle]["reference"])
        return self._references[table][handle]
