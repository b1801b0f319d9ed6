"""Ages and the facts that cannot be."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policy.facts import Accommodation, HouseholdFacts, Member, Relationship, Sex, age_on


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        (date(2000, 5, 10), date(2000, 5, 10), 0),
        (date(2000, 5, 10), date(2018, 5, 9), 17),
        (date(2000, 5, 10), date(2018, 5, 10), 18),
        (date(2004, 2, 29), date(2022, 2, 28), 17),
        (date(2004, 2, 29), date(2022, 3, 1), 18),
        (date(2004, 2, 29), date(2024, 2, 28), 19),
        (date(2004, 2, 29), date(2024, 2, 29), 20),
    ],
)
def test_age_in_whole_years(born: date, on: date, age: int) -> None:
    assert age_on(born, on) == age


@given(born=st.dates(date(1900, 1, 1), date(2030, 1, 1)), days=st.integers(0, 40_000))
def test_age_grows_by_one_at_most_from_day_to_day(born: date, days: int) -> None:
    on = born + timedelta(days)
    assert age_on(born, on + timedelta(1)) - age_on(born, on) in (0, 1)
    assert abs(age_on(born, on) - days / 365.2425) < 1.01


def test_nobody_has_an_age_before_birth() -> None:
    with pytest.raises(ValueError, match="born on 2020-01-02, after 2020-01-01"):
        age_on(date(2020, 1, 2), date(2020, 1, 1))


def member(key: str, age: int = 30, partner: str | None = None, *, step_free: bool = False) -> Member:
    return Member(key, age, Sex.FEMALE, Relationship.OTHER_RELATIVE, partner, step_free)


def household(*members: Member, waiting_days: int = 0) -> HouseholdFacts:
    return HouseholdFacts("H", members, Accommodation.RENTED, True, True, False, waiting_days)


def test_impossible_facts_are_refused() -> None:
    with pytest.raises(ValueError, match="member a: age -1 is negative"):
        member("a", -1)
    with pytest.raises(ValueError, match="member a is their own partner"):
        member("a", partner="a")
    with pytest.raises(ValueError, match="household H: two members have the same key"):
        household(member("a"), member("a"))
    with pytest.raises(ValueError, match="household H: -1 waiting days"):
        household(waiting_days=-1)


def test_one_member_makes_a_step_free_need() -> None:
    assert household(member("a"), member("b", step_free=True)).needs_step_free
    assert not household(member("a")).needs_step_free
