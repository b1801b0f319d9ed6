"""How to solve: the order of the stages, the time limit, the seed, the threads."""

from dataclasses import dataclass
from numbers import Real

from solver.objectives import Objective, objectives
from solver.problem import Problem


@dataclass(frozen=True)
class Parameters:
    """stages: what is optimised, first things first: basic terms by their names, or sums of them that later stages may
    undercut (`solver.objectives.Objective`); None is the order of the model (`Problem.stages`).

    threads is an upper limit and never changes the solution. Raises ValueError on wrong kinds and values out of range.
    """

    stages: tuple[str | Objective, ...] | None = None
    time_limit_seconds: float = 60.0
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.time_limit_seconds, Real) or not 0 < self.time_limit_seconds <= 10**6:
            raise ValueError("time_limit_seconds must be more than 0 and at most a million, as a number")
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise ValueError("seed must be an integer from 0 to 2147483647")
        if type(self.threads) is not int or not 1 <= self.threads <= 1024:
            raise ValueError("threads must be an integer from 1 to 1024")
        if self.stages is not None and not self.stages:
            raise ValueError("stages must name at least one stage")
        names = [stage if isinstance(stage, str) else stage.name for stage in self.stages or ()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"stages must not name a stage twice: {', '.join(map(repr, twice))}")

    def stages_of(self, problem: Problem) -> tuple[Objective, ...]:
        """The stages in order. Raises ValueError where one is not a stage of the problem."""
        return objectives(problem.stages if self.stages is None else self.stages, problem)
