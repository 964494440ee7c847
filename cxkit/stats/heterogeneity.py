"""Do groups differ more than chance makes them: the test before any is singled out, estimates that own up to noise.

Of twenty segments in which nothing differs, one looks different at p < .05. So the question whether segments differ at
all comes first (Cochran's Q), then estimates drawn towards the mean as far as their own noise asks for, and limits for
league tables that allow for groups differing anyway.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cxkit.errors import ParameterError
from cxkit.stats.balance import ChiSquare
from cxkit.stats.inputs import Floats, floats, same_length
from cxkit.stats.intervals import Interval, z_of


@dataclass(frozen=True)
class Heterogeneity:
    """How far the effects of groups differ beyond their own noise."""

    test: ChiSquare  # Cochran's Q: do groups differ at all?
    tau2: float  # variance of true effects (DerSimonian and Laird 1986)
    i2: float  # share of the variance of the estimates that is not noise
    common: Interval  # one effect for all
    average: Interval  # mean of effects that differ


class Shrunken(NamedTuple):
    """Estimates drawn towards their mean, with intervals, and how far each was drawn (0 not at all, 1 all the way)."""

    interval: Interval
    drawn: Floats


@dataclass(frozen=True, eq=False)
class Funnel:
    """A league table with limits that widen for small groups, and for groups that differ anyway."""

    target: float
    z: Floats  # of each group, with the extra variance allowed for
    low: Floats
    high: Floats
    outside: np.typing.NDArray[np.bool_]
    dispersion: float  # mean squared z after the extremes were pulled in; 1 is chance alone
    tau2: float


def group_differences(estimates: ArrayLike, se: ArrayLike, level: float = 0.95) -> Heterogeneity:
    """Whether effects of independent groups differ, and by how much. ParameterError with fewer than two groups."""
    y, v = _groups(estimates, se)
    w = 1 / v
    common = float((w * y).sum() / w.sum())
    q, df = float((w * (y - common) ** 2).sum()), len(y) - 1
    tau2 = _tau2(q, df, w)
    grown = 1 / (v + tau2)
    average = float((grown * y).sum() / grown.sum())
    return Heterogeneity(
        ChiSquare(q, df, float(special.chdtrc(df, q))),
        tau2,
        max(0.0, 1 - df / q) if q > 0 else 0.0,
        _around(common, float(w.sum() ** -0.5), level),
        _around(average, float(grown.sum() ** -0.5), level),
    )


def shrunken(estimates: ArrayLike, se: ArrayLike, tau2: float | None = None, level: float = 0.95) -> Shrunken:
    """Empirical Bayes estimates of the groups' effects (Raudenbush and Bryk 1985); missing groups stay missing.

    `tau2` is DerSimonian and Laird's unless given. Bounds allow for the mean being estimated, as metafor's blup does.
    """
    y, known = floats(estimates), np.isfinite(floats(estimates)) & np.isfinite(floats(se))
    clean, v = _groups(y[known], floats(se)[known])
    tau2 = group_differences(clean, np.sqrt(v)).tau2 if tau2 is None else tau2
    w = 1 / (v + tau2)
    mean, kept = float((w * clean).sum() / w.sum()), tau2 * w
    spread = np.sqrt(kept * v + (1 - kept) ** 2 / w.sum())
    centre, margin, drawn = np.full((3, len(y)), np.nan)
    centre[known], margin[known], drawn[known] = kept * clean + (1 - kept) * mean, z_of(level) * spread, 1 - kept
    return Shrunken(Interval(centre, centre - margin, centre + margin), drawn)


def share_funnel(hits: ArrayLike, n: ArrayLike, level: float = 0.998, pulled_in: float = 0.1) -> Funnel:
    """Shares of groups against the share of all, as Spiegelhalter (2005) draws them.

    The extra variance is estimated with the share `pulled_in` at either end set to the next value (winsorised), so that
    the outliers one looks for do not widen the limits that should find them. What this takes from the variance of
    groups without outliers is put back, which his paper leaves out: without it twice as many would cross the limits.
    """
    top, rows = floats(hits), floats(n)
    same_length(top, rows)
    target = _total(top, rows)
    if (top > rows).any() or not 0 < target < 1:
        raise ParameterError("stats_share", successes=f"{top.sum():g}", n=f"{rows.sum():g}")
    return _funnel(top / rows, np.sqrt(target * (1 - target) / rows), target, level, pulled_in, 1.0)


def rate_funnel(counts: ArrayLike, exposure: ArrayLike, level: float = 0.998, pulled_in: float = 0.1) -> Funnel:
    """Counts per exposure (contacts per agent hour) of groups against the rate of all; see `share_funnel`."""
    top, bottom = floats(counts), floats(exposure)
    same_length(top, bottom)
    target = _total(top, bottom)
    if not target > 0:
        raise ParameterError("stats_count", count=f"{top.sum():g}")
    return _funnel(top / bottom, np.sqrt(target / bottom), target, level, pulled_in, np.inf)


def _funnel(y: Floats, noise: Floats, target: float, level: float, pulled_in: float, most: float) -> Funnel:
    z = (y - target) / noise
    low, high = np.quantile(z, [pulled_in, 1 - pulled_in], method="nearest") if pulled_in > 0 else (z.min(), z.max())
    dispersion = float((np.clip(z, low, high) ** 2).mean()) / _pulled_variance(pulled_in)
    tau2 = _tau2(dispersion * len(z), len(z) - 1, noise**-2)
    grown = np.sqrt(noise**2 + tau2)
    reach = z_of(level) * grown
    bounds = np.maximum(target - reach, 0.0), np.minimum(target + reach, most)
    return Funnel(target, (y - target) / grown, *bounds, np.abs(y - target) > reach, dispersion, tau2)


def _pulled_variance(share: float) -> float:
    """Variance of a standard normal whose extremes were pulled in: what chance alone would leave."""
    if share <= 0:
        return 1.0
    edge = float(special.ndtri(1 - share))
    inside = 1 - 2 * share - 2 * edge * float(np.exp(-(edge**2) / 2) / np.sqrt(2 * np.pi))
    return inside + 2 * share * edge**2


def _tau2(q: float, df: int, w: Floats) -> float:
    """Variance between groups by the method of moments."""
    room = float(w.sum() - (w**2).sum() / w.sum())
    return max(0.0, (q - df) / room) if room > 0 else 0.0


def _around(middle: float, se: float, level: float) -> Interval:
    reach = z_of(level) * se
    return Interval(middle, middle - reach, middle + reach)


def _groups(estimates: ArrayLike, se: ArrayLike) -> tuple[Floats, Floats]:
    """Known estimates with their variances."""
    y, error = floats(estimates), floats(se)
    same_length(y, error)
    known = np.isfinite(y) & np.isfinite(error)
    if known.sum() < 2 or not (error[known] > 0).all():
        raise ParameterError("heterogeneity_groups", n=int((known & (error > 0)).sum()))
    return y[known], error[known] ** 2


def _total(top: Floats, bottom: Floats) -> float:
    if len(top) < 2 or not (bottom > 0).all() or not (top >= 0).all():
        raise ParameterError("heterogeneity_groups", n=int((bottom > 0).sum()))
    return float(top.sum() / bottom.sum())
