"""What the solver reaches on random instances of given sizes: seconds, memory, and what is proven of each stage.

    python -m benchmarks.solver 1000/20 10000/100 [--seeds 1 2 3] [--time-limit 60] [--json FILE]

Sizes are households/settlements. Each instance is solved in a process of its own, so that its peak memory is its
own, and its solution is checked. Seconds: on the clock and of the processor; both are of `solve` alone.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from solver import Parameters, check, solve
from solver.generate import generate

UNITS_PER_MB = 1024 * (1024 if sys.platform == "darwin" else 1)  # ru_maxrss is in bytes there, else in KiB


def measure(households: int, settlements: int, seed: int, time_limit_seconds: float) -> dict[str, Any]:
    """The figures of one instance. Raises ValueError where the solution does not pass the checker."""
    problem = generate(households, settlements, seed)
    clock, processor = time.perf_counter(), time.process_time()
    solution = solve(problem, Parameters(time_limit_seconds=time_limit_seconds))
    seconds, processor_seconds = time.perf_counter() - clock, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = time.perf_counter()
    if violations := check(problem, solution):
        raise ValueError(violations[0].sentence)
    return {
        "households": households,
        "settlements": settlements,
        "seed": seed,
        "status": solution.status.value,
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor_seconds, 2),
        "check_seconds": round(time.perf_counter() - clock, 2),
        "phases": dict(solution.statistics.seconds),
        "peak_memory_mb": round(peak / UNITS_PER_MB),
        "stages": [
            {"name": stage.name, "achieved": stage.achieved, "bound": stage.bound, "proof": stage.proof}
            for stage in solution.stages
        ],
    }


def heading(figures: dict[str, Any]) -> str:
    """What one instance took."""
    return (
        f"{figures['households']:,} households, {figures['settlements']:,} settlements, seed {figures['seed']}: "
        f"{figures['status']}, {figures['seconds']:.1f} s ({figures['processor_seconds']:.1f} s of processor), "
        f"{figures['peak_memory_mb']:,} MB, checked in {figures['check_seconds']:.1f} s"
    )


def table(figures: dict[str, Any]) -> Table:
    """What is proven of each stage."""
    rows = Table("stage")
    for column in ("achieved", "bound", "gap", "gap, %", "proof"):
        rows.add_column(column, justify="right")
    for stage in figures["stages"]:
        gap = stage["bound"] - stage["achieved"]
        share = 100 * gap / max(abs(stage["bound"]), 1)
        rows.add_row(
            stage["name"], f"{stage['achieved']:,}", f"{stage['bound']:,}", f"{gap:,}", f"{share:.3f}", stage["proof"]
        )
    return rows


def size(text: str) -> tuple[int, int]:
    """'1000/20' → households, settlements. Raises ValueError on anything else."""
    households, settlements = text.split("/")
    return int(households), int(settlements)


def main() -> None:
    """Measure every size with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=size, nargs="+", metavar="HOUSEHOLDS/SETTLEMENTS")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--time-limit", type=float, default=Parameters.time_limit_seconds, metavar="SECONDS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    out = Console(highlight=False, soft_wrap=True)
    figures = []
    for households, settlements in options.sizes:
        for seed in options.seeds:
            with multiprocessing.get_context("spawn").Pool(1) as process:
                figures.append(process.apply(measure, (households, settlements, seed, options.time_limit)))
            out.print(heading(figures[-1]), table(figures[-1]))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
