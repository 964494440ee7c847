"""Which canonical columns hold values, and in how many rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit.contract import load
from cxkit.figures import ACCENT, CATEGORIES, LINE, WARN, finish, legend, own_axes
from cxkit.lang import Coded, Sentence, say, value
from cxkit.result import Result

if TYPE_CHECKING:
    from cxkit.study import Study

STATES = {"full": ACCENT, "partly": CATEGORIES[5], "empty": WARN, "absent": LINE}
FULL = 0.995  # a handful of gaps in a thousand rows is as good as full


@dataclass(frozen=True, eq=False)
class Columns(Result):
    """One row a canonical column of every table that is there: the share of rows that hold a value."""

    formats: ClassVar = {
        "table": "code",
        "column": "text",
        "meaning": ("c", lambda row, lang: say(f"contract.means.{row['column']}", lang)),
        "fill": "code",
        "share": "share",
        "n": "count",
    }
    size: ClassVar = (8.0, 3.4)
    max_rows: ClassVar = 100

    def sentences(self) -> tuple[Sentence, ...]:
        """How many columns hold values, and which table is the emptiest."""
        held = self.table["fill"].isin(("full", "partly"))
        totals = {"n": int(held.sum()), "total": len(self.table), "tables": int(self.table["table"].nunique())}
        if totals["tables"] == 1:
            return (Sentence("check.columns.held", totals),)
        by_table = held.groupby(self.table["table"], sort=False).mean()
        emptiest = {"table": Coded("table", str(by_table.idxmin())), "share": float(by_table.min())}
        return Sentence("check.columns.held", totals), Sentence("check.columns.emptiest", emptiest)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Per table, how many of its columns are full, partly filled, empty, or not in the export."""
        ax = own_axes(ax, lang, self.size)
        counts = self.table.groupby(["table", "fill"], sort=False).size().unstack(fill_value=0).iloc[::-1]
        place, left = np.arange(len(counts)), np.zeros(len(counts))
        for state, colour in STATES.items():
            width = counts[state].to_numpy(dtype=float) if state in counts else np.zeros(len(counts))
            ax.barh(place, width, left=left, color=colour, height=0.6, label=value("fill", state, lang))
            left += width
        ax.set_yticks(place, [value("table", name, lang) for name in counts.index])
        ax.set_xlabel(say("check.columns.axis", lang))
        legend(ax, lang, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=4)
        return finish(ax, lang, kind="categories", unit="count", value_axis="x")


def columns(study: Study) -> Columns:
    """How far each canonical column of the study's tables is filled; a column that no export has is "absent"."""
    return Columns(pd.DataFrame([row for name in study.tables for row in _of_table(study, name)]))


def _of_table(study: Study, name: str) -> Iterator[dict[str, Any]]:
    filled, rows = study.filled(name), study.rows(name)
    for column in load().tables[name].columns:
        n = filled.get(column)
        share = (n or 0) / rows if rows else 0.0
        yield {"table": name, "column": column, "fill": _state(n, share), "share": share, "n": n or 0}


def _state(n: int | None, share: float) -> str:
    if n is None:
        return "absent"
    return "full" if share >= FULL else "partly" if n else "empty"
