"""What would all have said, not only those who answered: weights by known groups, and how bad it could be at worst.

Those who answer a survey are seldom those who were served: chat answers, e-mail does not. Weighting each known group to
its share of the population takes that part of the error away; it cannot mend that the annoyed of a group answer more
often than the content. `nonresponse_bounds` says what that could be at most::

    found = post_stratified(scores, channels, population={"chat": 5200, "email": 1900})
    found.value, found.infer(clusters=agents)  # the weighted mean with its interval
    contrast(old.estimate, new.estimate, strata=(old.strata, new.strata), clusters=...)  # and its change

    bounds = nonresponse_bounds(scores_with_nan_where_unanswered, lowest=1, highest=5)
    bounds.low.value, bounds.high.value, bounds.interval()

`values` are what the mean is taken of: 1 and 0 for a share, -1, 0, 1 for a net score, the answer for a mean score. With
one and the same population for both sides, a change of mix is taken out as well as non-response; with each side's own,
non-response only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, special

from cxkit.errors import ParameterError
from cxkit.stats.contrast import Inference, Labels, infer
from cxkit.stats.influence import Influenced, mean
from cxkit.stats.inputs import Codes, Floats, away, floats, lines, same_length, summed
from cxkit.stats.intervals import z_of
from cxkit.stats.variance import Vcov


@dataclass(frozen=True, eq=False)
class PostStratified:
    """A mean weighted to a population: estimate with influence, and how it was weighted.

    `weights` is how much a row of each line counts (mean 1); `effect` the factor by which such unequal weights widen
    the variance of a score that does not differ between strata (Kish 1965, 1 + cv^2). `pooled` names the strata that
    had too few rows to speak for themselves and were put together; `strata` numbers those of each line thereafter.
    """

    estimate: Influenced
    strata: Codes
    weights: Floats
    effect: float
    pooled: tuple[Any, ...]

    @property
    def value(self) -> float:
        """The weighted mean."""
        return self.estimate.value

    def infer(self, clusters: Labels | None = None, level: float = 0.95, vcov: Vcov = "CR3") -> Inference:
        """The weighted mean with its interval, the number of answers in each stratum taken as it came."""
        return infer(self.estimate, clusters=clusters, strata=self.strata, level=level, vcov=vcov)


def post_stratified(
    values: ArrayLike,
    strata: Labels,
    population: Mapping[Any, float],
    n: ArrayLike | None = None,
    *,
    finite: bool = False,
    least: float = 2,
) -> PostStratified:
    """Mean of the strata's means, weighted by `population` (number in each stratum; Holt and Smith 1979).

    Missing values count for nothing. Strata with fewer than `least` rows are pooled with one another, or with the
    smallest of the others. `finite` says that the population itself is all one wants to know of, and narrows the
    interval by the share of it that was seen. ParameterError when a stratum has answers but no population, or a
    missing label.

    >>> found = post_stratified([1, 1, 0, 0, 1, 0], list("ccccee"), {"c": 50, "e": 50})
    >>> found.value, found.weights.tolist()
    (0.5, [0.75, 0.75, 0.75, 0.75, 1.5, 1.5])
    """
    value, rows = lines(values, n)
    code, size, names = _known_strata(strata, population, rows)
    count = summed(code, rows, len(size))
    home = _homes(count, size, least)
    code, pooled = home[code], tuple(name for at, name in enumerate(names) if (home == home[at]).sum() > 1)
    count, size = (summed(home, x, len(home)) for x in (count, size))
    share = size / size.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        means = summed(code, rows * value, len(count)) / count
        each = np.where(share > 0, share / count, 0.0)
    seen = np.sqrt(1 - np.minimum(count / np.maximum(size, 1e-300), 1)) if finite else np.ones_like(count)
    moves = np.where(rows > 0, (each * seen)[code] * away(value, means[code]), 0.0)
    weights = each[code] * rows.sum()
    total = float((share * np.where(share > 0, means, 0.0)).sum())
    effect = float((rows * weights**2).sum() / rows.sum())
    return PostStratified(Influenced(total, moves, rows), code, weights, effect, pooled)


def response_weights(answered: ArrayLike, asked: ArrayLike) -> Floats:
    """Per stratum: how much one answer counts so that strata weigh as those who were asked (mean 1 over answers).

    NaN where nobody answered: such a stratum must be pooled with another, or be named as not spoken for.
    """
    got, sent = (np.atleast_1d(floats(x)) for x in (answered, asked))
    same_length(got, sent)
    if not ((got >= 0) & (got <= sent)).all():
        raise ParameterError("stats_answered", n=int((~((got >= 0) & (got <= sent))).sum()))
    if not got.sum() > 0:
        raise ParameterError("stats_no_rows")
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = (sent / sent.sum()) / (got / got.sum())
    return np.where(got > 0, weights, np.nan)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Between which values the mean of all who were asked lies, whatever those who did not answer think."""

    low: Influenced
    high: Influenced
    answered: float  # share (0-1) of those asked

    def interval(self, level: float = 0.95, clusters: Labels | None = None) -> tuple[float, float]:
        """Ends that hold the true mean in `level` of samples (Imbens and Manski 2004), never wider than the scale.

        Wider than the bounds by chance, but less so than two intervals would be: the truth cannot lie at both ends.
        """
        z_of(level)
        low, high = (infer(side, clusters=clusters, level=level) for side in (self.low, self.high))
        ends, least = (low.value, high.value), max(low.se, high.se)
        if not least > 0:
            return ends
        gap, df = (high.value - low.value) / least, min(low.df, high.df)
        most = float(special.stdtrit(df, (1 + level) / 2))
        reach = optimize.brentq(lambda c: special.stdtr(df, c + gap) - special.stdtr(df, -c) - level, 0, most + 1)
        return ends[0] - reach * low.se, ends[1] + reach * high.se


def nonresponse_bounds(values: ArrayLike, n: ArrayLike | None = None, *, lowest: float, highest: float) -> Bounds:
    """The mean if all who did not answer (missing values) were at the `lowest` end of the scale, and at the `highest`.

    Manski (1989): nothing is assumed of them. The change between two surveys lies between `contrast(a.high, b.low)` and
    `contrast(a.low, b.high)`.

    >>> bounds = nonresponse_bounds([1, 0, None], n=[30, 10, 60], lowest=0, highest=1)
    >>> bounds.low.value, bounds.high.value, bounds.answered
    (0.3, 0.9, 0.4)
    """
    raw = np.atleast_1d(floats(values))
    silent = np.isnan(raw)
    if not lowest < highest or ((raw < lowest) | (raw > highest)).any():
        raise ParameterError("stats_scale", low=f"{lowest:g}", high=f"{highest:g}")
    low, high = (mean(np.where(silent, end, raw), n) for end in (lowest, highest))
    answered = float((low.n * ~silent).sum() / low.rows) if low.rows else float("nan")
    return Bounds(low, high, answered)


def _known_strata(labels: Labels, population: Mapping[Any, float], n: Floats) -> tuple[Codes, Floats, list[Any]]:
    """Number of each line's stratum in the order of `population`, the sizes, the names."""
    names, size = list(population), floats(list(population.values()))
    if not (size >= 0).all() or np.isinf(size).any() or not size.sum() > 0:
        raise ParameterError("stats_population")
    label = pd.Series(labels).reset_index(drop=True)
    same_length(label, n)
    if not n.sum() > 0:
        raise ParameterError("stats_no_rows")
    code = pd.Index(names).get_indexer(pd.Index(label))
    lost = (n > 0) & ((code < 0) | (size[code] == 0))
    if lost.any():
        raise ParameterError("stats_strata", n=int(label[lost].nunique(dropna=False)))
    return np.where(code < 0, 0, code).astype(np.int64), size, names


def _homes(count: Floats, size: Floats, least: float) -> Codes:
    """The number of the stratum that each is counted with: itself, or where the thin ones are put together."""
    home = np.arange(len(count))
    for _ in range(len(count)):
        inside = summed(home, count, len(count))
        weighs = summed(home, size, len(count)) > 0
        thin = np.flatnonzero(weighs & (inside < least))
        if not len(thin) or weighs.sum() < 2:
            break
        others = np.flatnonzero(weighs & (inside >= least))
        together = thin if len(thin) > 1 else np.append(thin, others[np.argmin(inside[others])])
        home[np.isin(home, together)] = together[0]
    return home
