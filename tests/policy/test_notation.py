"""Households written in short."""

import pytest

from app.policy.facts import Relationship, Sex
from app.policy.notation import parse_members
from app.policy.occupancy import couples


def test_a_family_is_read() -> None:
    members = parse_members(["40M*", "38f*", "16F", "3U", "3U", "75F"])
    assert [(m.key, m.age, m.sex, m.relationship, m.partner) for m in members] == [
        ("40M", 40, Sex.MALE, Relationship.HEAD, "38F"),
        ("38F", 38, Sex.FEMALE, Relationship.SPOUSE, "40M"),
        ("16F", 16, Sex.FEMALE, Relationship.CHILD, None),
        ("3U", 3, Sex.UNSPECIFIED, Relationship.CHILD, None),
        ("3U-2", 3, Sex.UNSPECIFIED, Relationship.CHILD, None),
        ("75F", 75, Sex.FEMALE, Relationship.OTHER_RELATIVE, None),
    ]


def test_the_first_adult_is_the_head_else_the_first_person() -> None:
    def head(*notation: str) -> list[str]:
        return [m.key for m in parse_members(notation) if m.relationship is Relationship.HEAD]

    assert head("6M", "33F", "70F") == ["33F"]
    assert head("6M", "5F") == ["6M"]
    assert head() == []


def test_only_marked_members_are_couples_two_by_two() -> None:
    members = parse_members(["70F", "75M", "40M*", "38F*", "20M*", "20M*", "22F"])
    assert {frozenset((one.key, other.key)) for one, other in couples(members)} == {
        frozenset(("40M", "38F")),
        frozenset(("20M", "20M-2")),
    }


def test_siblings_under_age_are_nobodys_children() -> None:
    assert [m.relationship for m in parse_members(["17F", "1F"])] == [
        Relationship.HEAD,
        Relationship.OTHER_RELATIVE,
    ]


@pytest.mark.parametrize("bad", ["", "F", "40", "40X", "-4F", "4.5F", "131M", "40M**", "F40", "٤M", "40 M"])
def test_a_bad_member_is_named(bad: str) -> None:
    with pytest.raises(ValueError, match=r"^member ") as refusal:
        parse_members(["30F", bad])
    assert repr(bad) in str(refusal.value)


def test_half_a_couple_is_named() -> None:
    with pytest.raises(ValueError, match=r"^member 20M\*: .* the other is missing"):
        parse_members(["40M*", "38F*", "20M*"])
