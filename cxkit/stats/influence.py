"""What a KPI is, and how far each row moves it: estimate and influence of mean, ratio, net score, quantile, waiting.

Each function takes lines (a value that stands for `n` rows) or rows, and gives the same either way. The influence is
per row of a line and already divided by the number of rows: summed over all rows it is 0, and for independent rows its
squares sum to the variance of the estimate (but for the factor n / (n - 1)). Everything else, clusters, strata,
differences and relative changes, is made from it by `cxkit.stats.contrast`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cxkit.errors import ParameterError
from cxkit.stats.inputs import Floats, away, codes, floats, lines, same_length, summed
from cxkit.stats.survival import KaplanMeier, kaplan_meier
from cxkit.stats.variance import spread

_Z95 = 1.959963984540054
_DUST = 1e-10  # a share this close to a quantile is the quantile, up to rounding


class Influenced(NamedTuple):
    """An estimate, how far one row of each line moves it, and how many rows each line stands for."""

    value: float
    moves: Floats
    n: Floats

    @property
    def rows(self) -> float:
        """Number of rows behind the estimate."""
        return float(self.n.sum())


def mean(values: ArrayLike, n: ArrayLike | None = None) -> Influenced:
    """Mean; of true and false, or of 1 and 0, the share. NaN without rows.

    >>> found = mean([1, 0], n=[27, 3])
    >>> found.value, found.moves.round(4).tolist()
    (0.9, [0.0033, -0.03])
    """
    value, rows = lines(values, n)
    total = rows.sum()
    if total == 0:
        return _nothing(rows)
    middle = float((rows * value).sum() / total)
    return Influenced(middle, np.where(rows > 0, away(value, middle), 0.0) / total, rows)


def ratio(top: ArrayLike, bottom: ArrayLike, n: ArrayLike | None = None) -> Influenced:
    """Sum over sum (contacts per order), not the mean of ratios: the delta method of Deng, Knoblich and Lu (2018).

    A row where either is missing counts for nothing. NaN where the bottom sums to 0.
    """
    up, rows = lines(top, n)
    down, known = lines(bottom, n)
    rows = np.minimum(rows, known[: same_length(up, down)])
    total = float((rows * down).sum())
    if total == 0:
        return _nothing(rows)
    whole = float((rows * up).sum()) / total
    return Influenced(whole, np.where(rows > 0, away(up, whole * down), 0.0) / total, rows)


def net(scores: ArrayLike, n: ArrayLike | None = None, *, promoter: float = 9, detractor: float = 6) -> Influenced:
    """Share of scores of `promoter` or more minus share of `detractor` or less (-1 to 1)."""
    if not detractor < promoter:
        raise ParameterError("stats_net", promoter=f"{promoter:g}", detractor=f"{detractor:g}")
    score, rows = lines(scores, n)
    return mean((score >= promoter) * 1.0 - (score <= detractor) * 1.0, rows)


def geometric_mean(values: ArrayLike, n: ArrayLike | None = None) -> Influenced:
    """Mean on the log scale, taken back: for times and amounts, whose changes multiply. All must be above 0."""
    value, rows = lines(values, n)
    if ((value <= 0) & (rows > 0)).any():
        raise ParameterError("stats_positive", n=int(rows[value <= 0].sum()))
    middle, moves, _ = mean(np.log(np.where(rows > 0, value, 1.0)), rows)
    return Influenced(float(np.exp(middle)), moves * np.exp(middle), rows)


def quantile(values: ArrayLike, q: float, n: ArrayLike | None = None, clusters: Any = None) -> Influenced:
    """Smallest value that a share `q` of the rows does not exceed, with the sparsity of its order statistics.

    Deng, Knoblich and Lu (2018): how far it moves is read from the values at the two ends of the 95 % interval of the
    share, allowing for `clusters` if they are given (labels, one per line; give them to `contrast` as well).
    """
    value, rows = lines(values, n)
    _must_be_share(q)
    total = rows.sum()
    if total == 0:
        return _nothing(rows)
    kept = rows > 0
    points, place = np.unique(value[kept], return_inverse=True)
    held = np.cumsum(summed(place, rows[kept])) / total
    point = float(points[int(np.searchsorted(held, q - _DUST))])
    share = mean(value <= point, rows)
    return Influenced(point, -share.moves * _sparsity(points, held, q, _se(share, clusters), total), rows)


def finished_within(durations: ArrayLike, observed: ArrayLike, t: float, n: ArrayLike | None = None) -> Influenced:
    """Share (0-1) finished by `t`, open ones censored (Kaplan and Meier 1958); NaN if nobody was watched that long."""
    curve, rows, kept = _curve(durations, observed, n)
    found = curve.within(t).estimate
    moves = curve.influence(t) if found == found else np.full(int(kept.sum()), np.nan)
    return Influenced(found, _spread_out(moves, kept), rows)


def capped_mean(durations: ArrayLike, observed: ArrayLike, horizon: float, n: ArrayLike | None = None) -> Influenced:
    """Mean time, each counted up to `horizon` at most, open ones censored (restricted mean; Royston and Parmar 2013).

    NaN if some still wait and nobody was watched up to the horizon.
    """
    if not 0 < horizon < np.inf:
        raise ParameterError("stats_horizon", horizon=f"{horizon:g}")
    curve, rows, kept = _curve(durations, observed, n)
    found = curve.capped_mean(horizon).estimate
    moves = curve.capped_influence(horizon) if found == found else np.full(int(kept.sum()), np.nan)
    return Influenced(found, _spread_out(moves, kept), rows)


def waiting_quantile(
    durations: ArrayLike, observed: ArrayLike, q: float, n: ArrayLike | None = None, clusters: Any = None
) -> Influenced:
    """Time by which a share `q` has finished, open ones censored; infinite, and moved by nothing, if not reached.

    As `quantile`; where the upper end of the share's interval is not reached, the lower half alone tells the sparsity.
    """
    _must_be_share(q)
    curve, rows, kept = _curve(durations, observed, n)
    point = curve.quantile(q)
    if not np.isfinite(point):
        return Influenced(point, np.full_like(rows, np.nan), rows)
    share = Influenced(q, _spread_out(curve.influence(point), kept), rows)
    done = curve.events > 0
    unit = _sparsity(curve.times[done], 1 - curve.survival[done], q, _se(share, clusters), curve.n)
    return Influenced(point, -share.moves * unit, rows)


def _sparsity(points: Floats, held: Floats, q: float, se: float, n: float) -> float:
    """How many units a quantile moves when the share moves by 1, read 1.96 standard errors to either side.

    `held` is the share up to each point. Between the points the share is taken to rise evenly, so that values noted in
    whole minutes do not look like certainty (the mid-distribution of Ma, Genton and Parzen 2011). Beyond the first and
    the last point nothing is known; there the nearer half alone tells.
    """
    middle = (np.concatenate([[0.0], held[:-1]]) + held) / 2
    reach = max(_Z95 * se, 1 / n)
    first, last = float(middle[0]), float(middle[-1])
    low, high = max(min(q - reach, last), first), max(min(q + reach, last), first)
    if high - low < 1 / n:  # q itself lies beyond the first or the last middle
        low, high = max(low - reach, first), min(high + reach, last)
    if high <= low:  # one value only
        return 0.0
    below, above = np.interp([low, high], middle, points)
    return float(above - below) / (high - low)


def _se(share: Influenced, clusters: Any) -> float:
    code = None if clusters is None else codes(clusters)[0]
    return float(np.nan_to_num(spread(share.moves, share.n, None, code).se))


def _curve(durations: ArrayLike, observed: ArrayLike, n: ArrayLike | None) -> tuple[KaplanMeier, Floats, Any]:
    """The curve of the lines that stand for a row at least, the counts of all lines, and which they are."""
    time, done = np.atleast_1d(floats(durations)), np.atleast_1d(np.asarray(observed, dtype=bool))
    rows = lines(np.zeros_like(time), n).n
    same_length(time, done)
    kept = rows > 0
    return kaplan_meier(time[kept], done[kept], rows[kept]), rows, kept


def _spread_out(moves: Floats, kept: Any) -> Floats:
    """The moves of the lines that were kept, and 0 for the others."""
    whole = np.zeros(len(kept))
    whole[kept] = moves
    return whole


def _must_be_share(q: float) -> None:
    if not 0 < q < 1:
        raise ParameterError("stats_quantile", q=str(q))


def _nothing(rows: Any) -> Influenced:
    return Influenced(float("nan"), np.zeros_like(rows), rows)
