"""How one KPI moved from period to period, with the periods that the data do not cover whole set apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.kpis.asked import declared, estimated, followed, lacking
from cxkit.kpis.drawing import columns_not_reached
from cxkit.kpis.judging import THIN, with_targets
from cxkit.kpis.spans import begun, exposure, has_hours, whole, written
from cxkit.kpis.words import ESTIMATE, headline_name, shielded
from cxkit.lang import Amount, Coded, Range, Sentence, Word, month, say, write
from cxkit.measures import Measure
from cxkit.result import Format, Result, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study

_LABELS = 16  # at most so many names below a time line


@dataclass(frozen=True, eq=False)
class Trend(Result):
    """One row a period: value, interval, n, still open, and whether the period was complete at `as_of`."""

    kpi: str = ""
    target: float = float("nan")
    period: str = "month"
    unit: str = "month"  # in which the period is written
    group: Word | None = None  # whom the trend is of; None: all
    limits: tuple[float, float] | None = None  # of the value axis, where several pictures are compared

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The period as its calendar names it, then the estimate."""
        return {self.period: self.unit, **shielded(ESTIMATE), "per_open": "number2", "complete": "yesno"}

    @property
    def complete(self) -> pd.DataFrame:
        """The periods that were over at `as_of` and have an estimate."""
        return self.table[self.table["complete"] & self.table["value"].notna()]

    def sentences(self) -> tuple[Sentence, ...]:
        """The last complete period with its interval, and the range of the complete periods with enough cases.

        A period whose median is not reached is the slowest of all: it is said, not skipped.
        """
        done = self.complete
        if done.empty:
            return (Sentence("kpis.trend.none", {"kpi": Coded("kpi", self.kpi)}),)
        last, solid = done.iloc[-1], done[(done["n"] >= THIN) | (done["kind"] == "count")]
        said = [self._last(last)]
        if "per_open" in self.table and math.isfinite(last["per_open"]):
            key = f"kpis.trend.{last['per']}"
            said.append(Sentence(key, {"rate": float(last["per_open"]), "open": float(last["exposure"])}))
        if len(solid) > 1:
            ordered = solid.sort_values("value", kind="stable")
            said.append(self._range(ordered.iloc[0], ordered.iloc[-1], len(solid)))
        return tuple(said)

    def _last(self, row: pd.Series[Any]) -> Sentence:
        unit, low, high = str(row["unit"]), float(row["low"]), float(row["high"])
        about = {"kpi": Coded("kpi", self.kpi), "period": Amount(row[self.period], self.unit)}
        facts = about | {"value": Amount(float(row["value"]), unit)}
        if math.isnan(low) and math.isnan(high):  # a stock was counted, not estimated
            return Sentence("kpis.trend.last_counted", facts)
        return Sentence("kpis.trend.last", facts | {"interval": Range(low, high, unit)})

    def _range(self, lowest: pd.Series[Any], highest: pd.Series[Any], n: int) -> Sentence:
        ends = {
            f"{end}{part}": word
            for end, row in (("lowest", lowest), ("highest", highest))
            for part, word in (
                ("", Amount(float(row["value"]), str(row["unit"]))),
                ("_period", Amount(row[self.period], self.unit)),
            )
        }
        return Sentence("kpis.trend.range", {"n": n, **ends})

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Line with its interval; hollow: an incomplete period; a mark on top: one not reached; dashed: the target."""
        ax = figures.own_axes(ax, lang, self.size)
        self._draw(ax, lang)
        if pd.notna(self.target):
            ax.axhline(self.target, color=figures.INK, linestyle="--", linewidth=1.2, label=say("column.target", lang))
        figures.legend(ax, lang, loc="best")
        step = math.ceil(len(self.table) / _LABELS) or 1
        ticks = range(0, len(self.table), step)
        ax.set_xticks(ticks, [short(self.table[self.period].iloc[at], self.unit, lang) for at in ticks], rotation=45)
        unit = str(self.table["unit"].iloc[0]) if len(self.table) else "number2"
        ax.set_title(self._heading(lang))
        return figures.finish(ax, lang, "series", figures.axis_unit(unit), "y")

    def _draw(self, ax: Axes, lang: str | None) -> None:
        value = self.table["value"].to_numpy(float)
        at, complete = np.flatnonzero(np.isfinite(value)), self.table["complete"].to_numpy(bool)
        low, high = (self.table[end].to_numpy(float) for end in ("low", "high"))
        ends = np.concatenate([value, low, high])
        top = np.max(ends[np.isfinite(ends)], initial=0.0)
        for run in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1):  # a band breaks where nothing is known
            ax.fill_between(run, low[run], np.minimum(high[run], top), color=figures.ACCENT, alpha=0.18, linewidth=0)
        joined = np.where(complete, value, np.nan)
        joined[~np.isfinite(joined)] = np.nan
        ax.plot(np.arange(len(value)), joined, "-o", color=figures.ACCENT, markersize=5)
        hollow = at[~complete[at]]
        ax.plot(hollow, value[hollow], "o", color=figures.ACCENT, markerfacecolor=figures.PAPER)
        columns_not_reached(ax, list(np.flatnonzero(np.isposinf(value))), float(top), lang)
        ax.set_xlim(-0.5, max(len(value), 1) - 0.5)
        if self.limits is not None:
            ax.set_ylim(*self.limits)

    def _heading(self, lang: str | None) -> str:
        if self.group is not None:
            return self.group.text(lang)
        stat = str(self.table["stat"].iloc[0]) if len(self.table) else ""
        return headline_name(self.kpi, stat, lang)


def short(day: pd.Timestamp, unit: str, lang: str | None) -> str:
    """A period below an axis."""
    if unit == "month":
        return month(day, lang, short=True)
    return write(day, "date" if unit == "week" else unit, lang)


def trend(study: Study, kpi: str, period: str = "month", level: float = 0.95, per_open: bool = False) -> Result:
    """The headline statistic of `kpi` in every period of the study's calendar: day, week, half_month or month.

    A period is complete when the data cover it and it was over at `as_of`; a fall in another is no finding. Volumes are
    also given per open hour (per day, without business hours), and with `per_open` only so.
    """
    measure = declared(study)[kpi]
    if gaps := lacking(study, kpi):
        return not_answerable(measure.question, gaps)
    if not followed(measure):
        return not_answerable(measure.question, (f"{measure.of}: {period}",))
    table = in_periods(study, measure, period, level=level)
    if per_open and "per_open" in table:
        table = _divided(table)
    thin = table[(table["n"] < THIN) & table["value"].notna() & (table["kind"] != "count")]
    notes = [Sentence("kpis.trend.thin", {"n": len(thin), "least": THIN})] if len(thin) else []
    if not table["complete"].all():
        notes.append(Sentence("kpis.trend.incomplete"))
    target = table["target"].iloc[-1] if len(table) and not per_open else float("nan")
    return Trend(table, tuple(notes), kpi, float(target), period, written(study, period))


def in_periods(
    study: Study, measure: Measure, period: str, by: tuple[str, ...] = (), level: float = 0.95
) -> pd.DataFrame:
    """The headline of a measure period by period (and group by group), with target and whether each is complete."""
    found = with_targets(estimated(study, [measure.id], (period, *by), level), study, declared(study), level)
    table = found[found["headline"]].sort_values([period, *by]).reset_index(drop=True)
    table[period] = table[period].astype("datetime64[us]")
    table = table[table[period].isin(begun(study, measure, period))].reset_index(drop=True)
    # A period is settled when it is whole, and when none of its yes-or-no cases still waits for its follow-up.
    undecided = table["kind"].eq("share") & table["open"].gt(0)
    table["complete"] = whole(study, measure, period, table[period]) & ~undecided.to_numpy()
    if measure.headline == "count":
        table["exposure"] = exposure(study, measure, period, table[period])
        table["per_open"] = table["value"] / table["exposure"]
        table["per"] = "per_open_hour" if has_hours(study) else "per_day"
    return table


def _divided(table: pd.DataFrame) -> pd.DataFrame:
    """`table` of counts as counts per open hour or per day."""
    divided = {end: table[end] / table["exposure"] for end in ("value", "low", "high")}
    return table.assign(**divided, stat=table["per"], unit="number2").drop(columns="per_open")
