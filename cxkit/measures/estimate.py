"""Estimates with intervals: one tidy line per KPI, statistic and group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxkit.errors import MeasureError
from cxkit.measures.amounts import Amounts, Floats
from cxkit.measures.counted import Counted, from_tally
from cxkit.measures.counting import counted_by_rows
from cxkit.measures.engine import counted_by_engine
from cxkit.measures.facts import is_large, precision_of
from cxkit.measures.groups import Groups, grouped
from cxkit.measures.kinds import Count, Duration, Measure, Net, Ratio, Score, Share
from cxkit.measures.needs import must_answer
from cxkit.measures.passes import batches, looked
from cxkit.measures.periods import cut_short, units_of
from cxkit.measures.rates import rate, shared_keys
from cxkit.measures.spread import spread
from cxkit.measures.stocks import stocks
from cxkit.stats import Interval, count_interval, net_adjusted_wald, ratio_interval, wilson

if TYPE_CHECKING:
    from cxkit.study import Study

Stats = dict[str, Interval]  # statistic -> one interval per group
Found = dict[Measure, tuple[Groups, Counted]]


def estimates(
    study: Study,
    measures: Measure | Iterable[Measure] | Mapping[str, Measure],
    by: Sequence[str] | str = (),
    level: float = 0.95,
) -> pd.DataFrame:
    """Every statistic of each measure per group of `by` (periods, or any columns), in a long tidy table.

    Columns: kpi, kind, stat (share | top_share, mean | net | median, p90, within, capped_mean | mean_seconds,
    mean_share, mean, cost or rate | count or stock), `by`..., value, low, high, n, open (censored, or not yet
    decidable), missing (not known), clusters, design_effect, widening, precision. Shares are 0-1, nets -1 to 1, times
    seconds; infinite is "not reached". Groups without a counted row are absent; without `by` there is always one line
    per statistic. With a period ("day", "week", "half_month", "month") a column `partial` marks the one that `as_of`
    cuts short.

    Intervals treat rows as independent, as is right for what these agents did. `design_effect` is the factor by which
    the variance of the headline (of a duration: of the share finished by the median, and for `within` by the target)
    grows when the clusters (agents) stand for others, the mix of channels taken as it is; `widening` the factor on the
    half-widths of its interval that follows, with Student's t for few clusters. Missing where the clusters are too few
    to tell. Stocks, and money per row of another table, are complete counts: they have no interval.

    `precision` is the relative error up to which times were cut down; 0 where they were counted to the second, as they
    are in tables of up to 200,000 rows.

    MeasureError when the data cannot carry a measure, naming what is missing.
    """
    chosen, by = _listed(measures), _named(by)
    if not chosen:
        raise MeasureError("measure_none")
    for measure in chosen:
        must_answer(study, measure)
    under = {m: (m.denominator, shared_keys(study, m, by)) for m in chosen if isinstance(m, Ratio) and m.denominator}
    asked: dict[tuple[str, ...], list[Measure]] = {by: [m for m in chosen if not _is_stock(m)]}
    for denominator, keys in under.values():
        asked.setdefault(keys, []).append(denominator)
    found = {keys: _found(study, wanted, keys, level) for keys, wanted in asked.items()}
    tables = []
    for measure in chosen:
        if isinstance(measure, Count) and _is_stock(measure):
            table = _stock_table(measure, stocks(study, measure, by))
        else:
            groups, counted = found[by][measure]
            below = _below(found, *under[measure]) if measure in under else None
            table = _table(measure, groups, counted, level, below)
        tables.append(table.assign(precision=precision_of(study, measure)))
    whole = pd.concat(tables, ignore_index=True)
    for unit in units_of(by):
        cut = cut_short(study, unit, whole[unit])
        whole["partial"] = whole["partial"] | cut if "partial" in whole else cut
    return whole


def closed_only(study: Study, measure: Duration, by: Sequence[str] | str = (), level: float = 0.95) -> pd.DataFrame:
    """What `estimates` would say of a Duration if open rows were dropped, as many reports do: too fast; to compare."""
    if not isinstance(measure, Duration):
        raise MeasureError("measure_not_duration", kpi=measure.spoken)
    must_answer(study, measure)
    groups, counted = _found(study, [measure], _named(by), level, closed=True)[measure]
    return _table(measure, groups, counted, level)


def estimates_of(
    measure: Measure, counted: pd.DataFrame, by: Sequence[str] | str = (), level: float = 0.95
) -> pd.DataFrame:
    """The estimates of one measure from its tally, or from its rows: the two give the same numbers.

    A column `cluster`, where there is one, gives `clusters` and `design_effect`.
    """
    lines = counted.reset_index(drop=True)
    groups = grouped(lines, _named(by))
    return _table(measure, groups, from_tally(measure, lines, groups, level), level)


def _found(study: Study, measures: Sequence[Measure], by: tuple[str, ...], level: float, closed: bool = False) -> Found:
    """What was counted of each measure: table by table, long ones by the engine."""
    found: Found = {}
    for batch in batches(study, measures):
        look = looked(study, batch, by, clusters=True, closed=closed)
        count = counted_by_engine if is_large(study, batch[0].of) else counted_by_rows
        groups, each = count(look, level)
        found |= {measure: (groups, counted) for measure, counted in each.items()}
    return found


def _is_stock(measure: Measure) -> bool:
    return isinstance(measure, Count) and bool(measure.spells)


def _below(found: Mapping[tuple[str, ...], Found], measure: Measure, keys: tuple[str, ...]) -> pd.DataFrame:
    """How many rows stand under a ratio: columns of keys and `value`."""
    groups, counted = found[keys][measure]
    return groups.keys.assign(value=counted.lines.total)


def _table(
    measure: Measure, groups: Groups, counted: Counted, level: float, below: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The estimates of a measure from what was counted, in the columns of `estimates`."""
    about = {"n": counted.lines.total, "open": counted.open, "missing": counted.missing}
    if counted.amounts is None:
        stats, spreads = counted.times, {s: spread(counted.lines, m, level) for s, m in counted.moves.items()}
        wider = {stat: spreads.get(stat, spreads.get("median", {})) for stat in stats}
    else:
        stats = _stats(measure, counted.amounts, level)
        if isinstance(measure, Ratio) and below is not None:
            top = counted.lines.per_group(counted.amounts.top)
            stats = {measure.headline: rate(measure, groups, about["n"], top, below, level)}
        wider = dict.fromkeys(stats, spread(counted.lines, counted.amounts.moves, level))
    return _tidy(measure, stats, groups.keys, about, wider)


def _stats(measure: Measure, amounts: Amounts, level: float) -> Stats:
    return _STATS[measure.kind](measure, amounts, level)


def _share(measure: Share, amounts: Amounts, level: float) -> Stats:
    return {"share": wilson(amounts.lines.per_group(amounts.top), amounts.lines.total, level)}


def _score(measure: Score, amounts: Amounts, level: float) -> Stats:
    lines = amounts.lines
    top, n, value, value2 = (
        lines.per_group(each) for each in (amounts.top, lines.n, amounts.more["value"], amounts.more["value2"])
    )
    mean = ratio_interval(n, value, n, (value2, value, n), level, measure.scale)
    return {"top_share": wilson(top, n, level), "mean": mean}


def _net(measure: Net, amounts: Amounts, level: float) -> Stats:
    net, answered, n = (amounts.lines.per_group(each) for each in (amounts.top, amounts.top2, amounts.lines.n))
    up, down = (answered + net) / 2, (answered - net) / 2
    return {"net": net_adjusted_wald(up, n - up - down, down, level)}


def _ratio(measure: Ratio, amounts: Amounts, level: float) -> Stats:
    lines = amounts.lines
    top, bottom = lines.per_group(amounts.top), lines.per_group(amounts.bottom)
    squares = lines.per_group(amounts.top2), lines.per_group(amounts.both), lines.per_group(amounts.bottom2)
    least = 0.0 if measure.headline == "mean_seconds" or not amounts.more["negative"].any() else -np.inf
    most = 1.0 if measure.unit == "share" and not (amounts.ratio > 1).any() else np.inf
    return {measure.headline: ratio_interval(lines.total, top, bottom, squares, level, (least, most))}


def _count(measure: Count, amounts: Amounts, level: float) -> Stats:
    return {"count": count_interval(amounts.lines.total, level)}


_STATS: Mapping[str, Callable[..., Stats]] = {
    "share": _share,
    "score": _score,
    "net": _net,
    "ratio": _ratio,
    "count": _count,
}


def _stock_table(measure: Count, found: pd.DataFrame) -> pd.DataFrame:
    """Stocks in the columns of `estimates`."""
    n, none = found["n"].to_numpy(dtype=np.float64), np.zeros(len(found))
    unknown = np.full(len(found), np.nan)
    about = {"n": n, "open": none, "missing": none}
    return _tidy(measure, {"stock": Interval(n, unknown, unknown)}, found.drop(columns="n"), about, {}, empty=True)


def _tidy(
    measure: Measure,
    stats: Stats,
    keys: pd.DataFrame,
    about: Mapping[str, Floats],
    wider: Mapping[str, Mapping[str, Floats]],
    empty: bool = False,
) -> pd.DataFrame:
    """One line per statistic and group; groups without a row only if `empty`, or if there is but one."""
    none = np.full(len(keys), np.nan)
    whole = {name: amount.astype(np.int64) for name, amount in about.items()}
    shown = (whole["n"] > 0) | empty | (not len(keys.columns))
    tables = []
    for stat, found in stats.items():
        spreads = {name: wider.get(stat, {}).get(name, none) for name in ("clusters", "design_effect", "widening")}
        table = keys.assign(value=found.estimate, low=found.low, high=found.high, **whole, **spreads)
        for place, (name, word) in enumerate((("kpi", measure.id), ("kind", measure.kind), ("stat", stat))):
            table.insert(place, name, word)
        tables.append(table[shown])
    return pd.concat(tables, ignore_index=True)


def _named(by: Sequence[str] | str) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by)


def _listed(measures: Measure | Iterable[Measure] | Mapping[str, Measure]) -> list[Measure]:
    if isinstance(measures, Measure):
        return [measures]
    return list(measures.values() if isinstance(measures, Mapping) else measures)
