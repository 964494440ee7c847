"""Which questions these data can carry, and why not the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit.check.gate import gate
from cxkit.contract import Finding
from cxkit.figures import ACCENT, finish, own_axes
from cxkit.lang import Coded, Sentence, Several, Word, has, say, value
from cxkit.measures import missing, registry, waterfall
from cxkit.result import Result

if TYPE_CHECKING:
    from cxkit.study import Study


@dataclass(frozen=True)
class Needs(Word):
    """Missing columns inside a sentence or a cell, each with what it means."""

    code: tuple[str, ...]  # "table", "table.column", "survey_answers.item=nps", or "study.toml: calendar.hours"

    def text(self, lang: str | None = None) -> str:
        """The columns, joined as the language joins a list."""
        return f"{say('common.comma', lang)} ".join(_need(need, lang) for need in self.code) or "–"


def _need(need: str, lang: str | None) -> str:
    table, _, column = need.partition(".")
    if ":" in need:  # a setting, no column
        return need
    if not column:
        return say("check.need_table", lang, table=value("table", table, lang))
    key = f"contract.means.{column}"
    return say("check.need", lang, column=need, means=say(key, lang)) if has(key, lang) else need


_NEEDS = ("c", lambda row, lang: Needs(tuple(row["needs"])).text(lang))


@dataclass(frozen=True, eq=False)
class Kpis(Result):
    """One row a KPI: whether these data carry it, on how many rows, or what is missing."""

    formats: ClassVar = {"kpi": "code", "carried": "code", "n": "count", "needs": _NEEDS}
    size: ClassVar = (8.0, 3.6)

    def sentences(self) -> tuple[Sentence, ...]:
        """How many KPIs are carried, and what the others need."""
        carried = self.table["carried"] == "yes"
        counts = {"n": int(carried.sum()), "total": len(self.table)}
        alike: dict[tuple[str, ...], list[str]] = {}
        for row in self.table[self.table["carried"] == "no"].to_dict("records"):
            alike.setdefault(tuple(row["needs"]), []).append(row["kpi"])
        lacking = [
            Sentence(
                "check.kpis.lacks",
                {"n": len(some), "kpis": Several(tuple(Coded("kpi", kpi) for kpi in some)), "needs": Needs(needs)},
            )
            for needs, some in alike.items()
        ]
        return Sentence("check.kpis.carried", counts), *lacking

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """The rows that each KPI can count."""
        ax = own_axes(ax, lang, self.size)
        shown = self.table[::-1]
        place = np.arange(len(shown))
        ax.barh(place, shown["n"].fillna(0), color=ACCENT, height=0.6)
        ax.set_yticks(place, [Coded("kpi", kpi).text(lang) for kpi in shown["kpi"]])
        ax.set_xlabel(say("check.kpis.axis", lang))
        return finish(ax, lang, kind="categories", unit="count", value_axis="x")


def kpis(study: Study) -> Kpis:
    """For every KPI of the method: can these data carry it, on how many rows, and what is missing otherwise."""
    rows = []
    for name, measure in registry(study).items():
        lacks = _by_table(study, missing(measure, study))
        n = float("nan") if lacks else float(waterfall(study, measure)["left"].iloc[-1])
        rows.append((name, "no" if lacks else "yes" if n else "empty", n, lacks))
    table = pd.DataFrame(rows, columns=["kpi", "carried", "n", "needs"])
    return Kpis(table)


def _by_table(study: Study, needs: Iterable[str]) -> tuple[str, ...]:
    """Missing columns; of a table that is not there at all, only the table."""
    there = study.tables
    tables = (need if ":" in need else need.partition(".")[0] for need in needs)
    return tuple(dict.fromkeys(n if t in there else t for n, t in zip(needs, tables, strict=True)))


# question -> the columns without which it cannot be answered; a bar separates columns that can stand in for one another
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "waiting": ("tickets.opened_at", "tickets.first_replied_at"),
    "solving": ("tickets.opened_at", "tickets.first_solved_at"),
    "returning": ("tickets.first_solved_at", "tickets.reopened_at|tickets.reopens"),
    "stages": ("events.case_id", "events.activity", "events.at"),
    "hand_offs": ("events.at", "events.resource|events.team"),
    "satisfaction": ("survey_answers.value|tickets.satisfaction",),
    "silence": ("surveys.sent_at", "surveys.answered_at"),
    "words": ("survey_answers.text|messages.text",),
    "queue": ("calls.arrived_at", "calls.wait_seconds", "calls.outcome"),
    "channels": ("tickets.channel|calls.queue",),
    "languages": ("tickets.language|surveys.language|customers.language",),
    "agents": ("tickets.agent_id|calls.agent_id|events.resource",),
    "customers": ("tickets.customer_id|calls.customer_id",),
}


@dataclass(frozen=True, eq=False)
class Questions(Result):
    """One row a question of the method: carried by these data (yes, care, no), and what is missing."""

    formats: ClassVar = {"data_question": "code", "carried": "code", "needs": _NEEDS, "findings": "count"}

    def sentences(self) -> tuple[Sentence, ...]:
        """How many of the questions the data carry."""
        counts = self.table["carried"].value_counts()
        return (Sentence("check.questions.carried", {k: int(counts.get(k, 0)) for k in ("yes", "care", "no")}),)


def questions(study: Study) -> Questions:
    """Which questions the study's data carry; "care" where the gate found something about the very columns."""
    found = gate(study).found.findings
    rows = [(question, *_answer(study, needs, found)) for question, needs in QUESTIONS.items()]
    return Questions(pd.DataFrame(rows, columns=["data_question", "carried", "needs", "findings"]))


def _answer(study: Study, needs: Iterable[str], found: tuple[Finding, ...]) -> tuple[str, tuple[str, ...], int]:
    used, lacks = [], []
    for need in needs:
        choices = [choice.partition(".")[::2] for choice in need.split("|")]
        there = [choice for choice in choices if study.has(*choice)]
        used += there
        lacks += [] if there else [f"{table}.{column}" for table, column in choices[:1]]
    about = [finding for finding in found if _touches(finding, used)]
    carried = "no" if lacks else "care" if about else "yes"
    return carried, _by_table(study, lacks), 0 if lacks else len(about)


def _touches(finding: Finding, used: Iterable[Any]) -> bool:
    """Whether a finding is about one of these columns, or about whole rows of their table."""
    return any(finding.table == table and (not finding.columns or column in finding.columns) for table, column in used)
