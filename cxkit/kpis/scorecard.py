"""Where the service stands: every KPI beside its target, as far as the data can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.kpis.asked import carried, declared, estimated, lacking
from cxkit.kpis.judging import THIN, likeness_unknown, widened, with_targets
from cxkit.kpis.words import CHANCE, ESTIMATE, NAME, clustered_notes, thin_note
from cxkit.lang import Amount, Coded, Range, Sentence, frame_line, is_rtl, say, value
from cxkit.measures import Measure, Share, estimates, missing
from cxkit.measures.kinds import FAMILIES
from cxkit.measures.once import once
from cxkit.result import Format, Result, by_unit, records

if TYPE_CHECKING:
    from cxkit.study import Study

_RESPONSE = Share("response rate", of="surveys", where="answered_at is not None", cluster="", stratum="")
_COLOURS = {"met": figures.GOOD, "missed": figures.BAD, "open": figures.MUTED, "no_target": figures.ACCENT}


@dataclass(frozen=True, eq=False)
class Scorecard(Result):
    """One row a KPI: value, interval, n, still open, clusters, target, standing and the chance that the target is met.

    A KPI whose target is about another statistic than its headline has a row for each. `unanswered`: KPIs that these
    data cannot carry, with the columns that are missing; `asked` the question that each would answer,
    `families` the family of each.
    """

    unanswered: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked: dict[str, Sentence] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)

    formats: ClassVar[Mapping[str, Format]] = {
        "family": ("c", lambda row, lang: value("family", row["family"], lang) if row["leads"] else ""),
        "kpi": NAME,
        **{column: kind for column, kind in ESTIMATE.items() if column != "stat"},
        "target": by_unit("target"),
        "standing": "code",
        "chance": CHANCE,
    }
    max_rows: ClassVar[int] = 80

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
        """One strip for each KPI that is judged (for all, if none is), on its own scale: interval, value and target."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rtl, shown = is_rtl(lang), self._drawn
        height = 1 / max(len(shown), 1)
        for place, row in enumerate(records(shown)):
            bottom = 1 - (place + 0.7) * height
            strip(ax.inset_axes((0.06 if rtl else 0.4, bottom, 0.54, height * 0.5)), row, lang)
            label = f"{value('kpi', row['kpi'], lang)}\n{value('stat', row['stat'], lang)}"
            side = "right" if rtl else "left"
            ax.text(float(rtl), bottom + height * 0.25, frame_line(label, lang), ha=side, va="center")
        return ax

    @property
    def _drawn(self) -> pd.DataFrame:
        known = self.table[self.table["value"].notna()]
        judged = known[known["standing"] != "no_target"]
        return judged if len(judged) else known

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: one strip for every KPI."""
        return (8.0, 0.75 * max(2, len(self._drawn)))


def strip(ax: Axes, row: Mapping[str, Any], lang: str | None) -> None:
    """A KPI on a scale of its own: pale its interval, thin the one that is judged, dark its target."""
    colour = _COLOURS[str(row["standing"])]
    low, high, at, target = (float(row[name]) for name in ("low", "high", "value", "target"))
    wide_low, wide_high = widened(row)
    ends = [x for x in (low, high, wide_low, wide_high, at, target) if math.isfinite(x)] or [0.0]
    margin = (max(ends) - min(ends)) * 0.25 or abs(max(ends)) * 0.1 or 1
    edge = max(ends) + (0 if math.isfinite(high) else margin)
    ax.hlines(0, wide_low, min(wide_high, edge), color=colour, linewidth=1.5)
    ax.hlines(0, low, min(high, edge), color=colour, linewidth=7, alpha=0.35)
    if math.isfinite(at):
        ax.plot(at, 0, "o", color=colour, markersize=7)
    else:
        _not_reached(ax, edge, colour, lang)
    if not math.isnan(target):
        ax.plot([target, target], [-0.6, 0.6], color=figures.INK, linewidth=2)
    ax.set(xlim=(min(ends) - margin, max(ends) + margin), ylim=(-1, 1), yticks=[])
    ax.tick_params(labelsize=8)
    for side in ("left", "right"):
        ax.spines[side].set_visible(False)
    figures.finish(ax, lang, "categories", figures.axis_unit(str(row["unit"])), "x")


def _not_reached(ax: Axes, edge: float, colour: str, lang: str | None) -> None:
    rtl = is_rtl(lang)
    ax.plot(edge, 0, "<" if rtl else ">", color=colour, markersize=7)
    words = frame_line(say("common.not_reached", lang), lang)
    ax.annotate(words, (edge, 0.25), ha="left" if rtl else "right", va="bottom", fontsize=8)


def _miss(row: Mapping[str, Any]) -> Sentence:
    spoken = {name: Amount(row[name], row["unit"]) for name in ("target", "value")}
    # The interval that was judged: the plain one of the table may be narrower.
    interval = Range(*widened(row), row["unit"])
    key = "kpis.scorecard.missed_within" if row["stat"] == "within" else "kpis.scorecard.missed"
    return Sentence(key, {"kpi": Coded("kpi", row["kpi"]), **spoken, "interval": interval})


def scorecard(study: Study, level: float = 0.95) -> Scorecard:
    """Every KPI of `study`'s registry that its data can carry, beside its target, family by family."""
    measures = declared(study)
    unanswered = {name: lacking(study, name) for name in measures if lacking(study, name)}
    asked = {name: measures[name].question for name in unanswered}
    families = {name: measures[name].family for name in unanswered}
    answered = in_families(measures, carried(study))
    if not answered:
        return Scorecard(pd.DataFrame(columns=["standing", "value"]), (), unanswered, asked, families)
    table = with_targets(estimated(study, answered, (), level), study, measures, level)
    shown = table[table["headline"] | table["target"].notna()].reset_index(drop=True)
    shown["leads"] = ~shown["family"].duplicated()  # its family is named once
    return Scorecard(shown, _notes(study, table, measures), unanswered, asked, families)


def in_families(measures: Mapping[str, Measure], names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` family by family, as FAMILIES orders them, and as declared within each."""
    return tuple(sorted(names, key=lambda name: FAMILIES.index(measures[name].family)))


def _notes(study: Study, table: pd.DataFrame, measures: Mapping[str, Measure]) -> tuple[Sentence, ...]:
    headlines = records(table[table["headline"]])
    notes = [thin_note(row) for row in headlines if row["n"] < THIN and row["kind"] != "count"]
    notes += clustered_notes(records(table[table["target"].notna()]))
    few = [row for row in headlines if likeness_unknown(row) and row["clusters"] > 0]
    notes += [Sentence("kpis.scorecard.few_agents", {"clusters": int(few[0]["clusters"])})] if few else []
    notes += [*promise_notes(table), *respondents_note(study, headlines, measures)]
    if table["chance"].notna().any():
        notes.append(Sentence("kpis.scorecard.chance"))
    return tuple(notes)


def promise_notes(table: pd.DataFrame) -> list[Sentence]:
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


def respondents_note(study: Study, headlines: list[dict[str, Any]], measures: Mapping[str, Measure]) -> list[Sentence]:
    """Whom the survey KPIs speak for: those who answered, of those who were asked (K18), as at the study's `as_of`."""
    answers = max((row["n"] for row in headlines if measures[row["kpi"]].of == "survey_answers"), default=0)
    if not answers:
        return []
    response = None if missing(_RESPONSE, study) else once(study, "response", lambda: estimates(study, _RESPONSE))
    if response is None or response["value"].iloc[0] in (0, 1):  # answers alone do not know who was asked
        return [Sentence("kpis.scorecard.respondents", {"n": int(answers)})]
    asked, share = int(response["n"].iloc[0]), float(response["value"].iloc[0])
    facts = {"n": round(share * asked), "asked": asked, "share": Amount(share, "share")}
    return [Sentence("kpis.scorecard.non_response", facts)]
