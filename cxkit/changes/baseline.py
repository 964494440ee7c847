"""How a KPI stands before a test: its value, how cases scatter and resemble each other, how many come a week."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxkit.changes.estimands import Estimand, Horizon, curve, estimands, influences
from cxkit.changes.lines import Data, Ground, ground, lines_of
from cxkit.changes.panel import last_whole
from cxkit.changes.sides import units_of
from cxkit.changes.steps import settled_until
from cxkit.errors import ParameterError
from cxkit.measures import Count, Duration, Measure, Net, Ratio, Score
from cxkit.stats import (
    Influenced,
    Outcome,
    contrast,
    count_outcome,
    design_effect,
    likeness,
    mean_outcome,
    net_outcome,
    seen_share,
    share_outcome,
)

Floats = NDArray[np.float64]
FEWEST = 10  # cases from which a baseline says something
_WEEK = 7
_DAY = pd.Timedelta(days=1)
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Baseline:
    """How the KPI stands; `scale` turns a change in the unit of the effect into one of the outcome."""

    outcome: Outcome
    told: Estimand
    rows: float = 0.0
    weeks: float = 0.0
    per_week: float = 0.0  # cases (days, of a number of arrivals)
    cluster: str = ""
    cluster_sizes: Floats | None = None
    icc: float = _NAN
    open_share: float = 0.0
    scale: float = 1.0
    growth: float = 0.0  # of the number of clusters with time: 0 always the same (agents), 1 always new ones

    def sizes_after(self, weeks: float) -> Floats | None:
        """Rows of the clusters after so many weeks: as many more as there are not more clusters."""
        if self.cluster_sizes is None or not self.weeks > 0:
            return self.cluster_sizes
        grown: Floats = np.maximum(self.cluster_sizes * (weeks / self.weeks) ** (1 - self.growth), 1.0)
        return grown

    def clusters_after(self, weeks: float) -> float:
        """Number of clusters after so many weeks."""
        if self.cluster_sizes is None:
            return _NAN
        return len(self.cluster_sizes) * (weeks / self.weeks) ** self.growth if self.weeks > 0 else _NAN


def baseline_of(
    data: Data,
    measure: Measure,
    cluster: str | Sequence[str] | None,
    weeks: int,
    split: bool,
    where: str,
    dated: str,
    horizon: float | None,
    estimand: str,
    as_of: Any,
) -> Baseline:
    """The last whole weeks of a measure that are known to their end.

    With `split` the likeness is that of changes: how much more the two halves of those weeks differ by clusters than by
    single cases. Otherwise it is that of the cases themselves. Of several kinds of clusters, the one that costs most.
    """
    if isinstance(measure, Ratio) and measure.per:
        raise ParameterError("plan_kind", kpi=measure.spoken)
    if isinstance(measure, Count) and measure.spells:
        raise ParameterError("changes_stock", kpi=measure.spoken)
    if weeks < 1:
        raise ParameterError("plan_weeks", weeks=weeks)
    place = ground(data, measure, as_of)
    units = () if isinstance(measure, Count) else units_of(place, measure, cluster)
    found = _lines(place, measure, units, where, dated)
    told = _told(measure, found, horizon, estimand)
    found, spent = _last(place, measure, told, found, weeks)
    rows = float(found["n"].sum())
    if rows < FEWEST:
        raise ParameterError("plan_few", kpi=measure.spoken, n=int(rows), least=FEWEST)
    if isinstance(measure, Count):
        return _arrivals(found, told, spent)
    inside = influences(told, measure, found, found)[0]
    outcome, open_share = _outcome(measure, told, found, inside)
    per_week = rows / spent if spent else 0.0
    base = Baseline(outcome, told, rows, spent, per_week, open_share=open_share)
    return _with_clusters(base, found, inside, units, split)


def _lines(place: Ground, measure: Measure, units: Sequence[str], where: str, dated: str) -> pd.DataFrame:
    """The known lines with their days, where they have any."""
    at = dated or measure.dated_by
    days = bool(at) and at in place.columns(measure.of)
    found = lines_of(place, measure, tuple(units), where=where, dated=dated, days=days)
    known = found["value"].notna()
    if "bottom" in found:
        known &= found["bottom"].notna()
    return found[known].reset_index(drop=True)


def _told(measure: Measure, found: pd.DataFrame, horizon: float | None, estimand: str) -> Estimand:
    """The statistic that the test is planned for."""
    until = within = None
    if isinstance(measure, Duration):
        reach = curve(found)
        target = measure.horizon_seconds or measure.target_seconds
        usual = float(min(target or np.inf, reach.quantile(0.9), reach.followed))
        until, within = Horizon(horizon or usual, "given"), measure.target_seconds
    known_by = "top_share" if isinstance(measure, Score) else ""
    told = estimands(measure, estimand or known_by, until, float(within or _NAN))[0]
    if told.stat in ("relative_effect", "quantile", "geometric_mean"):
        raise ParameterError("plan_estimand", kpi=measure.spoken, stat=told.stat)
    return told


def _last(
    place: Ground, measure: Measure, told: Estimand, found: pd.DataFrame, weeks: int
) -> tuple[pd.DataFrame, float]:
    """The lines of the last whole weeks that are settled, and how many weeks they are; all lines without days."""
    if "day" not in found or found.empty:
        return found, 0.0
    end = settled_until(place, measure, told)
    whole = last_whole(place)
    end = min(x for x in (end, whole, found["day"].max()) if x is not None)
    first = max(end - (weeks * _WEEK - 1) * _DAY, found["day"].min())
    length = ((end - first) / _DAY + 1) // _WEEK
    if length < 1:
        return found[found["day"] <= end].reset_index(drop=True), 0.0
    start = end - (length * _WEEK - 1) * _DAY
    return found[(found["day"] >= start) & (found["day"] <= end)].reset_index(drop=True), float(length)


def _arrivals(found: pd.DataFrame, told: Estimand, weeks: float) -> Baseline:
    """A number of arrivals: the days are the rows, and their spread is what counts."""
    if not weeks:
        raise ParameterError("plan_undated")
    days = pd.date_range(found["day"].max() - (weeks * _WEEK - 1) * _DAY, found["day"].max(), freq="D")
    count = found.groupby("day")["n"].sum().reindex(days, fill_value=0.0).to_numpy(np.float64)
    middle = float(count.mean())
    weekly = count.reshape(-1, _WEEK)  # weekdays are alike on both sides: what they differ by is no noise
    left = weekly - weekly.mean(axis=0) if len(weekly) > 1 else weekly - middle
    freedom = len(count) - (_WEEK if len(weekly) > 1 else 1)
    spread = max(float((left**2).sum()) / freedom / middle, 1.0) if middle > 0 else 1.0
    outcome = count_outcome(middle, spread)
    return Baseline(outcome, told, float(len(count)), weeks, float(_WEEK), scale=middle)


def _outcome(measure: Measure, told: Estimand, found: pd.DataFrame, inside: Influenced) -> tuple[Outcome, float]:
    """How one case scatters, and the share of cases whose end is not seen."""
    sd = float(np.sqrt((inside.n * inside.moves**2).sum() * inside.rows))
    if sd == 0:
        raise ParameterError("plan_constant", kpi=measure.spoken)
    if isinstance(measure, Net):
        value, n = (found[c].to_numpy(np.float64) for c in ("value", "n"))
        up, down = (float(n[np.isin(value, ends)].sum() / n.sum()) for ends in (measure.promoters, measure.detractors))
        return net_outcome(up, down), 0.0
    if told.stat == "within":
        times, done = (np.repeat(found[c].to_numpy(), found["n"].to_numpy(np.int64)) for c in ("value", "observed"))
        return share_outcome(inside.value), 1 - seen_share(times, done, told.amount)
    if told.unit == "share" and told.stat != "mean_share":
        return share_outcome(inside.value), 0.0
    if not np.isfinite(inside.value):
        raise ParameterError("plan_horizon")
    return mean_outcome(inside.value, sd), 0.0


def _with_clusters(
    base: Baseline, found: pd.DataFrame, inside: Influenced, units: Sequence[str], split: bool
) -> Baseline:
    """The baseline with the clusters that cost most; without any, as it is."""
    best, most = base, 1.0
    for unit in units:
        known = found[unit].notna().to_numpy()
        sizes = found[known].groupby(unit, observed=True)["n"].sum().to_numpy(np.float64)
        if len(sizes) < 2 or sizes.sum() <= len(sizes):
            continue
        icc = _of_changes(found, inside, unit, sizes) if split else _of_cases(found, inside, unit)
        cost = design_effect(sizes, icc)
        if cost > most or not best.cluster:
            best = dataclasses.replace(
                base, cluster=unit, cluster_sizes=sizes, icc=icc, growth=_growth(found[known], unit)
            )
            most = cost
    return best


def _growth(found: pd.DataFrame, unit: str) -> float:
    """How the number of clusters grows with time: by comparing half of the baseline with the whole."""
    if "day" not in found:
        return 0.0
    middle = found["day"].min() + (found["day"].max() - found["day"].min() + _DAY) / 2
    halves = [found.loc[part, unit].nunique() for part in (found["day"] < middle, found["day"] >= middle)]
    if min(halves) == 0:
        return 0.0
    return float(np.clip(np.log2(2 * found[unit].nunique() / sum(halves)), 0.0, 1.0))


def _of_cases(found: pd.DataFrame, inside: Influenced, unit: str) -> float:
    """How much cases of one cluster resemble each other, in what they add to the KPI."""
    times = found["n"].to_numpy(np.int64)
    who = np.repeat(found[unit].astype(object).to_numpy(), times)
    return max(likeness(np.repeat(inside.moves, times), who).icc, 0.0)


def _of_changes(found: pd.DataFrame, inside: Influenced, unit: str, sizes: Floats) -> float:
    """The likeness that would cost a comparison of the two halves of the baseline as much as its clusters do."""
    if "day" not in found:
        return _of_cases(found, inside, unit)
    middle = found["day"].min() + (found["day"].max() - found["day"].min() + _DAY) / 2
    later = (found["day"] >= middle).to_numpy()
    pair = [Influenced(0.0, inside.moves[part], inside.n[part]) for part in (~later, later)]
    labels = (found.loc[~later, unit], found.loc[later, unit])
    together, alone = contrast(*pair, clusters=labels), contrast(*pair)
    if not (together.se > 0 and alone.se > 0):
        return 0.0
    size = float((sizes**2).sum() / sizes.sum()) / 2
    return float(np.clip(((together.se / alone.se) ** 2 - 1) / max(size - 1, 1.0), 0.0, 1.0))
