"""The picture of a finding: above how both sides spread, below the effect with its interval, none, and the margin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import dates, ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from cxkit import figures
from cxkit.changes.parts import Design, Effect
from cxkit.changes.words import Change
from cxkit.lang import Amount, Word, date, frame_line, is_rtl, label, number, say

COLOURS = (figures.MUTED, figures.ACCENT)  # baseline, other
_NAMES = 5  # below a time line
_DAY = 86_400_000_000  # microseconds
_NAME, _LINE = 0.95, 0.3  # inches that a duration's name with its sign takes along an axis, and across it
_VERDICTS = {"improved": figures.GOOD, "worsened": figures.BAD, "equivalent": figures.GOOD, "not_worse": figures.GOOD}


def parts_of(ax: Axes, lang: str | None) -> tuple[Axes, Axes]:
    """The places of the two pictures inside `ax`."""
    ax.set_axis_off()
    left = 0.02 if is_rtl(lang) else 0.08
    return ax.inset_axes((left, 0.42, 0.9, 0.5)), ax.inset_axes((left, 0.08, 0.9, 0.18))


def draw_shape(ax: Axes, shape: pd.DataFrame, design: Design, kpi: Word, lang: str | None) -> Axes:
    """How the values of both sides spread."""
    kind = str(shape["kind"].iloc[0])
    names = [group.text(lang) for group in design.groups]
    sides = [shape[shape["group"] == name] for name in design.names]
    _KINDS[kind](ax, sides, names, lang)
    ax.set_title(kpi.text(lang))
    legend_beside(ax, lang, 2)
    return ax


def legend_beside(ax: Axes, lang: str | None, columns: int) -> None:
    """The legend beside the title, which stands on the reader's first side."""
    side, at = ("left", 0.0) if is_rtl(lang) else ("right", 1.0)
    figures.legend(ax, lang, ncols=columns, loc=f"lower {side}", bbox_to_anchor=(at, 1.0))


def _bars(ax: Axes, sides: Sequence[pd.DataFrame], names: Sequence[str], lang: str | None) -> None:
    """One bar a side, the baseline on top."""
    unit: figures.Unit = "percent" if str(sides[0]["unit"].iloc[0]) == "percent" else "number"
    for at, (side, name, colour) in enumerate(zip(sides, names, COLOURS, strict=True)):
        y = float(side["y"].iloc[0])
        ax.barh(1 - at, y, color=colour, height=0.6, label=name)
        low, high = float(side["low"].iloc[0]), float(side["high"].iloc[0])
        if np.isfinite(low + high):
            ax.hlines(1 - at, low, high, color=figures.INK, linewidth=1.5)
    ax.set_yticks([1, 0], [figures.axis_name(name) for name in names])
    ax.set(ylim=(-0.6, 1.6), xlim=(0, None))
    figures.finish(ax, lang, "categories", unit, "x")


def _answers(ax: Axes, sides: Sequence[pd.DataFrame], names: Sequence[str], lang: str | None) -> None:
    """Two bars for each answer."""
    rtl = is_rtl(lang)
    for at, (side, name, colour) in enumerate(zip(sides, names, COLOURS, strict=True)):
        shift = -0.2 if at == 0 else 0.2
        ax.bar(np.arange(len(side)) + shift, side["y"], width=0.4, color=colour, label=name)
    ax.set_xticks(range(len(sides[0])), [number(float(x), lang) for x in sides[0]["x"]])
    ax.set_xlabel(say("changes.axis.answer", lang))
    figures.finish(ax, lang, "categories" if rtl else "series", "percent", "y")


def _curves(ax: Axes, sides: Sequence[pd.DataFrame], names: Sequence[str], lang: str | None) -> None:
    """The share done by a time, or the share of rows up to a value."""
    unit: figures.Unit = "seconds" if str(sides[0]["unit"].iloc[0]) == "seconds" else "number"
    for side, name, colour in zip(sides, names, COLOURS, strict=True):
        ax.step(side["x"], side["y"], where="post", color=colour, linewidth=2, label=name)
    ax.set(ylim=(0, 1.02), xlim=(0, None))
    ax.set_ylabel(say(f"changes.axis.{'done' if str(sides[0]['kind'].iloc[0]) == 'curves' else 'upto'}", lang))
    figures.finish(ax, lang, "series", "percent", "y")
    ax.xaxis.set_major_locator(figures.DurationLocator() if unit == "seconds" else ax.xaxis.get_major_locator())
    ax.xaxis.set_major_formatter(figures.value_formatter(unit, lang))


def _days(ax: Axes, sides: Sequence[pd.DataFrame], names: Sequence[str], lang: str | None) -> None:
    """What came on each day, and the mean of either side."""
    for side, name, colour in zip(sides, names, COLOURS, strict=True):
        days = pd.DatetimeIndex(side["x"])
        ax.plot(days, side["y"], color=colour, linewidth=0.8, alpha=0.6)
        mean = float(side["y"].mean())
        ax.plot(days[[0, -1]], [mean, mean], color=colour, linewidth=2.5, label=name)
    ax.set_ylim(0, None)
    ends = [pd.DatetimeIndex(side["x"]) for side in sides]
    first, last = min(e.min() for e in ends), max(e.max() for e in ends)
    ticks = pd.date_range(first, last, periods=4).normalize()
    ax.set_xticks(list(ticks), [Amount(day, "date").text(lang) for day in ticks])  # type: ignore[arg-type]
    figures.finish(ax, lang, "series", "number", "y")


_KINDS: dict[str, Callable[[Axes, Sequence[pd.DataFrame], Sequence[str], str | None], None]] = {
    "bars": _bars,
    "answers": _answers,
    "curves": _curves,
    "upto": _curves,
    "days": _days,
}


def draw_means(ax: Axes, means: pd.DataFrame, design: Design, kpi: Word, lang: str | None) -> Axes:
    """A dot for each cluster, where they are too few for a test."""
    for at, (name, colour) in enumerate(zip(design.names, COLOURS, strict=True)):
        values = means.loc[means["group"] == name, "value"]
        ax.plot(values, [1 - at] * len(values), "o", color=colour, markersize=9, alpha=0.7)
    ax.set_yticks([1, 0], [figures.axis_name(group.text(lang)) for group in design.groups])
    ax.set_ylim(-0.7, 1.7)
    ax.set_title(kpi.text(lang))
    return figures.finish(ax, lang, "categories", figures.axis_unit(str(means["unit"].iloc[0])), "x")


def draw_effect(
    ax: Axes, effect: Effect, code: str, margin: float | None, lang: str | None, none: float | None = None
) -> Axes:
    """The effect with its interval on its own scale; a line where nothing changed, a band for the margin."""
    found = effect.found
    middle = (0.5 if effect.unit == "chance" else 0.0) if none is None else none
    colour = _VERDICTS.get(code, figures.ACCENT)
    if margin is not None:
        ax.axvspan(middle - margin, middle + margin, color=figures.LINE, alpha=0.7)
    ax.axvline(middle, color=figures.INK, linewidth=1.2)
    if np.isfinite(found.low + found.high):
        ax.hlines(0, found.low, found.high, color=colour, linewidth=7, alpha=0.4)
    if np.isfinite(found.value):
        ax.plot(found.value, 0, "o", color=colour, markersize=8)
    _around(ax, [found.low, found.high, found.value, middle, *_band(middle, margin)])
    ax.set(yticks=[], ylim=(-1, 1))
    for side in ("left", "right"):
        ax.spines[side].set_visible(False)
    ax.set_title(effect_title(effect, lang), fontsize=10)
    figures.finish(ax, lang, "categories", "none", "x")
    change_axis(ax.xaxis, effect.unit, lang)
    return ax


def change_axis(axis: Axis, unit: str, lang: str | None) -> None:
    """Changes with their signs along an axis, round ones to either side of none."""
    axis.set_major_locator(_BothWays() if unit == "seconds" else ticker.MaxNLocator(5))
    axis.set_major_formatter(ticker.FuncFormatter(lambda x, _: frame_line(_tick(float(x), unit, lang), lang)))


def _tick(x: float, unit: str, lang: str | None) -> str:
    return Change(x, unit).short(lang) if x or unit == "chance" else number(0, lang)


def _band(middle: float, margin: float | None) -> tuple[float, ...]:
    return () if margin is None else (middle - margin, middle + margin)


def _around(ax: Axes, ends: Sequence[float]) -> None:
    known = [x for x in ends if np.isfinite(x)]
    room = (max(known) - min(known)) * 0.15 or abs(max(known)) * 0.2 or 1.0
    ax.set_xlim(min(known) - room, max(known) + room)


def effect_title(effect: Effect, lang: str | None) -> str:
    """What an effect is of, with the word for points that its axis leaves out."""
    measured = effect.measured.text(lang)
    return say("changes.axis.points", lang, measured=measured) if effect.unit in ("share", "points") else measured


class _BothWays(figures.DurationLocator):
    """Round durations to either side of none, as many as the axis has room for."""

    def __call__(self) -> Sequence[float]:
        """Ticks for the present limits and width of the axis; where they are too many, every second one."""
        ticks = list(super().__call__())
        axes: Any = self.axis.axes  # type: ignore[union-attr]
        wide = axes.bbox.width / _NAME if self.axis is axes.xaxis else axes.bbox.height / _LINE
        room = max(3, int(wide / axes.get_figure(root=True).dpi))
        while len(ticks) > room:
            step = ticks[1] - ticks[0]
            ticks = [t for t in ticks if round(t / step) % 2 == 0]
        return ticks

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """At most nine ticks."""
        vmin, vmax = sorted((vmin, vmax))
        steps = super().tick_values(0, max(abs(vmin), abs(vmax)))
        return [x for x in (*(-step for step in reversed(steps[1:])), *steps) if vmin <= x <= vmax]


def places_of(steps: pd.Series[Any]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Where steps lie on the axis of time."""
    if pd.api.types.is_datetime64_any_dtype(steps):
        days: Any = steps.to_numpy(dtype="datetime64[us]").astype(np.int64) / _DAY  # as matplotlib counts them
        return np.asarray(days, dtype=np.float64)
    return np.asarray(steps.to_numpy(), dtype=np.float64)


def name_steps(ax: Axes, steps: pd.Series[Any], lang: str | None) -> None:
    """A few steps by their names."""
    dated = pd.api.types.is_datetime64_any_dtype(steps)
    places = places_of(steps)
    if dated:
        locator: Any = dates.AutoDateLocator(minticks=3, maxticks=_NAMES + 1)  # type: ignore[no-untyped-call]
        ends = [pd.Timestamp(0) + pd.Timedelta(days=float(x)) for x in (places[0], places[-1])]
        ticks = [float(t) for t in locator.tick_values(*ends) if places[0] <= t <= places[-1]]
        names = [date(pd.Timestamp(0) + pd.Timedelta(days=t), lang) for t in ticks]
    else:
        ticks = list(map(float, places[np.unique(np.linspace(0, len(places) - 1, _NAMES).astype(int))]))
        names = [label(int(t), lang) for t in ticks]
    ax.set_xticks(ticks, [frame_line(name, lang) for name in names])
