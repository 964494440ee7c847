"""The finding about one series: its words, and its picture with and without the change, and of dates without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.changes.drawing import change_axis, draw_effect, legend_beside, name_steps, places_of
from cxkit.changes.finding import Finding
from cxkit.changes.parts import STAT, plain
from cxkit.changes.steps import Steps
from cxkit.changes.words import Change, Group
from cxkit.lang import Amount, Sentence, Word, frame_line, is_rtl, number, say
from cxkit.result import Format, Row
from cxkit.stats import PlaceboDates, SeriesChange

Floats = np.typing.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrendFinding(Finding):
    """A finding about one series: one row for before, after, and what was to be expected after.

    `shape` holds the series: step, value, n, fitted, without. `doubts` say why the verdict is not a firm one: short,
    sticky, leftover, placebo.
    """

    steps: Steps | None = None
    change: SeriesChange | None = None
    placebo: PlaceboDates | None = None

    size: ClassVar[tuple[float, float]] = (10.0, 6.0)
    _more_of: ClassVar[str] = "more_steps"

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Side, statistic, value, steps, cases."""
        return {
            "group": ("c", lambda row, lang: Group("", str(row["group"])).text(lang)),
            "stat": STAT,
            "value": ("d", lambda row, lang: _written(row, lang, self.design.manner == "beyond")),
            "steps": "count",
            "n": "count",
        }

    @property
    def _when(self) -> Word:
        """The step from which on the change is in force: a day, or the label that came with the series."""
        label = None if self.steps is None else self.steps.label
        return super()._when if self.design.at is not None or label is None else Amount(label, "text")

    @property
    def _more_facts(self) -> dict[str, object]:
        return {**super()._more_facts, "unit": self.steps.unit if self.steps is not None else "row"}

    def _per_thousand(self) -> Sentence | None:
        return None if self.steps is not None and self.steps.unit == "row" else super()._per_thousand()

    @property
    def would_change(self) -> tuple[Sentence, ...]:
        """What would change the verdict; dates without a change were looked at already."""
        series = Sentence("changes.would.series")
        return tuple(series if said.key == "changes.would.since" else said for said in super().would_change)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """The series with and without the change; beside it dates without a change; below it the effect."""
        return _drawn(self, ax, lang)

    def to_dict(self) -> dict[str, Any]:
        """Everything in machine values, with the series."""
        series = [] if self.shape is None else self.shape.to_dict("records")
        return {**super().to_dict(), "series": plain(series)}


def _written(row: Row, lang: str, apart: bool) -> str:
    """A mean of the series; of how far it lies from the control's, with its sign."""
    if apart and row["unit"] != "times":
        return Change(float(row["value"]), str(row["unit"])).text(lang)
    return Amount(float(row["value"]), "number2" if apart else str(row["unit"])).text(lang)


def _drawn(found: TrendFinding, ax: Axes | None, lang: str | None) -> Axes:
    """The series above; below it the effect with its interval, and where the true date lies among others."""
    ax = figures.own_axes(ax, lang, found.size)
    ax.set_axis_off()
    rtl = is_rtl(lang)
    if found.shape is None or found.effect is None:
        return ax
    _series(ax.inset_axes((0.0 if rtl else 0.08, 0.42, 0.92, 0.5)), found, lang)
    beside = found.placebo is not None and len(found.placebo.at) > 0
    wide = 0.5 if beside else 0.9
    left = (0.94 - wide if rtl else 0.06) if beside else 0.05
    draw_effect(ax.inset_axes((left, 0.06, wide, 0.16)), found.effect, found.code, found.margin, lang)
    if beside:
        _dates(ax.inset_axes((0.02 if rtl else 0.66, 0.06, 0.32, 0.22)), found, lang)
    return ax


def _series(ax: Axes, found: TrendFinding, lang: str | None) -> None:
    """Dots: the steps. Line: the model. Dashes: how it would have gone on. Upright: the change."""
    table, steps = found.shape, found.steps
    if table is None or steps is None:
        return
    x = places_of(table["step"])
    after = np.arange(len(table)) >= steps.at
    ax.plot(
        x, table["value"], ".", color=figures.MUTED, markersize=4, alpha=0.8, label=_said(f"step_{steps.unit}", lang)
    )
    lines = {name: _calmed(table[name].to_numpy(np.float64), steps) for name in ("fitted", "without")}
    for part in (~after, after):  # the model jumps where the change comes
        name = _said("fitted", lang) if part is after else None
        ax.plot(x[part], lines["fitted"][part], color=figures.ACCENT, linewidth=1.8, label=name)
    ax.plot(x[after], lines["without"][after], "--", color=figures.WARN, linewidth=1.8, label=_said("without", lang))
    if after.any():
        ax.axvline(x[after][0] - (x[1] - x[0]) / 2, color=figures.INK, linewidth=1.2)
    ax.set_title(found.kpi.text(lang))
    legend_beside(ax, lang, 3)
    told = steps.estimand
    apart = found.design.manner == "beyond"
    figures.finish(ax, lang, "series", figures.axis_unit("number2" if apart else told.unit), "y")
    if apart and found.effects[0].unit != "relative":
        change_axis(ax.yaxis, found.effects[0].unit, lang)
    name_steps(ax, table["step"], lang)


def _calmed(line: Floats, steps: Steps) -> Floats:
    """A line of days as the mean of the week around each, side by side: the weekdays would hide its course."""
    if steps.unit != "day":
        return line
    sides = np.split(line, [steps.at])
    return np.concatenate([pd.Series(s).rolling(7, center=True, min_periods=1).mean().to_numpy() for s in sides])


def _said(key: str, lang: str | None) -> str:
    return say(f"changes.line.{key}", lang)


def _dates(ax: Axes, found: TrendFinding, lang: str | None) -> None:
    """How far in standard errors the change lies, among dates on which nothing had happened."""
    placebo, change = found.placebo, found.change
    if placebo is None or change is None:
        return
    true = change.level.value / change.level.se
    reach = max(float(np.abs(placebo.t).max()), abs(true), 2.5) * 1.1
    ax.hist(placebo.t, bins=list(np.linspace(-reach, reach, 24)), color=figures.MUTED, alpha=0.6)
    ax.axvline(true, color=figures.ACCENT, linewidth=2.5)
    ax.set_xlim(-reach, reach)
    ax.set_yticks([])
    for side in ("left", "right"):
        ax.spines[side].set_visible(False)
    ax.set_title(_said("dates", lang), fontsize=10)
    ax.set_xlabel(_said("dates_x", lang), fontsize=8)
    figures.finish(ax, lang, "categories", "none", "x")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
    ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: frame_line(number(x, lang), lang)))
