"""Could dealing whole clusters out anew have made such a difference: a test for few clusters, or one giant among them.

Student's t by clusters needs many clusters of like size. Where one agent has a third of all tickets it falls silent:
few false alarms are left, and few true ones. If it was chance, or might as well have been, which agents are on which
side, then every other way of dealing them is as likely, and the difference found can be held against all of them
(Fisher 1935; for clusters Gail et al. 1996; with each difference in units of its own error MacKinnon and Webb 2020)::

    pooled = mean(all_scores)  # one estimate over both sides
    reassignment_p(pooled, is_new, agents)
    reassigned(mean(old + new), mean(old), mean(new), clusters=(old_agents, new_agents))  # with an interval

It judges groups that differ in who belongs to them. Where the same clusters are on both sides there is nothing to deal.
`largest_share` says when it is to be preferred.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxkit.errors import ParameterError
from cxkit.stats.contrast import Inference, Labels, contrast
from cxkit.stats.influence import Influenced
from cxkit.stats.inputs import Floats, codes, floats, same_length, summed

GIANT = 1 / 3  # of its side's rows: with a cluster larger than that, Student's t by clusters gave 2 to 4 % instead of 5
_STEPS, _HALVES = 12, 30  # three times as far each step; a billionth of the last one
_BLOCK = 2_000_000  # clusters of all ways that are looked at together
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
    return _Dealt(side, size, total, draws, seed).p(0.0) if _judgeable(side, total) else float("nan")


def reassigned(
    pooled: Influenced,
    a: Influenced,
    b: Influenced,
    *,
    clusters: tuple[Labels, Labels],
    level: float = 0.95,
    draws: int = 1999,
    seed: int = 0,
    ends: bool = True,
) -> Inference:
    """How much higher `b` is than `a`, judged by dealing anew; the interval holds every change that dealing allows.

    `pooled` is the estimate over the lines of `a` and then of `b`. A change is allowed if, taken away from the rows of
    `b`, it leaves sides whose p is above 1 - `level`: the test turned round (Rosenbaum 2002, section 2.6). `se` and
    `df` stay those of Student's t by clusters. NaN bounds where so few ways to deal can never be so sure, where
    `contrast` has none, and without `ends`, which take a hundred times as long as p. Errors as `reassignment_p`.
    """
    plain = contrast(a, b, clusters=clusters, level=level)
    second = np.repeat([False, True], [len(a.n), len(b.n)])
    labels = np.concatenate([np.asarray(side, dtype=object) for side in clusters])
    side, size, total = _clusters(pooled, second, labels)
    if not (_judgeable(side, total) and plain.se > 0):
        return plain._replace(low=float("nan"), high=float("nan"), p=float("nan"))
    dealt = _Dealt(side, size, total, draws, seed)
    low, high = (dealt.end(way * plain.se, 1 - level) if ends else float("nan") for way in (-1.0, 1.0))
    return plain._replace(low=low, high=high, p=dealt.p(0.0))


def _judgeable(side: NDArray[np.bool_], total: Floats) -> bool:
    return min(int(side.sum()), int((~side).sum())) >= 2 and bool(np.abs(total).max(initial=0.0) > 0)


def largest_share(second: ArrayLike, clusters: Labels, n: ArrayLike | None = None) -> float:
    """Share of its side's rows that the largest cluster holds: above `GIANT`, deal anew.

    >>> largest_share([False, False, False, True, True], ["a", "a", "b", "c", "d"], n=[1, 1, 2, 9, 1])
    0.9
    """
    late, code = np.asarray(second, dtype=bool), codes(clusters)[0]
    rows = np.ones(len(code)) if n is None else floats(n)
    same_length(code, late, rows)
    held = np.zeros(2)
    for side in (0, 1):
        mine = (late == bool(side)) & (code >= 0)
        total = rows[late == bool(side)].sum()
        held[side] = summed(code[mine], rows[mine]).max(initial=0.0) / total if total else 0.0
    return float(held.max())


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


def _all_ways(side: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    chosen = np.array(list(itertools.combinations(range(len(side)), int(side.sum()))))
    dealt = np.zeros((len(chosen), len(side)), dtype=bool)
    dealt[np.arange(len(chosen))[:, None], chosen] = True
    return [dealt]


def _some_ways(side: NDArray[np.bool_], draws: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """In blocks, for there may be a hundred thousand customers."""
    rng, most = np.random.default_rng(seed), max(1, _BLOCK // len(side))
    for begun in range(0, draws, most):
        yield rng.permuted(np.tile(side, (min(most, draws - begun), 1)), axis=1)


class _Dealt:
    """How many standard errors (CR3) part the sides, found and dealt anew, once a change is taken from the second.

    Both the gap and what each cluster adds to its error are linear in the change: one look at the ways serves for all.
    """

    def __init__(self, side: NDArray[np.bool_], size: Floats, total: Floats, draws: int, seed: int) -> None:
        self.ways = math.comb(len(side), int(side.sum()))
        self.all = self.ways <= draws
        ways = _all_ways(side) if self.all else _some_ways(side, draws, seed)
        blocks = [self._look(dealt, side, size, total) for dealt in (side[None], *ways)]
        self.gap, self.less, *squares = np.concatenate(blocks, axis=1)
        self.squares = np.stack(squares)

    def _look(self, dealt: NDArray[np.bool_], side: NDArray[np.bool_], size: Floats, total: Floats) -> Floats:
        """Of each way: the gap and how much of it a change takes away; squares of what is left, product, and change."""
        gap, squares = np.zeros((2, len(dealt))), np.zeros((3, len(dealt)))
        for sign, there in ((1.0, dealt), (-1.0, ~dealt)):
            rows, clusters = there @ size, there.sum(axis=1)
            found, change = (self._left(there, size, rows, of) for of in (total, size * side))
            gap += sign * np.stack([there @ total, there @ (size * side)]) / rows
            parts = np.stack([(x * y).sum(axis=1) for x, y in ((found, found), (found, change), (change, change))])
            squares += (clusters - 1) / clusters * parts
        return np.vstack([gap, squares])

    @staticmethod
    def _left(there: NDArray[np.bool_], size: Floats, rows: Floats, of: Floats) -> Floats:
        """How far each cluster's absence would move its side's mean."""
        middle = (there @ of / rows)[:, None]
        return np.where(there, (of - size * middle) / (rows[:, None] - np.where(there, size, 0.0)), 0.0)

    def apart(self, change: float) -> Floats:
        """Of each way, the one found first."""
        gap = np.abs(self.gap - change * self.less)
        variance = self.squares[0] - 2 * change * self.squares[1] + change**2 * self.squares[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            apart: Floats = gap / np.sqrt(variance)
        return np.where(variance > 0, apart, np.where(gap > 0, np.inf, 0.0))

    def p(self, change: float) -> float:
        """Share of the ways that part the sides at least as far as the one found, without that change."""
        found, *others = self.apart(change)
        as_far = int(np.count_nonzero(np.array(others) >= found * (1 - _DUST)))
        return as_far / self.ways if self.all else (1 + as_far) / len(self.gap)

    def end(self, step: float, alpha: float) -> float:
        """The last change, from the one found on in steps and then by halves, whose p is above `alpha`; else NaN."""
        found = float(self.gap[0])  # the first way is the one found, and `less` is 1 for it
        inside, outside = found, found + step
        for _ in range(_STEPS):
            if self.p(outside) <= alpha:
                break
            inside, outside = outside, outside + 2 * (outside - found)
        else:
            return float("nan")
        for _ in range(_HALVES):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if self.p(middle) > alpha else (inside, middle)
        return inside
