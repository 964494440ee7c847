"""Are two sides fit to be compared: their sizes, their mix, how long they were watched, their calendar, their clusters.

Each check returns a number of its own kind with a p where chance is a rival explanation. With a million rows every
p is small, so sizes of differences stand beside.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from cxkit.errors import ParameterError
from cxkit.stats.inputs import Floats, codes, floats, lines, same_length
from cxkit.stats.intervals import z_of
from cxkit.stats.survival import kaplan_meier

SAMPLE_RATIO_ALARM = 0.001
SKEWED = 0.2  # Cochran (1977, section 2.15): n > 25 G^2, that is G / sqrt(n) < 0.2


class ChiSquare(NamedTuple):
    """Pearson's statistic with its degrees of freedom and p; both 0 and p 1 where nothing can differ."""

    statistic: float
    df: int
    p: float


class Association(NamedTuple):
    """How far rows of a table differ in their mix."""

    test: ChiSquare
    cramers_v: float  # 0 (same mix) to 1; .1, .3 and .5 are called small, medium and large (Cohen 1988)
    moved: float  # largest share of a row that would have to be of another kind to have the mix of all


@dataclass(frozen=True)
class Likeness:
    """How much rows of one cluster resemble each other."""

    icc: float  # intraclass correlation; at or below 0 means no more alike than any
    low: float
    high: float
    clusters: int
    rows: int
    typical: float  # the size that stands for unequal clusters
    p: float  # of the F test that clusters do not differ


class FollowUp(NamedTuple):
    """How long each of two sides was watched, and how much of it is still open."""

    open_shares: tuple[float, float]
    difference: ChiSquare
    watched: tuple[float, float]  # median time each side was, or could have been, watched
    horizon: float  # the longest time that both sides can be judged at


def sample_ratio(counts: ArrayLike, shares: ArrayLike | None = None) -> ChiSquare:
    """Whether groups have the sizes they were meant to have: even ones, or `shares`. Below p .001 something is broken.

    >>> sample_ratio([100_000, 99_000]).p < SAMPLE_RATIO_ALARM
    False
    """
    found = _counts(counts)
    meant = np.full(len(found), 1 / len(found)) if shares is None else floats(shares) / floats(shares).sum()
    same_length(found, meant)
    expected = found.sum() * meant
    return _pearson(found, expected, len(found) - 1)


def association(table: ArrayLike) -> Association:
    """How far the rows of a table of counts (periods) differ in their mix over its columns (topics, channels)."""
    found = _counts(table)
    if found.ndim != 2:
        raise ParameterError("balance_table")
    found = found[found.sum(axis=1) > 0][:, found.sum(axis=0) > 0]
    n = found.sum()
    if min(found.shape) < 2:
        return Association(ChiSquare(0.0, 0, 1.0), 0.0, 0.0)
    sizes, mix = found.sum(axis=1, keepdims=True), found.sum(axis=0) / n
    test = _pearson(found, sizes * mix, (found.shape[0] - 1) * (found.shape[1] - 1))
    moved = float((np.abs(found / sizes - mix).sum(axis=1) / 2).max())
    return Association(test, float(np.sqrt(test.statistic / (n * (min(found.shape) - 1)))), moved)


def calendar_imbalance(kinds_a: ArrayLike, kinds_b: ArrayLike) -> float:
    """Share (0-1) of days of one stretch that would have to be of another kind to match the other stretch.

    Kinds are weekdays, or weekday and holiday together. 0 for whole weeks on both sides without holidays.
    """
    number, kinds = codes(np.concatenate([np.asarray(kinds_a, dtype=object), np.asarray(kinds_b, dtype=object)]))
    a, b = number[: len(np.asarray(kinds_a))], number[len(np.asarray(kinds_a)) :]
    if not len(a) or not len(b):
        raise ParameterError("balance_empty")
    shares = [np.bincount(side[side >= 0], minlength=len(kinds)) / len(side) for side in (a, b)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def follow_up(durations_a: ArrayLike, done_a: ArrayLike, durations_b: ArrayLike, done_b: ArrayLike) -> FollowUp:
    """Whether two sides were watched alike: their open shares, and the median of what they were watched.

    The latter by the reverse Kaplan-Meier curve (Schemper and Smith 1996), in which finishing is what hides how long
    one would have been watched.
    """
    sides = [(floats(t), np.asarray(done, dtype=bool)) for t, done in ((durations_a, done_a), (durations_b, done_b))]
    if not all(len(t) for t, _ in sides):
        raise ParameterError("balance_empty")
    table = np.array([[(~done).sum(), done.sum()] for _, done in sides], dtype=np.float64)
    shares = table[:, 0] / table.sum(axis=1)
    watched = tuple(kaplan_meier(t, ~done).median for t, done in sides)
    horizon = min(float(t.max()) for t, _ in sides)
    return FollowUp((float(shares[0]), float(shares[1])), association(table).test, (watched[0], watched[1]), horizon)


def likeness(values: ArrayLike, clusters: Any, level: float = 0.95) -> Likeness:
    """Intraclass correlation by the analysis of variance, for clusters of any size (Donner and Koval 1980).

    The interval is Wald's (1940), exact for normal numbers; one with the typical size standing for all held 87 % where
    clusters are very unequal. Rows without a value or a cluster count for nothing. ParameterError unless two clusters
    hold three rows between them.
    """
    z_of(level)
    y, (who, _) = floats(values), codes(clusters)
    same_length(y, who)
    known = np.isfinite(y) & (who >= 0)
    y, (_, who) = y[known], np.unique(who[known], return_inverse=True)
    sizes = np.bincount(who).astype(np.float64)
    g, n = len(sizes), len(y)
    if g < 2 or n < g + 1:
        raise ParameterError("balance_clusters", clusters=g, rows=n)
    y = y - y.mean()
    means = np.bincount(who, weights=y) / sizes
    between, within = float((sizes * means**2).sum()) / (g - 1), float(((y - means[who]) ** 2).sum()) / (n - g)
    typical = (n - float((sizes**2).sum()) / n) / (g - 1)
    if between == within == 0:
        return Likeness(0.0, 0.0, 0.0, g, n, typical, 1.0)
    ratio = between / within if within > 0 else np.inf
    tail = (1 - level) / 2
    wanted = (float(special.fdtri(g - 1, n - g, q)) for q in (1 - tail, tail))
    low, high = (_wald_bound(means, sizes, within, f) if within > 0 else 1.0 for f in wanted)
    return Likeness(_icc(ratio, typical), low, high, g, n, typical, float(special.fdtrc(g - 1, n - g, ratio)))


def design_effect(sizes: ArrayLike, icc: float) -> float:
    """How many times more rows are needed because they come in clusters of these sizes: 1 + (m' - 1) icc.

    m' = sum m^2 / sum m is the size of the cluster that a row finds itself in. A negative likeness counts as none.

    >>> round(design_effect([100] * 20, 0.05), 2)
    5.95
    """
    m = _counts(sizes)
    if not m.sum() > 0:
        raise ParameterError("balance_empty")
    return 1 + (float((m**2).sum() / m.sum()) - 1) * max(icc, 0.0)


def skewness(values: ArrayLike, n: ArrayLike | None = None) -> float:
    """Third standardised moment; 0 where all are alike, NaN without values."""
    x, rows = lines(values, n)
    total = float(rows.sum())
    if total == 0:
        return float("nan")
    centred = x - float((rows * x).sum()) / total
    spread = float((rows * centred**2).sum()) / total
    return float((rows * centred**3).sum()) / total / spread**1.5 if spread > 0 else 0.0


def skew_reach(a: ArrayLike, b: ArrayLike, n_a: ArrayLike | None = None, n_b: ArrayLike | None = None) -> float:
    """How far skewness spoils Student's t for the difference of two means: |skew| sqrt(1 / n_a + 1 / n_b).

    Beyond `SKEWED` a capped mean is the better KPI. The skewness is the larger of the two sides'.
    """
    rows = [float(lines(x, n).n.sum()) for x, n in ((a, n_a), (b, n_b))]
    if min(rows) == 0:
        return float("nan")
    return max(abs(skewness(a, n_a)), abs(skewness(b, n_b))) * float(np.sqrt(1 / rows[0] + 1 / rows[1]))


def _wald_bound(means: Floats, sizes: Floats, within: float, f: float) -> float:
    """The likeness at which the clusters, weighted as it asks for, differ `f` times as much as their rows do."""

    def differ(icc: float) -> float:
        w = sizes / (1 + (sizes - 1) * icc)
        middle = float((w * means).sum() / w.sum())
        return float((w * (means - middle) ** 2).sum()) * (1 - icc) / ((len(sizes) - 1) * within) - f

    least = -1 / (float(sizes.max()) - 1) * (1 - 1e-9) if sizes.max() > 1 else -1.0
    if differ(least) <= 0:
        return least
    return float(optimize.brentq(differ, least, 1.0, xtol=1e-12))


def _icc(ratio: float, typical: float) -> float:
    """Intraclass correlation of a ratio of mean squares."""
    return 1.0 if np.isinf(ratio) else (ratio - 1) / (ratio + typical - 1)


def _pearson(found: Floats, expected: Floats, df: int) -> ChiSquare:
    if (expected <= 0).any() or df < 1:
        raise ParameterError("balance_expected")
    statistic = float(((found - expected) ** 2 / expected).sum())
    return ChiSquare(statistic, df, float(special.chdtrc(df, statistic)))


def _counts(x: ArrayLike) -> Floats:
    found = floats(x)
    if not (found >= 0).all():
        raise ParameterError("stats_count", count=f"{np.nanmin(found):g}" if np.isfinite(found).any() else "-")
    return found
