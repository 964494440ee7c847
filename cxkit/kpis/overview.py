"""All KPIs at one glance: small pictures side by side, month by month or channel by channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.kpis.groups import ByGroup, by_group
from cxkit.kpis.trend import Trend, trend
from cxkit.lang import Sentence, is_rtl
from cxkit.measures import missing, registry
from cxkit.result import Result, by_unit, span

if TYPE_CHECKING:
    from cxkit.study import Study

COLUMNS = 2


@dataclass(frozen=True, eq=False)
class Overview(Result):
    """The tables of several results under one another, their pictures in a grid."""

    parts: tuple[Result, ...] = ()

    formats = {
        "kpi": "code",
        "month": "month",
        "channel": "code",
        "stat": "code",
        "value": by_unit("value"),
        "interval": span(),
        "n": "count",
        "open": "count",
    }
    max_rows = 120

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: one row of pictures for every two KPIs."""
        return (10.0, 2.9 * max(1, math.ceil(len(self.parts) / COLUMNS)))

    def sentences(self) -> tuple[Sentence, ...]:
        """The first sentence of each part."""
        return tuple(part.sentences()[0] for part in self.parts) or (Sentence("kpis.overview.none"),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """The pictures of the parts, read in the direction of the language."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rows = max(1, math.ceil(len(self.parts) / COLUMNS))
        for place, part in enumerate(self.parts):
            row, column = divmod(place, COLUMNS)
            column = COLUMNS - 1 - column if is_rtl(lang) else column
            height, room = 1 / rows, 0.15 if isinstance(part, ByGroup) else 0.06  # for the names beside the axis
            left = column / COLUMNS + (0.01 if is_rtl(lang) else room)
            box = (left, 1 - (row + 0.78) * height, 1 / COLUMNS - room - 0.03, height * 0.62)
            inset = ax.inset_axes(box)
            part.plot(inset, lang)
            inset.tick_params(labelsize=8)
            inset.title.set_fontsize(9)
            for title in (inset._left_title, inset._right_title):  # type: ignore[attr-defined]
                title.set_fontsize(9)
        return ax


def _together(study: Study, make: Callable[[str], Result], kind: type[Result]) -> Overview:
    measures: Iterable[str] = (name for name, measure in registry(study).items() if not missing(measure, study))
    parts = tuple(part for part in map(make, measures) if isinstance(part, kind) and len(part.table))
    tables = [part.table for part in parts]
    notes = {
        (note.key, str(note.params)): note for part in parts for note in part.notes if note.key != "common.small_n"
    }
    return Overview(pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(), tuple(notes.values()), parts)


def trends(study: Study, level: float = 0.95) -> Overview:
    """Every KPI that the data carry, month by month."""
    return _together(study, lambda kpi: trend(study, kpi, level), Trend)


def channels(study: Study, level: float = 0.95) -> Overview:
    """Every KPI that the data carry, channel by channel."""
    return _together(study, lambda kpi: by_group(study, kpi, "channel", level), ByGroup)
