"""What waits: the backlog from period to period, how old it is, and whether it fits what comes in (Little's law)."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import ibis
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.kpis.asked import declared, estimated, lacking
from cxkit.kpis.page import Page
from cxkit.kpis.trend import Trend, trend
from cxkit.kpis.words import ESTIMATE, shielded
from cxkit.lang import Amount, Sentence, is_rtl, value
from cxkit.measures import Count, Duration, Measure, Share, begins_at, estimates, missing, tally
from cxkit.measures.once import once
from cxkit.measures.rows import spell_edges, steps
from cxkit.measures.sources import moment, source
from cxkit.result import Format, Result, not_answerable
from cxkit.stats import kaplan_meier

if TYPE_CHECKING:
    from cxkit.study import Study

_DAY = 86_400
_MOST_DAYS = 180
_NEAR = 0.1  # of the number: nearer than that, the two counts agree
_AGES = (("day_1", 1), ("days_3", 3), ("week_1", 7), ("days_30", 30))


class Law(NamedTuple):
    """Little's law over some days: L tickets waiting on average, lambda of them a day, W seconds each."""

    days: int
    waiting: float
    arrivals: float
    stay: float
    first: float  # how many waited when those days began, and when they ended
    last: float

    @property
    def expected(self) -> float:
        """Lambda times W: how many would wait if what comes were in balance with what is solved."""
        return self.arrivals * self.stay / _DAY

    @property
    def agrees(self) -> bool:
        """Whether the two counts of the waiting lie within a tenth of one another."""
        return abs(self.waiting - self.expected) <= _NEAR * max(self.waiting, self.expected)

    @property
    def moved(self) -> bool:
        """Whether the backlog grew or shrank by more than three standard deviations of two independent moments.

        In balance, where tickets come by chance, the number waiting scatters like a Poisson number.
        """
        return abs(self.last - self.first) > 3 * math.sqrt(2 * max(self.waiting, 1.0))

    @property
    def finding(self) -> str:
        """What to say of it: "agrees", "moved" or "differs"."""
        return "moved" if self.moved else "agrees" if self.agrees else "differs"


@dataclass(frozen=True, eq=False)
class Ages(Result):
    """One row an age: the share of the backlog that is older."""

    formats: ClassVar[Mapping[str, Format]] = {"older_than": "code", "n": "count", "share": "share"}


@dataclass(frozen=True, eq=False)
class Backlog(Page):
    """One row a period: how many tickets waited at its end; with the age of what waits now, and Little's law."""

    stock: Trend | None = None
    ages: Ages | None = None
    law: Law | None = None
    median: float = float("nan")
    p90: float = float("nan")

    size: ClassVar[tuple[float, float]] = (10.0, 3.6)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Period, number waiting."""
        period: Mapping[str, Format] = {} if self.stock is None else {self.stock.period: self.stock.unit}
        return {**period, **{c: k for c, k in shielded(ESTIMATE).items() if c in ("value",)}, "complete": "yesno"}

    @property
    def more(self) -> Mapping[str, Result]:
        """How old the backlog is."""
        return {} if self.ages is None else {"kpis.backlog.ages": self.ages}

    def sentences(self) -> tuple[Sentence, ...]:
        """How many wait and how long they have waited; whether that fits what comes in and how long it stays."""
        said = []
        if len(self.table):
            last = self.table.iloc[-1]
            facts = {"median": Amount(self.median, "seconds"), "p90": Amount(self.p90, "seconds")}
            said.append(Sentence("kpis.backlog.now", {"n": int(last["value"]), **facts}))
        if self.law is not None and math.isfinite(self.law.expected):
            law = self.law
            counted = {"waiting": law.waiting, "arrivals": law.arrivals, "expected": law.expected, "days": law.days}
            ends = {"first": law.first, "last": law.last, "stay": Amount(law.stay, "seconds")}
            said.append(Sentence(f"kpis.backlog.{law.finding}", {**counted, **ends}))
        return tuple(said) or (Sentence("kpis.backlog.none"),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """The number waiting over time; beside it how much of what waits now is older than so many days."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rtl = is_rtl(lang)
        if self.stock is not None:
            line = ax.inset_axes((0.5, 0.15, 0.44, 0.7) if rtl else (0.06, 0.15, 0.44, 0.7))
            self.stock.plot(line, lang)
            line.set_ylim(0, line.get_ylim()[1] * 1.05)
        if self.ages is not None:
            self._draw_ages(ax.inset_axes((0.02, 0.15, 0.3, 0.7) if rtl else (0.68, 0.15, 0.3, 0.7)), lang)
        return ax

    def _draw_ages(self, ax: Axes, lang: str | None) -> None:
        if self.ages is None:
            return
        rows = self.ages.table.iloc[::-1].reset_index(drop=True)
        ax.barh(range(len(rows)), rows["share"], height=0.6, color=figures.ACCENT)
        ax.set_yticks(range(len(rows)), [value("older_than", age, lang) for age in rows["older_than"]])
        ax.set(xlim=(0, 1), ylim=(-0.7, len(rows) - 0.3))
        ax.set_title(value("kpi", "backlog_age", lang))
        figures.finish(ax, lang, "categories", "percent", "x")


def backlog(study: Study, period: str = "month", level: float = 0.95) -> Result:
    """The tickets that wait: at the end of every period, how old those of now are, and Little's law.

    Little (1961): over a long time the number waiting is what comes in a day times how many days it stays. All three
    are counted from the tickets' own times, for the way to the first solution; they agree where work in and work out
    are in balance.
    """
    measures = declared(study)
    if gaps := lacking(study, "backlog"):
        return not_answerable(measures["backlog"].question, gaps)
    stock = trend(study, "backlog", period, level)
    if not isinstance(stock, Trend):
        return stock
    median = p90 = float("nan")
    ages = None
    if not lacking(study, "backlog_age"):
        age = estimated(study, ["backlog_age"], (), level).set_index("stat")["value"]
        median, p90 = float(age["median"]), float(age["p90"])
        ages = once(study, "ages", lambda: _ages(study, measures["backlog_age"]))
    law = once(study, "law", lambda: little(study))
    notes = (*(n for n in stock.notes if n.key != "kpis.trend.thin"), Sentence("kpis.backlog.made"))
    return Backlog(stock.table, notes, stock, ages, law, median, p90)


def _ages(study: Study, age: Measure) -> Ages | None:
    """How much of the backlog is older than a day, three days, a week, thirty days."""
    older = [
        Share(
            f"older_{name}", where=f"opened_at < as_of - days({days})", among=age.among, exclude=age.exclude, cluster=""
        )
        for name, days in _AGES
    ]
    found = estimates(study, older).set_index("kpi")
    n = found["n"].to_numpy(float)
    if not n.max(initial=0):
        return None
    share = found["value"].to_numpy(float)
    return Ages(pd.DataFrame({"older_than": [name for name, _ in _AGES], "n": np.round(share * n), "share": share}))


def little(study: Study) -> Law | None:
    """Little's law for the way from the opening to the first solution; None where the data span less than two days.

    What comes and what waits are counted over the second half of the data, at most half a year. The stay is that of all
    tickets, open ones included, up to as many days, or for as long as any was followed.
    """
    known = Duration("waiting", start="opened_at", stop="first_solved_at", until=("closed_at",), cluster="")
    if missing(known, study):
        return None
    days = min(_MOST_DAYS, int((study.as_of - begins_at(study, known)).total_seconds() // (2 * _DAY)))
    if days < 1:
        return None
    lines = tally(study, known)
    lines = lines[lines["value"].notna()]
    curve = kaplan_meier(lines["value"], lines["observed"], lines["n"])
    stay = float(curve.capped_mean(min(float(days * _DAY), curve.followed)).estimate)
    arrived = estimates(study, Count("arrived", among=f"opened_at > as_of - days({days})", cluster=""))
    return Law(days, *_waiting(study, days, float(arrived["value"].iloc[0]) / days, stay))


def _waiting(study: Study, days: int, arrivals: float, stay: float) -> tuple[float, float, float, float, float]:
    """The average number that waited for a first solution over the last `days`, and how many did at both their ends."""
    measure = Count("waiting", spells=(("opened_at", "first_solved_at"),), until=("closed_at",), cluster="")
    table = source(study, [measure])
    begin, end = moment(study.as_of - pd.Timedelta(days=days)), moment(study.as_of)
    counted = functools.reduce(operator.and_, [stays for _, stays in steps(measure, table, study.as_of)])
    ((comes, goes),) = spell_edges(measure, table)
    stop = goes.fill_null(end).epoch_seconds()
    inside = ibis.greatest(stop - ibis.greatest(comes.epoch_seconds(), begin.epoch_seconds()), 0)
    at_begin = counted & (comes <= begin) & (goes.isnull() | (goes > begin))
    found = table.aggregate(
        seconds=counted.ifelse(inside, 0).sum(),
        first=at_begin.ifelse(1, 0).sum(),
        last=(counted & goes.isnull()).ifelse(1, 0).sum(),
    )
    seconds, first, last = (float(x or 0) for x in found.to_pandas().iloc[0])
    return seconds / (days * _DAY), arrivals, stay, first, last
