"""Checking the people that were sent: one head a household, partners who name each other."""

from collections import defaultdict
from dataclasses import dataclass

from app.exchange.merged import FILLED_OF_PEOPLE, Moved
from app.exchange.parsing import Parsed, Row, Values
from app.exchange.survey import MODELS, Handle, Record, Survey
from app.policy.facts import Relationship
from app.sealed import sealed_of, table_of

COLUMNS = (
    "given_name",
    "family_name",
    "sex",
    "birth_date",
    "relationship",
    "needs_step_free",
    "occupation",
    "national_id",
)


@dataclass(frozen=True)
class Sent:
    """A row, the household it belongs to, and the person there, if there is one."""

    row: Row
    household: Handle
    record: Record | None

    @property
    def handle(self) -> Handle:
        """The person."""
        return (self.household, self.row.values["person"]) if self.record is None else int(self.record["id"])


def survey_people(survey: Survey, new_households: dict[Handle, Row]) -> None:
    """Survey the file of people, and that every new household has them."""
    file = survey.parsed.get("people")
    sent: list[Sent] = []
    relationships: dict[Handle, dict[Handle, Relationship]] = defaultdict(dict)
    unsettled: set[Handle] = set(new_households)
    if file is not None:
        there = _there(survey, relationships)
        elsewhere, moved_away = Moved(survey), list[Sent]()
        for key, row in survey.rows("people"):
            household = survey.refer("households", file, row, "household")
            if household is None:
                continue
            record = there.get((household, key[1])) if isinstance(household, int) else None
            if isinstance(household, int) and (record is None or survey.survivor(household) is not None):
                _survey_moved(survey, elsewhere, Sent(row, household, record), sent, moved_away)
            else:
                sent.append(Sent(row, household, record))
        moved = _survey_partners(survey, file, sent, there, elsewhere) if "partner" in file.columns else set()
        for each in sent:
            values = _values(survey, each)
            person = (each.household, each.row.values["person"])
            if survey.settle("people", each.row, person, each.record, values, touched=each.handle in moved):
                survey.touched_households.update([each.household] if isinstance(each.household, int) else [])
                if each.record is None or each.record["relationship"] != values["relationship"]:
                    unsettled.add(each.household)
            relationships[each.household][each.handle] = values["relationship"]
        _check_numbers(survey, file, sent + moved_away)
    _check_heads(survey, unsettled, relationships, sent, new_households)


def _values(survey: Survey, sent: Sent) -> Values:
    """Return what a row says of a person; what came from a second record stays where the row says nothing."""
    values = {column: sent.row.values[column] for column in COLUMNS} | {"household_id": sent.household}
    if sent.record is not None and isinstance(sent.household, int) and survey.absorbed(sent.household):
        values |= {name: sent.record[name] for name in FILLED_OF_PEOPLE if values[name] is None}
        values["needs_step_free"] = values["needs_step_free"] or sent.record["needs_step_free"]
    return values


def _survey_moved(survey: Survey, elsewhere: Moved, each: Sent, sent: list[Sent], moved_away: list[Sent]) -> None:
    """Survey a row of somebody who is not, or not for themselves, in the household that it names."""
    survivor = survey.survivor(each.household)
    found = each.record if each.record is not None else elsewhere.find(each.row)
    if found is None and survivor is None:
        sent.append(each)  # somebody new
    elif found is not None and elsewhere.is_second_record(found):
        survey.changes["people"].unchanged += 1
    else:
        now = Sent(each.row, each.household if survivor is None else survivor, found)
        elsewhere.settle(now.row, found, now.household, {column: now.row.values[column] for column in COLUMNS})
        moved_away.append(now)


def _there(survey: Survey, relationships: dict[Handle, dict[Handle, Relationship]]) -> dict[tuple[Handle, str], Record]:
    """Return the people in the database by household and key, and by household and reference."""
    found = {}
    for record in survey.records("people"):
        relationships[record["household_id"]][record["id"]] = record["relationship"]
        found[record["household_id"], record["reference"]] = record
    for record in survey.records("people"):
        if record["key"] is not None:
            found[record["household_id"], record["key"]] = record
    return found


def _check_numbers(survey: Survey, file: Parsed, sent: list[Sent]) -> None:
    """Refuse the number of an identity document that another person has, in the register or in these files."""
    model = MODELS["people"]
    sealed = next(each for each in sealed_of(model) if each.name == "national_id")
    resent = {each.handle for each in sent}
    holders: dict[str, str] = {
        record["national_id_index"]: "another person in the register"
        for record in survey.records("people")
        if record["national_id_index"] is not None and record["id"] not in resent
    }
    for each in sent:
        number = each.row.values["national_id"]
        index = None if number is None else sealed.index(table_of(model), number)
        if index is None:
            continue
        if index in holders:
            message = f"{holders[index]} has this number; correct one of the two, or leave this empty"
            survey.refuse(file, each.row, "national_id", message)
        else:
            holders[index] = f"row {each.row.number}"


def _check_heads(
    survey: Survey,
    households: set[Handle],
    relationships: dict[Handle, dict[Handle, Relationship]],
    sent: list[Sent],
    new_households: dict[Handle, Row],
) -> None:
    """Refuse households among these that have no head, or several; those with unreadable rows are left for later."""
    file = survey.parsed.get("people")
    if file is not None and not file.is_whole:
        return
    unread = set() if file is None else {key[0] for key in file.bad_keys}
    rows: dict[Handle, list[Row]] = defaultdict(list)
    for each in sent:
        if each.household in households:
            rows[each.household].append(each.row)
    for household in sorted(households, key=str):
        heads = sum(each is Relationship.HEAD for each in relationships[household].values())
        of_household = rows[household]
        if heads == 1 or (of_household and of_household[0].values["household"] in unread):
            continue
        if file is not None and of_household:
            chosen = of_household[0]
            message = "the household has no head; make one of its people the head"
            if heads > 1:
                chosen = [row for row in of_household if row.values["relationship"] is Relationship.HEAD][-1:][0]
                message = f"the household has {heads} heads; leave one, and write what the others are to that one"
            survey.refuse(file, chosen, "relationship", message)
        elif household in new_households:
            row = new_households[household]
            if row.values["household"] not in unread:
                message = "the household has no people; add them to people.csv, one of them as head"
                survey.refuse(survey.parsed["households"], row, "household", message)


def _survey_partners(
    survey: Survey, file: Parsed, sent: list[Sent], there: dict[tuple[Handle, str], Record], elsewhere: Moved
) -> set[Handle]:
    """Note who becomes whose partner, and return the people sent whose partner is another than before.

    A partner is named by one of the two or by both; whoever is sent and neither names nor is named has none, unless
    a merge gave them a partner whom these files do not name in this household.
    """
    before: dict[Handle, Handle | None] = {record["id"]: record["partner_id"] for record in there.values()}
    people: dict[tuple[Handle, str], Handle] = {place: record["id"] for place, record in there.items()}
    people |= {(each.household, each.row.values["person"]): each.handle for each in sent}
    after: dict[Handle, Handle | None] = {}
    for each in sent:
        name = each.row.values["partner"]
        partner = people.get((each.household, name)) if name is not None else None
        if name is None or (partner is None and elsewhere.has_left(each.row, "partner")):
            continue
        if partner is None or partner == each.handle:
            message = "this is nobody else in the household; write the person of the partner, as in the column person"
            if file.is_whole and (each.row.values["household"], name) not in file.bad_keys:
                survey.refuse(file, each.row, "partner", message)
        elif after.get(each.handle, partner) != partner or after.get(partner, each.handle) != each.handle:
            survey.refuse(file, each.row, "partner", "one of the two has another partner; let both name each other")
        else:
            after[each.handle], after[partner] = partner, each.handle
    handles = {each.handle for each in sent}
    for person in [person for person in after if person not in handles]:
        held = before.get(person)
        if held is not None and held != after[person] and held not in handles:
            row = next(each.row for each in sent if each.handle == after[person])
            survey.refuse(file, row, "partner", "that person has another partner; send the rows of all three")
    for each in sent:
        held = before.get(each.handle)
        brought = each.record is not None and survey.decided.get((each.record["reference"], "partner_id")) == held
        if held is None or held in handles or not brought:
            after.setdefault(each.handle, None)
    left = {person: None for person, partner in before.items() if person not in after and partner in after}
    survey.partners = {person: partner for person, partner in (left | after).items() if before.get(person) != partner}
    return handles & set(survey.partners)
