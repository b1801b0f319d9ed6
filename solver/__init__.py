"""Allocation of house classes to households: a problem in, a proven solution out."""

from solver.checker import check
from solver.explain import explain
from solver.objectives import Objective
from solver.parameters import Parameters
from solver.problem import InvalidProblem, Problem
from solver.progress import Cancelled, Progress
from solver.solution import InvalidSolution, Solution, Status
from solver.solve import solve

__all__ = [
    "Cancelled",
    "InvalidProblem",
    "InvalidSolution",
    "Objective",
    "Parameters",
    "Problem",
    "Progress",
    "Solution",
    "Status",
    "check",
    "explain",
    "solve",
]
