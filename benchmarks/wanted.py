"""The figures that the solver is wanted to reach: what it must, and what is aimed at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Gap:
    """The largest bound − achieved: so many, or so many per cent of the bound, whichever is more."""

    percent: float = 0.0
    absolute: int = 0

    def holds(self, achieved: int, bound: int) -> bool:
        """Whether a stage is within it."""
        return bound - achieved <= max(self.absolute, self.percent / 100 * abs(bound))

    def __str__(self) -> str:
        return f"≤ {self.percent:g} %" if self.percent else f"≤ {self.absolute}"


@dataclass(frozen=True)
class Wanted:
    """Limits of one size. gaps: by stage; "tier" is for the tiers that are not named."""

    seconds: float
    memory_mb: int | None = None
    gaps: Mapping[str, Gap] = field(default_factory=dict)

    def gap(self, stage: str) -> Gap | None:
        """The limit of a stage, if it has one."""
        return self.gaps.get(stage, self.gaps.get("tier") if stage.startswith("tier ") else None)


EXACT = {"tier": Gap(), "points": Gap(), "value": Gap()}
WANTED: dict[tuple[int, int], tuple[Wanted, Wanted]] = {
    (1_000, 20): (Wanted(8, gaps=EXACT), Wanted(2, gaps=EXACT)),
    (10_000, 100): (
        Wanted(60, gaps=EXACT | {"tier 3": Gap(0.5), "tier 4": Gap(0.5), "points": Gap(1), "value": Gap(0.3)}),
        Wanted(20, gaps={"tier": Gap(absolute=3), "points": Gap(0.1), "value": Gap(0.1)}),
    ),
    (100_000, 200): (
        Wanted(360, 1_024, {"tier": Gap(0.2), "tier 4": Gap(1), "points": Gap(2), "value": Gap(1)}),
        Wanted(90, None, {"tier": Gap(0.02), "points": Gap(0.2), "value": Gap(0.2)}),
    ),
    (1_000_000, 200): (
        Wanted(1_200, 4_096),
        Wanted(360, 2_048, {"tier": Gap(0.1), "value": Gap(0.5)}),
    ),
}
"""By households and settlements: must, aim."""


LEAST = 60.0
"""Seconds that every size is given: of a shorter time limit the solver keeps most back, should it not suffice for a
proof, and would be stopped when it is near."""


def time_limit(households: int) -> float:
    """Seconds that a size is given: what the next larger one with wanted figures must keep to, or LEAST."""
    limits = [must.seconds for (most, _), (must, _) in WANTED.items() if households <= most]
    return max(limits[0], LEAST) if limits else max(must.seconds for must, _ in WANTED.values())


Row = tuple[str, str, str, str, str, str]
"""What, its figure, what it must be, whether it is, what is aimed at, whether it is that."""


def judged(figures: Mapping[str, Any]) -> list[Row]:
    """Every wanted figure of an instance that `benchmarks.solver` measured; none for a size without wanted figures."""
    if (figures["households"], figures["settlements"]) not in WANTED:
        return []
    must, aim = WANTED[figures["households"], figures["settlements"]]
    seconds, memory = figures["seconds"], figures["peak_memory_mb"]

    def limited(what: str, figure: float, unit: str, most: tuple[float | None, float | None]) -> Row:
        texts = ["" if each is None else f"≤ {each:,.0f} {unit}" for each in most]
        met = [_met(None if each is None else figure <= each) for each in most]
        return what, f"{figure:,.1f} {unit}", texts[0], met[0], texts[1], met[1]

    rows = [
        limited("time", seconds, "s", (must.seconds, aim.seconds)),
        limited("memory", memory, "MB", (must.memory_mb, aim.memory_mb)),
        ("checked", "no" if figures["breaks"] else "yes", "yes", _met(not figures["breaks"]), "", ""),
    ]
    for stage in figures["stages"]:
        name, achieved, bound = stage["name"], stage["achieved"], stage["bound"]
        gaps = must.gap(name), aim.gap(name)
        texts = ["" if gap is None else str(gap) for gap in gaps]
        met = [_met(None if gap is None else gap.holds(achieved, bound)) for gap in gaps]
        rows.append((name, gap_text(achieved, bound), texts[0], met[0], texts[1], met[1]))
    return rows


def gap_text(achieved: int, bound: int) -> str:
    """How far below its bound a stage stayed, and per cent of the bound."""
    gap = bound - achieved
    return f"{gap:,} ({100 * gap / max(abs(bound), 1):.3f} %)"


def _met(holds: bool | None) -> str:
    return "" if holds is None else "met" if holds else "missed"
