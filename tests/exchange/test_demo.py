"""The invented district: whole, plausible, and the same each time."""

from collections import Counter
from datetime import date

import pytest
from sqlalchemy.orm import Session

from app.access.permissions import Principal
from app.exchange import demo, exports
from app.housing.readiness import ready_settlements
from tests.exchange.village import load, rows


def _column(files: dict[str, bytes], file: str, column: str) -> list[str]:
    header, *lines = rows(files[file])
    return [line[header.index(column)] for line in lines]


def test_a_small_district_goes_in_and_comes_out_byte_for_byte(session: Session, operator: Principal) -> None:
    files = demo.district(3, scale=0.05)
    report = load(session, files)
    assert report.tables["households"].created == 95
    assert exports.write(session, actor=operator) == files
    assert load(session, files).sentence.startswith("Nothing changed")
    assert [settlement.key for settlement in sorted(ready_settlements(session), key=lambda each: each.key or "")] == [
        "AMB",
        "LAR",
        "QUA",
        "SIL",
    ]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert demo.district(1, 0.02) == demo.district(1, 0.02)
    assert demo.district(1, 0.02) != demo.district(2, 0.02)


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_a_scale_is_above_zero(scale: float) -> None:
    with pytest.raises(ValueError, match="not above 0"):
        demo.district(1, scale)


def test_a_whole_district_is_plausible() -> None:
    files = demo.district(7)
    households = len(_column(files, "households.csv", "household"))
    people = _column(files, "people.csv", "birth_date")
    assert households == 1_900
    assert 7_500 < len(people) < 8_300
    assert abs(len(_column(files, "houses.csv", "house")) - 1_150) < 5
    bedrooms = Counter(_column(files, "houses.csv", "bedrooms"))
    assert set(bedrooms) == {"1", "2", "3", "4"}
    assert 0.06 < _column(files, "houses.csv", "step_free").count("1") / 1_150 < 0.1
    assert 0.01 < _column(files, "people.csv", "needs_step_free").count("1") / len(people) < 0.02
    kin = Counter(_column(files, "households.csv", "kin_group"))
    assert 0.12 < 1 - kin.pop("") / households < 0.18
    assert set(kin.values()) == {2, 3, 4}
    pupils = sum(6 <= 2026 - date.fromisoformat(birth).year < 18 for birth in people)
    assert 0.18 < pupils / len(people) < 0.26
    assert len(set(_column(files, "people.csv", "relationship"))) == 9
