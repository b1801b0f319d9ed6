"""python -m solver: files in, files out, one clear sentence where something is wrong."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from textwrap import dedent

import pytest

from solver import Problem, Solution, Status, solve
from solver.__main__ import main
from tests.concurrency import until
from tests.solver.small import Row, document, household, problem, with_assignments


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command here: its own process takes seconds to begin."""
    out, error, given = StringIO(), StringIO(), [str(argument) for argument in arguments]
    with redirect_stdout(out), redirect_stderr(error):
        try:
            code = main(given)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return subprocess.CompletedProcess(given, code, out.getvalue(), error.getvalue())


def run_apart(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    command = [sys.executable, "-m", "solver", *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a generated problem and its solution."""
    folder = tmp_path_factory.mktemp("files")
    problem, solution = folder / "problem.json", folder / "solution.json"
    made = run_apart("generate", "--households", 80, "--settlements", 2, "--seed", 4, "-o", problem)
    assert (made.returncode, made.stderr) == (0, "")
    solved = run_apart("solve", problem, "-o", solution, "--progress", "--seed", 3, "--threads", 2, "--time-limit", 30)
    assert solved.returncode == 0
    stages = [json.loads(line)["stage"] for line in solved.stdout.splitlines()]
    assert tuple(dict.fromkeys(stages)) == Problem.from_json(problem.read_bytes()).stages
    return folder


def test_solve_writes_a_solution_that_checks(folder: Path) -> None:
    solution = Solution.from_json((folder / "solution.json").read_bytes())
    assert solution.status is Status.OPTIMAL
    assert (solution.statistics.seed, solution.statistics.threads) == (3, 2)
    checked = run("check", folder / "problem.json", folder / "solution.json")
    assert checked.returncode == 0
    assert "optimal" in checked.stdout
    assert "value" in checked.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["problem.json", "solution.json"]


def test_stages_of_a_programme_s_own_and_a_previous_solution(folder: Path, tmp_path: Path) -> None:
    problem, stages = folder / "problem.json", ("tier 1", "tier 2, may lose 1", "keep", "wishes: points + 2 value")
    given = [part for stage in stages for part in ("--stage", stage)]
    out = tmp_path / "solution.json"
    solved = run("solve", problem, "-o", out, "--previous", folder / "solution.json", *given)
    assert (solved.returncode, "in the end" in solved.stderr) == (0, True)
    solution = Solution.from_json(out.read_bytes())
    assert [stage.name for stage in solution.stages] == ["tier 1", "tier 2", "keep", "wishes"]
    assert solution.stages[2].achieved > 0
    assert run("check", problem, out, *given).returncode == 0
    unexpected = run("check", problem, out)
    assert (unexpected.returncode, unexpected.stderr[:7]) == (1, "stages:")


def test_a_solution_is_asked_and_solved_again_by_its_own_stages(folder: Path, tmp_path: Path) -> None:
    problem, out = folder / "problem.json", tmp_path / "solution.json"
    stages = ("--stage", "value", "--stage", "tier 1")
    assert run("solve", problem, "-o", out, *stages).returncode == 0
    found = lines("shadow-prices", problem, out, "--first", 1, "--verify", *stages)
    assert isinstance(gain := found[1]["gain"], dict)
    assert list(gain) == ["value", "tier 1"]
    assert lines("confirm", problem, out, "--sample", 1, *stages) == lines("confirm", problem, out, "--sample", 1)
    for command in ("explain", "confirm", "shadow-prices"):
        refused = run(command, problem, out, "--stage", "tier 1, may lose 1")
        assert (refused.returncode, "made by other stages: value: value; tier 1: tier 1" in refused.stderr) == (1, True)


def test_what_is_proven_for_those_alone_who_are_housed_is_called_so(tmp_path: Path) -> None:
    given = problem([household("a"), household("b", options={"S": 4})])
    row: Row = with_assignments(solve(given), ("b", "C")).to_dict()
    row["stages"][-1] |= {"achieved": 4, "bound": 4, "price_bound": 4, "proof": "prices", "scope": "housed"}
    row["certificate"]["stages"][-1] |= {"denominator": 1, "prices": [], "multipliers": []}
    (tmp_path / "problem.json").write_text(given.to_json())
    (tmp_path / "solution.json").write_text(json.dumps(row))
    checked = run("check", tmp_path / "problem.json", tmp_path / "solution.json")
    assert (checked.returncode, "value 4 (bound 4 for those housed, by prices)" in checked.stdout) == (0, True)


@pytest.mark.parametrize("command", ["envy", "explain", "check"])
def test_output_that_cannot_be_written_is_one_sentence(folder: Path, command: str) -> None:
    arguments = [sys.executable, "-m", "solver", command, str(folder / "problem.json"), str(folder / "solution.json")]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "the output cannot be written: No space left on device\n")


def test_a_search_that_is_ended_from_outside_is_one_sentence(tmp_path: Path) -> None:
    problem = tmp_path / "problem.json"
    assert run("generate", "--households", 1_000, "--settlements", 20, "--seed", 2, "-o", problem).returncode == 0
    command = [sys.executable, "-m", "solver", "solve", str(problem), "--progress", "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as solving:
        children = Path(f"/proc/{solving.pid}/task/{solving.pid}/children")
        for child in until(lambda: children.read_text("utf-8").split() or None):
            os.kill(int(child), signal.SIGKILL)
        _, said = solving.communicate()
    assert (solving.returncode, said) == (1, "a search was ended from outside\n")


def test_stages_that_cannot_be_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    solving = ("solve", folder / "problem.json", "-o", tmp_path / "out")
    for arguments, code, words in (
        (("--stage", "wishes"), 2, "'wishes' is not a term"),
        (("--stage", "points, may lose -1"), 2, "is not a stage"),
        (("--stage", "points", "--stage", "points"), 2, "twice"),
        (("--stage", "keep"), 1, "'keep' needs a previous solution"),
        (("--stage", "tier 99"), 1, "counts a tier that this problem does not have"),
        (("--previous", tmp_path / "none"), 1, "cannot be read"),
        (("--previous", folder / "problem.json"), 1, "format must be"),
    ):
        refused = run(*solving, *arguments)
        assert (refused.returncode, words in refused.stderr) == (code, True)
    assert list(tmp_path.iterdir()) == []


def test_check_names_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    wrong = json.loads((folder / "solution.json").read_text())
    wrong["stages"][0]["achieved"] += 1
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    checked = run("check", folder / "problem.json", tmp_path / "wrong.json")
    assert checked.returncode == 1
    assert checked.stderr.startswith("achieved: tier 1 achieved ")


def test_explain_says_why_for_every_household(folder: Path) -> None:
    explained = run("explain", folder / "problem.json", folder / "solution.json")
    assert explained.returncode == 0
    rows = [json.loads(line) for line in explained.stdout.splitlines()]
    assert [row["household"] for row in rows] == Problem.from_json(
        (folder / "problem.json").read_bytes()
    ).households.id.tolist()


def test_npz_is_read_and_written_by_its_suffix(folder: Path, tmp_path: Path) -> None:
    problem, solution = tmp_path / "problem.npz", tmp_path / "solution.json"
    made = run_apart("generate", "--households", 80, "--settlements", 2, "--seed", 4, "-o", problem)
    assert (made.returncode, made.stderr) == (0, "")
    assert Problem.from_npz(problem) == Problem.from_json((folder / "problem.json").read_bytes())
    assert run("solve", problem, "-o", solution, "--seed", 3).returncode == 0
    for command in ("check", "explain"):
        from_npz = run(command, problem, solution)
        from_json = run(command, folder / "problem.json", folder / "solution.json")
        assert (from_npz.returncode, from_npz.stderr, from_npz.stdout) == (0, "", from_json.stdout)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["problem.npz", "solution.json"]


def test_the_solution_of_another_problem_is_asked_nothing(folder: Path, tmp_path: Path) -> None:
    other = json.loads((folder / "problem.json").read_text())
    other["households"][0]["points"] = other["households"][0].get("points", 0) + 1
    (tmp_path / "other.json").write_text(json.dumps(other))
    for command in ("explain", "confirm", "envy", "shadow-prices"):
        refused = run(command, tmp_path / "other.json", folder / "solution.json")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "is the solution of another problem" in refused.stderr


def test_an_infeasible_problem_is_a_result(tmp_path: Path) -> None:
    problem, solution = tmp_path / "problem.json", tmp_path / "solution.json"
    problem.write_text(json.dumps(document([household(name, pinned="C") for name in "ab"])))
    assert run("solve", problem, "-o", solution).returncode == 0
    assert Solution.from_json(solution.read_bytes()).status is Status.INFEASIBLE
    checked = run("check", problem, solution)
    assert (checked.returncode, checked.stdout.startswith("infeasible: class 'C'")) == (0, True)


def test_files_that_cannot_be_used_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    problem, solution = folder / "problem.json", folder / "solution.json"
    (tmp_path / "text").write_text("hello")
    (tmp_path / "text.npz").write_text("hello")
    made = ("generate", "--households", 5, "--settlements", 1, "--seed", 1, "-o")
    for arguments, words in (
        (("solve", tmp_path / "none", "-o", tmp_path / "out"), "cannot be read"),
        (("solve", tmp_path / "text", "-o", tmp_path / "out"), "not JSON"),
        (("solve", tmp_path / "none.npz", "-o", tmp_path / "out"), "cannot be read"),
        (("solve", tmp_path / "text.npz", "-o", tmp_path / "out"), "not an .npz file"),
        (("check", tmp_path / "text.npz", solution), "not an .npz file"),
        (("solve", problem, "-o", tmp_path / "none" / "out"), "cannot be written"),
        ((*made, tmp_path / "none" / "out.npz"), "cannot be written"),
        (("check", problem, tmp_path / "text"), "not JSON"),
        (("explain", problem, problem), "format must be"),
    ):
        refused = run(*arguments)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert run("explain", tmp_path / "text", solution).returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text", "text.npz"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": "C", "a": "D"}', "the key 'a' twice"),
        ('{"a": 5}', "is no JSON object of house classes by household"),
        ('{"a\\u0000": "C"}', "is no JSON object of house classes by household"),
        ("[]", "is no JSON object of house classes by household"),
    ],
)
def test_homes_that_say_nothing_or_two_things_are_one_sentence(
    text: str, words: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "homes").write_text(text)
    given = ("--homes", tmp_path / "homes", "--stage", "tier 1", "--stage", "keep")
    refused = run("solve", folder / "problem.json", "-o", tmp_path / "out", *given)
    assert (refused.returncode, words in refused.stderr, len(refused.stderr.splitlines())) == (1, True, 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", ["none/out", ".", "text/out"])
def test_where_nothing_can_be_written_nothing_is_read_or_solved(output: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for command in (("solve", tmp_path / "none"), ("generate", "--households", 9, "--settlements", 1, "--seed", 1)):
        refused = run(*command, "-o", tmp_path / output)
        assert (refused.returncode, "cannot be written" in refused.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_a_file_that_cannot_be_written_to_its_end_leaves_none(tmp_path: Path) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, most))
    try:
        made = run("generate", "--households", 99, "--settlements", 1, "--seed", 1, "-o", tmp_path / "out.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        signal.signal(signal.SIGXFSZ, ignored)
    assert (made.returncode, "cannot be written: File too large" in made.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["problem.json", "problem.npz"])
def test_what_is_no_file_or_a_link_to_one_stays_what_it_is(name: str, tmp_path: Path) -> None:
    made = ("generate", "--households", 9, "--settlements", 1, "--seed", 1, "-o")
    file, link, pipe = (tmp_path / f"{kind}-{name}" for kind in ("file", "link", "pipe"))
    link.symlink_to(file)
    before = os.umask(0o027)
    try:
        assert run(*made, link).returncode == 0
    finally:
        os.umask(before)
    assert (link.is_symlink(), stat.S_IMODE(file.stat().st_mode)) == (True, 0o640)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert run(*made, pipe).returncode == 0
    assert pipe.is_fifo()
    assert os.read(reader, 10**6)
    os.close(reader)


def test_wrong_usage_is_exit_code_2(folder: Path) -> None:
    problem = folder / "problem.json"
    for arguments in (
        (),
        ("guess",),
        ("solve", problem),
        ("solve", problem, "-o", "x", "--threads", 0),
        ("solve", problem, "-o", "x", "--time-limit", "soon"),
        ("generate", "--households", -1, "--settlements", 1, "--seed", 1, "-o", "x"),
    ):
        assert run(*arguments).returncode == 2


def test_sigterm_ends_a_solve_and_leaves_no_file(tmp_path: Path) -> None:
    problem = tmp_path / "problem.json"
    assert run("generate", "--households", 800, "--settlements", 15, "--seed", 1, "-o", problem).returncode == 0
    command = [sys.executable, "-m", "solver", "solve", str(problem), "-o", str(tmp_path / "out.json"), "--progress"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as solving:
        assert solving.stdout is not None
        assert json.loads(solving.stdout.readline())["stage"] == "tier 1"
        solving.send_signal(signal.SIGTERM)
        assert solving.wait(timeout=10) == -signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["problem.json"]


def test_a_reader_who_has_enough_ends_it_without_a_fuss(tmp_path: Path) -> None:
    problem, solution = tmp_path / "problem.json", tmp_path / "solution.json"
    python = (sys.executable, "-m", "solver")
    size = ("--households", "600", "--settlements", "1", "--seed", "1")
    subprocess.run([*python, "generate", *size, "-o", str(problem)], check=True)
    subprocess.run([*python, "solve", str(problem), "-o", str(solution)], check=True)
    explaining = [*python, "explain", str(problem), str(solution)]
    with subprocess.Popen(explaining, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""


def lines(*arguments: object) -> list[dict[str, object]]:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_household_is_explained_with_the_change_that_would_house_it(folder: Path) -> None:
    both = folder / "problem.json", folder / "solution.json"
    out = next(told for told in lines("explain", *both) if told["reason"] != "housed")
    told, change = lines("explain", *both, "--household", out["household"], "--smallest-change")
    assert told == out
    assert change["household"] == out["household"]
    assert str(out["household"]) in str(change["sentence"])


def test_what_is_scarce_is_ranked_and_verified(folder: Path) -> None:
    found = lines("shadow-prices", folder / "problem.json", folder / "solution.json", "--first", 2, "--verify")
    assert ["price" in line for line in found] == [True, True, False, False]
    assert all("more famil" in str(line["sentence"]) for line in found[2:])


@pytest.mark.parametrize("first", [0, -1])
def test_none_and_fewer_cannot_be_ranked(folder: Path, first: int) -> None:
    refused = run("shadow-prices", folder / "problem.json", folder / "solution.json", "--first", first)
    assert (refused.returncode, refused.stdout, "--first must be at least 1" in refused.stderr) == (2, "", True)


def test_an_optimal_solution_passes_nobody_over(folder: Path) -> None:
    assert lines("envy", folder / "problem.json", folder / "solution.json")[-1]["claims"] == 0


def test_explanations_are_put_to_the_test(folder: Path) -> None:
    *trials, total = lines("confirm", folder / "problem.json", folder / "solution.json", "--sample", 2)
    assert len(trials) == 2
    assert total["not_housed"] == sum(
        told["reason"] != "housed" for told in lines("explain", folder / "problem.json", folder / "solution.json")
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--household", "nobody"), 1, "nobody"),
        (("--smallest-change",), 2, "--household"),
        (("--household", "H01", "--smallest-change", "--time-limit", "0"), 2, "time_limit_seconds"),
    ],
)
def test_what_cannot_be_explained_is_said(folder: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = run("explain", folder / "problem.json", folder / "solution.json", *arguments)
    assert done.returncode == code
    assert words in done.stderr


def test_every_loop_of_large_problems_is_compiled() -> None:
    """Large problems have a clock, which must not pay for compiling."""
    program = """
        from solver import exchanging, kernels, packing
        from solver.__main__ import main
        assert main(["compile"]) == 0
        loops = (exchanging.anneal, exchanging.move_in, kernels.add_units, packing.put, packing.fill, packing.squeeze)
        print([loop.__name__ for loop in loops if not loop.signatures])
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
