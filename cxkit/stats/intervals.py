"""How sure may we be of a share, a net score, a mean or a count: each function returns an estimate with its bounds.

All functions take single numbers or arrays of one shape and answer in kind.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from cxkit.errors import ParameterError

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate with the bounds of its confidence interval: three floats, or three arrays of one shape."""

    estimate: Any
    low: Any
    high: Any


def z_of(level: float) -> float:
    """Normal quantile of a two-sided confidence level, 1.959964 for .95; ParameterError outside (0, 1)."""
    if not 0 < level < 1:
        raise ParameterError("stats_level", level=str(level))
    return float(special.ndtri((1 + level) / 2))


def wilson(successes: ArrayLike, n: ArrayLike, level: float = 0.95) -> Interval:
    """Share (0-1) with the score interval of Wilson (1927), which never leaves 0 to 1.

    `n` = 0 says nothing: estimate NaN, bounds 0 and 1. More successes than `n` raise ParameterError.

    >>> [round(100 * float(x), 2) for x in wilson(27, 30)]
    [90.0, 74.38, 96.54]
    """
    hits, total = _floats(successes), _floats(n)
    if np.any(hits < 0) or np.any(hits > total):
        raise ParameterError("stats_share", successes=_shown(hits), n=_shown(total))
    z2 = z_of(level) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hits / total
        spread = np.sqrt(z2 * (hits * (total - hits) / total + z2 / 4))
    centre, width = hits + z2 / 2, total + z2
    spread = np.where(total > 0, spread, z2 / 2)
    # the closed form leaves rounding dust at 0 and n, where the bound is exactly 0 or 1
    low = np.where(hits == 0, 0.0, (centre - spread) / width)
    high = np.where(hits == total, 1.0, (centre + spread) / width)
    return _in_kind(share, low, high)


def net_wald(promoters: ArrayLike, passives: ArrayLike, detractors: ArrayLike, level: float = 0.95) -> Interval:
    """Net score (-1 to 1) with the plain Wald interval, which small groups push past 1: shown only for comparison."""
    up, down, total = _net_counts(promoters, passives, detractors)
    net, margin = _net_margin(up, down, total, level)
    return _in_kind(net, net - margin, net + margin)


def net_adjusted_wald(
    promoters: ArrayLike, passives: ArrayLike, detractors: ArrayLike, level: float = 0.95
) -> Interval:
    """Net score (-1 to 1): the plain estimate with the adjusted Wald interval of Rocks (2016, arXiv 1601.07235).

    Three answers are added before the interval is made: 3/4 promoter, 3/2 passive, 3/4 detractor; bounds are cut at
    -1 and 1. Without answers: estimate NaN, bounds -1 and 1.

    >>> [round(100 * float(x), 2) for x in net_adjusted_wald(50, 30, 20)]
    [30.0, 14.05, 44.2]
    """
    up, down, total = _net_counts(promoters, passives, detractors)
    with np.errstate(divide="ignore", invalid="ignore"):
        net = (up - down) / total
    centre, margin = _net_margin(up + 0.75, down + 0.75, total + 3, level)
    low, high = np.maximum(centre - margin, -1.0), np.minimum(centre + margin, 1.0)
    return _in_kind(net, np.where(total > 0, low, -1.0), np.where(total > 0, high, 1.0))


def mean_interval(
    values: ArrayLike,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    scale: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Mean of `values`, each standing for `weights` answers, with Student's t interval cut to the ends of the scale.

    Missing values count for nothing. When all answers are equal, t would claim certainty: on a bounded scale the
    bounds then allow for the share of other answers that Wilson's interval of 0 in n allows, all at the far end.
    """
    value, weight = _rows(values, weights)
    n, (lowest, highest) = weight.sum(), scale
    if n == 0:
        return Interval(float("nan"), lowest, highest)
    mean = float((weight * value).sum() / n)
    spread = float((weight * (value - mean) ** 2).sum())
    if n < 2 or spread <= 1e-12 * max(1.0, mean**2) * n:
        unseen = float(wilson(0, n, level).high) if n >= 2 and np.isfinite(highest - lowest) else 1.0
        return Interval(mean, _towards(mean, lowest, unseen), _towards(mean, highest, unseen))
    z_of(level)  # refuses an impossible level
    margin = float(special.stdtrit(n - 1, (1 + level) / 2)) * float(np.sqrt(spread / (n - 1) / n))
    return Interval(mean, max(mean - margin, lowest), min(mean + margin, highest))


def ratio_interval(
    n: ArrayLike,
    top: ArrayLike,
    bottom: ArrayLike,
    squares: tuple[ArrayLike, ArrayLike, ArrayLike],
    level: float = 0.95,
    scale: tuple[ArrayLike, ArrayLike] = (-np.inf, np.inf),
) -> Interval:
    """Sum over sum with Student's t interval of the delta method, from sums alone, cut to the ends of the scale.

    `n` rows add up to `top` over `bottom`; `squares` are the sums of their squared tops, of top times bottom, and of
    their squared bottoms. With a bottom of 1 in each row it is the mean, with the interval of `mean_interval`, also
    where all rows are equal. Without rows, or where the bottom adds up to nothing: estimate NaN, bounds the scale's.

    >>> [round(float(x), 3) for x in ratio_interval(3, 12, 3, (56, 12, 3))]  # 2, 4 and 6
    [4.0, -0.968, 8.968]
    """
    rows, up, down = np.broadcast_arrays(_floats(n), _floats(top), _floats(bottom))
    upper2, both, lower2 = (_floats(square) for square in squares)
    lowest, highest = (np.broadcast_to(_floats(end), rows.shape) for end in scale)
    z_of(level)  # refuses an impossible level
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((rows > 0) & (down != 0), up / down, np.nan)
        spread = np.maximum(upper2 - 2 * ratio * both + ratio**2 * lower2, 0.0)
        margin = special.stdtrit(rows - 1, (1 + level) / 2) * np.sqrt(spread * rows / (rows - 1)) / np.abs(down)
    equal = (rows < 2) | ~(spread > 1e-12 * (upper2 + np.nan_to_num(ratio) ** 2 * lower2))  # but for rounding dust
    unseen = np.where((rows >= 2) & np.isfinite(highest - lowest), wilson(np.zeros_like(rows), rows, level).high, 1.0)
    known = ~np.isnan(ratio)
    low = np.where(equal, np.where(known, _towards_each(ratio, lowest, unseen), lowest), ratio - margin)
    high = np.where(equal, np.where(known, _towards_each(ratio, highest, unseen), highest), ratio + margin)
    return _in_kind(ratio, np.maximum(low, lowest), np.minimum(high, highest))


def count_interval(count: ArrayLike, level: float = 0.95) -> Interval:
    """Number of events with the exact Poisson interval of Garwood (1936).

    It describes independent arrivals; arrivals that come in bursts spread wider (statistics of change use
    day-to-day spread instead).

    >>> [round(float(x), 3) for x in count_interval(10)]
    [10.0, 4.795, 18.39]
    """
    k = _floats(count)
    if np.any(k < 0):
        raise ParameterError("stats_count", count=_shown(k))
    tail = (1 - level) / 2
    z_of(level)
    low = np.where(k > 0, special.gammaincinv(np.maximum(k, 1e-300), tail), 0.0)
    return _in_kind(k, low, _floats(special.gammaincinv(k + 1, 1 - tail)))


def _net_counts(promoters: ArrayLike, passives: ArrayLike, detractors: ArrayLike) -> tuple[Floats, Floats, Floats]:
    up, middle, down = _floats(promoters), _floats(passives), _floats(detractors)
    if np.any(up < 0) or np.any(middle < 0) or np.any(down < 0):
        raise ParameterError("stats_count", count=_shown(np.minimum(np.minimum(up, middle), down)))
    return up, down, up + middle + down


def _net_margin(up: Floats, down: Floats, total: Floats, level: float) -> tuple[Floats, Floats]:
    """Net share and the half-width z * sqrt(((P + D) - (P - D)^2) / n)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p, d = up / total, down / total
        return p - d, z_of(level) * np.sqrt(np.maximum(p + d - (p - d) ** 2, 0.0) / total)


def _rows(values: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    value = np.atleast_1d(_floats(values))
    weight = np.ones_like(value) if weights is None else np.atleast_1d(_floats(weights))
    known = ~np.isnan(value) & (weight > 0)
    return value[known], weight[known]


def _towards(mean: float, end: float, share: float) -> float:
    return mean + share * (end - mean) if np.isfinite(end) else end


def _towards_each(mean: Floats, end: Floats, share: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(end), mean + share * (end - mean), end)


def _floats(x: ArrayLike) -> Floats:
    return np.asarray(x, dtype=np.float64)


def _in_kind(estimate: Floats, low: Floats, high: Floats) -> Interval:
    """Floats for single numbers, arrays for arrays."""
    if np.ndim(estimate) == 0:
        return Interval(float(estimate), float(low), float(high))
    return Interval(estimate, low, high)


def _shown(x: Floats) -> str:
    """A count for a message; of an array, its first elements."""
    flat = np.atleast_1d(x).ravel()
    return ", ".join(f"{v:g}" for v in flat[:3]) + (", ..." if flat.size > 3 else "")
