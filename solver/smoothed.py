"""Prices where there are thousands of settlements: the dual, smoothed by a softmax, by L-BFGS.

The dense system of `solver.interior` grows with the square of the settlements; here an iteration takes as long as a
pass over the columns. A key picks among the supplies that serve it, a hub among its ways and a unit among its
placements, each by a softmax, whose temperature falls step by step. What they pick is the gradient, and a relaxation
that keeps to the scarce rows nearly.
"""

from collections.abc import Sequence

import numpy as np
import scipy.optimize
import scipy.sparse

from solver.central_path import Vectors
from solver.interior import MULTIPLIER, FloatArray, Interior, Iterate, Relaxed
from solver.progress import Deadline
from solver.tables import IntArray

MOST_DENSE = 8_000
"""Past so many rows the dense system of an `Interior` takes longer than this."""
TEMPERATURES = (0.03, 0.003, 0.0003)
"""Relative to what a unit weighs on average."""
MOST_STEPS = 300
"""Steps at each temperature."""
MEMORY = 20
"""Steps that L-BFGS remembers."""


def relaxations(interior: Interior) -> "Interior | Smoothed":
    """The faster of the two ways to relax the stages of a network."""
    return Smoothed(interior) if len(interior.kept) > MOST_DENSE else interior


class Smoothed:
    """The relaxations of an `Interior`'s network, by prices of what is scarce: classes, unreserved parts, services."""

    def __init__(self, interior: Interior) -> None:
        self.interior, network = interior, interior.network
        service = interior.kept >= interior.first_service
        key = (interior.kept >= interior.first_key) & ~service
        self.scarce = scipy.sparse.vstack([interior.of_classes, interior.dense[service]]).tocsr()
        self.scarce_back = self.scarce.T.tocsr()
        self.most = np.concatenate([interior.most_of_classes, interior.most[service]])
        self.key_rows = interior.kept[key] - interior.first_key
        self.seats = interior.dense[key][:, : interior.supply_first].tocsr()
        self.seats_back = self.seats.T.tocsr()
        self.of_key = _Choice(network.supply_key, network.settlements * network.needs)
        self.of_hub = _Choice(network.way_hub, network.hubs)
        self.of_unit = _Choice(interior.unit, network.units)

    def maximise(
        self, weights: FloatArray, rows: Sequence[tuple[FloatArray, int]], start: Iterate | None, deadline: Deadline
    ) -> Relaxed:
        """As `Interior.maximise`; the columns keep to the rows only nearly."""
        unit = np.abs(weights[: self.interior.unit_columns])
        scale = float(unit[unit > 0].mean()) if unit.any() else 1.0
        stage = _Stage(self, weights / scale, rows)
        price = np.zeros(len(self.most) + len(rows))
        if start is not None:
            price[: len(start.at.price)] = start.at.price / scale
            price[len(start.at.price) :] = 1.0 / scale
        most = np.full(len(price), np.inf)
        most[len(self.most) :] = MULTIPLIER * float(unit.max(initial=1.0)) / scale
        best, least = price, stage.dual(price)

        def heard(_: FloatArray) -> None:
            if deadline.passed():
                raise StopIteration

        for temperature in TEMPERATURES:
            price = scipy.optimize.minimize(  # type: ignore[call-overload]  # its stubs want arrays of known shape
                stage.smoothed,
                price,
                (temperature,),
                "L-BFGS-B",
                jac=True,
                bounds=scipy.optimize.Bounds(np.zeros(len(price)), most),
                callback=heard,
                options={"maxiter": MOST_STEPS, "maxcor": MEMORY},
            ).x
            dual = stage.dual(price)
            if dual < least:
                best, least = price, dual
            if deadline.passed():
                break
        return stage.relaxed(best, price, scale)


class _Choice:
    """Options of those who pick one, ascending by who picks."""

    def __init__(self, chooser: IntArray, count: int) -> None:
        begins = np.diff(chooser, prepend=-1) != 0
        self.first, self.chooser, self.count = np.flatnonzero(begins), chooser, count

    def best(self, gain: FloatArray, refusal: float) -> FloatArray:
        """The best of each [count], a refusal if that is better."""
        best = np.full(self.count, refusal)
        if len(gain):
            best[self.chooser[self.first]] = np.maximum(np.maximum.reduceat(gain, self.first), refusal)
        return best

    def soft(self, gain: FloatArray, refusal: float, temperature: float) -> tuple[FloatArray, FloatArray]:
        """The smoothed best of each [count], and the share of each option."""
        best = self.best(gain, refusal)
        finite = np.where(np.isfinite(best), best, 0.0)
        share = np.exp((gain - finite[self.chooser]) / temperature)
        total = np.bincount(self.chooser, share, self.count) + np.exp((refusal - finite) / temperature)
        share /= np.where(total > 0, total, 1.0)[self.chooser]
        with np.errstate(divide="ignore"):
            worth: FloatArray = finite + temperature * np.log(total)
        return worth, share


class _Stage:
    """One stage: its dual by prices of the scarce rows, then of the rows of earlier stages."""

    def __init__(self, of: Smoothed, weights: FloatArray, rows: Sequence[tuple[FloatArray, int]]) -> None:
        self.of, self.weights = of, weights
        self.rows = np.array([row for row, _ in rows]).reshape(len(rows), len(weights))
        self.least = np.array([float(least) for _, least in rows])

    def _gains(self, price: FloatArray) -> FloatArray:
        """What every column gives, scarce rows paid."""
        scarce = len(self.of.most)
        gains: FloatArray = self.weights + price[scarce:] @ self.rows - self.of.scarce_back @ price[:scarce]
        return gains

    def _paid(self, price: FloatArray) -> float:
        scarce = len(self.of.most)
        return float(self.of.most @ price[:scarce] - self.least @ price[scarce:])

    def smoothed(self, price: FloatArray, temperature: float) -> tuple[float, FloatArray]:
        """The smoothed dual and its gradient."""
        worth, column = self._picks(price, temperature)
        gradient = np.concatenate([self.of.most - self.of.scarce @ column, self.rows @ column - self.least])
        return worth + self._paid(price), gradient

    def _picks(self, price: FloatArray, temperature: float) -> tuple[float, FloatArray]:
        of, interior = self.of, self.of.interior
        gain = self._gains(price)
        supplies = interior.supply_first
        key, of_supply = of.of_key.soft(gain[supplies:], -np.inf, temperature)
        gain = gain[:supplies] + of.seats_back @ key[of.key_rows]
        hub, of_way = of.of_hub.soft(gain[interior.unit_columns :], -np.inf, temperature)
        gain[interior.entry] += hub[interior.network.hub_of[interior.entering]]
        worth, of_unit = of.of_unit.soft(gain[: interior.unit_columns], 0.0, temperature)
        entering = np.bincount(
            interior.network.hub_of[interior.entering], of_unit[interior.entry], interior.network.hubs
        )
        flow = np.concatenate([of_unit, of_way * entering[interior.network.way_hub]])
        seats = np.zeros(len(key))
        seats[of.key_rows] = of.seats @ flow
        return float(worth.sum()), np.concatenate([flow, of_supply * seats[interior.network.supply_key]])

    def _exact(self, price: FloatArray) -> tuple[FloatArray, float]:
        """What a key costs, and the best of all units."""
        of, interior = self.of, self.of.interior
        gain = self._gains(price)
        key = of.of_key.best(gain[interior.supply_first :], -np.inf)
        gain = gain[: interior.supply_first] + of.seats_back @ key[of.key_rows]
        hub = of.of_hub.best(gain[interior.unit_columns :], -np.inf)
        gain[interior.entry] += hub[interior.network.hub_of[interior.entering]]
        return -key, float(of.of_unit.best(gain[: interior.unit_columns], 0.0).sum())

    def dual(self, price: FloatArray) -> float:
        return self._exact(price)[1] + self._paid(price)

    def relaxed(self, price: FloatArray, last: FloatArray, scale: float) -> Relaxed:
        """By the prices of the least dual; the next stage goes on from the last ones."""
        of, interior, network = self.of, self.of.interior, self.of.interior.network
        scarce = len(of.most)
        key, _ = self._exact(price)
        _, column = self._picks(price, TEMPERATURES[-1])
        classes = (price[: interior.of_classes.shape[0]] * scale).reshape(-1, 2)
        service = np.zeros(network.places.size)
        service[interior.kept[interior.kept >= interior.first_service] - interior.first_service] = (
            price[interior.of_classes.shape[0] : scarce] * scale
        )
        nothing = np.zeros(0)
        return Relaxed(
            column=column,
            house_class=classes[:, 0],
            unreserved=classes[:, 1],
            service=service.reshape(network.places.shape),
            key=np.where(np.isfinite(key), key, 0.0) * scale,
            multipliers=price[scarce:] * scale,
            near=Iterate(Vectors(nothing, nothing, last * scale, nothing), len(price) - scarce),
        )
