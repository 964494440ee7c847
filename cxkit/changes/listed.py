"""The changes that a study lists, and the KPIs by which they are usually judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cxkit.changes.words import Column, Group, local_date
from cxkit.errors import ParameterError
from cxkit.lang import say
from cxkit.measures import columns_of, missing, registry
from cxkit.measures.expressions import column_names
from cxkit.result import Format

# KPIs that show most of what a change may break, each asked if the data carry it.
USUAL = (
    *("first_reply_time", "resolution_time", "csat", "nps", "ces", "fcr", "return_rate", "escalation"),
    *("abandonment", "service_level"),
)

FORMATS: Mapping[str, Format] = {
    "change_name": "text",
    "happened": "date",
    "whom": ("c", lambda row, lang: _whom(row, lang)),
    "change_state": ("c", lambda row, lang: say(f"changes.state.{row['state']}", lang)),
    "asked_about": ("c", lambda row, lang: say("common.yes", lang) if row["asked"] else "–"),
}


def listed(data: Any) -> pd.DataFrame:
    """The study's own table of changes."""
    columns = ["change_id", "change_name", "happened", "column", "value", "state", "asked"]
    if not data.has("changes", "happened_at"):
        return pd.DataFrame(columns=columns)
    told = (
        data.frame("changes")
        .dropna(subset=["happened_at"])
        .sort_values("happened_at", kind="stable", ignore_index=True)
    )
    at = pd.to_datetime(told["happened_at"])
    states = ["planned" if when >= data.as_of else "past" for when in at]
    text = {n: told[n].astype("string").fillna("") if n in told else "" for n in ("name", "column", "value")}
    found = pd.DataFrame({"change_id": told["change_id"].astype(str), "change_name": text["name"]})
    found["change_name"] = found["change_name"].where(found["change_name"] != "", found["change_id"])
    found["happened"] = [local_date(when, data.time_zone) for when in at]
    return found.assign(column=text["column"], value=text["value"], state=states, asked=False)[columns]


def latest(table: pd.DataFrame) -> str:
    """The latest change that is in force; ParameterError where there is none."""
    past = table[table["state"] == "past"]
    if past.empty:
        raise ParameterError("asked_no_change" if table.empty else "asked_all_planned")
    return str(past["change_id"].iloc[-1])


def others(row: pd.Series[Any], where: str) -> str:
    """The condition for those whom the change did not reach."""
    if not row["column"]:
        return ""
    rest = f"{row['column']} != {str(row['value'])!r}"
    return f"({where}) and {rest}" if where else rest


def first_carried(data: Any) -> str:
    """The first usual KPI that the data carry; ParameterError where there is none."""
    known = registry(data)
    found = next((kpi for kpi in USUAL if kpi in known and not missing(known[kpi], data)), None)
    if found is None:
        raise ParameterError("asked_no_kpi")
    return found


def carried(data: Any, cut: Mapping[str, Any]) -> tuple[str, ...]:
    """The usual KPIs that these data carry for this question."""
    known = registry(data)
    asked = column_names(cut["where"]) | ({cut["by"]} if cut["by"] else set())
    return tuple(
        kpi
        for kpi in USUAL
        if kpi in known
        and not missing(known[kpi], data)
        and asked <= set(columns_of(data, known[kpi].of))
        and (cut["at"] is None or known[kpi].dated_by)
    )


def _whom(row: Mapping[str, Any], lang: str) -> str:
    if not row["column"]:
        return say("common.all", lang)
    column = Column(str(row["column"])).text(lang)
    return f"{column}: {Group(str(row['column']), str(row['value'])).text(lang)}"
