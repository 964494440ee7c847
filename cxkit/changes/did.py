"""Did those who got the change move more than the others: teams, channels or agents with it and without it.

::

    did(study, "first_reply_time", unit="team", treated=["north", "east"], at="2026-02-01")
    staggered(study, "aht", unit="agent_id", starts={"A1": "2026-01-11", "A2": "2026-02-08"})
    did(table, cx.Ratio("jobs", top="value"), unit="store", treated=stores, at=1, period="wave")

Weeks of one team resemble each other, so each unit is collapsed to one value before and one after, and units are
compared: each counts alike, whatever its number of cases. What befell all units falls out; whether both kinds went the
same way before is looked at in the periods before. Where units got the change at different times, each is compared with
those that do not have it yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from cxkit.changes.asking import alpha_of, change_of, change_row, horizon_asked, margin_of
from cxkit.changes.did_facts import (
    UnitFacts,
    checks_of,
    cohorts_table,
    doubts_of,
    lines_of_groups,
    method_of,
    notes_of,
    sides_table,
)
from cxkit.changes.did_finding import DidFinding
from cxkit.changes.levels import at_level
from cxkit.changes.lines import Data, Moment, ground, lines_of, measure_of
from cxkit.changes.panel import Panel, Rows, panel_of, rows_of, split_at, start_columns, starts_of, treated_units
from cxkit.changes.parts import Design, Effect, Naive, judge
from cxkit.changes.sides import moment_at
from cxkit.changes.words import Column, local_date
from cxkit.errors import ParameterError
from cxkit.measures import Measure
from cxkit.measures.expressions import known_column
from cxkit.stats import (
    EventStudy,
    Inference,
    difference_in_differences,
    event_study,
    infer,
    mean,
    staggered_effect,
)

Floats = np.typing.NDArray[np.float64]


def did(
    data: Data,
    kpi: str | Measure,
    *,
    unit: str,
    treated: Any = None,
    at: Moment | float | None = None,
    change: str = "",
    where: str = "",
    dated: str = "",
    period: str = "",
    period_days: int = 0,
    horizon: float | str | None = None,
    estimand: str = "",
    margin: float | str | None = None,
    alpha: float = 0.05,
    as_of: Moment | None = None,
) -> DidFinding:
    """How much more `kpi` moved in the units that got the change at `at` than in the others (collapsed, then Welch).

    unit: the column of units (team, queue, agent); treated: the value, or values, that got the change. change: a
    `change_id` of the study, which says when, and which unit if its column is `unit`. period: for a table whose rows
    are of whole periods, the column that says which; `at` is then the first one with the change. period_days: of the
    periods in which the time before is looked at (7, 14 or 28 days unless given). The rest as `compare` takes it; a
    score is followed by its share of favourable answers, arrivals in logarithms.

    ParameterError with fewer than two units on a side.
    """
    measure = measure_of(data, kpi)
    if change:
        at, treated = _whom(data, change, unit, treated)
    if treated is None or at is None:
        raise ParameterError("did_who")
    told: dict[str, Any] = {"where": where, "dated": dated, "period": period, "estimand": estimand, "as_of": as_of}
    rows = rows_of(data, measure, unit, at=at, horizon=horizon_asked(horizon), **told)
    flag = treated_units(rows, unit, treated)
    if flag.sum() == 1:
        raise ParameterError("did_one_unit", unit=Column(unit))
    before, after, n, log = _collapsed(rows, at)
    alpha = alpha_of(alpha)
    found = difference_in_differences(before, after, flag, 1 - alpha)
    panel = panel_of(rows, at, period_days)
    start = np.where(flag, _change_column(rows, panel, at), np.nan)
    event = _event(panel.values, start, 1 - alpha)
    facts = UnitFacts(rows, unit, start, _at_day(rows, at), found.left_out, found.cautions, event, panel, log)
    naive = Naive("treated_only", found.treated.p, at_level(found.treated, 0.95, log).value, float(flag.sum()))
    table = sides_table(rows, flag, (before, after), n, log)
    own = {"change_with": found.treated, "change_without": found.control}
    return _finding(facts, found.effect, own, naive, table, margin_of(margin), alpha, "did")


def staggered(
    data: Data,
    kpi: str | Measure,
    *,
    unit: str,
    starts: Mapping[Any, Any] | pd.Series[Any] | str,
    where: str = "",
    dated: str = "",
    period: str = "",
    period_days: int = 0,
    base: Literal["before", "last"] = "before",
    against: Literal["not_yet", "never"] = "not_yet",
    horizon: float | str | None = None,
    estimand: str = "",
    margin: float | str | None = None,
    alpha: float = 0.05,
    as_of: Moment | None = None,
) -> DidFinding:
    """The mean effect of a change that came to units at different times, such as training agent by agent.

    starts: for each unit the day on which it got the change (a mapping, a Series, or the column that holds it); units
    without one never did. Each is measured against its own mean `before` the change (base "last": the last period
    before it), beside the units that do not have it yet (against "never": that never get it). A period within which the
    change came counts for nothing. The rest as `did`.
    """
    measure = measure_of(data, kpi)
    beside = (starts,) if isinstance(starts, str) else ()
    told: dict[str, Any] = {
        "where": where,
        "dated": dated,
        "period": period,
        "estimand": estimand,
        "as_of": as_of,
        "beside": beside,
    }
    first = _first_start(data, measure, unit, starts, told)
    rows = rows_of(data, measure, unit, at=first, horizon=horizon_asked(horizon), **told)
    when = starts_of(rows, unit, starts)
    panel = panel_of(rows, min(when.values(), default=first), period_days)
    start, values = start_columns(panel, when)
    alpha = alpha_of(alpha)
    found = staggered_effect(values, start, base=base, against=against, level=1 - alpha)
    event = _event(values, start, 1 - alpha, against)
    facts = UnitFacts(rows, unit, start, None, found.not_compared, found.cautions, event, panel, panel.log)
    naive = _before_after(values, start, panel.log)
    table = cohorts_table(found, panel, facts.effect_unit)
    return _finding(facts, found.effect, {}, naive, table, margin_of(margin), alpha, "staggered")


def _finding(
    facts: UnitFacts,
    found: Inference,
    own: Mapping[str, Inference],
    naive: Naive | None,
    table: pd.DataFrame,
    margin: float | None,
    alpha: float,
    way: str,
) -> DidFinding:
    """The finding of how much more units with the change moved; `own` are companions, the changes of either kind."""
    rows, told, unit = facts.rows, facts.rows.estimand, facts.effect_unit

    def effect_at(level: float) -> Inference:
        return at_level(found, level, facts.log)

    if not found.se > 0:
        raise ParameterError("did_constant", kpi=rows.measure.spoken, unit=Column(facts.unit))
    effects = [told.effect(effect_at(1 - alpha), "primary", unit)]
    effects += [Effect(name, unit, at_level(each, 1 - alpha, facts.log)) for name, each in own.items()]
    return DidFinding(
        table,
        notes_of(facts, way),
        measure=rows.measure,
        design=Design("beyond", ("without", "with"), at=facts.at, id=way),
        effects=tuple(effects),
        judgement=judge(effect_at, better=told.better, margin=margin, alpha=alpha, rows=float(len(rows.units))),
        method=method_of(facts, way),
        naive=naive,
        checks=checks_of(facts),
        doubts=doubts_of(facts),
        alpha=alpha,
        margin=margin,
        shape=lines_of_groups(facts) if way == "did" else None,
        provenance={"definition": rows.measure.definition_hash, "as_of": rows.place.as_of.isoformat()},
        panel=facts.panel,
        event=facts.event,
        unit=facts.unit,
    )


def _whom(data: Data, change: str, unit: str, treated: Any) -> tuple[Any, Any]:
    """When a change of the study's table happened, and which unit it concerned."""
    at, where = change_of(data, change, "")
    if treated is not None:
        return at, treated
    row = change_row(data, change)
    if row.get("column") != unit or not where:
        raise ParameterError("did_change_unit", change=change, unit=unit)
    return at, [row["value"]]


def _first_start(data: Data, measure: Measure, unit: str, starts: Any, told: Mapping[str, Any]) -> Any:
    """The earliest start that is told, for the time up to which waits are counted."""
    if isinstance(starts, str):
        place = ground(data, measure, told["as_of"])
        known_column(starts, place.columns(measure.of), measure.of if place.study is not None else "DataFrame")
        said = lines_of(place, measure, (starts,), where=told["where"], dated=told["dated"])[starts]
        known = said.dropna().unique().tolist()
    else:
        known = pd.Series(dict(starts), dtype=object).dropna().tolist()
    if not known:
        raise ParameterError("did_nobody")
    return min(known)


def _collapsed(rows: Rows, at: Any) -> tuple[Floats, Floats, Floats, bool]:
    """Each unit's value over all days before and after, its cases on both, and whether values are logarithms."""
    side, days = split_at(rows, at)
    if min(days) <= 0:
        counts = [int((side == i).sum()) for i in (0, 1)]
        raise ParameterError("changes_one_period", before=counts[0], after=counts[1])
    size = len(rows.units)
    value, n = rows.values(np.where(side < 0, -1, rows.unit * 2 + side), size * 2)
    value, n = value.reshape(size, 2), n.reshape(size, 2)
    if not rows.counted:
        return value[:, 0], value[:, 1], n, False
    rate = n / np.asarray(days)
    log = bool((rate > 0).all())
    rate = np.log(rate) if log else rate
    return rate[:, 0], rate[:, 1], n, log


def _change_column(rows: Rows, panel: Panel, at: Any) -> int:
    """The first period with the change."""
    if rows.period:
        return int(np.searchsorted(panel.labels, type(panel.labels[0])(at), side="left"))
    side, _ = split_at(rows, at)
    first = rows.when[side == 1].min()
    return int(np.searchsorted(panel.labels, first, side="right")) - 1


def _event(values: Floats, start: Floats, level: float, against: Any = "not_yet") -> EventStudy | None:
    """The effect by periods since the change; None where no period can be compared."""
    try:
        return event_study(values, start, against=against, level=level)
    except ParameterError:
        return None


def _at_day(rows: Rows, at: Any) -> pd.Timestamp | None:
    """The local day of the change; None where the periods have labels of their own."""
    return None if rows.period else local_date(moment_at(at, rows.place.time_zone), rows.place.time_zone)


def _before_after(values: Floats, start: Floats, log: bool) -> Naive | None:
    """What a look at the units with the change alone would say: their mean change, and its t test."""
    changes = []
    for row, at in zip(values, start, strict=True):
        if np.isfinite(at) and 0 < at < len(row):
            sides = row[: int(at)], row[int(at) :]
            changes.append(
                np.nanmean(sides[1]) - np.nanmean(sides[0]) if all(np.isfinite(s).any() for s in sides) else np.nan
            )
    known = [x for x in changes if np.isfinite(x)]
    if len(known) < 2:
        return None
    found = at_level(infer(mean(known)), 0.95, log)
    return Naive("treated_only", found.p, found.value, float(len(known)))
