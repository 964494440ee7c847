"""The same nine KPIs by channel and month as a careful analyst writes them in plain pandas.

It reads only the columns it needs and computes point estimates and n. What it leaves out: every interval, the censoring
of open tickets (its medians and P90 are of closed tickets only, as in most dashboards), the count of agents, and any
check of scales.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

TIMES = ["opened_at", "first_replied_at", "first_solved_at", "reopened_at"]
FILTERS = ["is_spam", "is_test", "merged_into", "status", "created_by"]


def scorecard(folder: Path, zone: str, as_of: pd.Timestamp, reply_target: float, solve_target: float) -> dict:
    """One table per KPI, indexed by channel and month."""
    tickets = pd.read_parquet(
        folder / "tables" / "tickets.parquet", columns=["ticket_id", "channel", "escalated", *TIMES, *FILTERS]
    )
    surveys = pd.read_parquet(
        folder / "tables" / "surveys.parquet", columns=["response_id", "ticket_id", "answered_at"]
    )
    answers = pd.read_parquet(folder / "tables" / "survey_answers.parquet", columns=["response_id", "item", "value"])
    answers = answers.merge(surveys, on="response_id").merge(tickets[["ticket_id", "channel"]], on="ticket_id")
    keep = ~tickets["is_spam"] & ~tickets["is_test"] & tickets["merged_into"].isna()
    keep &= (tickets["status"] != "deleted") & (tickets["created_by"] != "agent") & (tickets["opened_at"] <= as_of)
    tickets = tickets[keep]
    tickets = tickets.assign(month=_month(tickets["opened_at"], zone))
    return {**_answers(answers, zone), **_times(tickets, reply_target, solve_target), **_outcomes(tickets, zone, as_of)}


def _month(times: pd.Series, zone: str) -> pd.Series:
    local = times.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    return local.dt.to_period("M")


def _answers(answers: pd.DataFrame, zone: str) -> dict:
    answers = answers[answers["answered_at"].notna() & answers["value"].notna()]
    answers = answers.assign(month=_month(answers["answered_at"], zone))
    csat, nps, ces = (answers[answers["item"] == item] for item in ("csat", "nps", "ces"))
    nps = nps.assign(net=(nps["value"] >= 9).astype(int) - (nps["value"] <= 6).astype(int))
    return {
        "csat": _grouped(csat.assign(top=csat["value"] >= 4), top=("top", "mean"), mean=("value", "mean")),
        "nps": _grouped(nps, net=("net", "mean")),
        "ces": _grouped(ces.assign(top=ces["value"] >= 5), top=("top", "mean"), mean=("value", "mean")),
    }


def _times(tickets: pd.DataFrame, reply_target: float, solve_target: float) -> dict:
    assisted = tickets[tickets["channel"] != "self_service"]
    return {
        "first_reply_time": _waits(assisted, "first_replied_at", reply_target),
        "resolution_time": _waits(tickets, "first_solved_at", solve_target),
    }


def _waits(tickets: pd.DataFrame, stop: str, target: float) -> pd.DataFrame:
    done = tickets[tickets[stop].notna()]
    seconds = (done[stop] - done["opened_at"]).dt.total_seconds()
    done = done.assign(seconds=seconds, within=seconds <= target)
    groups = done.groupby(["channel", "month"])
    table = groups.agg(median=("seconds", "median"), within=("within", "mean"), n=("seconds", "size"))
    return table.assign(p90=groups["seconds"].quantile(0.9))


def _outcomes(tickets: pd.DataFrame, zone: str, as_of: pd.Timestamp) -> dict:
    solved = tickets[tickets["first_solved_at"].notna()]
    solved = solved.assign(month=_month(solved["first_solved_at"], zone))
    gap = solved["reopened_at"] - solved["first_solved_at"]
    age = as_of - solved["first_solved_at"]
    week, month, fortnight = (pd.Timedelta(days=d) for d in (7, 30, 14))
    fcr = solved.assign(hit=~(gap <= week))[age >= week]
    back = solved.assign(hit=gap <= month)[age >= month]
    settled = tickets[as_of - tickets["opened_at"] >= fortnight]
    return {
        "fcr": _grouped(fcr, share=("hit", "mean")),
        "return_rate": _grouped(back, share=("hit", "mean")),
        "escalation": _grouped(settled, share=("escalated", "mean")),
        "volume": tickets.groupby(["channel", "month"]).size().to_frame("n"),
    }


def _grouped(table: pd.DataFrame, **stats: tuple[str, str]) -> pd.DataFrame:
    return table.groupby(["channel", "month"]).agg(**stats, n=("month", "size"))
