"""How much wider an interval becomes when rows of one cluster resemble each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from cxkit.measures.amounts import Floats, Lines, Moves, summed
from cxkit.measures.groups import Codes, members_of

_MANY_CLUSTERS = 60  # above it the corrections for few clusters no longer show


def spread(lines: Lines, moves: Moves, level: float) -> dict[str, Floats]:
    """Number of clusters per group, design effect of an estimate, and how much wider its interval would be.

    Design effect: sum over clusters of squared summed influences, less the mean of their stratum, times what `_small`
    asks for, over the independent variance; rows without a cluster stand alone. Widening: its root, times Student's t
    over the normal quantile. Empty where no clusters are known.
    """
    if lines.cluster is None:
        return {}
    clustered = lines.cluster >= 0
    within = _within_stratum(lines, moves)
    group, cluster, stratum = (each[clustered] for each in (lines.group, lines.cluster, _strata(lines)))
    part = _Part(group, cluster, stratum, lines.n[clustered], lines.groups)
    together = _pooled(lines, within, clustered) if lines.pooled else part.squares(within.sums[clustered])
    clusters = summed(part.group, lines.pooled.clusters[clustered], part.groups) if lines.pooled else part.clusters
    factor, freedom = part.corrected(clusters, exact=lines.pooled is None)
    plain = lines.per_group(moves.squares)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = (together * factor + lines.per_group(within.squares * ~clustered)) / plain
        effect = np.where((freedom > 1) & (plain > 0), effect, np.nan)
        student = special.stdtrit(freedom, (1 + level) / 2) / special.ndtri((1 + level) / 2)
        wider = np.sqrt(np.fmax(effect, 1)) * np.where(plain > 0, student, 1)  # equal values leave nothing to widen
        widening = np.where(freedom > 1, wider, np.nan)
    return {"clusters": clusters, "design_effect": effect, "widening": widening}


class _Part:
    """The clustered lines: their group, cluster, stratum and rows."""

    def __init__(self, group: Codes, cluster: Codes, stratum: Codes, n: Floats, groups: int) -> None:
        self.group, self.stratum, self.n, self.groups = group, stratum, n, groups
        known = int(cluster.max(initial=0)) + 1
        self.cell, found = pd.factorize(group * known + cluster)
        self.owner = found // known  # the group of each cluster
        self.clusters = summed(self.owner, np.ones(len(found)), groups)

    def squares(self, moved: Floats) -> Floats:
        """Per group the sum over clusters of their squared sums."""
        return summed(self.owner, summed(self.cell, moved, len(self.owner)) ** 2, self.groups)

    def corrected(self, clusters: Floats, exact: bool) -> tuple[Floats, Floats]:
        """Per group: the factor that makes a sum of squares over few clusters unbiased, and its degrees of freedom.

        Taking a mean from each stratum costs freedom: with n_h the rows of each cluster in stratum h and M = diag(n) -
        sum of n_h n_h' / n_h the factor is sum(n^2) / ||M||^2, and G / (G - 1) where there is one stratum; freedom as
        Satterthwaite (1946): tr(A)^2 / tr(A^2), A = M'M. Both are for rows that are independent between clusters.
        """
        strata = int(self.stratum.max(initial=0)) + 1
        held = np.unique(self.group * strata + self.stratum) // strata
        freedom = clusters - np.bincount(held, minlength=self.groups)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = clusters / freedom
        few = np.flatnonzero((clusters <= _MANY_CLUSTERS) & (clusters > 0)) if exact else ()
        members = members_of(self.group, self.groups) if len(few) else []
        for at in few:
            factor[at], freedom[at] = _correction(self._table(members[at]))
        return factor, np.where(clusters > 0, freedom, 0.0)

    def _table(self, mine: NDArray[np.intp]) -> Floats:
        """Rows of one group by cluster (down) and stratum (across)."""
        row, rows = pd.factorize(self.cell[mine])
        column, columns = pd.factorize(self.stratum[mine])
        return summed(row * len(columns) + column, self.n[mine], len(rows) * len(columns)).reshape(len(rows), -1)


def _correction(table: Floats) -> tuple[float, float]:
    """Factor and degrees of freedom for one group: rows per cluster (down) and stratum (across)."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    clusters, strata = table.shape
    n = table.sum(axis=1)
    m = np.diag(n) - (table / table.sum(axis=0)) @ table.T
    a = m.T @ m
    trace, squares = float(np.trace(a)), float((n**2).sum())
    if clusters < 2 or trace <= 1e-9 * squares:
        return np.nan, 0.0
    return clusters / (clusters - 1) if strata == 1 else squares / trace, trace**2 / float((a * a).sum())


def _strata(lines: Lines) -> Codes:
    return np.zeros_like(lines.group) if lines.stratum is None else lines.stratum - lines.stratum.min(initial=0)


def _within_stratum(lines: Lines, moves: Moves) -> Moves:
    """`moves` less their mean in the group and stratum: the mix of strata is taken as it is."""
    stratum, n = _strata(lines), lines.n
    cell, found = pd.factorize(lines.group * (int(stratum.max(initial=0)) + 1) + stratum)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (summed(cell, moves.sums, len(found)) / summed(cell, n, len(found)))[cell]
    mean = np.nan_to_num(mean)
    return Moves(moves.sums - mean * n, moves.squares - 2 * mean * moves.sums + mean**2 * n, _less(lines, moves, mean))


def _less(lines: Lines, moves: Moves, mean: Floats) -> tuple[Floats, Floats] | None:
    """The squares of clusters' sums when each of their rows moves by `mean` less."""
    if moves.pooled is None or lines.pooled is None:
        return None
    squares, products = moves.pooled
    return squares - 2 * mean * products + mean**2 * lines.pooled.squares, products - mean * lines.pooled.squares


def _pooled(lines: Lines, within: Moves, clustered: NDArray[np.bool_]) -> Floats:
    squares, _ = within.pooled or (np.zeros_like(lines.n), None)
    return summed(lines.group[clustered], squares[clustered], lines.groups)
