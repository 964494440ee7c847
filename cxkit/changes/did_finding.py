"""The finding about units: its words, and its picture of both kinds of them, the effect, and the periods before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.changes.drawing import change_axis, draw_effect, effect_title, legend_beside, name_steps, places_of
from cxkit.changes.finding import Finding
from cxkit.changes.panel import Panel
from cxkit.changes.parts import STAT, plain
from cxkit.changes.words import Change, Column, Group
from cxkit.lang import Amount, frame_line, is_rtl, number, say
from cxkit.result import Format, by_unit
from cxkit.stats import EventStudy

_TICKS = 6
_COLOURS = {"without": figures.MUTED, "with": figures.ACCENT}


@dataclass(frozen=True, eq=False)
class DidFinding(Finding):
    """A finding about units: one row for those with the change and those without, before and after.

    Columns of `table`: group, stage, stat, unit, value, units, n; of a roll-out one row for each time at which units
    got the change: start, units, value (effect), periods. `shape` holds the mean of both kinds of units period by
    period; `event` the effect by periods since the change. `doubts`: few_units, apart.
    """

    panel: Panel | None = None
    event: EventStudy | None = None
    unit: str = ""

    size: ClassVar[tuple[float, float]] = (10.0, 6.0)
    _doubtful: ClassVar[str] = "_doubtful_units"
    _more_of: ClassVar[str] = "more_units"

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Units with and without the change, before and after; or the effect by start."""
        if self.design.id == "staggered":
            return {
                "start": ("c", lambda row, lang: _start(row["start"], lang)),
                "units": "count",
                "effect": ("d", lambda row, lang: Change(row["value"], row["unit"]).text(lang)),
                "periods": "count",
            }
        return {
            "group": ("c", lambda row, lang: Group("", str(row["group"])).text(lang)),
            "stage": ("c", lambda row, lang: Group("", str(row["stage"])).text(lang)),
            "stat": STAT,
            "value": by_unit("value"),
            "units": "count",
            "n": "count",
        }

    @property
    def event_unit(self) -> str:
        """The unit of the effects by periods: relative where the periods were taken in logarithms."""
        if self.panel is not None and self.panel.log:
            return "relative"
        unit = self.effect.unit if self.effect is not None else "number2"
        return unit if unit != "relative" else "number2"

    @property
    def _more_facts(self) -> dict[str, object]:
        return {**super()._more_facts, "unit": Column(self.unit)}

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Both kinds of units period by period; the effect; and the effect by periods since the change."""
        return _drawn(self, ax, lang)

    def to_dict(self) -> dict[str, Any]:
        """Everything in machine values, with the effect by periods since the change."""
        since = []
        if self.event is not None:
            rows = zip(self.event.since, self.event.effects, self.event.low, self.event.high, strict=True)
            since = [{"since": int(s), "value": e.value, "low": low, "high": high} for s, e, low, high in rows]
        return {**super().to_dict(), "since": plain(since), "unit_of_analysis": self.unit}


def _start(at: Any, lang: str) -> str:
    return Amount(at, "date" if isinstance(at, pd.Timestamp) else "text").text(lang)


def _drawn(found: DidFinding, ax: Axes | None, lang: str | None) -> Axes:
    """Above both kinds of units (of a roll-out the effect by periods since), below the effect with its interval."""
    ax = figures.own_axes(ax, lang, found.size)
    ax.set_axis_off()
    if found.effect is None:
        return ax
    rtl, lines = is_rtl(lang), found.shape
    left = 0.0 if rtl else 0.08
    if lines is None:
        _since(ax.inset_axes((left, 0.42, 0.92, 0.5)), found, lang, _title(found, lang))
        draw_effect(ax.inset_axes((0.05, 0.06, 0.9, 0.16)), found.effect, found.code, found.margin, lang)
        return ax
    _groups(ax.inset_axes((left, 0.44, 0.92, 0.48)), found, lines, lang)
    draw_effect(ax.inset_axes((0.5 if rtl else 0.06, 0.06, 0.42, 0.16)), found.effect, found.code, found.margin, lang)
    _since(ax.inset_axes((0.0 if rtl else 0.6, 0.06, 0.4, 0.24)), found, lang, say("changes.line.since", lang))
    return ax


def _title(found: DidFinding, lang: str | None) -> str:
    told = found.effects[:1]
    return " · ".join([found.kpi.text(lang), *(effect_title(each, lang) for each in told)])


def _groups(ax: Axes, found: DidFinding, lines: pd.DataFrame, lang: str | None) -> None:
    """The mean of units with the change and of those without it, period by period."""
    for name, colour in _COLOURS.items():
        part = lines[lines["group"] == name]
        ax.plot(
            places_of(part["label"]), part["value"], "-o", color=colour, markersize=3, label=Group("", name).text(lang)
        )
    once = lines[lines["group"] == "with"].reset_index(drop=True)
    x, before = places_of(once["label"]), int((~once["after"]).sum())
    if 0 < before < len(x):
        ax.axvline((x[before - 1] + x[before]) / 2, color=figures.INK, linewidth=1.2)
    ax.set_title(found.kpi.text(lang))
    legend_beside(ax, lang, 2)
    unit = str(found.table["unit"].iloc[0])
    figures.finish(ax, lang, "series", figures.axis_unit(unit), "y")
    name_steps(ax, once["label"], lang)


def _since(ax: Axes, found: DidFinding, lang: str | None, title: str) -> None:
    """The effect by periods since the change, with bounds that hold for all of them together."""
    event, effect = found.event, found.effect
    ax.set_title(title, fontsize=10)
    if event is None or effect is None:
        ax.set_axis_off()
        return
    unit, log = found.event_unit, found.event_unit == "relative"
    middle = np.array([e.value for e in event.effects])
    value, low, high = (np.expm1(x) if log else x for x in (middle, event.low, event.high))
    ax.axhline(0, color=figures.INK, linewidth=1)
    ax.axvline(-0.5, color=figures.INK, linewidth=1, linestyle=":")
    ax.vlines(event.since, low, high, color=figures.ACCENT, linewidth=4, alpha=0.3)
    ax.plot(event.since, value, "o", color=figures.ACCENT, markersize=4)
    ax.plot(-1, 0, "o", color=figures.ACCENT, markersize=4, markerfacecolor=figures.PAPER)  # what all are measured by
    ax.set_xlabel(say("changes.line.since_x", lang), fontsize=8)
    figures.finish(ax, lang, "series", "none", "y")
    if unit in ("share", "points"):
        ax.set_ylim(max(ax.get_ylim()[0], -1.0), min(ax.get_ylim()[1], 1.0))  # no share moves farther
    change_axis(ax.yaxis, unit, lang)
    ticks = [float(y) for y in ax.get_yticks()]
    if len(ticks) > _TICKS:  # every other one, and none among them
        ax.set_yticks(ticks[next(i for i, y in enumerate(ticks) if y == 0) % 2 :: 2] if 0.0 in ticks else ticks[::2])
    least, most = min(int(event.since.min()), -1), int(event.since.max())
    step = max(1, -(-(most - least) // 8))
    ticks = [s for s in range(least, most + 1) if s % step == 0]
    ax.set_xticks(ticks, [frame_line(number(s, lang), lang) for s in ticks])
    ax.grid(True, axis="y", color=figures.LINE, linewidth=0.7)
