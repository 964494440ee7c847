"""Do answers on a scale lie higher: the chance that one of the second group beats one of the first, from counts.

P(b > a) + P(b = a) / 2 uses the order of the answers and nothing else. The test of Brunner and Munzel (2000) holds its
level where the spread of the groups differs; that of Mann and Whitney does not (measured: 13.9 % instead of 5). As the
effect is made of influences, clusters are allowed for as everywhere else::

    relative_effect([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], n_old, n_new)  # value .5: no tendency
    relative_effect(old, new, clusters=(old_agents, new_agents))
    shift(old, new)  # Hodges-Lehmann, as a companion
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cxkit.errors import ParameterError
from cxkit.stats.contrast import Inference, contrast
from cxkit.stats.influence import Influenced
from cxkit.stats.inputs import Floats, Lines, lines, summed
from cxkit.stats.intervals import Interval, z_of


def relative_effect(
    a: ArrayLike, b: ArrayLike, n_a: ArrayLike | None = None, n_b: ArrayLike | None = None, **design: Any
) -> Inference:
    """Chance that an answer of `b` lies above one of `a`, ties counted half, with its t interval; p asks whether 1/2.

    Brunner and Munzel (2000), with Welch's degrees of freedom. `design` is what `contrast` takes: clusters, strata,
    level. Bounds are cut to 0 and 1; NaN where no answer of one group lies among those of the other.

    >>> found = relative_effect([1, 2, 3], [1, 2, 3], n_a=[20, 10, 5], n_b=[5, 10, 20])
    >>> round(found.value, 4), round(found.p, 6)
    (0.7755, 2e-06)
    """
    found = contrast(*effect_influences(a, b, n_a, n_b), **design)
    low, high = max(found.low + 0.5, 0.0), min(found.high + 0.5, 1.0)
    if np.isnan(found.low):
        low = high = float("nan")
    return found._replace(value=found.value + 0.5, low=low, high=high)


def effect_influences(
    a: ArrayLike, b: ArrayLike, n_a: ArrayLike | None = None, n_b: ArrayLike | None = None
) -> tuple[Influenced, Influenced]:
    """The two sides whose difference is the relative effect less one half, for `contrast` (and `adjusted`)."""
    one, two = lines(a, n_a), lines(b, n_b)
    if not one.n.sum() or not two.n.sum():
        nan = float("nan")
        return tuple(Influenced(nan, np.zeros_like(side.n), side.n) for side in (one, two))  # type: ignore[return-value]
    below_a, below_b = _middle_shares(two, one), _middle_shares(one, two)
    total_a, total_b = one.n.sum(), two.n.sum()
    effect = float((two.n * below_b).sum() / total_b)
    moves_a = np.where(one.n > 0, below_a - (1 - effect), 0.0) / total_a
    moves_b = np.where(two.n > 0, below_b - effect, 0.0) / total_b
    return Influenced(0.5, moves_a, one.n), Influenced(effect, moves_b, two.n)


def shift(
    a: ArrayLike,
    b: ArrayLike,
    n_a: ArrayLike | None = None,
    n_b: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """How much `b` lies above `a`: the median of all differences (Hodges and Lehmann 1963), with Moses' interval.

    A companion: it takes the groups to differ by a shift alone, and rows to be independent. Differences are not made
    but counted, by bisection, so that millions of rows with thousands of values take milliseconds. The bounds are those
    of the rank-sum test's normal approximation, corrected for ties.
    """
    one, two = _sorted(a, n_a), _sorted(b, n_b)
    total_a, total_b = float(one.n.sum()), float(two.n.sum())
    pairs, total = total_a * total_b, total_a + total_b
    if not pairs:
        nan = float("nan")
        return Interval(nan, nan, nan)
    _, place = np.unique(np.concatenate([one.value, two.value]), return_inverse=True)
    ties = summed(place, np.concatenate([one.n, two.n]))
    spread = pairs / 12 * (total + 1 - float((ties**3 - ties).sum()) / (total * max(total - 1, 1)))
    edge = max(np.floor(pairs / 2 - z_of(level) * np.sqrt(spread) + 0.5), 1.0)
    middle = [_difference(one, two, k) for k in (np.floor((pairs + 1) / 2), np.ceil((pairs + 1) / 2))]
    return Interval(sum(middle) / 2, _difference(one, two, edge), _difference(one, two, pairs + 1 - edge))


def _middle_shares(of: Lines, at: Lines) -> Floats:
    """For each value of `at`, the share of `of` below it and half of those equal."""
    value, n = _distinct(of)
    held = np.concatenate([[0.0], np.cumsum(n)])
    ends = (held[np.searchsorted(value, at.value, side=side)] for side in ("left", "right"))
    return np.asarray(sum(ends) / (2 * held[-1]))


def _sorted(values: ArrayLike, n: ArrayLike | None) -> Lines:
    return _distinct(lines(values, n))


def _distinct(of: Lines) -> Lines:
    """Rising values without repetition, each with its count."""
    known = of.n > 0
    value, place = np.unique(of.value[known], return_inverse=True)
    return Lines(value, summed(place, of.n[known]))


def _difference(a: Lines, b: Lines, k: float) -> float:
    """The k-th smallest of all differences of a value of `b` and one of `a`."""
    held = np.concatenate([[0.0], np.cumsum(b.n)])

    def upto(d: float) -> Any:
        return np.searchsorted(b.value, a.value + d, side="right")

    low, high = float(b.value[0] - a.value[-1]), float(b.value[-1] - a.value[0])
    low -= 1 + abs(low)  # so that nothing lies below it
    if not 1 <= k <= a.n.sum() * b.n.sum():
        raise ParameterError("stats_no_rows")
    while low < (middle := (low + high) / 2) < high:
        if (a.n * held[upto(middle)]).sum() >= k:
            high = middle
        else:
            low = middle
    place = upto(high)
    return float((b.value[np.maximum(place, 1) - 1] - a.value)[place > 0].max())
