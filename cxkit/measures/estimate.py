"""Estimates with intervals from tallies: one tidy line per KPI, statistic and group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from cxkit.errors import MeasureError
from cxkit.measures.counting import scans
from cxkit.measures.kinds import Duration, Measure, Net, Ratio, Score, Share
from cxkit.measures.needs import must_answer
from cxkit.measures.rows import months_of
from cxkit.measures.sources import MONTH
from cxkit.stats import Interval, KaplanMeier, count_interval, kaplan_meier, mean_interval, net_adjusted_wald, wilson

if TYPE_CHECKING:
    from cxkit.study import Study

Floats = NDArray[np.float64]
Estimated = tuple[dict[str, Interval], Floats]  # statistic -> one interval per group; influence of a row of each line
_MANY_CLUSTERS = 60  # above it the corrections for few clusters no longer show


@dataclass(frozen=True, eq=False)
class _Groups:
    """The group number of each line, and one line of keys per group."""

    number: NDArray[np.int64]
    keys: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Counted:
    """The known values of a tally as arrays: group number, value, whether observed, count."""

    group: NDArray[np.int64]
    value: Floats
    observed: NDArray[np.bool_]
    n: Floats
    groups: int

    def per_group(self, amount: Floats) -> Floats:
        """Sum over rows of `amount` times the count, per group."""
        return _summed(self.group, amount * self.n, self.groups)

    def total(self) -> Floats:
        """Number of rows per group."""
        return _summed(self.group, self.n, self.groups)

    def centred(self, amount: Floats) -> Floats:
        """`amount` less its mean in the group: how far one row moves that mean, but for the factor 1 / n."""
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.per_group(amount) / self.total()
        return np.asarray(amount - mean[self.group])

    def members(self) -> list[NDArray[np.intp]]:
        """The lines of each group; sorting 16-bit numbers takes one pass."""
        order = np.argsort(self.group.astype(np.int16) if self.groups < 2**15 else self.group, kind="stable")
        ends = np.cumsum(np.bincount(self.group, minlength=self.groups))[:-1]
        return np.split(order, ends)[: self.groups]  # splitting nothing leaves one empty piece


def estimates(
    study: Study,
    measures: Measure | Iterable[Measure] | Mapping[str, Measure],
    by: Sequence[str] | str = (),
    level: float = 0.95,
) -> pd.DataFrame:
    """Every statistic of each measure per group of `by` ("month", or any column), in a long tidy table.

    Columns: kpi, kind, stat (share | top_share, mean | net | median, p90, within, capped_mean | mean_seconds or mean |
    count), `by`..., value, low, high, n, open (censored, or not yet decidable), missing (not known), clusters,
    design_effect, widening. Shares are 0-1, nets -1 to 1, times seconds; infinite is "not reached". Groups without a
    counted row are absent; without `by` there is always one line per statistic. With "month" a column `partial` marks
    the month that `as_of` cuts short.

    Intervals treat rows as independent, as is right for what these agents did. `design_effect` is the factor by which
    the variance of the headline (of a duration: of the share finished by the median) grows when the clusters (agents)
    stand for others, the mix of channels taken as it is; `widening` the factor on the half-widths of its interval that
    follows, with Student's t for few clusters. Missing where the clusters are too few to tell.

    MeasureError when the data cannot carry a measure, naming what is missing.
    """
    chosen, by = _listed(measures), _named(by)
    if not chosen:
        raise MeasureError("measure_none")
    for measure in chosen:
        must_answer(study, measure)
    tables: dict[Measure, pd.DataFrame] = {}
    for found in scans(study, chosen, by):
        groups = _groups(found.table, by)
        tables |= {m: _estimated(m, found.of(m), groups, level) for m in found.places}
    table = pd.concat([tables[measure] for measure in chosen], ignore_index=True)
    return table.assign(partial=_cut_short(study, table[MONTH])) if MONTH in by else table


def closed_only(study: Study, measure: Duration, by: Sequence[str] | str = (), level: float = 0.95) -> pd.DataFrame:
    """What `estimates` would say of a Duration if open rows were dropped, as many reports do: too fast; to compare."""
    if not isinstance(measure, Duration):
        raise MeasureError("measure_not_duration", kpi=measure.spoken)
    must_answer(study, measure)
    by = _named(by)
    (found,) = scans(study, [measure], by)
    lines = found.of(measure)
    return estimates_of(measure, lines[lines["observed"].to_numpy(dtype=bool)], by, level)


def estimates_of(
    measure: Measure, counted: pd.DataFrame, by: Sequence[str] | str = (), level: float = 0.95
) -> pd.DataFrame:
    """The estimates of one measure from its tally, or from its rows: the two give the same numbers.

    A column `cluster`, where there is one, gives `clusters` and `design_effect`.
    """
    lines, by = counted.reset_index(drop=True), _named(by)
    return _estimated(measure, lines, _groups(lines, by), level)


def _estimated(measure: Measure, lines: pd.DataFrame, groups: _Groups, level: float) -> pd.DataFrame:
    """The estimates from lines whose index is their place in `groups`."""
    group, size = groups.number[lines.index.to_numpy()], len(groups.keys)
    n, value = (lines[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in ("n", "value"))
    observed, unknown = lines["observed"].to_numpy(dtype=bool), np.isnan(value)
    about = {
        "open": _summed(group[~observed], n[~observed], size),
        "missing": _summed(group[unknown & observed], n[unknown & observed], size),
    }
    if unknown.any():
        known = ~unknown
        lines, group, value, observed, n = lines[known], group[known], value[known], observed[known], n[known]
    rows = _Counted(group, value, observed, n, size)
    stats, influence = _ESTIMATE[measure.kind](measure, rows, level)
    spread = _spread(rows, influence, lines, level) if "cluster" in lines else {}
    return _tidy(measure, stats, groups.keys, {"n": rows.total(), **about, **spread})


def _share(measure: Share, rows: _Counted, level: float) -> Estimated:
    total = rows.total()
    return {"share": wilson(rows.per_group(rows.value), total, level)}, rows.centred(rows.value)


def _score(measure: Score, rows: _Counted, level: float) -> Estimated:
    top = np.isin(rows.value, measure.top).astype(np.float64)
    share = wilson(rows.per_group(top), rows.total(), level)
    means = [mean_interval(rows.value[i], rows.n[i], level, measure.scale) for i in rows.members()]
    return {"top_share": share, "mean": _stacked(means)}, rows.centred(top)


def _net(measure: Net, rows: _Counted, level: float) -> Estimated:
    up, down = (np.isin(rows.value, ends).astype(np.float64) for ends in (measure.promoters, measure.detractors))
    promoters, passives, detractors = (rows.per_group(part) for part in (up, 1 - up - down, down))
    return {"net": net_adjusted_wald(promoters, passives, detractors, level)}, rows.centred(up - down)


def _duration(measure: Duration, rows: _Counted, level: float) -> Estimated:
    """Statistics of each group's curve; the share finished by the group's median carries the influence."""
    asked: dict[str, Callable[[KaplanMeier], Interval]] = {
        "median": lambda curve: curve.quantile_interval(0.5, level),
        "p90": lambda curve: curve.quantile_interval(0.9, level),
    }
    if target := measure.target_seconds:
        asked["within"] = lambda curve: curve.within(target, level)
    if horizon := measure.horizon_seconds:
        asked["capped_mean"] = lambda curve: curve.capped_mean(horizon, level)
    found: dict[str, list[Interval]] = {stat: [] for stat in asked}
    influence = np.zeros_like(rows.value)
    for i in rows.members():
        curve = kaplan_meier(rows.value[i], rows.observed[i], rows.n[i])
        influence[i] = curve.influence(min(curve.median, curve.followed))
        for stat, ask in asked.items():
            found[stat].append(ask(curve))
    return {stat: _stacked(intervals) for stat, intervals in found.items()}, influence


def _ratio(measure: Ratio, rows: _Counted, level: float) -> Estimated:
    scale = (0.0, np.inf) if measure.top.endswith("_seconds") else (-np.inf, np.inf)  # nobody waits less than no time
    means = [mean_interval(rows.value[i], rows.n[i], level, scale) for i in rows.members()]
    return {measure.headline: _stacked(means)}, rows.centred(rows.value)


def _count(measure: Measure, rows: _Counted, level: float) -> Estimated:
    return {"count": count_interval(rows.total(), level)}, np.zeros_like(rows.n)


_ESTIMATE: Mapping[str, Callable[..., Estimated]] = {
    "share": _share,
    "score": _score,
    "net": _net,
    "duration": _duration,
    "ratio": _ratio,
    "count": _count,
}


def _spread(rows: _Counted, influence: Floats, lines: pd.DataFrame, level: float) -> dict[str, Floats]:
    """Number of clusters per group, design effect of the headline, and how much wider its interval would be.

    Design effect: sum over clusters of squared summed influences, less the mean of their stratum, times what `_small`
    asks for, over the independent variance; rows without a cluster stand alone. Widening: its root, times Student's t
    over the normal quantile.
    """
    code, words = pd.factorize(lines["cluster"])
    clustered = code >= 0
    cell, found = pd.factorize(rows.group[clustered] * len(words) + code[clustered])
    owner = found // max(len(words), 1)
    stratum = pd.factorize(lines["stratum"], use_na_sentinel=False)[0] if "stratum" in lines else np.zeros_like(code)
    within = _within_stratum(rows, influence, stratum)
    total = _summed(cell, (within * rows.n)[clustered], len(found))
    g = _summed(owner, np.ones_like(total), rows.groups)
    part = rows.group[clustered], code[clustered], stratum[clustered]
    factor, freedom = _small(*part, rows.n[clustered], rows.groups)
    plain = rows.per_group(influence**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        together = _summed(owner, total**2, rows.groups) * factor
        effect = (together + rows.per_group(within**2 * ~clustered)) / plain
        effect = np.where((freedom > 1) & (plain > 0), effect, np.nan)
        student = special.stdtrit(freedom, (1 + level) / 2) / special.ndtri((1 + level) / 2)
        wider = np.sqrt(np.fmax(effect, 1)) * np.where(plain > 0, student, 1)  # equal values leave nothing to widen
        widening = np.where(freedom > 1, wider, np.nan)
    return {"clusters": g, "design_effect": effect, "widening": widening}


def _small(
    group: NDArray[np.integer[Any]],
    cluster: NDArray[np.integer[Any]],
    stratum: NDArray[np.integer[Any]],
    n: Floats,
    groups: int,
) -> tuple[Floats, Floats]:
    """Per group: the factor that makes a sum of squares over few clusters unbiased, and its degrees of freedom.

    Taking a mean from each stratum costs freedom: with n_h the rows of each cluster in stratum h and M = diag(n) - sum
    of n_h n_h' / n_h the factor is sum(n^2) / ||M||^2, and G / (G - 1) where there is one stratum; freedom as
    Satterthwaite (1946): tr(A)^2 / tr(A^2), A = M'M. Both are for rows that are independent between clusters.
    """
    factor, freedom = np.full(groups, np.nan), np.zeros(groups)
    strata = int(stratum.max(initial=0)) + 1
    place, cells = pd.factorize((group * (int(cluster.max(initial=0)) + 1) + cluster) * strata + stratum)
    rows = _summed(place, n, len(cells))
    owner, who = np.divmod(cells // strata, int(cluster.max(initial=0)) + 1)
    for at in np.unique(owner):
        mine = owner == at
        _, row = np.unique(who[mine], return_inverse=True)
        _, column = np.unique(cells[mine] % strata, return_inverse=True)
        table = np.zeros((row.max() + 1, column.max() + 1))
        table[row, column] = rows[mine]
        factor[at], freedom[at] = _correction(table)
    return factor, freedom


def _correction(table: Floats) -> tuple[float, float]:
    """Factor and degrees of freedom for one group: rows per cluster (down) and stratum (across)."""
    clusters, strata = table.shape
    if clusters > _MANY_CLUSTERS:
        return clusters / (clusters - strata), clusters - strata
    n = table.sum(axis=1)
    m = np.diag(n) - (table / table.sum(axis=0)) @ table.T
    a = m.T @ m
    trace, squares = float(np.trace(a)), float((n**2).sum())
    if clusters < 2 or trace <= 1e-9 * squares:
        return np.nan, 0.0
    return clusters / (clusters - 1) if strata == 1 else squares / trace, trace**2 / float((a * a).sum())


def _within_stratum(rows: _Counted, influence: Floats, stratum: NDArray[np.integer[Any]]) -> Floats:
    """`influence` less its mean in the group and stratum: the mix of strata is taken as it is."""
    cell, found = pd.factorize(rows.group * (stratum.max(initial=0) + 1) + stratum)
    mean = _summed(cell, influence * rows.n, len(found)) / _summed(cell, rows.n, len(found))
    return np.asarray(influence - mean[cell])


def _groups(lines: pd.DataFrame, by: Sequence[str]) -> _Groups:
    """Lines with the same keys form a group; a missing key is a key of its own."""
    number, keys = np.zeros(len(lines), dtype=np.int64), pd.DataFrame(index=[0])
    for column in by:
        code, known = pd.factorize(lines[column], use_na_sentinel=True)
        words = pd.Series(np.asarray(known)).reindex(range(-1, len(known)))  # the missing key first
        number, found = pd.factorize(number * len(words) + code + 1)
        keys = keys.iloc[found // len(words)].reset_index(drop=True)
        keys[column] = words.iloc[found % len(words)].to_numpy()
    ordered = keys.sort_values([*by]) if by else keys
    rank = np.empty(len(keys), dtype=np.int64)
    rank[ordered.index] = np.arange(len(keys))
    return _Groups(rank[number], ordered.reset_index(drop=True))


def _summed(group: NDArray[np.integer[Any]], amount: Floats, groups: int) -> Floats:
    return np.bincount(group, weights=amount, minlength=groups).astype(np.float64, copy=False)


def _stacked(found: Sequence[Interval]) -> Interval:
    return Interval(*np.array(found, dtype=np.float64).reshape(-1, 3).T)


def _tidy(
    measure: Measure, stats: Mapping[str, Interval], keys: pd.DataFrame, about: Mapping[str, Floats]
) -> pd.DataFrame:
    none = np.full(len(keys), np.nan)
    about = {**dict.fromkeys(("n", "open", "missing", "clusters", "design_effect", "widening"), none), **about}
    whole = {name: about[name].astype(np.int64) for name in ("n", "open", "missing")}
    shown = whole["n"] > 0 if len(keys.columns) else np.ones(len(keys), dtype=bool)
    tables = []
    for stat, found in stats.items():
        table = keys.assign(value=found.estimate, low=found.low, high=found.high, **{**about, **whole})
        for place, (name, word) in enumerate((("kpi", measure.id), ("kind", measure.kind), ("stat", stat))):
            table.insert(place, name, word)
        tables.append(table[shown])
    return pd.concat(tables, ignore_index=True)


def _cut_short(study: Study, months: pd.Series) -> pd.Series:
    """True for the month that is not over at `as_of`."""
    current = months_of(study)[0]
    over = current.end_at <= study.as_of + pd.Timedelta(microseconds=1)  # its last moment has passed
    return months.eq(pd.Timestamp(current.first_on)) & (not over)


def _named(by: Sequence[str] | str) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by)


def _listed(measures: Measure | Iterable[Measure] | Mapping[str, Measure]) -> list[Measure]:
    if isinstance(measures, Measure):
        return [measures]
    return list(measures.values() if isinstance(measures, Mapping) else measures)
