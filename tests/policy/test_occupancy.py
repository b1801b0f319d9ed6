"""Every standard against its worked cases, and the bedroom standards against pairing by exhaustion."""

from decimal import Decimal
from functools import cache
from itertools import combinations_with_replacement, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.policy.facts import HouseFacts, Member, Relationship, Sex
from app.policy.notation import parse_members
from app.policy.occupancy import (
    HEADCOUNT_TABLES,
    STANDARDS,
    BedroomStandard,
    FloorArea,
    HeadcountRow,
    Measure,
    RoomReason,
    RoomsByHeadcount,
    couples,
    measured,
    need,
)

LHA, ENGLAND, CANADA = (STANDARDS[name] for name in ("lha_size_criteria", "england_bedroom_standard", "canada_nos"))
BEDROOM_STANDARDS = ("england_bedroom_standard", "lha_size_criteria", "canada_nos")


def person(
    key: str,
    age: int,
    sex: Sex = Sex.FEMALE,
    relationship: Relationship = Relationship.OTHER_RELATIVE,
    partner: str | None = None,
) -> Member:
    return Member(key, age, sex, relationship, partner)


def keys_of_couples(*members: Member) -> set[frozenset[str]]:
    return {frozenset((one.key, other.key)) for one, other in couples(members)}


@pytest.mark.parametrize(
    ("standard", "members", "bedrooms"),
    [
        ("lha_size_criteria", "5M 5F", 1),
        ("lha_size_criteria", "5M 10F", 2),
        ("lha_size_criteria", "5M 15M 10F", 2),
        ("lha_size_criteria", "5M 15M 10F 12F", 2),
        ("lha_size_criteria", "30M* 25F*", 1),
        ("lha_size_criteria", "30M* 25F* 5M 7F", 2),
        ("lha_size_criteria", "30M* 25F* 11M 12F", 3),
        ("lha_size_criteria", "40M* 38F* 16F 11M 3M 3F", 4),
        ("lha_size_criteria", "35F 5M 3F", 2),
        ("lha_size_criteria", "40M* 38F* 75F 7F", 3),
        ("england_bedroom_standard", "40M* 38F* 20M 12M 9F 4M", 3),
        ("england_bedroom_standard", "45F 21F 19F 17F", 3),
        ("england_bedroom_standard", "40M* 39F* 15M 9M 8F", 3),
        ("canada_nos", "33F 4M 4F", 2),
        ("canada_nos", "33F 17M 6M", 2),
        ("canada_nos", "40M* 38F* 17M 4F", 3),
        ("canada_nos", "70F", 0),
        # one boy and one girl in each age band: pairing within bands wastes a room
        ("england_bedroom_standard", "5M 5F 12M 12F", 2),
        ("lha_size_criteria", "5M 5F 12M 12F", 2),
        # unspecified sex: shares as a small child and with a partner, never as an adolescent
        ("lha_size_criteria", "9U 9F", 1),
        ("lha_size_criteria", "9U 10F", 2),
        ("lha_size_criteria", "12U 12U", 2),
        ("lha_size_criteria", "30U* 30U*", 1),
        # the birthday itself ends the age
        ("lha_size_criteria", "15F 15F", 1),
        ("lha_size_criteria", "16F 15F", 2),
        ("england_bedroom_standard", "20F 20F", 1),
        ("england_bedroom_standard", "21F 20F", 2),
        ("canada_nos", "17F 17F", 1),
        ("canada_nos", "18F 17F", 2),
        ("canada_nos", "4F 4M", 1),
        ("canada_nos", "5F 4M", 2),
        ("lha_size_criteria", "70F", 1),
        ("lha_size_criteria", "", 0),
        ("canada_nos", "", 0),
    ],
)
def test_worked_bedroom_cases(standard: str, members: str, bedrooms: int) -> None:
    computed = need(STANDARDS[standard], parse_members(members.split()))
    assert (computed.standard, computed.version, computed.measure) == (standard, 1, Measure.BEDROOMS)
    assert computed.amount == bedrooms


@pytest.mark.parametrize(
    ("table", "rooms"),
    [
        ("azerbaijan_resolution_65_2017", [0, 1, 2, 2, 3, 3, 4, 4]),
        ("azerbaijan_draws_2023_inferred", [0, 2, 2, 3, 3, 4, 5, 5]),
    ],
)
def test_rooms_by_headcount_reads_its_table(table: str, rooms: list[int]) -> None:
    standard = RoomsByHeadcount(standard="rooms_by_headcount", table=HEADCOUNT_TABLES[table])
    needs = [need(standard, parse_members(["30F"] * people)) for people in range(len(rooms))]
    assert [computed.amount for computed in needs] == rooms
    assert {computed.measure for computed in needs} == {Measure.ROOMS}
    assert {reason.code for reason in needs[3].reasons} == {RoomReason.HEADCOUNT}


@pytest.mark.parametrize(
    ("m2_per_person", "people", "area"),
    [("3.5", 0, 0), ("3.5", 1, 4), ("3.5", 2, 7), ("3.5", 5, 18), ("5.5", 4, 22), ("4.51", 100, 451)],
)
def test_floor_area_is_whole_square_metres_rounded_up(m2_per_person: str, people: int, area: int) -> None:
    standard = FloorArea(standard="floor_area", m2_per_person=Decimal(m2_per_person))
    computed = need(standard, parse_members(["30F"] * people))
    assert (computed.measure, computed.amount) == (Measure.FLOOR_AREA_M2, area)
    assert [reason.code for reason in computed.reasons] == [RoomReason.FLOOR_AREA] * people


def test_a_house_is_measured_by_what_the_standard_counts() -> None:
    house = HouseFacts(bedrooms=0, rooms=2, floor_area_m2=Decimal("41.9"), step_free=True)
    assert [measured(house, measure) for measure in Measure] == [0, 2, 41]


def test_everyone_is_told_why() -> None:
    members = parse_members(["40M*", "38F*", "75F", "16F", "11M", "7F", "3M"])
    reasons = {reason.member: reason for reason in need(LHA, members).reasons}
    assert list(reasons) == [member.key for member in members]
    assert {key: reason.sentence for key, reason in reasons.items()} == {
        "40M": "couple with 38F",
        "38F": "couple with 40M",
        "75F": "own room: 16 or over",
        "16F": "own room: 16 or over",
        "11M": "shares with 3M",
        "7F": "own room: nobody left who may share it",
        "3M": "shares with 11M",
    }
    assert reasons["3M"].shares_with == ("11M",)


def test_brothers_and_sisters_are_put_together_by_sex_where_it_costs_no_room() -> None:
    reasons = need(LHA, parse_members(["5M", "6F", "7M", "8F"])).reasons
    assert {frozenset((reason.member, *reason.shares_with)) for reason in reasons} == {
        frozenset(("5M", "7M")),
        frozenset(("6F", "8F")),
    }


def test_one_person_alone_has_a_studio_in_canada() -> None:
    (reason,) = need(CANADA, parse_members(["70F"])).reasons
    assert (reason.code, reason.sentence) == (RoomReason.STUDIO, "one person alone: a studio will do")


def test_in_canada_a_lone_parent_under_18_does_not_share_with_their_child() -> None:
    mother = person("mother", 17, relationship=Relationship.HEAD)
    daughter = person("daughter", 1, relationship=Relationship.CHILD)
    sister = person("sister", 15, relationship=Relationship.SIBLING)
    apart = need(CANADA, (mother, daughter))
    assert apart.amount == 2
    assert apart.reasons[0].code is RoomReason.OWN_ROOM_LONE_PARENT
    assert need(CANADA, (mother, sister)).amount == 1
    assert need(ENGLAND, (mother, daughter)).amount == 1
    three = need(CANADA, (mother, daughter, sister))
    assert three.amount == 2
    assert three.reasons[0].shares_with != ("daughter",)


def test_two_members_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="same key"):
        need(LHA, (person("a", 3), person("a", 4)))


HEAD, SPOUSE, CHILD, IN_LAW, PARENT = (
    Relationship.HEAD,
    Relationship.SPOUSE,
    Relationship.CHILD,
    Relationship.CHILD_IN_LAW,
    Relationship.PARENT,
)


def test_head_and_spouse_are_a_couple_and_a_second_spouse_is_not() -> None:
    head, elder, younger = (
        person("h", 50, Sex.MALE, HEAD),
        person("s1", 45, Sex.FEMALE, SPOUSE),
        person("s2", 30, Sex.FEMALE, SPOUSE),
    )
    assert keys_of_couples(head, younger, elder) == {frozenset(("h", "s1"))}


def test_a_link_on_either_side_makes_a_couple_before_any_inference() -> None:
    head, spouse = person("h", 50, Sex.MALE, HEAD), person("s", 45, Sex.FEMALE, SPOUSE)
    assert keys_of_couples(person("a", 30, partner="b"), person("b", 31)) == {frozenset("ab")}
    assert keys_of_couples(head, spouse, person("p", 44, partner="h")) == {frozenset(("h", "p"))}


def test_a_partner_who_lives_elsewhere_makes_no_couple() -> None:
    assert keys_of_couples(person("a", 30, partner="somewhere else"), person("b", 30)) == set()


def test_a_child_in_law_goes_with_the_nearest_free_adult_child() -> None:
    son, daughter = person("son", 30, Sex.MALE, CHILD), person("d", 25, Sex.FEMALE, CHILD)
    minor = person("m", 17, Sex.MALE, CHILD)
    in_law = person("in-law", 19, Sex.FEMALE, IN_LAW)
    assert keys_of_couples(son, minor, in_law) == {frozenset(("son", "in-law"))}
    assert keys_of_couples(son, daughter, minor, in_law) == {frozenset(("d", "in-law"))}
    taken = person("d", 25, Sex.FEMALE, CHILD, partner="x")
    assert keys_of_couples(son, taken, person("x", 26), in_law) == {
        frozenset(("d", "x")),
        frozenset(("son", "in-law")),
    }
    assert keys_of_couples(minor, in_law) == set()


def test_two_parents_are_a_couple_one_or_three_are_not() -> None:
    parents = [person(f"p{age}", age, Sex.FEMALE, PARENT) for age in (70, 75, 80)]
    assert keys_of_couples(*parents[:1]) == set()
    assert keys_of_couples(*parents[:2]) == {frozenset(("p70", "p75"))}
    assert keys_of_couples(*parents) == set()


# -- against exhaustion ---------------------------------------------------------------------------------------

ages = st.one_of(st.integers(0, 24), st.sampled_from([4, 5, 9, 10, 15, 16, 17, 18, 20, 21, 40, 80]))


@st.composite
def households(draw: st.DrawFn) -> tuple[tuple[Member, ...], int]:
    """Up to eight people, the first 2 x couples of them linked two by two."""
    people = draw(st.lists(st.tuples(ages, st.sampled_from(Sex)), min_size=1, max_size=8))
    in_couples = draw(st.integers(0, len(people) // 2))
    members = tuple(
        person(str(i), age, sex, partner=str(i ^ 1) if i < 2 * in_couples else None)
        for i, (age, sex) in enumerate(people)
    )
    return members, in_couples


def may_share(standard: str, one: Member, other: Member) -> bool:
    elder = max(one.age, other.age)
    alike = (one.sex, other.sex) in {(Sex.FEMALE, Sex.FEMALE), (Sex.MALE, Sex.MALE)}
    match standard:
        case "england_bedroom_standard":
            return elder < 10 or (alike and elder < 21)
        case "lha_size_criteria":
            return elder < 10 or (alike and elder < 16)
        case _:
            return elder < 5 or (alike and elder < 18)


def fewest_rooms(standard: str, singles: tuple[Member, ...]) -> int:
    """The first of the singles alone, or with each of the others in turn: every pairing there is."""

    @cache
    def fewest(left: tuple[int, ...]) -> int:
        if not left:
            return 0
        first, *rest = left
        return 1 + min(
            fewest(tuple(rest)),
            *(
                fewest(tuple(k for k in rest if k != other))
                for other in rest
                if may_share(standard, singles[first], singles[other])
            ),
            len(left),
        )

    return fewest(tuple(range(len(singles))))


@settings(max_examples=300)
@given(household=households(), standard=st.sampled_from(BEDROOM_STANDARDS))
def test_need_equals_exhaustive_pairing(household: tuple[tuple[Member, ...], int], standard: str) -> None:
    members, in_couples = household
    expected = in_couples + fewest_rooms(standard, members[2 * in_couples :])
    if standard == "canada_nos" and len(members) == 1:
        expected = 0
    assert need(STANDARDS[standard], members).amount == expected


@pytest.mark.parametrize("standard", BEDROOM_STANDARDS)
def test_need_equals_exhaustive_pairing_on_every_household_of_up_to_eight(standard: str) -> None:
    """One age in each of the standard's bands stands for all in it."""
    ages_apart = {"england_bedroom_standard": (9, 20, 21), "lha_size_criteria": (9, 15, 16), "canada_nos": (4, 17, 18)}
    kinds = list(product(ages_apart[standard], Sex))
    for people in range(2, 9):
        for household in combinations_with_replacement(kinds, people):
            members = tuple(person(str(i), age, sex) for i, (age, sex) in enumerate(household))
            assert need(STANDARDS[standard], members).amount == fewest_rooms(standard, members), household


@given(household=households(), standard=st.sampled_from(BEDROOM_STANDARDS))
def test_reasons_are_rooms_that_add_up(household: tuple[tuple[Member, ...], int], standard: str) -> None:
    """Sharing is mutual and allowed, and the rooms that the reasons describe are as many as the need."""
    members, _ = household
    computed = need(STANDARDS[standard], members)
    by_key = {member.key: member for member in members}
    rooms = {frozenset((reason.member, *reason.shares_with)) for reason in computed.reasons}
    assert sum(map(len, rooms)) == len(members)
    assert len(rooms) == max(computed.amount, 1)
    for reason in computed.reasons:
        if reason.code is RoomReason.SHARES:
            assert may_share(standard, by_key[reason.member], by_key[reason.shares_with[0]])


relatives = st.lists(st.tuples(ages, st.sampled_from(Sex), st.sampled_from(Relationship)), max_size=9)


@given(people=relatives, data=st.data(), standard=st.sampled_from(sorted(STANDARDS)))
def test_the_order_of_members_changes_nothing(
    people: list[tuple[int, Sex, Relationship]], data: st.DataObject, standard: str
) -> None:
    members = [person(str(i), age, sex, relationship) for i, (age, sex, relationship) in enumerate(people)]
    shuffled = data.draw(st.permutations(members))
    one, other = need(STANDARDS[standard], members), need(STANDARDS[standard], shuffled)
    assert one.amount == other.amount
    assert set(one.reasons) == set(other.reasons)


@given(
    household=households(), newcomer=st.tuples(ages, st.sampled_from(Sex)), standard=st.sampled_from(sorted(STANDARDS))
)
def test_one_more_person_never_lowers_the_need(
    household: tuple[tuple[Member, ...], int], newcomer: tuple[int, Sex], standard: str
) -> None:
    members, _ = household
    before = need(STANDARDS[standard], members).amount
    after = need(STANDARDS[standard], (*members, person("newcomer", *newcomer))).amount
    assert before <= after
    if len(members) > 1 and isinstance(STANDARDS[standard], BedroomStandard):
        assert after <= before + 1


# -- parameters of the standards ------------------------------------------------------------------------------


def row(low: int, high: int | None, rooms: int) -> HeadcountRow:
    return HeadcountRow(persons_from=low, persons_to=high, rooms=rooms)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((row(2, None, 1),), "must start at 1 person"),
        ((row(1, 4, 1),), "open-ended"),
        ((row(1, 2, 1), row(4, None, 2)), "after 2 persons the next row must start at 3, not 4"),
        ((row(1, 3, 1), row(3, None, 2)), "after 3 persons the next row must start at 4, not 3"),
        ((row(1, None, 1), row(2, None, 2)), "the row from 1 persons must end"),
        ((row(1, 2, 1), row(3, 2, 2), row(3, None, 3)), "the row from 3 persons must end at 3 or more"),
        ((row(1, 2, 2), row(3, None, 1)), "fewer rooms"),
        ((), "at least 1 item"),
    ],
)
def test_a_table_with_a_gap_is_refused(table: tuple[HeadcountRow, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RoomsByHeadcount(standard="rooms_by_headcount", table=table)


@pytest.mark.parametrize("area", ["0.99", "100.01", "3.555", "NaN", "Infinity", "-3.5"])
def test_an_absurd_floor_area_is_refused(area: str) -> None:
    with pytest.raises(ValidationError):
        FloorArea(standard="floor_area", m2_per_person=Decimal(area))
