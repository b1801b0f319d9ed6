"""Allocation of house classes to households: a problem in, a proven solution out."""

from solver.parameters import Parameters
from solver.problem import InvalidProblem, Problem
from solver.progress import Cancelled, Progress
from solver.solution import InvalidSolution, Solution, Status

__all__ = [
    "Cancelled",
    "InvalidProblem",
    "InvalidSolution",
    "Parameters",
    "Problem",
    "Progress",
    "Solution",
    "Status",
]
