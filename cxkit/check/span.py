"""From when to when the data reach, and whether a month is missing, halved or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from cxkit.calendars import Period, month_edges
from cxkit.contract import load
from cxkit.figures import BAD, CATEGORIES, PAPER, finish, legend, own_axes
from cxkit.lang import Coded, Sentence, Word, frame_line, month, say, value
from cxkit.result import Result, not_answerable

if TYPE_CHECKING:
    from cxkit.study import Study

QUARTER = 900  # seconds; every time zone lies a whole number of quarter hours from UTC
SLACK = pd.Timedelta(days=3)  # a quiet start of a month is no missing one
LEAST_MONTHS, LEAST_ROWS = 4, 20  # below this, nothing is said about unusual months
LABELS = 8


@dataclass(frozen=True)
class Month(Word):
    """A month inside a sentence, named by its first day."""

    code: object

    def text(self, lang: str | None = None) -> str:
        """The month's name and year in `lang`."""
        return month(pd.Timestamp(str(self.code)), lang)


@dataclass(frozen=True, eq=False)
class Span(Result):
    """One row a table and local month: rows in it, and whether that is usual for the table.

    `against_usual` is the number of rows over the median of the table's whole months. States: usual, gap (no row at
    all), low (less than half), high (more than double), partial (the data begin or end inside the month).
    """

    reach: tuple[pd.Timestamp, ...] = ()  # first, last and as_of as local days

    formats: ClassVar = {
        "table": "code",
        "month": "month",
        "n": "count",
        "against_usual": "share0",
        "month_state": "code",
    }
    size: ClassVar = (8.5, 4.2)
    max_rows: ClassVar = 80

    def sentences(self) -> tuple[Sentence, ...]:
        """The span of the data, and the month that stands out most."""
        reach = Sentence("check.span.reach", dict(zip(("first", "last", "as_of"), self.reach, strict=True)))
        odd = self.table[self.table["month_state"].isin(("gap", "low", "high"))]
        if odd.empty:
            whole = self.table[self.table["month_state"] != "partial"].groupby("table").size()
            return reach, Sentence("check.span.usual" if (whole >= LEAST_MONTHS).any() else "check.span.short")
        ratio = odd["against_usual"].clip(lower=0.01)
        worst = odd.loc[np.log(ratio).abs().idxmax()]
        named = {"table": Coded("table", worst["table"]), "month": Month(str(worst["month"])), "rows": int(worst["n"])}
        share = float(worst["against_usual"])
        return reach, Sentence("check.span.odd", {"n": len(odd), **named, "share": share})

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Rows per month against the table's usual month; partial months are hollow, unusual ones marked."""
        ax = own_axes(ax, lang, self.size)
        months = sorted(self.table["month"].unique())
        place = {day: i for i, day in enumerate(months)}
        for i, (name, part) in enumerate(self.table.groupby("table", sort=False)):
            colour = CATEGORIES[i % len(CATEGORIES)]
            x, y = part["month"].map(place).to_numpy(), part["against_usual"].to_numpy()
            ax.plot(x, y, color=colour, linewidth=1.4, label=value("table", str(name), lang))
            for state, face, edge in (("partial", PAPER, colour), ("usual", colour, colour), ("odd", BAD, BAD)):
                kind = part["month_state"].where(part["month_state"].isin(("partial", "usual")), "odd").to_numpy()
                ax.plot(x[kind == state], y[kind == state], "o", markersize=5, mfc=face, mec=edge, clip_on=False)
        step = -(-len(months) // LABELS)
        ax.set_ylim(bottom=0)
        ax.set_ylabel(say("check.span.axis", lang))
        legend(ax, lang, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=5)
        finish(ax, lang, kind="series", unit="percent")
        names = [frame_line(month(day, lang), lang) for day in months[::step]]
        ax.set_xticks(range(0, len(months), step), names, rotation=30, ha="right")
        return ax


def span(study: Study) -> Result:
    """Rows of each table by local month of the study's calendar; rows after `as_of` are noted, not counted."""
    clocks = {name: column for name in study.tables if (column := _clock(study, name))}
    seen = {name: _quarters(study, name, column) for name, column in clocks.items()}
    seen = {name: tally for name, tally in seen.items() if len(tally[0])}
    if not seen:
        return not_answerable("check.question.span", ("tickets.opened_at",))
    first = pd.Timestamp(int(min(starts[0] for starts, _ in seen.values())) * QUARTER, unit="s")
    last = pd.Timestamp(int(max(starts[-1] for starts, _ in seen.values())) * QUARTER, unit="s")
    periods = month_edges(first, last, study.time_zone, study.config["calendar"]["months"])
    table = pd.DataFrame([row for name, tally in seen.items() for row in _months(name, tally, periods)])
    days = study.local(pd.Series([first, last, study.as_of - pd.Timedelta(1, "us")]))
    notes = (*_after(study, clocks), *_partial(table))
    return Span(table, notes, reach=tuple(days))


Tally = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _clock(study: Study, name: str) -> str | None:
    """The column that says when a row of the table began."""
    times = [column.name for column in load().tables[name].of_type("timestamp") if column.observed]
    return next((column for column in times if study.has(name, column)), None)


def _quarters(study: Study, name: str, column: str) -> Tally:
    """Quarter hours (since 1970) up to `as_of` and the rows in each, in order; counted where the data live."""
    table = study.table(name)
    table = table.filter(table[column] <= _literal(study.as_of))
    quarter = (table[column].epoch_seconds() // QUARTER).cast("int64").name("quarter")
    tally = table.group_by(quarter).agg(n=lambda t: t.count()).order_by("quarter").to_pyarrow()
    return tally["quarter"].to_numpy(), tally["n"].to_numpy()


def _literal(at: pd.Timestamp) -> ibis.Value:
    return ibis.literal(at.to_pydatetime(), type="timestamp(6)")


def _months(name: str, tally: Tally, periods: list[Period]) -> Iterator[dict[str, Any]]:
    starts, counts = tally
    edges = np.array([period.start_at.timestamp() for period in periods] + [periods[-1].end_at.timestamp()])
    n = np.histogram(starts * QUARTER, edges, weights=counts)[0].astype(int)
    first, last = (pd.Timestamp(int(edge) * QUARTER, unit="s") for edge in (starts[0], starts[-1]))
    whole = np.array([p.start_at >= first - SLACK and p.end_at <= last + SLACK for p in periods])
    usual = float(np.median(n[whole])) if whole.any() else float(np.median(n[n > 0]))
    judged = whole.sum() >= LEAST_MONTHS and usual >= LEAST_ROWS
    for period, rows, is_whole in zip(periods, n, whole, strict=True):
        if period.end_at <= first or period.start_at > last:
            continue  # the table has not begun, or has ended
        state = _state(int(rows), usual, bool(judged)) if is_whole else "partial"
        ratio = rows / usual if usual else float("nan")
        yield {"table": name, "month": period.first_on, "n": int(rows), "against_usual": ratio, "month_state": state}


def _state(rows: int, usual: float, judged: bool) -> str:
    if rows == 0:
        return "gap"
    if not judged:
        return "usual"
    return "low" if rows < usual / 2 else "high" if rows > usual * 2 else "usual"


def _after(study: Study, clocks: dict[str, str]) -> Iterator[Sentence]:
    for name, column in clocks.items():
        n = int((study.table(name)[column] > _literal(study.as_of)).sum().to_pyarrow().as_py() or 0)
        if n:
            yield Sentence("check.span.after", {"table": Coded("table", name), "n": n})


def _partial(table: pd.DataFrame) -> Iterator[Sentence]:
    if (table["month_state"] == "partial").any():
        yield Sentence("check.span.partial")
