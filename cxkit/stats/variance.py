"""How sure an estimate is, from how far each row moves it: one routine for rows, clusters and strata.

Rows of one agent or customer resemble each other, so whole clusters are left out in turn (CR3, the delete-one-cluster
jackknife), as MacKinnon, Nielsen and Webb (2023) recommend for few or unequal clusters. Rows without a cluster stand
alone, and with none at all the routine is that of Welch (1947).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from cxkit.errors import ParameterError
from cxkit.stats.inputs import Codes, Floats, summed

Vcov = Literal["CR3", "CR1"]
_DUST = 1e-12  # a cluster that is all of its cell but for this is all of it


class Spread(NamedTuple):
    """Standard error, its degrees of freedom, and the number of clusters (rows, where there are none) behind it.

    The error is NaN where a part of the estimate rests on a single cluster: nothing says how far it could differ.
    """

    se: float
    df: float
    clusters: float


@dataclass(frozen=True, eq=False)
class _Pieces:
    """What each cluster holds of each cell; `many` clusters are alike (rows that stand alone, counted)."""

    who: Codes
    where: Codes
    rows: Floats
    sums: Floats
    many: Floats

    @property
    def single(self) -> bool:
        """Whether every cluster lies in one cell."""
        return len(self.who) == int(self.who.max()) + 1

    def per_cluster(self, amount: Floats) -> Floats:
        return summed(self.who, amount)

    def few(self, cells: int) -> bool:
        """Whether a table of all clusters and cells is small: then it is ten times as fast as a sparse one."""
        return cells <= 32 and cells * (int(self.who.max()) + 1) <= 1_000_000

    def table(self, amount: Floats, cells: int) -> Floats:
        """The amounts, a row for each cluster and a column for each cell."""
        return summed(self.who * cells + self.where, amount, cells * (int(self.who.max()) + 1)).reshape(-1, cells)


def spread(
    moves: Floats, n: Floats, cell: Codes | None = None, cluster: Codes | None = None, vcov: Vcov = "CR3"
) -> Spread:
    """Standard error of an estimate that each of the `n` rows of a line moves by `moves`.

    `cell` numbers the parts that are centred by themselves (side of a comparison, stratum); `cluster` numbers the
    clusters, -1 for a row that stands alone. Parts linked by a common cluster (the same agents on both sides) are
    taken together, others add up. Degrees of freedom: Satterthwaite (1946), for linked parts those of their quadratic
    form as Bell and McCaffrey (2002). `vcov="CR1"` is the plain sandwich times G / (G - 1), which other tools print; it
    claims too much for few clusters.
    """
    if vcov not in ("CR3", "CR1"):
        raise ParameterError("stats_vcov", found=str(vcov))
    cell = np.zeros(len(moves), dtype=np.int64) if cell is None else cell
    kept = n > 0
    moves, n, (cell, _) = moves[kept], n[kept], pd.factorize(cell[kept])
    size = summed(cell, n)
    centred = moves - (summed(cell, n * moves) / size)[cell]
    square = summed(cell, n * centred**2)
    if cluster is None or (cluster[kept] < 0).all():
        return _combined(square * _part(size, size - 1), size - 1, size)
    pieces = _pieces(centred, n, cell, cluster[kept])
    left = 1 - pieces.rows / size[pieces.where]
    grow = np.ones_like(left) if vcov == "CR1" else _part(np.ones_like(left), np.where(left > _DUST, left, 0.0))
    dust = (1e-13 * float((n * np.abs(centred)).sum())) ** 2
    return _clustered(pieces, grow, size, square / size, vcov, dust)


def _clustered(pieces: _Pieces, grow: Floats, size: Floats, square: Floats, vcov: Vcov, dust: float) -> Spread:
    """`grow` is the jackknife's factor of each piece, `square` the mean square of a row in each cell."""
    group = _linked(pieces, len(size))
    many = np.zeros(int(pieces.who.max()) + 1)
    many[pieces.who] = pieces.many
    home = np.zeros(len(many), dtype=np.int64)
    home[pieces.who] = group[pieces.where]
    g = summed(home, many)
    factor = (g - 1) / g if vcov == "CR3" else _part(g, g - 1)
    moved = pieces.per_cluster(pieces.sums * grow)
    variance = factor * summed(home, many * moved**2)
    own = pieces.per_cluster(square[pieces.where] * pieces.rows * grow**2)
    shared = np.sqrt(square / size)[pieces.where] * pieces.rows * grow
    common = pieces.per_cluster(shared**2)
    trace = summed(home, many * (own - common))
    norm = summed(home, many * own * (own - 2 * common)) + _crossed(pieces, shared, group, len(size))
    freedom = np.where(trace > 0, _part(trace**2, norm), g - 1)
    return _combined(variance, np.minimum(freedom, g - 1), g, dust)


def _pieces(moves: Floats, n: Floats, cell: Codes, cluster: Codes) -> _Pieces:
    alone, cells = cluster < 0, int(cell.max()) + 1
    place, found = pd.factorize(cluster[~alone] * cells + cell[~alone])
    who, _ = pd.factorize(found // cells)
    singles = np.arange(alone.sum()) + (int(who.max()) + 1)
    return _Pieces(
        np.concatenate([who, singles]),
        np.concatenate([found % cells, cell[alone]]),
        np.concatenate([summed(place, n[~alone]), np.ones(len(singles))]),
        np.concatenate([summed(place, (n * moves)[~alone]), moves[alone]]),
        np.concatenate([np.ones(len(found)), n[alone]]),
    )


def _crossed(pieces: _Pieces, shared: Floats, group: Codes, cells: int) -> Floats:
    """Per part: the squared norm of K'K, where K holds `shared` by cluster and cell."""
    if pieces.single:  # K'K has nothing beside its diagonal
        return summed(group, summed(pieces.where, pieces.many * shared**2, cells) ** 2)
    if pieces.few(cells):
        whole = pieces.table(shared * np.sqrt(pieces.many), cells)
        return summed(group, ((whole.T @ whole) ** 2).sum(axis=1))
    table = sparse.csr_array((shared * np.sqrt(pieces.many), (pieces.who, pieces.where)))
    cross = (table.T @ table).tocoo()
    return summed(group[cross.row], cross.data**2, int(group.max()) + 1)


def _linked(pieces: _Pieces, cells: int) -> Codes:
    """The number of the part that each cell belongs to: cells that share a cluster are one part."""
    if pieces.single:
        return np.arange(cells)
    if pieces.few(cells):
        there = pieces.table(np.ones(len(pieces.who)), cells)
        near = there.T @ there > 0
        for _ in range(cells.bit_length()):
            near = near @ near
        return np.asarray(np.unique(near.argmax(axis=1), return_inverse=True)[1], dtype=np.int64)
    order = np.argsort(pieces.who, kind="stable")
    who, where = pieces.who[order], pieces.where[order]
    same = who[1:] == who[:-1]
    links = sparse.coo_array((np.ones(same.sum()), (where[:-1][same], where[1:][same])), shape=(cells, cells))
    return np.asarray(sparse.csgraph.connected_components(links, directed=False)[1], dtype=np.int64)


def _combined(variance: Floats, freedom: Floats, clusters: Floats, dust: float = 0.0) -> Spread:
    """The parts together: variances add up, freedom as Satterthwaite. No more than `dust` is no spread at all."""
    count = float(clusters.sum())
    if len(clusters) == 0 or (clusters < 2).any():
        return Spread(float("nan"), 0.0, count)
    total = float(variance.sum())
    if total <= dust:
        return Spread(0.0, float(freedom.sum()), count)
    return Spread(float(np.sqrt(total)), total**2 / float((variance**2 / freedom).sum()), count)


def _part(top: Floats, bottom: Floats) -> Floats:
    """`top` / `bottom`, 0 where there is nothing to divide by."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def two_way(moves: Floats, n: Floats, cell: Codes, first: Codes, second: Codes, vcov: Vcov = "CR3") -> Spread:
    """Clusters of two kinds at once (agents and customers): V = V_first + V_second - V_both.

    Cameron, Gelbach and Miller (2011). The difference can fall below either kind alone, or below 0; it is never taken
    lower than the larger of the two. Freedom is that of the poorer kind; rows without a cluster of a kind stand alone
    in it.
    """
    one, two = spread(moves, n, cell, first, vcov), spread(moves, n, cell, second, vcov)
    both = spread(moves, n, cell, _both(first, second), vcov)
    least = max(one.se, two.se)
    if np.isnan(one.se + two.se):
        return Spread(float("nan"), 0.0, min(one.clusters, two.clusters))
    total = one.se**2 + two.se**2 - both.se**2
    se = float(np.sqrt(max(total, least**2)))
    return Spread(se, min(one.df, two.df), min(one.clusters, two.clusters))


def _both(first: Codes, second: Codes) -> Codes:
    pair: NDArray[np.int64] = first * (int(second.max(initial=0)) + 1) + second
    return np.where((first < 0) | (second < 0), -1, pair)
