"""Did it change, and how sure may we be: two estimates with their influences become a difference with its interval.

One routine serves every KPI, because all it needs is how far each row moves the estimate (`cxkit.stats.influence`):
independent rows, clusters (tickets of one agent resemble each other), the same clusters on both sides, two kinds of
clusters, strata, an earlier covariate, and change relative to where it started.

Call it as::

    before, after = mean(old), mean(new)
    contrast(before, after, clusters=(old_agents, new_agents))
    relative_change(before, after, clusters=...)  # + 0.08 is "8 % more"
    infer(after, clusters=new_agents)  # one group: estimate, interval
    contrast(*adjusted(before, after, old_x, new_x))  # CUPED: x was known before the change
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from cxkit.stats.influence import Influenced
from cxkit.stats.inputs import Codes, Floats, codes, lines, same_length, together
from cxkit.stats.intervals import Interval, z_of
from cxkit.stats.variance import Spread, Vcov, spread, two_way

Labels = Any  # one label per line: list, array or column of any type; missing means that its rows stand alone


class Inference(NamedTuple):
    """An estimate or a difference with what is known of it; NaN is "not estimable", never "no difference".

    `p` asks whether the value is 0. `df` are the degrees of freedom of Student's t; `clusters` says how many clusters
    (rows, where there are none) it rests on.
    """

    value: float
    low: float
    high: float
    se: float
    df: float
    p: float
    clusters: float
    level: float

    @property
    def interval(self) -> Interval:
        """Value with its bounds."""
        return Interval(self.value, self.low, self.high)


def infer(
    a: Influenced,
    *,
    clusters: Labels | None = None,
    second_clusters: Labels | None = None,
    strata: Labels | None = None,
    level: float = 0.95,
    vcov: Vcov = "CR3",
) -> Inference:
    """One estimate with Student's t interval by clusters; NaN bounds where nothing says how far it could differ.

    That is so for a single cluster, and for rows that are all alike: `wilson` or `mean_interval` know what to say then.
    """
    found = _spread([a], [clusters], [second_clusters], [strata], vcov)
    return inference(a.value, found, level)


def contrast(
    a: Influenced,
    b: Influenced,
    *,
    clusters: tuple[Labels, Labels] | None = None,
    second_clusters: tuple[Labels, Labels] | None = None,
    strata: tuple[Labels, Labels] | None = None,
    level: float = 0.95,
    vcov: Vcov = "CR3",
) -> Inference:
    """How much higher `b` is than `a`.

    Labels come as one list per side, a label per line. A cluster found on both sides is one cluster: what agents have
    in common before and after then cancels, as in a paired test. Within `strata` the two sides are compared with the
    mix of strata as it is on each (to compare at one mix, see `cxkit.stats.poststratify`); a stratum that rests on one
    cluster is pooled with others.
    """
    none = (None, None)
    minus = Influenced(a.value, -a.moves, a.n)
    found = _spread([minus, b], clusters or none, second_clusters or none, strata or none, vcov)
    return inference(b.value - a.value, found, level)


def relative_change(a: Influenced, b: Influenced, *, level: float = 0.95, **design: Any) -> Inference:
    """How much higher `b` is than `a`, as a share of `a`: 0.08 is "8 % more".

    The interval is made on the log scale, exp(log ratio +- t * se) - 1, as Katz, Baptista, Azen and Pike (1978) do; se
    is that of the log ratio. NaN bounds ("not estimable") where the interval of `a` touches 0, because a share of what
    may be nothing says nothing. `design` is what `contrast` takes.
    """
    base = infer(a, level=level, **{k: v if k == "vcov" or v is None else v[0] for k, v in design.items()})
    with np.errstate(divide="ignore", invalid="ignore"):
        times = float(np.float64(b.value) / a.value)
    if not (base.low > 0 or base.high < 0) or not times > 0:
        unknown = Spread(float("nan"), base.df, base.clusters)
        return inference(times - 1, unknown, level)
    return from_log(contrast(in_logs(a), in_logs(b), level=level, **design))


def adjusted(sides: Sequence[Influenced], covariates: Sequence[ArrayLike]) -> tuple[Influenced, ...]:
    """All sides as they would be at the same mean of a covariate known before the change (CUPED).

    Deng, Xu, Kohavi and Walker (2013), with one slope pooled within the groups, as in analysis of covariance. It
    narrows the interval by the share of variance that the covariate explains, and must not have been measured after
    the change. One covariate per line; a line without one is left as it is.
    """
    known = [lines(x, np.where(np.isnan(s.moves), 0, s.n)) for x, s in zip(covariates, sides, strict=True)]
    means = [float((n * x).sum() / max(n.sum(), 1e-300)) for x, n in known]
    centred = [np.where(n > 0, x - m, 0.0) for (x, n), m in zip(known, means, strict=True)]
    pairs = list(zip(sides, centred, strict=True))
    top = sum(float((s.n * s.moves * x).sum()) * s.rows for s, x in pairs)
    bottom = sum(float((s.n * x**2).sum()) for s, x in pairs)
    slope = top / bottom if bottom > 0 else 0.0
    all_over = sum(m * s.rows for m, (s, _) in zip(means, pairs, strict=True)) / sum(s.rows for s in sides)
    return tuple(
        Influenced(s.value - slope * (m - all_over), s.moves - slope * x / s.rows, s.n)
        for (s, x), m in zip(pairs, means, strict=True)
    )


def in_logs(a: Influenced) -> Influenced:
    """The logarithm of an estimate's size, by the delta method."""
    return Influenced(float(np.log(abs(a.value))), a.moves / a.value, a.n)


def from_log(found: Inference) -> Inference:
    """A difference of logs as a relative change, 0.08 for "8 % more"; `se` stays that of the log."""
    value, low, high = (float(np.expm1(x)) for x in found.interval)
    return found._replace(value=value, low=low, high=high)


def inference(value: float, found: Spread, level: float) -> Inference:
    """The value with Student's t interval and test; NaN where the spread is unknown or none."""
    z_of(level)  # refuses an impossible level
    se, df, clusters = found
    if not (se > 0 and df > 0 and np.isfinite(value)):
        nan = float("nan")
        return Inference(value, nan, nan, se, df, nan, clusters, level)
    margin = float(special.stdtrit(df, (1 + level) / 2)) * se
    p = 2 * float(special.stdtr(df, -abs(value) / se))
    return Inference(value, value - margin, value + margin, se, df, p, clusters, level)


def _spread(
    sides: Sequence[Influenced],
    clusters: Sequence[Labels | None],
    second: Sequence[Labels | None],
    strata: Sequence[Labels | None],
    vcov: Vcov,
) -> Spread:
    """The spread of the sum of what all sides' rows move."""
    if any(np.isnan(side.moves).any() for side in sides):
        return Spread(float("nan"), 0.0, float(sum(side.rows for side in sides)))
    moves, n = (np.concatenate(part) for part in ([s.moves for s in sides], [s.n for s in sides]))
    side = np.repeat(np.arange(len(sides)), [len(s.n) for s in sides])
    one, two, stratum = (_numbered(labels, sides) for labels in (clusters, second, strata))
    cell = side if stratum is None else _cells(side, stratum, one, n)
    if two is not None and one is not None:
        return two_way(moves, n, cell, one, two, vcov)
    return spread(moves, n, cell, one if two is None else two, vcov)


def _numbered(labels: Sequence[Labels | None], sides: Sequence[Influenced]) -> Codes | None:
    """One numbering for all sides, so that a label found on two of them is the same cluster."""
    if any(found is None for found in labels):
        return None
    for found, side in zip(labels, sides, strict=True):
        same_length(found, side.n)
    return codes(together(labels))[0]


def _cells(side: Codes, stratum: Codes, cluster: Codes | None, n: Floats) -> Codes:
    """A number for each stratum of each side; those that rest on a single cluster are pooled, side by side."""
    cell = np.asarray(pd.factorize(side * (int(stratum.max(initial=0)) + 2) + stratum + 1)[0], dtype=np.int64)
    for at in np.unique(side):
        mine = side == at
        found = pooled(cell[mine], None if cluster is None else cluster[mine], n[mine])
        cell[mine] = found
    return cell


def pooled(stratum: Codes, cluster: Codes | None, n: Floats) -> Codes:
    """The numbers of the strata, those that rest on a single cluster put together until two clusters are in each."""
    stratum = stratum.copy()
    for _ in range(len(np.unique(stratum))):
        behind = _behind(stratum, cluster, n)
        thin = behind.index[behind < 2]
        if not len(thin) or len(behind) < 2:
            break
        together = thin if len(thin) > 1 else behind.sort_values(kind="stable").index[:2]
        stratum[np.isin(stratum, together)] = together[0]
    return stratum


def _behind(stratum: Codes, cluster: Codes | None, n: Floats) -> "pd.Series[float]":
    """Number of clusters, and of rows that stand alone, in each stratum that holds any."""
    alone = np.ones(len(n), dtype=bool) if cluster is None else cluster < 0
    lone = pd.Series(n * alone).groupby(stratum).sum()
    if cluster is None:
        return lone[lone > 0]
    with_rows = pd.DataFrame({"stratum": stratum, "cluster": cluster})[~alone & (n > 0)]
    whole = with_rows.drop_duplicates().groupby("stratum").size()
    both = lone.add(whole, fill_value=0)
    return both[both > 0]
