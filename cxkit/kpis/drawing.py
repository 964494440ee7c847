"""What the pictures of KPIs share: an interval as a bar, and a mark where a value was never reached."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.kpis.judging import THIN
from cxkit.kpis.shielding import SOLID
from cxkit.lang import frame_line, is_rtl, say


def edge_of(table: pd.DataFrame, columns: Sequence[str] = ("value", "low", "high")) -> float:
    """Where an axis ends for what has no end: beyond everything finite in `columns`."""
    ends = table[list(columns)].to_numpy(dtype=np.float64).ravel()
    finite = ends[np.isfinite(ends)]
    return float(finite.max()) * 1.12 if len(finite) and finite.max() > 0 else 1.0


def colour_of(row: Mapping[str, Any]) -> str:
    """The house colour, grey where few cases speak."""
    solid = row[SOLID] if SOLID in row else row["n"] >= THIN or row.get("kind") == "count"
    return figures.ACCENT if solid else figures.MUTED


def bar_of(ax: Axes, at: float, row: Mapping[str, Any], edge: float, colour: str, lang: str | None) -> None:
    """A value with its interval on the height `at`; one that was not reached runs off the edge and says so."""
    low, high, reached = float(row["low"]), float(row["high"]), math.isfinite(row["value"])
    ax.hlines(at, low, high if math.isfinite(high) else edge, color=colour, linewidth=6, alpha=0.35)
    if reached:
        ax.plot(row["value"], at, "o", color=colour)
        return
    ax.plot(edge, at, "<" if is_rtl(lang) else ">", color=colour, clip_on=False)
    words = frame_line(say("common.not_reached", lang), lang)
    ax.annotate(
        words, (edge, at), (0, 5), textcoords="offset points", ha="left" if is_rtl(lang) else "right", fontsize=8
    )


def write_hidden(ax: Axes, at: float, lang: str | None) -> None:
    """The word "hidden" where the value of a group would stand."""
    rtl = is_rtl(lang)
    words = frame_line(f" {say('kpis.hidden.cell', lang)} ", lang)
    place = ax.get_yaxis_transform()
    ax.text(
        float(rtl), at, words, ha="right" if rtl else "left", va="center", color=figures.MUTED, transform=place, size=8
    )


def columns_not_reached(ax: Axes, places: Sequence[float], top: float, lang: str | None) -> None:
    """Marks at the top of a time line where a value was not reached."""
    if not len(places):
        return
    ax.plot(places, [top] * len(places), "^", color=figures.WARN, clip_on=False, label=say("common.not_reached", lang))
