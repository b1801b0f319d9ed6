"""How far a step of an interior point method may go, what brings it back to the central path, and how much of that."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.kernels import fastest_falls

FloatArray = NDArray[np.float64]

TO_BOUNDARY = 0.9995
"""How much of the way to the boundary a step goes at most."""
SPREAD = 5.0
"""Products within this factor of the aim are left as they are."""
SHARES = 9
"""How many shares of a correction are tried."""


class Vectors(NamedTuple):
    """A point, or a step from one: columns and slacks of rows; prices of rows and reduced costs of columns."""

    column: FloatArray
    slack: FloatArray
    price: FloatArray
    reduced: FloatArray

    def mean(self) -> float:
        """Of the products of columns and reduced costs, slacks and prices: 0 at the optimum."""
        products = self.column @ self.reduced + self.slack @ self.price
        return float(products) / (len(self.column) + len(self.slack))

    def moved(self, step: "Vectors", primal: float, dual: float) -> "Vectors":
        """The point after so much of a step of columns and slacks, and of prices and reduced costs."""
        x, s, y, z = self
        dx, ds, dy, dz = step
        return Vectors(x + primal * dx, s + primal * ds, y + dual * dy, z + dual * dz)

    def outlying(self, aim: float) -> tuple[FloatArray, FloatArray]:
        """What brings products nearer to an aim, where they are far from it: of columns, and of slacks."""
        x, s, y, z = self
        return _outlying(x * z, aim), _outlying(s * y, aim)

    def centred(self, scale: float, least: float) -> "Vectors":
        """The same with no product less than `least`: what is too near the boundary stops every step. The smaller of
        two is raised, which changes them least; prices count `scale` times as much."""
        x, s, y, z = self
        (x, z), (s, y) = _raised(x, z, scale, least), _raised(s, y, scale, least)
        return Vectors(x, s, y, z)


def reach(at: Vectors, step: Vectors) -> tuple[float, float]:
    """How far columns and slacks may go, and prices and reduced costs, before one leaves the positive numbers."""
    (primal,), (dual,) = _reaches(at, step, step, np.zeros(1))
    return float(primal), float(dual)


def corrected(at: Vectors, step: Vectors, correction: Vectors, least: float) -> tuple[Vectors, tuple[float, float]]:
    """A step with that share of a correction, from `least` to all of it, by which it reaches furthest: a correction
    counts on a whole step, and misleads a shorter one. And how far that is (Colombo and Gondzio, 2008)."""
    shares = np.linspace(1.0, least, SHARES)
    primal, dual = _reaches(at, step, correction, shares)
    i, j = int(np.argmax(primal)), int(np.argmax(dual))
    return step.moved(correction, shares[i], shares[j]), (float(primal[i]), float(dual[j]))


def _outlying(product: FloatArray, aim: float) -> FloatArray:
    return np.maximum(np.clip(product, aim / SPREAD, aim * SPREAD) - product, -SPREAD * aim)


def _reaches(at: Vectors, step: Vectors, correction: Vectors, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far both may go, with each share of a correction."""
    falls = [fastest_falls(*each, shares) for each in zip(at, step, correction, strict=True)]
    primal, dual = np.maximum(falls[0], falls[1]), np.maximum(falls[2], falls[3])
    return TO_BOUNDARY / np.maximum(primal, TO_BOUNDARY), TO_BOUNDARY / np.maximum(dual, TO_BOUNDARY)


def _raised(v: FloatArray, w: FloatArray, scale: float, least: float) -> tuple[FloatArray, FloatArray]:
    a, b = v / np.sqrt(scale), w * np.sqrt(scale)
    larger = np.maximum(np.maximum(a, b), np.sqrt(least))
    near = a * b < least
    large, small = np.where(near, larger, 0.0), np.where(near, least / larger, 0.0)
    first, second = np.where(a >= b, large, small), np.where(a >= b, small, large)
    return np.maximum(a, first) * np.sqrt(scale), np.maximum(b, second) / np.sqrt(scale)
