"""How far a step of an interior point method may go, and what brings it back to the central path."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

TO_BOUNDARY = 0.9995
"""How much of the way to the boundary a step goes at most."""
SPREAD = 10.0
"""Products within this factor of the aim are left as they are."""


def outlying(product: FloatArray, aim: float) -> FloatArray:
    """What brings products nearer to an aim, where they are far from it."""
    return np.maximum(np.clip(product, aim / SPREAD, aim * SPREAD) - product, -SPREAD * aim)


def reach(v: FloatArray, dv: FloatArray, w: FloatArray, dw: FloatArray) -> float:
    """How far both may go before one leaves the positive numbers."""
    return min(1.0, *(_boundary(part, change) for part, change in ((v, dv), (w, dw))))


def _boundary(v: FloatArray, dv: FloatArray) -> float:
    falling = dv < 0
    return TO_BOUNDARY * float(np.min(-v[falling] / dv[falling], initial=np.inf))
