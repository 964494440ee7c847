"""The same KPIs as `peer_pandas.py` computes, as a careful analyst writes them in polars: lazily, on every core.

Each table is scanned with only the columns it needs, all KPIs that share rows and a clock are counted in one pass, and
the streaming engine, which polars 2 chooses by itself, runs what it can. The intervals are made by numpy and scipy from
the few counted rows. What it leaves out is what pandas leaves out: the censoring of open tickets (medians and P90 are
of finished tickets only), the likeness of an agent's tickets, and any check of scales.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from polars import col
from scipy import stats

Z = stats.norm.ppf(0.975)
BY = ["channel", "month"]
REPLY = {"urgent": 3_600, "high": 14_400, "normal": 28_800, "low": 86_400}
SOLVE = {"urgent": 28_800, "high": 86_400, "normal": 259_200, "low": 432_000}
PRIORITY = pl.Enum(list(REPLY))  # a byte a row instead of sixteen
QUANTILES = (("median", 0.5), ("p90", 0.9))
Tables = dict[str, pl.DataFrame]


def scorecard(folder: Path, zone: str, as_of: dt.datetime) -> Tables:
    """One table per KPI."""
    return Peer(folder / "tables", zone, as_of).tables()


def _days(number: int) -> dt.timedelta:
    return dt.timedelta(days=number)


def _within(time: str, start: str, days: int) -> pl.Expr:
    """A time that is not known did not come in time."""
    return (col(time) <= col(start) + _days(days)).fill_null(False)


def _share(name: str, hit: pl.Expr, among: pl.Expr | None = None) -> list[pl.Expr]:
    """What a share needs of a group; every name carries its KPI, so that many fit one pass."""
    hits, size = (hit.sum(), pl.len()) if among is None else ((hit & among).sum(), among.sum())
    return [hits.alias(f"{name} sum"), size.alias(f"{name} size")]


def _mean(name: str, value: pl.Expr, among: pl.Expr) -> list[pl.Expr]:
    """What a mean needs of a group: `when` keeps the pass streaming, where a filter in the group would not."""
    value = pl.when(among).then(value)
    return [value.mean().alias(f"{name} mean"), value.std().alias(f"{name} std"), value.count().alias(f"{name} size")]


def _count(name: str, among: pl.Expr | None = None) -> list[pl.Expr]:
    return [(pl.len() if among is None else among.sum()).alias(f"{name} n")]


def _taken(counted: pl.DataFrame, name: str, size: str) -> pl.DataFrame:
    """One KPI's columns of a pass over many, and only the groups that it has."""
    keys = [key for key in counted.columns if " " not in key]
    own = {column: column.split(" ")[1] for column in counted.columns if column.startswith(f"{name} ")}
    return counted.select(*keys, *own).rename(own).filter(col(size) > 0).sort(keys)


def _wilson(counted: pl.DataFrame, name: str) -> pl.DataFrame:
    table = _taken(counted, name, "size")
    hits, n = (table[column].to_numpy().astype(float) for column in ("sum", "size"))
    centre, width = hits + Z**2 / 2, n + Z**2
    spread = Z * np.sqrt(hits * (n - hits) / n + Z**2 / 4)
    return table.with_columns(value=hits / n, low=(centre - spread) / width, high=(centre + spread) / width)


def _student(counted: pl.DataFrame, name: str) -> pl.DataFrame:
    table = _taken(counted, name, "size")
    mean, std, n = (table[column].to_numpy().astype(float) for column in ("mean", "std", "size"))
    margin = stats.t.ppf(0.975, n - 1) * std / np.sqrt(n)
    return table.with_columns(low=mean - margin, high=mean + margin)


def _poisson(counted: pl.DataFrame, name: str) -> pl.DataFrame:
    table = _taken(counted, name, "n")
    n = table["n"].to_numpy().astype(float)
    return table.with_columns(low=stats.chi2.ppf(0.025, 2 * n) / 2, high=stats.chi2.ppf(0.975, 2 * n + 2) / 2)


def _sorted(rows: pl.LazyFrame, duration: pl.Expr, by: list[str]) -> pl.LazyFrame:
    """The durations of each group in order, in microseconds where they come from two times."""
    return rows.group_by(by).agg(duration.sort().alias("sorted"))


def _quantiles(groups: pl.DataFrame, per_second: float = 1e6) -> pl.DataFrame:
    """Median and P90 with the order statistics that hold them in 95 of 100 samples."""
    table = groups.with_columns(n=col("sorted").list.len()).sort(groups.columns[:-1])
    n, columns = table["n"].to_numpy().astype(np.int64), {}
    for name, q in QUANTILES:
        reach = Z * np.sqrt(n * q * (1 - q))
        for end, rank in (("", n * q), ("_low", n * q - reach), ("_high", n * q + reach)):
            place = np.clip(np.ceil(rank).astype(int) - 1, 0, n - 1)
            found = table.select(col("sorted").list.get(pl.lit(pl.Series(place)))).to_series()
            columns[name + end] = found.to_numpy() / per_second
    return table.with_columns(**columns).drop("sorted")


class Peer:
    """The scans of one study, and its KPIs."""

    def __init__(self, folder: Path, zone: str, as_of: dt.datetime) -> None:
        self.folder, self.zone, self.as_of = folder, zone, as_of
        self.every = self._scan("tickets").with_columns(
            col("channel").cast(pl.Categorical),  # four bytes a row instead of sixteen
            month=self._month("opened_at"),
        )
        genuine = ~col("is_spam") & ~col("is_test") & col("merged_into").is_null() & (col("created_by") != "agent")
        self.genuine = self.every.filter(genuine, col("customer_id").is_not_null())
        self.contacts = self.every.filter(genuine & (col("status") != "deleted"))
        self.served = self.contacts.filter(~col("bot_only"))

    def _scan(self, name: str) -> pl.LazyFrame:
        """The optimiser reads only the columns that a question names."""
        return pl.scan_parquet(self.folder / f"{name}.parquet")

    def _month(self, time: str) -> pl.Expr:
        """The month in which it was, there."""
        return col(time).dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone).dt.date().dt.month_start()

    def tables(self) -> Tables:
        """Every KPI; the months that are there are asked first, as stock and rates need them."""
        found = self._opened()
        served = found["volume"].select(*BY, served="n")
        months = served.group_by("month").agg(col("served").sum()).sort("month")
        found |= self._backlog(months["month"].to_list()) | self._promises()
        found |= self._solved() | self._repeats() | self._surveys() | self._calls()
        return found | self._help_centre(months) | self._reviews() | self._costs(found, served) | self._customers()

    def _opened(self) -> Tables:
        """What is counted by the month in which tickets were opened."""
        served, assisted = ~col("bot_only"), ~col("bot_only") & (col("channel") != "self_service")
        reply, solve = (col(time) - col("opened_at") for time in ("first_replied_at", "first_solved_at"))
        counted, replied, solved, left, orders = pl.collect_all(
            [
                self.contacts.group_by(BY).agg(
                    *_count("volume", served),
                    *_share("reply", reply <= dt.timedelta(seconds=14_400), assisted & reply.is_not_null()),
                    *_share("solve", solve <= dt.timedelta(seconds=259_200), served & solve.is_not_null()),
                    *_share("escalation", col("escalated"), served & (col("opened_at") <= self.as_of - _days(14))),
                    *_share("self", ~served | (col("channel") == "self_service")),
                ),
                _sorted(self.contacts.filter(assisted, reply.is_not_null()), reply.dt.total_microseconds(), BY),
                _sorted(self.served.filter(solve.is_not_null()), solve.dt.total_microseconds(), BY),
                _sorted(self._left(), (pl.lit(self.as_of) - col("opened_at")).dt.total_microseconds(), BY),
                self._scan("orders").group_by(month=self._month("ordered_at")).agg(orders=pl.len()),
            ]
        )
        volume = _poisson(counted, "volume")
        rate = volume.join(orders, on="month").select(*BY, *(col(c) / col("orders") for c in ("n", "low", "high")))
        reply_within, solve_within = _wilson(counted, "reply"), _wilson(counted, "solve")
        return {
            "volume": volume,
            "contact_rate": rate,
            "first_reply_time": _quantiles(replied).join(reply_within, on=BY),
            "resolution_time": _quantiles(solved).join(solve_within, on=BY),
            "escalation": _wilson(counted, "escalation"),
            "self_service_rate": _wilson(counted, "self"),
            "backlog_age": _quantiles(left),
        }

    def _left(self) -> pl.LazyFrame:
        """Tickets that nobody has closed, and that are not solved or were reopened since."""
        again = col("reopened_at").is_not_null() & (col("solved_at") < col("reopened_at")).fill_null(True)
        return self.served.filter(col("closed_at").is_null(), col("first_solved_at").is_null() | again)

    def _backlog(self, months: list[dt.date]) -> Tables:
        """Open tickets at the end of each month, every month in the same pass."""

        def before(time: pl.Expr, end: dt.datetime) -> pl.Expr:
            return (time < end).fill_null(False)

        solved_again = pl.when(col("solved_at") >= col("reopened_at")).then(col("solved_at"))
        stock = {}
        for month in months:
            following = dt.datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=ZoneInfo(self.zone))
            end = min(following.astimezone(dt.UTC).replace(tzinfo=None), self.as_of)
            there = before(col("opened_at"), end) & ~before(col("first_solved_at"), end)
            back = before(col("reopened_at"), end) & ~before(solved_again, end)
            stock[f"{month}"] = ((there | back) & ~before(col("closed_at"), end)).sum()
        return {"backlog": self.served.group_by("channel").agg(**stock).collect()}

    def _promises(self) -> Tables:
        """Each ticket's promise by the priority that it had when it was opened, or got first."""
        promised = pl.LazyFrame({"given": [*REPLY], "reply_due": [*REPLY.values()], "solve_due": [*SOLVE.values()]})
        promised = promised.select(
            col("given").cast(PRIORITY), (pl.exclude("given") * 1_000_000).cast(pl.Duration("us"))
        )
        changes = self._scan("priority_changes").select("ticket_id", "at", given=col("priority").cast(PRIORITY))
        apart = (col("at") - col("opened_at")).dt.total_microseconds()
        late = pl.when(apart <= 0).then(-apart).otherwise(apart + 2**61)  # any early one comes before all late ones
        times = ["channel", "month", "opened_at", "first_replied_at", "first_solved_at"]
        rows = self.served.select("ticket_id", *times).join(changes, on="ticket_id", how="left")
        rows = rows.with_columns(late=late).sort("ticket_id", "late")  # leaner than groups of a row or two each
        rows = rows.filter((col("ticket_id") != col("ticket_id").shift()).fill_null(True))
        rows = rows.join(promised, on="given", how="left")
        asked = []
        for name, stop in (("reply", "first_replied_at"), ("solve", "first_solved_at")):
            took, age = (time - col("opened_at") for time in (col(stop), pl.lit(self.as_of)))
            decided = col(stop).is_not_null() | (age > col(f"{name}_due")).fill_null(False)
            if name == "reply":
                decided &= col("channel") != "self_service"
            asked += _share(name, (took <= col(f"{name}_due")).fill_null(False), decided)
        counted = rows.group_by(BY).agg(asked).collect()
        return {"reply_sla": _wilson(counted, "reply"), "resolution_sla": _wilson(counted, "solve")}

    def _solved(self) -> Tables:
        """What is counted by the month in which tickets were first solved."""
        follows = self.every.filter(col("follow_up_of").is_not_null())
        follows = follows.group_by(ticket_id="follow_up_of").agg(followed_at=col("opened_at").min())
        asked = self._scan("surveys").group_by("ticket_id").agg(asked_at=col("sent_at").min())
        solved = self.served.filter(col("first_solved_at").is_not_null())
        solved = solved.join(follows, on="ticket_id", how="left").join(asked, on="ticket_id", how="left")
        week, month = (col("first_solved_at") <= self.as_of - _days(days) for days in (7, 30))
        counted = (
            solved.group_by("channel", month=self._month("first_solved_at"))
            .agg(
                *_share("fcr", ~_within("reopened_at", "first_solved_at", 7), week),
                *_share("return", _within("reopened_at", "first_solved_at", 30), month),
                *_mean("reopens", col("reopens"), month),
                *_share("follow", _within("followed_at", "first_solved_at", 30), month),
                *_count("solved"),
                *_share("coverage", _within("asked_at", "first_solved_at", 7), week),
            )
            .collect()
        )
        return {
            "fcr": _wilson(counted, "fcr"),
            "return_rate": _wilson(counted, "return"),
            "reopens_per_ticket": _student(counted, "reopens"),
            "follow_up_rate": _wilson(counted, "follow"),
            "solved_volume": _poisson(counted, "solved"),
            "survey_coverage": _wilson(counted, "coverage"),
        }

    def _repeats(self) -> Tables:
        """The same customer's next genuine ticket is the next row of a sorted table."""
        columns = ["customer_id", "opened_at", "ticket_id", "first_solved_at", "channel", "status", "bot_only"]
        line = self.genuine.select(columns).sort("customer_id", "opened_at", "ticket_id")
        same = col("customer_id") == col("customer_id").shift(-1)
        line = line.with_columns(next_at=pl.when(same).then(col("opened_at").shift(-1)))
        old = col("first_solved_at") <= self.as_of - _days(30)
        line = line.filter(col("status") != "deleted", ~col("bot_only"), old)
        again = _within("next_at", "first_solved_at", 30)
        counted = line.group_by("channel", month=self._month("first_solved_at"))
        counted = counted.agg(_share("repeat", again)).collect()
        return {"repeat_contact_rate": _wilson(counted, "repeat")}

    def _surveys(self) -> Tables:
        surveys = self._scan("surveys").join(self.every.select("ticket_id", "channel"), on="ticket_id", how="left")
        old = surveys.filter(col("sent_at") <= self.as_of - _days(14))
        answers = self._scan("survey_answers").join(surveys, on="response_id")
        answers = answers.filter(col("answered_at").is_not_null(), col("value").is_not_null())
        value, item = col("value"), col("item")
        net = (value >= 9).cast(pl.Int8) - (value <= 6).cast(pl.Int8)
        funnel, counted = pl.collect_all(
            [
                old.group_by("channel", month=self._month("sent_at")).agg(
                    *_share("viewed", _within("viewed_at", "sent_at", 14)),
                    *_share("answered", _within("answered_at", "sent_at", 14)),
                ),
                answers.group_by("channel", month=self._month("answered_at")).agg(
                    *_share("csat", value >= 4, item == "csat"),
                    *_mean("csat_mean", value, item == "csat"),
                    *_mean("nps", net, item == "nps"),
                    *_share("ces", value >= 5, item == "ces"),
                    *_mean("ces_mean", value, item == "ces"),
                ),
            ]
        )
        found = {
            name: _wilson(counted, name).join(_student(counted, f"{name}_mean"), on=BY, suffix="_mean")
            for name in ("csat", "ces")
        }
        shares = {"survey_viewed": _wilson(funnel, "viewed"), "survey_response": _wilson(funnel, "answered")}
        return found | shares | {"nps": _student(counted, "nps")}

    def _calls(self) -> Tables:
        calls = self._scan("calls").with_columns(month=self._month("arrived_at"))
        answered, lost, wait = col("outcome") == "answered", col("outcome") == "abandoned", col("wait_seconds")
        handled = col("talk_seconds") + col("hold_seconds").fill_null(0) + col("wrap_seconds")
        counted, waits = pl.collect_all(
            [
                calls.group_by("month").agg(
                    *_share("abandonment", lost, answered | lost),
                    *_mean("asa", wait, answered),
                    *_mean("abandoned_wait", wait, lost),
                    *_share("service_level", answered & (wait <= 20), answered | lost),
                    *_mean("aht", handled, answered),
                    *_share("transfer", col("transferred"), answered),
                    *_count("call_volume", col("outcome") != "self_service"),
                ),
                _sorted(calls.filter(lost), wait, ["month"]),
            ]
        )
        found = {name: _wilson(counted, name) for name in ("abandonment", "service_level", "transfer")}
        found |= {name: _student(counted, name) for name in ("asa", "abandoned_wait", "aht")}
        return found | {"patience": _quantiles(waits, 1.0), "call_volume": _poisson(counted, "call_volume")}

    def _help_centre(self, months: pl.DataFrame) -> Tables:
        visits = self._scan("kb_sessions").select("customer_id", "started_at", month=self._month("started_at"))
        known = visits.filter(col("customer_id").is_not_null(), col("started_at") <= self.as_of - _days(2))
        asked = self.genuine.select("customer_id", "opened_at").sort("opened_at")
        after = known.sort("started_at").join_asof(
            asked,
            left_on="started_at",
            right_on="opened_at",
            by="customer_id",
            strategy="forward",
            check_sortedness=False,  # within the groups; both are sorted a line before
        )
        silent = ~_within("opened_at", "started_at", 2)
        seen, counted = pl.collect_all(
            [
                visits.group_by("month").agg(_count("visits")),
                after.group_by("month").agg(_share("deflection", silent)),
            ]
        )
        score = _poisson(seen, "visits").join(months, on="month")
        score = score.select("month", *(col(c) / col("served") for c in ("n", "low", "high")))
        return {"self_service_score": score, "deflection": _wilson(counted, "deflection")}

    def _reviews(self) -> Tables:
        reviews = self._scan("qa_reviews").filter(col("reviewed_at").is_not_null())
        reviews = reviews.join(self.every.select("ticket_id", "channel"), on="ticket_id", how="left")
        points, weight = col("score_share") * col("sampling_weight"), col("sampling_weight")
        groups = reviews.group_by("channel", month=self._month("reviewed_at"))
        found = groups.agg(points=points.sum(), sampling_weight=weight.sum()).collect()
        return {"qa_score": found.with_columns(value=col("points") / col("sampling_weight")).sort(BY)}

    def _costs(self, found: Tables, served: pl.DataFrame) -> Tables:
        """Money by channel and month, on tickets opened and on those of them that are solved."""
        costs = self._scan("costs").with_columns(col("channel").cast(pl.Categorical))
        costs = costs.group_by("channel", month=col("booked_on").dt.month_start())
        spent = costs.agg(col("amount").sum()).collect()
        solved = found["resolution_time"].select(*BY, solved="n")
        each = spent.join(served, on=BY).join(solved, on=BY, how="left").sort(BY)
        return {
            "cost_per_contact": each.select(*BY, value=col("amount") / col("served")),
            "cost_per_resolution": each.select(*BY, value=col("amount") / col("solved")).drop_nulls(),
        }

    def _customers(self) -> Tables:
        customers, began = self._scan("customers"), self.as_of - _days(365)
        since, left = (col(column).cast(pl.Datetime("us")) for column in ("since_on", "left_on"))
        there = (since <= began) & ~(left <= began).fill_null(False)
        gone = customers.filter(left.is_not_null()).with_columns(month=col("since_on").dt.month_start())
        counted, stayed = pl.collect_all(
            [
                customers.select(
                    *_share("retention", left.is_null(), there), *_share("churn", left.is_not_null(), there)
                ),
                _sorted(gone, (left - since).dt.total_microseconds(), ["month"]),
            ]
        )
        shares = {name: _wilson(counted, name) for name in ("retention", "churn")}
        return shares | {"customer_lifetime": _quantiles(stayed)}
