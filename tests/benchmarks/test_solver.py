"""The benchmark of the solver, from its command line to its files."""

import json
from pathlib import Path

import pytest

from benchmarks import solver
from benchmarks.tables import Table


def test_it_measures_compares_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, tables = tmp_path / "figures.json", tmp_path / "tables.md"
    arguments = ["40/2", "--seeds", "1", "--runs", "2", "--peers", "highs-classes", "linear-sum-assignment"]
    assert solver.main([*arguments, "--json", str(figures), "--markdown", str(tables)]) == 0
    (measured,) = json.loads(figures.read_text("utf-8"))
    assert (measured["status"], measured["breaks"], measured["same_bytes"]) == ("optimal", {}, True)
    assert measured["fastest_seconds"] <= measured["seconds"] <= measured["slowest_seconds"]
    assert measured["floor"]["read_seconds"] > 0
    assert measured["floor"]["bound_seconds"] > 0
    exact, relaxed = measured["peers"]
    ours = [stage["achieved"] for stage in measured["stages"]]
    assert [stage["achieved"] for stage in exact["stages"]] == ours
    assert relaxed["stages"][0]["achieved"] >= ours[0]
    written, printed = tables.read_text("utf-8"), capsys.readouterr().out
    for text in ("default 40/2, seed 1", "highs-classes", "linear-sum-assignment", "all instances"):
        assert text in written
        assert text in printed


def test_wanted_figures_are_shown_for_their_sizes_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert solver.main(["30/2", "--seeds", "1", "--aims", "--json", str(tmp_path / "figures.json")]) == 0
    assert "wanted" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [["40"], ["40/2", "--family", "odd"], ["40/2", "--runs", "0"], ["40/2", "--peers", "x"]]
)
def test_a_wrong_command_line_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        solver.main(wrong)
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "cell"),
    [
        ({"achieved": 7, "bound": 9, "status": "time"}, "7 (-3, gap 2)"),
        ({"achieved": 10, "bound": 10, "status": "optimal"}, "10 (gap 0)"),
        ({"achieved": 12, "bound": None, "status": "not reached"}, "12 (+2, not reached)"),
        ({"achieved": None, "bound": None, "status": "not reached"}, ""),
        (None, ""),
    ],
)
def test_a_peers_stage_is_told_against_ours(stage: dict[str, object] | None, cell: str) -> None:
    assert solver.peer_cell(stage, 10) == cell


def test_markdown_is_a_table_whatever_the_cells_hold() -> None:
    table = Table("title", ("a", "b"), [("x|y", "1")])
    assert table.markdown() == "**title**\n\n| a | b |\n| --- | --: |\n| x\\|y | 1 |\n"
