"""What the solver reaches on random instances of given sizes: seconds, memory, and what is proven of each stage.

    python -m benchmarks.solver 1000/20 10000/100 [--seeds 1 2 3] [--time-limit 60] [--json FILE]
    python -m benchmarks.solver 300/6 --peers [--peer-seconds 300]        beside general solvers
    python -m benchmarks.solver 1000/20 --family kin scarce --aims        stress, beside the figures wanted

Sizes are households/settlements. Each instance is solved in a process of its own, so that its peak memory is its
own, and its solution is checked. Seconds: on the clock and of the processor; both are of `solve` alone. The floor is
what no solver can do without: to read the columns of the problem, and to evaluate D once, exactly.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import peers
from benchmarks.stress import FAMILIES, Instance
from benchmarks.tables import Table
from benchmarks.wanted import gap_text, judged, time_limit
from solver import Parameters, Problem, Solution, check, solve
from solver.proof import price_bound

UNITS_PER_MB = 1024 * (1024 if sys.platform == "darwin" else 1)  # ru_maxrss is in bytes there, else in KiB


def measure(instance: Instance, parameters: Parameters) -> dict[str, Any]:
    """The figures of one solve."""
    problem = instance.problem()
    clock, before = time.perf_counter(), processor()
    solution = solve(problem, parameters)
    seconds, processor_seconds = time.perf_counter() - clock, processor() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = time.perf_counter()
    violations = check(problem, solution)
    return {
        "instance": str(instance),
        "family": instance.family,
        "households": instance.households,
        "settlements": instance.settlements,
        "seed": instance.seed,
        "size": {
            "households": len(problem.households.id),
            "settlements": len(problem.settlements.id),
            "houses": int(problem.house_classes.count.sum()),
            "kin groups": len(problem.households.kin_groups),
        },
        "status": solution.status.value,
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "check_seconds": time.perf_counter() - clock,
        "phases": dict(solution.statistics.seconds),
        "peak_memory_mb": round(peak / UNITS_PER_MB),
        "breaks": dict(Counter(violation.code for violation in violations)),
        "sha256": solution.sha256,
        "stages": [
            {"name": stage.name, "achieved": stage.achieved, "bound": stage.bound, "proof": stage.proof}
            for stage in solution.stages
        ],
        "floor": floor(problem, solution),
    }


def processor() -> float:
    """Seconds of the processor, those of processes that were started and have ended included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def floor(problem: Problem, solution: Solution) -> dict[str, float | None]:
    """Seconds to read the problem's columns, and to evaluate D once: the median over the stages' certificates."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        problem.to_npz(path)
        clock = time.perf_counter()
        Problem.from_npz(path)
        reading = time.perf_counter() - clock
    housed = np.isin(problem.households.id, solution.assignments.household)
    achieved = {stage.name: stage.achieved for stage in solution.stages}
    evaluating = []
    for stage, certificate in zip(solution.stages, solution.certificate, strict=True):
        clock = time.perf_counter()
        price_bound(problem, certificate, achieved, housed if stage.scope == "housed" else None)
        evaluating.append(time.perf_counter() - clock)
    return {"read_seconds": reading, "bound_seconds": median(evaluating) if evaluating else None}


def measured(instance: Instance, parameters: Parameters, runs: int) -> dict[str, Any]:
    """The figures of an instance: median seconds and their spread, and the largest memory; the rest is of the last."""
    figures = []
    for _ in range(runs):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            figures.append(process.submit(measure, instance, parameters).result())
    seconds = [each["seconds"] for each in figures]
    return figures[-1] | {
        "runs": runs,
        "seconds": median(seconds),
        "fastest_seconds": min(seconds),
        "slowest_seconds": max(seconds),
        "processor_seconds": median(each["processor_seconds"] for each in figures),
        "peak_memory_mb": max(each["peak_memory_mb"] for each in figures),
        "same_bytes": len({each["sha256"] for each in figures}) == 1,
    }


def heading(figures: dict[str, Any]) -> str:
    """What one instance is and took."""
    size = ", ".join(f"{count:,} {what}" for what, count in figures["size"].items())
    return f"{figures['instance']} ({size}): " + ", ".join(
        (
            figures["status"],
            f"{figures['seconds']:.2f} s ({figures['processor_seconds']:.2f} s of processor)",
            f"{figures['peak_memory_mb']:,} MB",
            f"checked in {figures['check_seconds']:.2f} s" + broken(figures["breaks"]),
        )
    )


def broken(breaks: dict[str, int] | None) -> str:
    """The rules that an allocation breaks, and how often."""
    return "".join(f"; BREAKS {code} ({count:,})" for code, count in (breaks or {}).items())


def stage_table(figures: dict[str, Any]) -> Table:
    """What is proven of each stage."""
    table = Table(heading(figures), ("stage", "achieved", "bound", "gap", "gap, %", "proof"))
    for stage in figures["stages"]:
        gap = stage["bound"] - stage["achieved"]
        share = 100 * gap / max(abs(stage["bound"]), 1)
        table.rows.append(
            (stage["name"], f"{stage['achieved']:,}", f"{stage['bound']:,}", f"{gap:,}", f"{share:.3f}", stage["proof"])
        )
    return table


def peer_table(figures: dict[str, Any]) -> Table:
    """The peers beside the solver: time and memory with their ratios to its own, and every stage."""
    solvers = [{"peer": "hearth"} | figures, *figures["peers"]]
    ours = {stage["name"]: stage["achieved"] for stage in figures["stages"]}
    limits = f"{figures['peer_seconds']:g} s and {figures['peer_memory_gb']:g} GB"
    table = Table(f"{figures['instance']}: peers, at most {limits} each", ("", *(each["peer"] for each in solvers)))
    for what, unit in (("seconds", ".2f"), ("peak_memory_mb", ",")):
        ratios = [f"{each[what]:{unit}} ({each[what] / figures[what]:.1f} ×)" for each in solvers]
        table.rows.append((what.replace("peak_memory_mb", "MB"), *ratios))
    table.rows.insert(0, ("status", *(each["status"] + broken(each["breaks"]) for each in solvers)))
    for name in ours:
        stages = [{stage["name"]: stage for stage in each["stages"]} for each in solvers]
        table.rows.append((name, *(peer_cell(each.get(name), ours[name]) for each in stages)))
    return table


def peer_cell(stage: dict[str, Any] | None, ours: int) -> str:
    """'7,680 (-12, gap 158)': achieved, against ours, and what is left to the bound."""
    if stage is None or stage["achieved"] is None:
        return ""
    against = "" if stage["achieved"] == ours else f"{stage['achieved'] - ours:+,}"
    gap = "" if stage["bound"] is None else f"gap {stage['bound'] - stage['achieved']:,}"
    missed = "not reached" if stage.get("status") == "not reached" else ""
    remarks = ", ".join(text for text in (against, gap, missed) if text)
    return f"{stage['achieved']:,}" + (f" ({remarks})" if remarks else "")


def summary(measurements: list[dict[str, Any]]) -> Table:
    """One line an instance; the largest gap is that of the worst stage, per cent of its bound."""
    table = Table(
        "all instances",
        (
            "instance",
            "status",
            "s, median",
            "fastest–slowest",
            "processor, s",
            "MB",
            "worst gap",
            "read .npz, s",
            "D, s",
        ),
    )
    for each in measurements:
        gaps = [(s["bound"] - s["achieved"], max(abs(s["bound"]), 1), s["name"]) for s in each["stages"]]
        gap, bound, stage = max(gaps, key=lambda entry: entry[0] / entry[1], default=(0, 1, ""))
        spread = f"{each['fastest_seconds']:.2f}–{each['slowest_seconds']:.2f}" if each["runs"] > 1 else ""
        once = each["floor"]["bound_seconds"]
        table.rows.append(
            (
                each["instance"],
                each["status"] + broken(each["breaks"]) + ("" if each["same_bytes"] else "; runs differ"),
                f"{each['seconds']:.2f}",
                spread,
                f"{each['processor_seconds']:.2f}",
                f"{each['peak_memory_mb']:,}",
                f"{stage}: {gap_text(bound - gap, bound)}" if gap else "none",
                f"{each['floor']['read_seconds']:.3f}",
                "" if once is None else f"{once:.3f}",
            )
        )
    return table


def aims_table(figures: dict[str, Any]) -> Table:
    """The wanted figures of an instance's size, met or missed."""
    table = Table(f"{figures['instance']}: wanted", ("what", "figure", "must", "", "aim", ""))
    table.rows.extend(judged(figures))
    return table


def size(text: str) -> tuple[int, int]:
    """'1000/20' → households, settlements. Raises ValueError on anything else."""
    households, settlements = text.split("/")
    return int(households), int(settlements)


def arguments(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=size, nargs="+", metavar="HOUSEHOLDS/SETTLEMENTS")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--family", nargs="+", choices=FAMILIES, default=["default"])
    parser.add_argument("--runs", type=int, default=1, help="how often each instance is solved (1)")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="(60, or what the size must keep to)")
    parser.add_argument("--threads", type=int, default=Parameters.threads, help=f"({Parameters.threads})")
    parser.add_argument("--aims", action="store_true", help="compare with the figures wanted")
    parser.add_argument("--peers", nargs="*", choices=peers.PEERS, help="general solvers too; all if none is named")
    parser.add_argument("--peer-seconds", type=float, default=peers.SECONDS, help=f"for each ({peers.SECONDS:g})")
    parser.add_argument("--peer-memory-gb", type=float, default=peers.MEMORY_GB, help=f"for each ({peers.MEMORY_GB:g})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    options = parser.parse_args(given)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if options.peers == []:
        options.peers = peers.PEERS
    return options


def main(given: list[str] | None = None) -> int:
    """Measures every size of every family with every seed. Returns 1 where a solution does not pass the checker."""
    options = arguments(given)
    out = Console(highlight=False, soft_wrap=True)
    measurements: list[dict[str, Any]] = []
    tables: list[Table] = []

    def show(table: Table) -> None:
        tables.append(table)
        out.print(table)

    instances = [
        Instance(family, households, settlements, seed)
        for households, settlements in options.sizes
        for family in options.family
        for seed in options.seeds
    ]
    try:
        for instance in instances:
            limit = options.time_limit or time_limit(instance.households)
            figures = measured(instance, Parameters(time_limit_seconds=limit, threads=options.threads), options.runs)
            measurements.append(figures)
            show(stage_table(figures))
            if options.peers:
                limits = options.peer_seconds, options.peer_memory_gb
                figures["peer_seconds"], figures["peer_memory_gb"] = limits
                figures["peers"] = [peers.run(instance, peer, *limits) for peer in options.peers]
                show(peer_table(figures))
            if options.aims and judged(figures):
                show(aims_table(figures))
        show(summary(measurements))
    finally:  # what hours of measuring gave is kept, whatever ends them
        if options.json is not None:
            options.json.write_text(json.dumps(measurements, indent=1) + "\n", encoding="utf-8")
        if options.markdown is not None:
            options.markdown.write_text("\n".join(table.markdown() for table in tables), encoding="utf-8")
    return 1 if any(figures["breaks"] for figures in measurements) else 0


if __name__ == "__main__":
    sys.exit(main())
