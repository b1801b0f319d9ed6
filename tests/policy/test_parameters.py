"""Policies: one spelling, one hash, nothing coerced, nothing absurd."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.policy.frozen import Frozen
from app.policy.occupancy import HEADCOUNT_TABLES, STANDARDS, FloorArea, RoomsByHeadcount
from app.policy.parameters import DEFAULT_POLICY, Policy


def as_json() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(DEFAULT_POLICY.canonical_json())
    return parsed


def changed(path: str, value: object) -> dict[str, Any]:
    """The default policy as JSON, with the value at a dotted path set."""
    policy = as_json()
    *parents, last = path.split(".")
    node: Any = policy
    for step in parents:
        node = node[int(step)] if step.isdigit() else node[step]
    node[int(last) if last.isdigit() else last] = value
    return policy


def test_a_policy_survives_json_both_as_text_and_parsed() -> None:
    text = DEFAULT_POLICY.canonical_json()
    assert Policy.model_validate_json(text) == DEFAULT_POLICY
    assert Policy.model_validate(json.loads(text)) == DEFAULT_POLICY
    assert DEFAULT_POLICY.sha256() == hashlib.sha256(text).hexdigest()


def test_canonical_json_is_sorted_and_without_spaces() -> None:
    text = DEFAULT_POLICY.canonical_json().decode()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_the_canonical_form_does_not_depend_on_how_a_policy_was_written() -> None:
    shuffled = dict(reversed(as_json().items()))
    del shuffled["services"]
    assert Policy.model_validate(shuffled).sha256() == DEFAULT_POLICY.sha256()
    hashes = {
        Policy.model_validate(changed("occupancy", {"standard": "floor_area", "m2_per_person": area})).sha256()
        for area in ("3.5", "3.50", 3.5)
    }
    assert len(hashes) == 1


@given(
    standard=st.one_of(
        st.sampled_from(list(STANDARDS.values())),
        st.sampled_from(list(HEADCOUNT_TABLES.values())).map(
            lambda table: RoomsByHeadcount(standard="rooms_by_headcount", table=table)
        ),
        st.decimals(1, 100, places=2).map(lambda area: FloorArea(standard="floor_area", m2_per_person=area)),
    ),
    name=st.text(st.characters(categories=("L", "N")), min_size=1, max_size=200),
    preferred=st.lists(st.integers(0, 1_000_000), min_size=3, max_size=3).map(lambda v: sorted(v, reverse=True)),
    percent=st.integers(0, 100),
)
def test_every_policy_round_trips(standard: Frozen, name: str, preferred: list[int], percent: int) -> None:
    written = as_json() | {
        "name": name,
        "occupancy": standard.model_dump(mode="json"),
        "wishes": {"preferred": preferred, "anywhere": preferred[-1]},
        "step_free_reserved_percent": percent,
    }
    policy = Policy.model_validate(written)
    assert Policy.model_validate_json(policy.canonical_json()) == policy
    assert policy.occupancy == standard


def test_any_change_changes_the_hash() -> None:
    other = Policy.model_validate(changed("spare_penalty", 6))
    assert other.sha256() != DEFAULT_POLICY.sha256()


def test_a_policy_in_memory_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DEFAULT_POLICY.default_tier = 2  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "hearth-policy/2", "hearth-policy/1"),
        ("name", "", "at least 1 character"),
        ("name", " padded ", "pattern"),
        ("name", "a\0b", "pattern"),
        ("version", "1\x1b[2J", "pattern"),
        ("priority_rules.0.name", "a\nb", "pattern"),
        ("priority_rules.0.name", "a\x85b", "pattern"),
        ("priority_rules.0.name", "\ufffe", "pattern"),
        ("stages", ["first\0: tier 1"], "pattern"),
        ("surprise", 1, "Extra inputs"),
        ("eligibility.surprise", True, "Extra inputs"),
        ("occupancy.surprise", 1, "Extra inputs"),
        ("occupancy.standard", "crowding_of_1931", "does not match any of the expected tags"),
        ("occupancy.version", 2, "Input should be 1"),
        ("default_tier", 0, "greater than or equal to 1"),
        ("default_tier", 21, "less than or equal to 20"),
        ("default_tier", "4", "valid integer"),
        ("default_tier", 4.0, "valid integer"),
        ("default_tier", True, "valid integer"),
        ("spare_allowed", -1, "greater than or equal to 0"),
        ("spare_allowed", 1_001, "less than or equal to 1000"),
        ("spare_penalty", -1, "greater than or equal to 0"),
        ("spare_penalty", 10**30, "less than or equal to 1000000"),
        ("step_free_reserved_percent", 101, "less than or equal to 100"),
        ("eligibility.consent_required", "yes", "valid boolean"),
        ("eligibility.consent_required", 1, "valid boolean"),
        ("eligibility.adult_age", 131, "less than or equal to 130"),
        ("services.school_age_from", 18, "school ages are reversed: 18 to 17"),
        ("services.school_age_to", -1, "greater than or equal to 0"),
        ("wishes.preferred", [100, 60], "Field required"),
        ("wishes.preferred", [100, 60, 70], "no more than an earlier one"),
        ("wishes.anywhere", 31, "anywhere no more than all"),
        ("wishes.job_match", -1, "greater than or equal to 0"),
        ("priority_rules.0.kind", "python", "does not match any of the expected tags"),
        ("priority_rules.0.accommodation", [], "at least 1 item"),
        ("priority_rules.0.accommodation", ["castle"], "Input should be 'dormitory'"),
        ("priority_rules.0.tier", 0, "greater than or equal to 1"),
        ("priority_rules.0.tier", 21, "less than or equal to 20"),
        ("priority_rules.0.points", -1, "greater than or equal to 0"),
        ("priority_rules.0.points", 1_000_001, "less than or equal to 1000000"),
        ("priority_rules.0.name", "default_tier", "taken: default_tier"),
        ("priority_rules.0.name", "single parent", "taken: single parent"),
        ("priority_rules.0", {"kind": "step_free_need", "name": "idle"}, "gives neither a tier nor points"),
        ("priority_rules.0", {"kind": "large_family", "name": "x", "tier": 1}, "min_members"),
        ("priority_rules.0", {"kind": "large_family", "name": "x", "tier": 1, "min_members": 0}, "min_members"),
        (
            "priority_rules.0",
            {"kind": "years_waiting", "name": "x", "points_per_year": 1, "max_years": 10**9},
            "less than or equal to 100",
        ),
    ],
)
def test_a_bad_parameter_is_refused_and_named(path: str, value: object, message: str) -> None:
    bad = changed(path, value)
    with pytest.raises(ValidationError) as parsed:
        Policy.model_validate(bad)
    with pytest.raises(ValidationError) as text:
        Policy.model_validate_json(json.dumps(bad))
    for refusal in (parsed.value, text.value):
        assert message in str(refusal)
        location = refusal.errors()[0]["loc"]
        assert location == () or location[0] == path.split(".")[0]
