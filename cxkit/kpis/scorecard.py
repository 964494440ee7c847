"""Where the service stands: every KPI beside its target, as far as the data can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.kpis.words import UNITS, thin_note
from cxkit.lang import Amount, Coded, Range, Sentence, frame_line, is_rtl, value
from cxkit.measures import Measure, Share, estimates, missing, registry
from cxkit.result import Result, by_unit, records, span

if TYPE_CHECKING:
    from cxkit.study import Study

THIN = 30  # cases below which an estimate gets a note
WIDE = 1.2  # widening from which the likeness of an agent's tickets gets a note
_RESPONSE = Share("response rate", of="surveys", where="answered_at is not None", cluster="", stratum="")
_COLOURS = {"met": figures.GOOD, "missed": figures.BAD, "open": figures.MUTED, "no_target": figures.ACCENT}


@dataclass(frozen=True, eq=False)
class Scorecard(Result):
    """One row a KPI statistic: value, interval, n, still open, clusters, target and standing.

    `unanswered`: KPIs that these data cannot carry, with the columns that are missing.
    """

    unanswered: dict[str, tuple[str, ...]] = field(default_factory=dict)

    formats = {
        "kpi": "code",
        "stat": "code",
        "value": by_unit("value"),
        "interval": span(),
        "target": by_unit("target"),
        "standing": "code",
        "n": "count",
        "open": "count",
    }

    def sentences(self) -> tuple[Sentence, ...]:
        """How many KPIs meet, miss or cannot be told from their target; each miss by name; what is not answerable."""
        judged = self.table[self.table["standing"] != "no_target"]
        counts = {standing: int((judged["standing"] == standing).sum()) for standing in ("met", "missed", "open")}
        said = [Sentence("kpis.scorecard.summary", {"n": len(judged), **counts})] if len(judged) else []
        said += [_miss(row) for row in records(judged[judged["standing"] == "missed"])]
        if self.unanswered:
            said.append(Sentence("kpis.scorecard.unanswered", {"n": len(self.unanswered)}))
        return tuple(said) or (Sentence("kpis.scorecard.nothing"),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """One strip a KPI, on its own scale: interval, value and target."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rtl, shown = is_rtl(lang), self._headlines
        height = 1 / max(len(shown), 1)
        for place, row in enumerate(records(shown)):
            bottom = 1 - (place + 0.7) * height
            _strip(ax.inset_axes((0.06 if rtl else 0.4, bottom, 0.54, height * 0.5)), row, lang)
            label = f"{value('kpi', row['kpi'], lang)}\n{value('stat', row['stat'], lang)}"
            side = "right" if rtl else "left"
            ax.text(float(rtl), bottom + height * 0.25, frame_line(label, lang), ha=side, va="center")
        return ax

    @property
    def _headlines(self) -> pd.DataFrame:
        return self.table[self.table["headline"].astype(bool) & self.table["value"].notna()]

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: one strip for every KPI."""
        return (8.0, 0.75 * max(2, len(self._headlines)))


def _strip(ax: Axes, row: Mapping[str, Any], lang: str | None) -> None:
    colour = _COLOURS[str(row["standing"])]
    low, high, at, target = (float(row[name]) for name in ("low", "high", "value", "target"))
    wide_low, wide_high = widened(row)
    ends = [x for x in (low, high, wide_low, wide_high, at, target) if not math.isnan(x) and x != float("inf")]
    ax.hlines(0, wide_low, min(wide_high, max(ends)), color=colour, linewidth=1.5)
    ax.hlines(0, low, min(high, max(ends)), color=colour, linewidth=7, alpha=0.35)
    ax.plot(at, 0, "o", color=colour, markersize=7)
    if not math.isnan(target):
        ax.plot([target, target], [-0.6, 0.6], color=figures.INK, linewidth=2)
    margin = (max(ends) - min(ends)) * 0.25 or abs(at) * 0.1 or 1
    ax.set(xlim=(min(ends) - margin, max(ends) + margin), ylim=(-1, 1), yticks=[])
    ax.tick_params(labelsize=8)
    for side in ("left", "right"):
        ax.spines[side].set_visible(False)
    figures.finish(ax, lang, "categories", figures.axis_unit(str(row["unit"])), "x")


def _miss(row: Mapping[str, Any]) -> Sentence:
    spoken = {name: Amount(row[name], row["unit"]) for name in ("target", "value")}
    # The interval that was judged: the plain one of the table may be narrower.
    interval = Range(*widened(row), row["unit"])
    return Sentence("kpis.scorecard.missed", {"kpi": Coded("kpi", row["kpi"]), **spoken, "interval": interval})


def scorecard(study: Study, level: float = 0.95) -> Scorecard:
    """Every KPI of `study`'s registry that its data can carry, beside its target."""
    measures = registry(study)
    lacking = {name: missing(measure, study) for name, measure in measures.items()}
    answered = [measure for name, measure in measures.items() if not lacking[name]]
    unanswered = {name: gaps for name, gaps in lacking.items() if gaps}
    if not answered:
        return Scorecard(pd.DataFrame(columns=["standing", "headline", "value"]), (), unanswered)
    table = with_targets(estimates(study, answered, level=level), study, measures)
    headlines = records(table[table["headline"]])
    notes = [thin_note(row) for row in headlines if row["n"] < THIN]
    notes += [_clustered_note(row) for row in headlines if row["widening"] > WIDE]
    few = [row for row in headlines if likeness_unknown(row) and row["clusters"] > 0]
    notes += [Sentence("kpis.scorecard.few_agents", {"clusters": int(few[0]["clusters"])})] if few else []
    notes += [*_promise_notes(table), *_respondents_note(study, headlines, measures)]
    return Scorecard(table, tuple(notes), unanswered)


def _clustered_note(row: Mapping[str, Any]) -> Sentence:
    facts = {"kpi": Coded("kpi", row["kpi"]), "clusters": int(row["clusters"])}
    return Sentence("kpis.scorecard.clustered", {**facts, "interval": Range(*widened(row), row["unit"])})


def _promise_notes(table: pd.DataFrame) -> list[Sentence]:
    """What a promised time judged at the median leaves out: the share of tickets within it."""
    within = {row["kpi"]: row["value"] for row in records(table) if row["stat"] == "within"}
    judged = [row for row in records(table) if row["kpi"] in within and row["stat"] == "median"]
    return [
        Sentence(
            "kpis.scorecard.promise",
            {
                "kpi": Coded("kpi", row["kpi"]),
                "target": Amount(row["target"], row["unit"]),
                "share": Amount(within[row["kpi"]], "share"),
            },
        )
        for row in judged
        if row["standing"] != "no_target"
    ]


def _respondents_note(study: Study, headlines: list[dict[str, Any]], measures: Mapping[str, Measure]) -> list[Sentence]:
    """Whom the survey KPIs speak for: those who answered, of those who were asked (K18), as at the study's `as_of`."""
    answers = max((row["n"] for row in headlines if measures[row["kpi"]].of == "survey_answers"), default=0)
    if not answers:
        return []
    response = None if missing(_RESPONSE, study) else estimates(study, _RESPONSE).iloc[0]
    if response is None or response["value"] in (0, 1):  # an export of answers alone does not know who was asked
        return [Sentence("kpis.scorecard.respondents", {"n": int(answers)})]
    asked, share = int(response["n"]), float(response["value"])
    facts = {"n": round(share * asked), "asked": asked, "share": Amount(share, "share")}
    return [Sentence("kpis.scorecard.non_response", facts)]


def widened(row: Mapping[str, Any] | pd.Series[Any]) -> tuple[float, float]:
    """The interval of an estimate's line as the likeness of an agent's tickets makes it.

    Durations are widened by a factor, on the log scale: their intervals are not symmetric and never below zero. The
    interval of one that is not reached stays as it is.
    """
    at, low, high, factor = (float(row[name]) for name in ("value", "low", "high", "widening"))
    factor = 1.0 if math.isnan(factor) else factor
    if row["unit"] == "seconds":
        return (at * (low / at) ** factor, at * (high / at) ** factor) if 0 < at < math.inf else (low, high)
    least, most = {"share": (0.0, 1.0), "points": (-1.0, 1.0)}.get(str(row["unit"]), (-math.inf, math.inf))
    return max(least, at - (at - low) * factor), min(most, at + (high - at) * factor)


def likeness_unknown(row: Mapping[str, Any] | pd.Series[Any]) -> bool:
    """Whether agents are known, but too few to tell how alike their tickets are."""
    return not math.isnan(float(row["clusters"])) and math.isnan(float(row["widening"]))


def with_targets(table: pd.DataFrame, study: Study, measures: dict[str, Measure]) -> pd.DataFrame:
    """`table` of estimates with unit, headline flag, target of the headline statistic, and standing.

    Standing: "met" or "missed" only if the whole interval, widened for the likeness of an agent's tickets where that is
    known, lies on that side of the target; "open" otherwise.
    """
    table = table.copy()
    table["unit"] = table["stat"].map(UNITS)
    headline = [measures[kpi].headline == stat for kpi, stat in zip(table["kpi"], table["stat"], strict=True)]
    table["headline"] = np.array(headline, dtype=bool)  # of no lines, too: an empty list would choose no columns
    targets = table["kpi"].map(study.targets).astype(float)
    table["target"] = targets.where(table["headline"])
    better = table["kpi"].map({name: measure.better for name, measure in measures.items()})
    table["standing"] = [
        standing(*widened(row), row["target"], way) for row, way in zip(records(table), better, strict=True)
    ]
    return table


def standing(low: float, high: float, target: float, better: str) -> str:
    """Where an interval lies: "met", "missed", "open" (it holds the target) or "no_target".

    >>> standing(0.81, 0.90, 0.80, "higher"), standing(0.75, 0.85, 0.80, "higher"), standing(70.0, 90.0, 60.0, "lower")
    ('met', 'open', 'missed')
    """
    if math.isnan(target) or math.isnan(low) or better == "none":
        return "no_target"
    above, below = low >= target, high <= target
    if better == "lower":
        above, below = below, above
    return "met" if above else "missed" if below else "open"
