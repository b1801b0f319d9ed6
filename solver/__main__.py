"""The command line: python -m solver solve|check|explain|confirm|envy|shadow-prices|generate|compile.

Problems are JSON, or NumPy columns where the file's name ends in .npz; solutions are JSON.
"""

import argparse
import errno
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TypeVar
from uuid import uuid4

import numpy as np

from solver import (
    InvalidProblem,
    InvalidSolution,
    Parameters,
    Problem,
    Progress,
    Solution,
    canonical_json,
    check,
    explain,
    solve,
)
from solver.changes import household_of, stated
from solver.confirmation import confirm
from solver.counterfactual import smallest_change
from solver.fairness import justified_envy
from solver.generate import generate
from solver.objectives import Objective, parse
from solver.shadow_prices import shadow_prices, verified
from solver.solution import Assignments
from solver.validation import identifier_fault

NPZ = ".npz"
T = TypeVar("T")


class Refused(Exception):  # noqa: N818 - what the command answers, not an error of it
    """One sentence for the person at the terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 where it went well, 1 with a sentence on stderr where not, 2 on wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()  # here, where it can still be said that it cannot be written
        return code
    except (Refused, InvalidProblem, InvalidSolution) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # that one says that our reader has enough of it, as `| head` does
            # Without a number it is not the system's, but says itself what it is: a search was ended from outside.
            print(error if error.errno is None else f"the output cannot be written: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m solver", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    solving = commands.add_parser("solve", help="solve a problem and write its solution")
    solving.add_argument("problem", type=Path)
    solving.add_argument("-o", "--output", type=Path, required=True)
    solving.add_argument("--time-limit", type=float, default=Parameters.time_limit_seconds, metavar="SECONDS")
    solving.add_argument("--threads", type=int, default=Parameters.threads)
    solving.add_argument("--seed", type=int, default=Parameters.seed)
    solving.add_argument("--previous", type=Path, metavar="SOLUTION", help="start from it, and let `keep` count by it")
    solving.add_argument("--homes", type=Path, metavar="JSON", help="{household: class} that `keep` counts by instead")
    _add_stages(solving)
    solving.add_argument("--progress", action="store_true", help="one JSON object a line on stdout")
    solving.set_defaults(run=_solve, parser=solving)
    for name, run, what in (
        ("check", _check, "verify a solution and its certificate"),
        ("explain", _explain, "say why each household is housed where, or is not housed"),
        ("confirm", _confirm, "put explanations to the test by solving again"),
        ("envy", _envy, "name households that were passed over by one that comes after them in tier and points"),
        ("shadow-prices", _shadow_prices, "rank what is scarce by what one more of it is worth"),
    ):
        reading = commands.add_parser(name, help=what)
        reading.add_argument("problem", type=Path)
        reading.add_argument("solution", type=Path)
        reading.set_defaults(run=run, parser=reading)
        if run is not _envy:
            _add_stages(reading)
        if run in (_explain, _confirm, _shadow_prices):
            reading.add_argument("--time-limit", type=float, default=Parameters.time_limit_seconds, metavar="SECONDS")
        if run is _explain:
            reading.add_argument("--household", help="of this one alone")
            reading.add_argument("--smallest-change", action="store_true", help="what would house it, solved again")
        if run is _confirm:
            reading.add_argument("--sample", type=int, default=20, metavar="HOUSEHOLDS")
            reading.add_argument("--seed", type=int, default=0)
        if run is _shadow_prices:
            reading.add_argument("--first", type=int, default=10, metavar="N")
            reading.add_argument("--verify", action="store_true", help="solve again with one more of each")
    making = commands.add_parser("generate", help="write a random feasible problem")
    making.add_argument("--households", type=int, required=True)
    making.add_argument("--settlements", type=int, required=True)
    making.add_argument("--seed", type=int, required=True)
    making.add_argument("-o", "--output", type=Path, required=True)
    making.set_defaults(run=_generate, parser=making)
    compiling = commands.add_parser("compile", help="compile what large problems need, once for a machine")
    compiling.set_defaults(run=_compile)
    return parser


def _add_stages(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--stage",
        action="append",
        dest="stages",
        type=_stage,
        metavar="STAGE",
        help="what the programme decided instead of the order of the model, first things first, once for each stage: "
        "'[NAME:] [WEIGHT] TERM [+ ...][, may lose N]', of the terms tier 1, tier 2, ..., points, value, keep",
    )


def _stage(text: str) -> Objective:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _solve(options: argparse.Namespace) -> int:
    try:
        parameters = Parameters(
            stages=None if options.stages is None else tuple(options.stages),
            time_limit_seconds=options.time_limit,
            seed=options.seed,
            threads=options.threads,
        )
    except ValueError as error:
        options.parser.error(str(error))
    _refuse_unwritable(options.output)
    problem = _problem(options.problem)
    previous = None if options.previous is None else _solution(options.previous)
    with _refused():
        progress = _printed() if options.progress else None
        solution = solve(problem, parameters, progress, previous, _homes(options.homes))
    _write_text(options.output, solution.to_json())
    print(_summary(solution), file=sys.stderr)
    return 0


def _check(options: argparse.Namespace) -> int:
    problem, solution = _problem(options.problem), _solution(options.solution)
    for violation in check(problem, solution, options.stages):
        raise Refused(f"{violation.code}: {violation.sentence}")
    print(_summary(solution))
    return 0


def _explain(options: argparse.Namespace) -> int:
    if options.smallest_change and options.household is None:
        options.parser.error("--smallest-change needs --household")
    problem, solution = _both(options)
    with _refused():
        if options.household is None:
            for explanation in explain(problem, solution):
                _print(asdict(explanation))
            return 0
        _print(asdict(explain(problem, solution)[household_of(problem, options.household)]))
        if options.smallest_change:
            found = smallest_change(problem, solution, options.household, _parameters(options))
            _print(asdict(found) | {"sentence": found.sentence})
    return 0


def _confirm(options: argparse.Namespace) -> int:
    problem, solution = _both(options)
    with _refused():
        found = confirm(problem, solution, options.sample, options.seed, _parameters(options))
    for trial in found.trials:
        _print(asdict(trial))
    _print({"not_housed": found.not_housed, "holds": found.share, "enough": found.share_enough})
    return 0


def _envy(options: argparse.Namespace) -> int:
    problem, solution = _both(options)
    with _refused():
        found = justified_envy(problem, solution)
    for claim in found.claims:
        _print(asdict(claim))
    _print({"claims": len(found.claims), "examined": found.examined, "with_kin": found.with_kin})
    return 0


def _shadow_prices(options: argparse.Namespace) -> int:
    if options.first < 1:
        options.parser.error("--first must be at least 1")
    problem, solution = _both(options)
    with _refused():
        ranked = shadow_prices(problem, solution)[: options.first]
        for price in ranked:
            _print(asdict(price.resource) | {"price": {stage: str(p) for stage, p in price.price.items() if p}})
        if options.verify:
            for worth in verified(problem, solution, ranked, _parameters(options)):
                _print(asdict(worth.shadow_price.resource) | {"gain": worth.gain, "sentence": worth.sentence})
    return 0


def _both(options: argparse.Namespace) -> tuple[Problem, Solution]:
    """The problem and its solution, which was made by the stages that the programme decided, if they are named."""
    problem, solution = _problem(options.problem), _solution(options.solution)
    if solution.statistics.problem_sha256 != problem.sha256:
        raise Refused(f"{options.solution} is the solution of another problem than {options.problem}")
    decided: list[Objective] | None = getattr(options, "stages", None)
    with _refused():
        if decided is not None and solution.stages and (made_by := list(stated(solution))) != decided:
            words = "; ".join(f"{each.name}: {each.words}" for each in made_by)
            raise Refused(f"the solution was made by other stages: {words}")
    return problem, solution


def _parameters(options: argparse.Namespace) -> Parameters:
    try:
        return Parameters(time_limit_seconds=options.time_limit)
    except ValueError as error:
        parser: argparse.ArgumentParser = options.parser
        parser.error(str(error))


@contextmanager
def _refused() -> Iterator[None]:
    """What a problem or a solution cannot be asked is one sentence for the person at the terminal."""
    try:
        yield
    except ValueError as error:
        raise Refused(str(error)) from error


def _print(document: object) -> None:
    print(json.dumps(document, ensure_ascii=False))


def _generate(options: argparse.Namespace) -> int:
    _refuse_unwritable(options.output)
    try:
        problem = generate(options.households, options.settlements, options.seed)
    except ValueError as error:
        options.parser.error(str(error))
    if options.output.suffix == NPZ:
        _write(options.output, problem.to_npz)
    else:
        _write_text(options.output, problem.to_json())
    return 0


def _compile(_: argparse.Namespace) -> int:
    from solver.compiling import compile_loops  # here, as Numba takes longer to import than a village to solve

    compile_loops()
    return 0


def _printed() -> Callable[[Progress], None]:
    """Prints what is new, one JSON object a line."""
    said: list[tuple[str, int, int | None]] = []

    def say(progress: Progress) -> None:
        news = progress.stage, progress.achieved, progress.bound
        if said != [news]:
            said[:] = [news]
            print(json.dumps(asdict(progress)), flush=True)

    return say


def _summary(solution: Solution) -> str:
    """The status, and what proves each stage."""
    if solution.reason is not None:
        return f"{solution.status.value}: {solution.reason}"
    stages = ", ".join(
        f"{stage.name} {stage.achieved} (bound {stage.bound}"
        + (" for those housed" if stage.scope == "housed" else "")
        + f", by {stage.proof})"
        + ("" if stage.final is None else f" and {stage.final} in the end")
        for stage in solution.stages
    )
    return f"{solution.status.value}: {len(solution.assignments)} households housed; {stages}"


def _problem(path: Path) -> Problem:
    return _read(path, Problem.from_npz) if path.suffix == NPZ else Problem.from_json(_read(path, Path.read_bytes))


def _homes(path: Path | None) -> Assignments | None:
    if path is None:
        return None
    try:
        homes = canonical_json.loads(_read(path, Path.read_bytes))
    except ValueError as error:
        raise Refused(f"{path} is not JSON: {error}") from error
    if not isinstance(homes, dict) or not all(
        isinstance(text, str) and not identifier_fault(text) for pair in homes.items() for text in pair
    ):
        raise Refused(f"{path} is no JSON object of house classes by household")
    return Assignments(*(np.array([pair[part] for pair in sorted(homes.items())], dtype=np.str_) for part in (0, 1)))


def _solution(path: Path) -> Solution:
    return Solution.from_json(_read(path, Path.read_bytes))


def _read(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error


def _target(path: Path) -> Path | None:
    """The file that a path leads to, links followed; None where that is there and is no file, such as a pipe."""
    return None if path.exists() and not path.is_file() else Path(os.path.realpath(path))


def _refuse_unwritable(path: Path) -> None:
    """Before time is spent on what is to be written."""
    with _writing(path):
        target = _target(path)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target is not None:
            with tempfile.TemporaryFile(dir=target.parent):
                pass


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """All of the file or nothing: written beside it, then renamed. What is no file is written to as it is."""
    with _writing(path):
        target = _target(path)
        if target is None:
            with path.open("wb") as file:
                write(file)
            return
        beside = target.with_name(f".{uuid4().hex}")
        try:
            with beside.open("xb") as file:
                write(file)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error


def _write_text(path: Path, text: str) -> None:
    _write(path, lambda file: file.write(f"{text}\n".encode()))


if __name__ == "__main__":
    sys.exit(main())
