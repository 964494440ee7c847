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
    average: Interval  # mean of effects that differ (Hartung and Knapp 2001; Sidik and Jonkman 2002)


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
    """Whether effects of independent groups differ, and by how much. ParameterError with fewer than two groups.

    The interval of the average is Hartung and Knapp's, never narrower than if the variance between groups were known
    (Roever, Knapp and Friede 2015): with three to twelve groups the normal one holds the truth in 81 to 91 %.
    """
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
        _around(average, _mean_error(y - average, grown), level, df),
    )


def shrunken(estimates: ArrayLike, se: ArrayLike, tau2: float | None = None, level: float = 0.95) -> Shrunken:
    """Empirical Bayes estimates of the groups' effects (Raudenbush and Bryk 1985); missing groups stay missing.

    Bounds allow for the mean being estimated, as metafor's blup does. Without a `tau2` it is DerSimonian and Laird's,
    and bounds allow for that, too (Kass and Steffey 1989), by Student's t: otherwise where it comes out as nothing by
    chance, all groups would be taken for alike.
    """
    y, known = floats(estimates), np.isfinite(floats(estimates)) & np.isfinite(floats(se))
    clean, v = _groups(y[known], floats(se)[known])
    given = tau2 is not None
    between = group_differences(clean, np.sqrt(v)).tau2 if tau2 is None else tau2
    w = 1 / (v + between)
    mean, kept = float((w * clean).sum() / w.sum()), between * w
    variance = kept * v + (1 - kept) ** 2 / w.sum()
    if not given:  # how far it moves the estimate, squared, times the variance of a variance
        variance = variance + (w**2 * v * (clean - mean)) ** 2 * 2 / (w**2).sum()
    reach = z_of(level) if given else _t_of(level, len(clean) - 1)
    centre, margin, drawn = np.full((3, len(y)), np.nan)
    centre[known], margin[known], drawn[known] = kept * clean + (1 - kept) * mean, reach * np.sqrt(variance), 1 - kept
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


def _mean_error(off: Floats, w: Floats) -> float:
    """Error of a weighted mean from how far the groups lie from it."""
    seen = float((w * off**2).sum()) / (len(w) - 1)
    return float(np.sqrt(max(seen, 1.0) / w.sum()))


def _around(middle: float, se: float, level: float, df: float = np.inf) -> Interval:
    reach = _t_of(level, df) * se
    return Interval(middle, middle - reach, middle + reach)


def _t_of(level: float, df: float) -> float:
    return z_of(level) if np.isinf(df) else float(special.stdtrit(df, (1 + level) / 2))


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
