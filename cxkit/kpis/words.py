"""How the KPIs of a study are spoken in its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cxkit.lang import Coded, Sentence

# statistic -> unit in which it is written
UNITS = {
    "share": "share",
    "top_share": "share",
    "within": "share",
    "net": "points",
    "mean": "number2",
    "median": "seconds",
    "p90": "seconds",
    "capped_mean": "seconds",
    "mean_seconds": "seconds",
    "count": "count",
}


def thin_note(row: Mapping[str, Any], group: Coded | None = None) -> Sentence:
    """The note on an estimate that rests on fewer than thirty cases."""
    return Sentence("common.small_n", {"n": int(row["n"]), "group": group or Coded("kpi", row["kpi"])})
