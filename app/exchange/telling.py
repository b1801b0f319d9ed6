"""What an import writes, as the audit trail tells it: what is new by reference, what changes with before and after."""

from typing import Any

from app import audit
from app.exchange.applications import ranked
from app.exchange.survey import MODELS, Handle, Survey
from app.sealed import new_reference, table_of

NAMED = tuple(name for name, model in MODELS.items() if "reference" in model.__table__.c)
FOREIGN_KEYS = {
    "settlement_id": "settlements",
    "origin_id": "origins",
    "kin_group_id": "kin_groups",
    "household_id": "households",
    "partner_id": "people",
}
ALSO_SENT = ("submitted_on", "preferences")
"""What is sent with an application and is no column of it."""


def told(survey: Survey) -> dict[str, Any]:
    """Return counts by table, references of what is new, and every row that changes, before anything is written.

    What is new is given its references here.
    """
    return _Telling(survey).document()


class _Telling:
    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._references: dict[str, dict[Handle, str]] = {}
        for name in NAMED:
            for values in survey.changes[name].created.values():
                values["reference"] = new_reference(table_of(MODELS[name]))
            known: dict[Handle, str] = {each["id"]: each["reference"] for each in survey.records(name)}
            new: dict[Handle, str] = {
                handle: values["reference"] for handle, values in survey.changes[name].created.items()
            }
            self._references[name] = known | new

    def document(self) -> dict[str, Any]:
        """Return all of it."""
        changes = self._survey.changes
        counts = {name: {"created": len(each.created), "changed": len(each.changed)} for name, each in changes.items()}
        created = {name: sorted(values["reference"] for values in changes[name].created.values()) for name in NAMED}
        return {
            "tables": {name: count for name, count in counts.items() if any(count.values())},
            "created": {name: references for name, references in created.items() if references},
            "changes": sorted(self._changes(), key=lambda each: (each["thing"], each["reference"] or "")),
        }

    def _changes(self) -> list[dict[str, Any]]:
        """Tell the rows that change, with the links between rows that are written apart from them."""
        links = {
            "people": ("partner_id", self._survey.partners),
            "origins": ("settlement_id", self._survey.origin_homes),
        }
        found = []
        for name, changes in self._survey.changes.items():
            after = {int(change.record["id"]): dict(change.values) for change in changes.changed}
            column, linked = links.get(name, ("", {}))
            for handle, target in linked.items():
                if isinstance(handle, int):
                    after.setdefault(handle, {})[column] = target
            wished = {number: values["preferences"] for number, values in after.items() if "preferences" in values}
            before = {each["id"]: each for each in self._survey.records(name)} if after else {}
            for number, values in after.items():
                columns = {column: value for column, value in values.items() if column not in ALSO_SENT}
                was = self._named({column: before[number][column] for column in columns})
                told = audit.described(MODELS[name], before[number].get("reference"), was, self._named(columns))
                if number in wished:
                    self._tell_wishes(told, number, wished[number])
                if told["before"] or told["after"]:
                    found.append(told)
        return found

    def _tell_wishes(self, told: dict[str, Any], application: int, wished: tuple[Handle, ...]) -> None:
        before = ranked(self._survey.records("preferences")).get(application, ())
        if before != wished:
            for side, settlements in (("before", before), ("after", wished)):
                references = [self._references["settlements"][each] for each in settlements]
                told[side]["preferences"] = audit.digest("application", told["reference"], "preferences", references)

    def _named(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return values whose references to other rows are public ones."""
        return {
            column: self._references[FOREIGN_KEYS[column]].get(value, value) if column in FOREIGN_KEYS else value
            for column, value in values.items()
        }
