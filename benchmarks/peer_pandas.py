"""The same KPIs as a careful analyst writes them in plain pandas: by channel and month, with intervals.

It reads only the columns it needs, filters once, and makes every interval of a table at once. What it leaves out: the
censoring of open tickets (medians and P90 are of finished tickets only, as in most dashboards), the likeness of an
agent's tickets, and any check of scales.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

Z = stats.norm.ppf(0.975)
TIMES = ["opened_at", "first_replied_at", "first_solved_at", "solved_at", "reopened_at", "closed_at"]
OTHERS = [
    "ticket_id",
    "channel",
    "customer_id",
    "agent_id",
    "priority",
    "reopens",
    "follow_up_of",
    "escalated",
    "bot_only",
]
FILTERS = ["is_spam", "is_test", "merged_into", "status", "created_by"]
REPLY = {"urgent": 3_600, "high": 14_400, "normal": 28_800, "low": 86_400}
SOLVE = {"urgent": 28_800, "high": 86_400, "normal": 259_200, "low": 432_000}
DAY = pd.Timedelta(days=1)


def scorecard(folder: Path, zone: str, as_of: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """One table per KPI."""
    read = Reader(folder / "tables")
    every = read("tickets", [*OTHERS, *TIMES, *FILTERS])
    every["month"] = _month(every["opened_at"], zone)
    keep = ~every["is_spam"] & ~every["is_test"] & every["merged_into"].isna()
    keep &= (every["status"] != "deleted") & (every["created_by"] != "agent")
    contacts = every[keep]
    served = contacts[~contacts["bot_only"]]
    surveys = read("surveys", ["response_id", "ticket_id", "sent_at", "viewed_at", "answered_at"])
    surveys = surveys.merge(every[["ticket_id", "channel"]], on="ticket_id", how="left")
    found = _answers(read, surveys, zone)
    found |= _funnel(surveys, served, zone, as_of)
    found |= _times(served) | _promises(read, served, as_of) | _outcomes(served, every, zone, as_of)
    found |= _demand(read, served, contacts, zone, as_of) | _calls(read, zone)
    return found | _help_centre(read, every, served, zone, as_of) | _worth(read, every, served, zone, as_of)


class Reader:
    """Reads columns of a table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, columns: list[str]) -> pd.DataFrame:
        """The columns as a frame."""
        return pd.read_parquet(self.folder / f"{name}.parquet", columns=columns)


def _month(times: pd.Series, zone: str) -> pd.Series:
    return times.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None).dt.to_period("M")


def _share(rows: pd.DataFrame, hit: pd.Series, by: list[str]) -> pd.DataFrame:
    """Share with Wilson's interval."""
    table = hit.groupby([rows[b] for b in by]).agg(["sum", "size"])
    hits, n = table["sum"].to_numpy(float), table["size"].to_numpy(float)
    centre, width = hits + Z**2 / 2, n + Z**2
    spread = Z * np.sqrt(hits * (n - hits) / n + Z**2 / 4)
    return table.assign(value=hits / n, low=(centre - spread) / width, high=(centre + spread) / width)


def _mean(rows: pd.DataFrame, value: pd.Series, by: list[str]) -> pd.DataFrame:
    """Mean with Student's interval."""
    table = value.groupby([rows[b] for b in by]).agg(["mean", "std", "size"])
    margin = stats.t.ppf(0.975, table["size"] - 1) * table["std"] / np.sqrt(table["size"])
    return table.assign(low=table["mean"] - margin, high=table["mean"] + margin)


def _count(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Count with the exact Poisson interval."""
    table = rows.groupby(by).size().to_frame("n")
    low, high = stats.chi2.ppf(0.025, 2 * table["n"]) / 2, stats.chi2.ppf(0.975, 2 * table["n"] + 2) / 2
    return table.assign(low=low, high=high)


def _quantiles(rows: pd.DataFrame, seconds: pd.Series, by: list[str]) -> pd.DataFrame:
    """Median and P90 with the order statistics that hold them in 95 of 100 samples; one sort for all groups."""
    group = rows.groupby(by, sort=True).ngroup().to_numpy()
    order = np.lexsort((seconds.to_numpy(), group))
    values, ends = seconds.to_numpy()[order], np.cumsum(np.bincount(group))
    n = np.diff(ends, prepend=0)
    starts, table = ends - n, rows.groupby(by).size().to_frame("n")
    for name, q in (("median", 0.5), ("p90", 0.9)):
        reach = Z * np.sqrt(n * q * (1 - q))
        for end, rank in (("", n * q), ("_low", n * q - reach), ("_high", n * q + reach)):
            table[name + end] = values[starts + np.clip(np.ceil(rank).astype(int) - 1, 0, n - 1)]
    return table


def _answers(read: Reader, surveys: pd.DataFrame, zone: str) -> dict[str, pd.DataFrame]:
    answers = read("survey_answers", ["response_id", "item", "value"])
    answers = answers.merge(surveys[["response_id", "channel", "answered_at"]], on="response_id")
    answers = answers[answers["answered_at"].notna() & answers["value"].notna()]
    answers["month"] = _month(answers["answered_at"], zone)
    csat, nps, ces = (answers[answers["item"] == item] for item in ("csat", "nps", "ces"))
    by = ["channel", "month"]
    net = (nps["value"] >= 9).astype(int) - (nps["value"] <= 6).astype(int)
    return {
        "csat": _share(csat, csat["value"] >= 4, by).join(_mean(csat, csat["value"], by), rsuffix="_mean"),
        "nps": _mean(nps, net, by),
        "ces": _share(ces, ces["value"] >= 5, by).join(_mean(ces, ces["value"], by), rsuffix="_mean"),
    }


def _funnel(surveys: pd.DataFrame, served: pd.DataFrame, zone: str, as_of: pd.Timestamp) -> dict[str, pd.DataFrame]:
    surveys = surveys[surveys["sent_at"].notna()].assign(month=lambda t: _month(t["sent_at"], zone))
    old, by = surveys[surveys["sent_at"] <= as_of - 14 * DAY], ["channel", "month"]
    first = surveys.groupby("ticket_id")["sent_at"].min()
    solved = served[served["first_solved_at"] <= as_of - 7 * DAY]
    solved = solved.assign(month=_month(solved["first_solved_at"], zone), asked=solved["ticket_id"].map(first))
    return {
        "survey_viewed": _share(old, old["viewed_at"] <= old["sent_at"] + 14 * DAY, by),
        "survey_response": _share(old, old["answered_at"] <= old["sent_at"] + 14 * DAY, by),
        "survey_coverage": _share(solved, solved["asked"] <= solved["first_solved_at"] + 7 * DAY, by),
    }


def _times(served: pd.DataFrame) -> dict[str, pd.DataFrame]:
    assisted = served[served["channel"] != "self_service"]
    return {
        "first_reply_time": _waits(assisted, "first_replied_at", 14_400),
        "resolution_time": _waits(served, "first_solved_at", 259_200),
    }


def _waits(tickets: pd.DataFrame, stop: str, target: float) -> pd.DataFrame:
    done, by = tickets[tickets[stop].notna()], ["channel", "month"]
    seconds = (done[stop] - done["opened_at"]).dt.total_seconds()
    return _quantiles(done, seconds, by).join(_share(done, seconds <= target, by), rsuffix="_within")


def _promises(read: Reader, served: pd.DataFrame, as_of: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Each ticket's promise by the priority that it had when it was opened, or got first."""
    changes = read("priority_changes", ["ticket_id", "at", "priority"]).rename(columns={"priority": "given"})
    asked = changes.merge(served[["ticket_id", "opened_at"]], on="ticket_id")
    asked["early"] = asked["at"] <= asked["opened_at"]
    asked["distance"] = (asked["at"] - asked["opened_at"]).abs()
    asked = asked.sort_values(["ticket_id", "early", "distance"], ascending=[True, False, True])
    asked = asked.drop_duplicates("ticket_id").set_index("ticket_id")["given"]
    rows = served.assign(given=served["ticket_id"].map(asked), age=as_of - served["opened_at"])
    return {
        "reply_sla": _kept(rows[rows["channel"] != "self_service"], "first_replied_at", REPLY),
        "resolution_sla": _kept(rows, "first_solved_at", SOLVE),
    }


def _kept(rows: pd.DataFrame, stop: str, promised: dict[str, int]) -> pd.DataFrame:
    due = pd.to_timedelta(rows["given"].map(promised), unit="s")
    decided = rows[stop].notna() | (rows["age"] > due)
    rows, due = rows[decided], due[decided]
    return _share(rows, rows[stop] - rows["opened_at"] <= due, ["channel", "month"])


def _outcomes(served: pd.DataFrame, every: pd.DataFrame, zone: str, as_of: pd.Timestamp) -> dict[str, pd.DataFrame]:
    by = ["channel", "month"]
    solved = served[served["first_solved_at"].notna()]
    solved = solved.assign(month=_month(solved["first_solved_at"], zone))
    followed = every[every["follow_up_of"].notna()].groupby("follow_up_of")["opened_at"].min()
    solved["followed_at"] = solved["ticket_id"].map(followed)
    solved["next_at"] = _next_contact(every).reindex(solved.index)
    week, month = (solved[solved["first_solved_at"] <= as_of - days * DAY] for days in (7, 30))
    settled = served[served["opened_at"] <= as_of - 14 * DAY]
    known = month[month["customer_id"].notna()]
    return {
        "fcr": _share(week, ~(week["reopened_at"] <= week["first_solved_at"] + 7 * DAY), by),
        "return_rate": _share(month, month["reopened_at"] <= month["first_solved_at"] + 30 * DAY, by),
        "reopens_per_ticket": _mean(month, month["reopens"], by),
        "follow_up_rate": _share(month, month["followed_at"] <= month["first_solved_at"] + 30 * DAY, by),
        "repeat_contact_rate": _share(known, known["next_at"] <= known["first_solved_at"] + 30 * DAY, by),
        "solved_volume": _count(solved, by),
        "escalation": _share(settled, settled["escalated"], by),
    }


def _genuine(every: pd.DataFrame) -> pd.DataFrame:
    keep = ~every["is_spam"] & ~every["is_test"] & every["merged_into"].isna() & (every["created_by"] != "agent")
    return every[keep & every["customer_id"].notna()]


def _next_contact(every: pd.DataFrame) -> pd.Series:
    """When the same customer's next genuine ticket was opened."""
    line = _genuine(every)[["customer_id", "opened_at", "ticket_id"]]
    line = line.sort_values(["customer_id", "opened_at", "ticket_id"])
    return line.groupby("customer_id")["opened_at"].shift(-1)


def _demand(
    read: Reader, served: pd.DataFrame, contacts: pd.DataFrame, zone: str, as_of: pd.Timestamp
) -> dict[str, pd.DataFrame]:
    by = ["channel", "month"]
    volume = _count(served, by)
    orders = read("orders", ["ordered_at"])
    per_month = _month(orders["ordered_at"], zone).value_counts()
    rate = volume.div(volume.index.get_level_values("month").map(per_month).to_numpy(float), axis=0)
    months = sorted(served["month"].unique())
    stock = {}
    for month in months:
        end = min((month.end_time + pd.Timedelta(1)).tz_localize(zone).tz_convert("UTC").tz_localize(None), as_of)
        there = (served["opened_at"] < end) & ~(served["first_solved_at"] < end)
        back = (served["reopened_at"] < end) & ~(
            served["solved_at"].where(served["solved_at"] >= served["reopened_at"]) < end
        )
        stock[month] = served[(there | back) & ~(served["closed_at"] < end)].groupby("channel").size()
    again = served["reopened_at"].notna() & ~(served["solved_at"] >= served["reopened_at"])
    left = served[served["closed_at"].isna() & (served["first_solved_at"].isna() | again)]
    return {
        "volume": volume,
        "contact_rate": rate,
        "backlog": pd.DataFrame(stock),
        "backlog_age": _quantiles(left, (as_of - left["opened_at"]).dt.total_seconds(), by),
        "self_service_rate": _share(contacts, contacts["bot_only"] | (contacts["channel"] == "self_service"), by),
    }


def _calls(read: Reader, zone: str) -> dict[str, pd.DataFrame]:
    columns = [
        "arrived_at",
        "outcome",
        "transferred",
        *(f"{part}_seconds" for part in ("wait", "talk", "hold", "wrap")),
    ]
    calls = read("calls", columns)
    calls["month"] = _month(calls["arrived_at"], zone)
    answered, lost = calls[calls["outcome"] == "answered"], calls[calls["outcome"] == "abandoned"]
    offered, by = calls[calls["outcome"].isin(["answered", "abandoned"])], ["month"]
    handled = answered["talk_seconds"] + answered["hold_seconds"].fillna(0) + answered["wrap_seconds"]
    quick = (offered["outcome"] == "answered") & (offered["wait_seconds"] <= 20)
    return {
        "abandonment": _share(offered, offered["outcome"] == "abandoned", by),
        "asa": _mean(answered, answered["wait_seconds"], by),
        "abandoned_wait": _mean(lost, lost["wait_seconds"], by),
        "patience": _quantiles(lost, lost["wait_seconds"], by),
        "service_level": _share(offered, quick, by),
        "aht": _mean(answered, handled, by),
        "transfer": _share(answered, answered["transferred"], by),
        "call_volume": _count(calls[calls["outcome"] != "self_service"], by),
    }


def _help_centre(
    read: Reader, every: pd.DataFrame, served: pd.DataFrame, zone: str, as_of: pd.Timestamp
) -> dict[str, pd.DataFrame]:
    visits = read("kb_sessions", ["customer_id", "started_at"])
    visits["month"] = _month(visits["started_at"], zone)
    score = _count(visits, ["month"]).div(served["month"].value_counts().sort_index(), axis=0)
    known = visits[visits["customer_id"].notna()].sort_values("started_at")
    asked = _genuine(every)[["customer_id", "opened_at"]].sort_values("opened_at")
    after = pd.merge_asof(
        known, asked, left_on="started_at", right_on="opened_at", by="customer_id", direction="forward"
    )
    after = after[after["started_at"] <= as_of - 2 * DAY]
    silent = ~(after["opened_at"] <= after["started_at"] + 2 * DAY)
    return {"self_service_score": score, "deflection": _share(after, silent, ["month"])}


def _worth(
    read: Reader, every: pd.DataFrame, served: pd.DataFrame, zone: str, as_of: pd.Timestamp
) -> dict[str, pd.DataFrame]:
    reviews = read("qa_reviews", ["ticket_id", "reviewed_at", "score_share", "sampling_weight"])
    reviews = reviews.merge(every[["ticket_id", "channel"]], on="ticket_id", how="left")
    reviews["month"] = _month(reviews["reviewed_at"], zone)
    weighted = reviews.assign(points=reviews["score_share"] * reviews["sampling_weight"])
    qa = weighted.groupby(["channel", "month"])[["points", "sampling_weight"]].sum()
    costs = read("costs", ["booked_on", "channel", "amount"])
    costs["month"] = pd.to_datetime(costs["booked_on"]).dt.to_period("M")
    spent = costs.groupby(["channel", "month"])["amount"].sum()
    customers = read("customers", ["since_on", "left_on"])
    since, left = (pd.to_datetime(customers[column]) for column in ("since_on", "left_on"))
    began = as_of - 365 * DAY
    there = (since <= began) & ~(left <= began)
    gone = customers[left.notna()].assign(month=since.dt.to_period("M"))
    stayed = (left - since).dt.total_seconds()[left.notna()]
    everyone = pd.DataFrame({"all": "all"}, index=customers.index)
    solved = served[served["first_solved_at"].notna()]
    return {
        "qa_score": qa.assign(value=qa["points"] / qa["sampling_weight"]),
        "cost_per_contact": (spent / served.groupby(["channel", "month"]).size()).to_frame("value"),
        "cost_per_resolution": (spent / solved.groupby(["channel", "month"]).size()).to_frame("value"),
        "retention": _share(everyone[there], left[there].isna(), ["all"]),
        "churn": _share(everyone[there], left[there].notna(), ["all"]),
        "customer_lifetime": _quantiles(gone, stayed, ["month"]),
    }
