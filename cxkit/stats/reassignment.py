"""Could dealing whole clusters out anew have made such a difference: a test for few clusters, or one giant among them.

Student's t by clusters needs many clusters of like size. Where one agent has a third of all tickets it falls silent:
few false alarms are left, and few true ones. If it was chance, or might as well have been, which agents are on which
side, then every other way of dealing them is as likely, and the difference found can be held against all of them
(Fisher 1935; for clusters Gail et al. 1996; with each difference in units of its own error MacKinnon and Webb 2020)::

    pooled = mean(all_scores)  # one estimate over both sides
    reassignment_p(pooled, is_new, agents)

It judges groups that differ in who belongs to them. Where the same clusters are on both sides there is nothing to deal.
"""

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxkit.errors import ParameterError
from cxkit.stats.contrast import Labels
from cxkit.stats.influence import Influenced
from cxkit.stats.inputs import Floats, codes, same_length, summed

_DUST = 1e-9  # two ways of dealing that part by less than this are equally far out


def reassignment_p(
    pooled: Influenced, second: ArrayLike, clusters: Labels, *, draws: int = 9999, seed: int = 0
) -> float:
    """Share of all ways of dealing the clusters to two sides that part them as far as the way that was found.

    `pooled` is the estimate over the rows of both sides, `second` says of each line whether it is on the second side.
    All ways are tried where there are no more than `draws`, else so many at random, the one found counted in; the same
    `seed` gives the same p. NaN with fewer than two clusters on a side, or rows all alike. ParameterError for a cluster
    on both sides, or a row without one.

    >>> from cxkit.stats import mean
    >>> agents = ["a", "a", "b", "c", "d", "d", "e", "f"]
    >>> late = [False] * 4 + [True] * 4
    >>> reassignment_p(mean([1, 2, 2, 1, 7, 9, 8, 7]), late, agents)  # 2 of the 20 ways to deal six agents
    0.1
    """
    side, size, total = _clusters(pooled, np.asarray(second, dtype=bool), clusters)
    few = min(int(side.sum()), int((~side).sum()))
    if few < 2 or not np.abs(total).max(initial=0.0) > 0:
        return float("nan")
    ways = math.comb(len(side), int(side.sum()))
    dealt = _all_ways(side) if ways <= draws else _some_ways(side, draws, seed)
    found = float(_apart(side[None], size, total)[0])
    as_far = int(np.count_nonzero(_apart(dealt, size, total) >= found * (1 - _DUST)))
    return as_far / ways if ways <= draws else (1 + as_far) / (1 + draws)


def _clusters(
    pooled: Influenced, second: NDArray[np.bool_], clusters: Labels
) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Of each cluster: its side, its rows, and how far these lie from the pooled estimate, summed."""
    code = codes(clusters)[0]
    same_length(code, pooled.n, second)
    kept = pooled.n > 0
    code, n, moves, second = code[kept], pooled.n[kept], pooled.moves[kept], second[kept]
    if (code < 0).any():
        raise ParameterError("stats_no_cluster", n=int(n[code < 0].sum()))
    code = np.unique(code, return_inverse=True)[1]
    size, late = summed(code, n), summed(code, n * second)
    split = (late > 0) & (late < size)
    if split.any():
        raise ParameterError("stats_split_clusters", n=int(split.sum()))
    return late > 0, size, summed(code, n * moves) * float(n.sum())


def _all_ways(side: NDArray[np.bool_]) -> NDArray[np.bool_]:
    chosen = np.array(list(itertools.combinations(range(len(side)), int(side.sum()))))
    dealt = np.zeros((len(chosen), len(side)), dtype=bool)
    dealt[np.arange(len(chosen))[:, None], chosen] = True
    return dealt


def _some_ways(side: NDArray[np.bool_], draws: int, seed: int) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).permuted(np.tile(side, (draws, 1)), axis=1)


def _apart(dealt: NDArray[np.bool_], size: Floats, total: Floats) -> Floats:
    """How many standard errors (CR3) part the sides, for each way of dealing the clusters."""
    gap, variance = np.zeros(len(dealt)), np.zeros(len(dealt))
    for sign, side in ((1.0, dealt), (-1.0, ~dealt)):
        rows, clusters = side @ size, side.sum(axis=1)
        middle = side @ total / rows
        left = np.where(side, (total - size * middle[:, None]) / (rows[:, None] - np.where(side, size, 0.0)), 0.0)
        gap += sign * middle
        variance += (clusters - 1) / clusters * (left**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart: Floats = np.abs(gap) / np.sqrt(variance)
    return np.where(variance > 0, apart, np.where(np.abs(gap) > 0, np.inf, 0.0))
