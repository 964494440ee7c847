"""How to look more than once: bounds that keep the chance of a false alarm when a test is read while it runs.

Looks that are planned (a weekly report) spend the chance bit by bit, as Lan and DeMets (1983) do: whatever the moments
turn out to be, the bounds hold. Looks whenever one likes need an interval that holds at all times at once: the
asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021, arXiv 2103.06476).
"""

import functools
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from cxkit.errors import ParameterError
from cxkit.stats.inputs import Floats, floats, same_length
from cxkit.stats.intervals import Interval, z_of

Spending = Literal["obrien_fleming", "pocock"]
FARTHEST = 8.0  # a bound beyond it is never crossed by chance: 1e-15
_NODES = 96


def spent(shares: ArrayLike, alpha: float = 0.05, spending: Spending = "obrien_fleming", sides: int = 2) -> Floats:
    """How much of `alpha` may be spent by the time each share (0-1) of the information is in.

    O'Brien and Fleming's way keeps nearly all of it for the end; Pocock's spends it evenly.
    """
    t = np.minimum(_shares(shares), 1.0)
    each = alpha / _sides(alpha, sides)
    if spending == "obrien_fleming":
        tail: Floats = 2 * special.ndtr(special.ndtri(each / 2) / np.sqrt(t))
    elif spending == "pocock":
        tail = each * np.log1p((np.e - 1) * t)
    else:
        raise ParameterError("sequential_spending", found=str(spending), known="obrien_fleming, pocock")
    return sides * tail


def spending_bounds(
    shares: ArrayLike, alpha: float = 0.05, spending: Spending = "obrien_fleming", sides: int = 2
) -> Floats:
    """The z that must be passed at each look, when looks come at these shares (0-1) of the planned information.

    Shares rise; a share above 1 counts as 1. The bounds of looks already made do not depend on looks to come.

    >>> spending_bounds([0.2, 0.4, 0.6, 0.8, 1.0]).round(2).tolist()
    [4.88, 3.36, 2.68, 2.29, 2.03]
    """
    return bounds_for(shares, spent(shares, alpha, spending, sides), sides)


def bounds_for(shares: ArrayLike, spent_by_then: ArrayLike, sides: int = 2) -> Floats:
    """The z that must be passed at each look for the false alarms to add up to what may be spent by then."""
    t, total = _shares(shares), floats(spent_by_then)
    same_length(t, total)
    walk = _Walk(sides)
    return np.array([walk.bound(*pair) for pair in zip(t.tolist(), np.diff(total, prepend=0.0).tolist(), strict=True)])


def crossing(shares: ArrayLike, bounds: ArrayLike, drift: float = 0.0, sides: int = 2) -> Floats:
    """Chance of having passed a bound by each look; `drift` is the expected z when all the information is in.

    Passing on the wrong side of a two-sided bound counts as passing; it is rare as soon as there is a drift.
    """
    t, b = _shares(shares), floats(bounds)
    walk = _Walk(sides, drift)
    return np.cumsum([walk.step(float(now), float(bound)) for now, bound in zip(t, b, strict=True)])


def drift_for(power: float, shares: ArrayLike, bounds: ArrayLike, sides: int = 2) -> float:
    """Expected z at the end with which a bound is passed with chance `power`."""
    if not 0 < power < 1:
        raise ParameterError("power_power", power=str(power))
    return float(optimize.brentq(lambda d: crossing(shares, bounds, d, sides)[-1] - power, 0.0, 40.0, xtol=1e-10))


def inflation(
    looks: int, alpha: float = 0.05, power: float = 0.8, spending: Spending = "obrien_fleming", sides: int = 2
) -> float:
    """How many times the rows of a single look must be planned for, when there are `looks` of even size.

    >>> round(inflation(5), 3)
    1.025
    """
    if looks < 1:
        raise ParameterError("sequential_looks", looks=looks)
    return _look_cost(int(looks), float(alpha), float(power), spending, sides)


@functools.lru_cache(maxsize=256)  # a search for the rows of a plan asks for the same cost again and again
def _look_cost(looks: int, alpha: float, power: float, spending: Spending, sides: int) -> float:
    shares = np.arange(1, looks + 1) / looks
    bounds = spending_bounds(shares, alpha, spending, sides)
    single = float(special.ndtri(1 - alpha / sides))
    return (drift_for(power, shares, bounds, sides) / drift_for(power, [1.0], [single], sides)) ** 2


def sequence_interval(
    estimate: ArrayLike, se: ArrayLike, n: ArrayLike, tuned_for: float, alpha: float = 0.05
) -> Interval:
    """Estimate with bounds that hold at every look at once, however many and whenever.

    `n` rows are in; the bounds are tightest when about `tuned_for` rows are in, to be chosen before the first look.
    """
    middle, error, rows = floats(estimate), floats(se), floats(n)
    margin = error * sequence_quantile(rows, tuned_for, alpha)
    if np.ndim(margin) == 0:
        return Interval(float(middle), float(middle - margin), float(middle + margin))
    return Interval(middle, middle - margin, middle + margin)


def sequence_quantile(n: ArrayLike, tuned_for: float, alpha: float = 0.05) -> Floats:
    """How many standard errors the bounds that always hold lie from the estimate (eq. 9 of arXiv 2103.06476v7)."""
    grown = _grown(n, tuned_for, alpha)
    wide: Floats = np.sqrt(2 * grown / (grown - 1) * np.log(np.sqrt(grown) / alpha))
    return wide


def sequence_p(estimate: ArrayLike, se: ArrayLike, n: ArrayLike, tuned_for: float, alpha: float = 0.05) -> Any:
    """A p that may be read at every look: below `alpha` just where `sequence_interval` leaves 0 out."""
    grown, z = _grown(n, tuned_for, alpha), floats(estimate) / floats(se)
    p = np.minimum(np.sqrt(grown) * np.exp(-0.5 * z**2 * (grown - 1) / grown), 1.0)
    return float(p) if np.ndim(p) == 0 else p


def _grown(n: ArrayLike, tuned_for: float, alpha: float) -> Floats:
    """1 + n rho^2, with rho by eq. 161 for the number of rows it is tuned for."""
    _sides(alpha, 1)
    rows = floats(n)
    if not tuned_for > 0 or np.any(rows <= 0):
        raise ParameterError("sequential_rows", n=f"{min(float(rows.min()), float(tuned_for)):g}")
    twice = -2 * np.log(alpha)
    return np.asarray(1 + rows * (twice + np.log1p(twice)) / tuned_for, dtype=np.float64)


class _Walk:
    """The score at each look among runs that have passed no bound so far, on Gauss-Legendre nodes.

    Armitage, McPherson and Rowe (1969): the score grows by independent normal steps, one for the information that came
    in between.
    """

    def __init__(self, sides: int, drift: float = 0.0) -> None:
        self.sides, self.drift, self.time = sides, drift, 0.0
        self.at, self.mass = np.zeros(1), np.ones(1)
        self.nodes, self.weights = np.polynomial.legendre.leggauss(_NODES)

    def passing(self, now: float, bound: float) -> float:
        """Chance of passing `bound` at information `now`, and none before."""
        step = np.sqrt(now - self.time)
        reach, mean = bound * np.sqrt(now), self.at + self.drift * (now - self.time)
        above = special.ndtr((mean - reach) / step)
        below = special.ndtr((-reach - mean) / step) if self.sides == 2 else 0.0
        return float(self.mass @ (above + below))

    def bound(self, now: float, chance: float) -> float:
        """The z that is passed with just this chance; the walk then goes on within it."""
        if self.passing(now, FARTHEST) >= chance:
            found = FARTHEST
        else:
            found = float(optimize.brentq(lambda z: self.passing(now, z) - chance, -FARTHEST, FARTHEST, xtol=1e-12))
        self.step(now, found)
        return found

    def step(self, now: float, bound: float) -> float:
        """Chance of passing at this look; the walk goes on with the runs that did not."""
        chance = self.passing(now, bound)
        step = float(np.sqrt(now - self.time))
        mean = self.at + self.drift * (now - self.time)
        high = bound * np.sqrt(now)
        low = -high if self.sides == 2 else -np.inf
        reached = (float(mean.min()) - 9 * step, float(mean.max()) + 9 * step)
        at, weight = self._spread_out(max(low, reached[0]), min(high, reached[1]), step)
        density = np.exp(-0.5 * ((at[:, None] - mean) / step) ** 2) / (step * np.sqrt(2 * np.pi))
        self.mass = weight * (density @ self.mass)
        self.at, self.time = at, now
        return chance

    def _spread_out(self, low: float, high: float, step: float) -> tuple[Floats, Floats]:
        """Nodes and weights from `low` to `high`, in stretches that no step of the walk outruns."""
        parts = max(1, int(np.ceil((high - low) / (24 * step))))
        edges = np.linspace(low, high, parts + 1)
        half = np.diff(edges)[:, None] / 2
        at: Floats = (edges[:-1, None] + half * (1 + self.nodes)).ravel()
        weight: Floats = (half * self.weights).ravel()
        return at, weight


def _shares(shares: ArrayLike) -> Floats:
    t = np.atleast_1d(floats(shares))
    if not t.size or not (t > 0).all() or not (np.diff(t) > 0).all():
        raise ParameterError("sequential_shares")
    return t


def _sides(alpha: float, sides: int) -> int:
    if sides not in (1, 2):
        raise ParameterError("sequential_sides", sides=str(sides))
    z_of(1 - alpha)
    return sides
