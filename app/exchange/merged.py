"""What an import makes of rows about households that were merged, and people who moved: they are who they are now."""

from app.duplicates.merging import KEY_LENGTH
from app.exchange.parsing import Row, Values
from app.exchange.survey import Handle, Record, Survey
from app.policy.facts import Relationship

FILLED = ("origin_id", "displaced_on", "kin_group_id", "phone", "language", "consent_on")
FILLED_OF_PEOPLE = ("occupation", "national_id")


def keep_absorbed(survey: Survey, record: Record, values: Values) -> None:
    """Keep what a household has from those merged into it: the earliest registration, and what its own row lacks."""
    absorbed = [each for each in survey.absorbed(record["id"]) if each["id"] not in survey.set_aside]
    if not absorbed:
        return
    values["registered_on"] = min(values["registered_on"], *(each["registered_on"] for each in absorbed))
    values |= {name: record[name] for name in FILLED if values[name] is None}


class Moved:
    """Finds people under the households that they were sent in."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        people = survey.records("people")
        self._by_key = {each["key"]: each for each in people if each["key"] is not None and "/" in each["key"]}
        self._by_reference = {each["reference"]: each for each in people}

    def find(self, row: Row, column: str = "person") -> Record | None:
        """Return the person of a row, or whom another column names, who is in another household than the row says."""
        household, person = row.values["household"], row.values[column]
        record = self._survey.find("households", household)
        names = {household} | ({record["key"], record["reference"]} if record is not None else set())
        keyed = (self._by_key.get(f"{name}/{person}") for name in sorted(filter(None, names)))
        return next((each for each in keyed if each is not None), None) or self._by_reference.get(person)

    def has_left(self, row: Row, column: str) -> bool:
        """Whether the person whom a column names has moved from the household of the row."""
        found = self.find(row, column)
        return found is not None and (found["reference"], "household_id") in self._survey.decided

    def is_second_record(self, record: Record) -> bool:
        """Whether another record of the same person counts."""
        return self._survey.survivor(record["household_id"]) is not None

    def settle(self, row: Row, record: Record | None, household: Handle, values: Values) -> None:
        """Note the row of somebody who moved, or who is new in a household that was merged, where they are now.

        What somebody is to another head, and the household, stay as they were decided.
        """
        key = f"{row.values['household']}/{row.values['person']}"
        if record is None and len(key) > KEY_LENGTH:
            message = (
                f"with the household before it, which was merged, this is longer than {KEY_LENGTH} characters; shorten "
                "it, or write the public reference of a person who is there already"
            )
            self._survey.refuse(self._survey.parsed["people"], row, "person", message)
            return
        if record is not None:
            values |= {"relationship": record["relationship"], "household_id": record["household_id"]}
        else:
            is_head = values["relationship"] is Relationship.HEAD
            values |= {"relationship": Relationship.OTHER_RELATIVE} if is_head else {}
            values["household_id"] = household
        if self._survey.settle("people", row, (values["household_id"], key), record, values):
            self._survey.touched_households.add(values["household_id"])
