"""Match keys: what people are looked up by who may be registered twice, as digests under the keyring's key."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.orm import Session

from app.keys import keyring
from app.policy.facts import Sex
from app.registry import matching
from app.registry.duplicate_models import MatchKey
from app.registry.matching import PersonFacts
from app.registry.models import Household, Person
from app.sealed import letters_and_digits

AT_ONCE = 500
HEX_DIGITS = 15  # 60 bits: a signed 64-bit integer on both databases
Item = TypeVar("Item")


def in_parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield `items` in lists as long as a statement should name."""
    rest = iter(items)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def facts_of(person: Person, *, with_document: bool = False) -> PersonFacts:
    """Return what is compared of `person`; the document's number is decrypted only where it is asked for."""
    number = person.national_id if with_document else None
    return PersonFacts(
        reference=person.reference,
        given_name=person.given_name,
        family_name=person.family_name,
        birth_date=person.birth_date,
        sex=person.sex,
        national_id=letters_and_digits(number) or None if number else None,
    )


def _digests(people: Iterable[PersonFacts]) -> set[int]:
    ring = keyring()
    texts = {text for person in people for text in matching.blocks(person)}
    return {int(ring.index(text, "match_keys.key")[:HEX_DIGITS], 16) for text in texts}


def refresh(session: Session, households: Collection[int]) -> None:
    """Bring the keys of these households to what they are now; of those erased or merged there are none."""
    for part in in_parts(sorted(households)):
        people: dict[int, list[PersonFacts]] = defaultdict(list)
        read = select(
            Person.household_id,
            Person.reference,
            Person.given_name,
            Person.family_name,
            Person.birth_date,
            Person.sex,
        ).where(
            Person.household_id.in_(select(Household.id).where(Household.id.in_(part), is_looked_for())),
        )
        for household, reference, given, family, born, sex in session.execute(read):
            people[household].append(PersonFacts(reference, given, family, born, Sex(sex)))
        _write(session, {household: _digests(people[household]) for household in part})


def forget(session: Session, households: Sequence[int]) -> None:
    """Remove every key of these households."""
    session.execute(delete(MatchKey).where(MatchKey.household_id.in_(households)))


def is_looked_for() -> ColumnElement[bool]:
    """Return the SQL condition, over Household, that it is neither erased nor merged into another."""
    return Household.erased_at.is_(None) & Household.merged_into_id.is_(None)


def _write(session: Session, wanted: dict[int, set[int]]) -> None:
    there: dict[int, set[int]] = defaultdict(set)
    query = select(MatchKey.household_id, MatchKey.key).where(MatchKey.household_id.in_(wanted))
    for household, key in session.execute(query):
        there[household].add(key)
    gone = [household for household, keys in wanted.items() if there[household] - keys]
    if gone:
        session.execute(delete(MatchKey).where(MatchKey.household_id.in_(gone)))
    rows = [
        {"household_id": household, "key": key}
        for household, keys in wanted.items()
        for key in sorted(keys if household in gone else keys - there[household])
    ]
    if rows:
        session.execute(insert(MatchKey.__table__), rows)  # type: ignore[arg-type]  # it is a Table
