"""One KPI with everything that a reader should know before using it: the card."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.kpis.asked import declared, estimated, followed, lacking
from cxkit.kpis.definitions import Population, counted
from cxkit.kpis.judging import THIN, likeness_unknown, widened, with_targets
from cxkit.kpis.page import Page, block
from cxkit.kpis.scorecard import promise_notes, respondents_note, strip
from cxkit.kpis.trend import Trend, trend
from cxkit.kpis.words import CHANCE, Chance, clustered_notes, headline_name, thin_note, value_of
from cxkit.lang import Amount, Named, Sentence, is_rtl, say
from cxkit.measures import Measure, doubts
from cxkit.result import Format, Result, by_unit, not_answerable, records, span

if TYPE_CHECKING:
    from cxkit.study import Study

_SHOWN = 12  # periods of the small time line


@dataclass(frozen=True, eq=False)
class Card(Page):
    """One row a statistic: value, interval and the one widened for agents, n, clusters, share open, target, chance.

    With it the definition in words, whom it counts, how it moved, and in the notes what to doubt.
    """

    measure: Measure | None = None
    population: Population | None = None
    trend: Trend | None = None

    formats: ClassVar[Mapping[str, Format]] = {
        "stat": "code",
        "value": by_unit("value"),
        "interval": span(),
        "widened": span("wide_low", "wide_high"),
        "n": "count",
        "clusters": "count",
        "share_open": "share",
        "target": by_unit("target"),
        "standing": "code",
        "chance": CHANCE,
    }
    size: ClassVar[tuple[float, float]] = (10.0, 3.0)

    @property
    def headline(self) -> dict[str, Any]:
        """The row of the headline statistic."""
        return records(self.table[self.table["headline"]])[0]

    @property
    def judged(self) -> dict[str, Any] | None:
        """The row that is held against a target; None without one."""
        return next((row for row in records(self.table) if row["standing"] != "no_target"), None)

    def sentences(self) -> tuple[Sentence, ...]:
        """The value with its interval, its standing against the target with the chance, and how it moved."""
        said = [value_of(self.headline)]
        if (row := self.judged) is not None:
            facts = {"target": Amount(row["target"], row["unit"]), "chance": Chance(row["chance"])}
            said.append(Sentence(f"kpis.card.{row['standing']}", facts))
        if self.trend is not None and len(self.trend.complete):
            said += [sentence for sentence in self.trend.sentences() if sentence.key != "kpis.trend.none"][:2]
        return tuple(said)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """The value with its interval against the target; beside it the last periods."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        row, rtl = self.judged or self.headline, is_rtl(lang)
        if self.trend is None:
            beside = ax.inset_axes((0.1, 0.3, 0.8, 0.35))
        else:
            beside = ax.inset_axes((0.62 if rtl else 0.03, 0.3, 0.35, 0.35))
            line = ax.inset_axes((0.01 if rtl else 0.47, 0.16, 0.5, 0.7))
            self.trend.plot(line, lang)
            line.tick_params(labelsize=8)
        beside.set_title(headline_name(row["kpi"], row["stat"], lang))
        strip(beside, row, lang)
        return ax

    @property
    def more(self) -> Mapping[str, Result]:
        """Whom the KPI counts, and how it moved."""
        parts = {"kpis.card.population": self.population, "kpis.card.trend": self.trend}
        return {key: part for key, part in parts.items() if part is not None}

    def blocks(self, lang: str) -> str:
        """The definition in words, and the rules that leave rows out."""
        if self.measure is None:
            return ""
        mark = f"{say('column.fingerprint', lang)}: {self.measure.definition_hash}"
        words = html.escape(f"{self.measure.definition.text(lang)} ({mark})")
        head = html.escape(say("column.definition", lang))
        counted = "" if self.population is None else block("kpis.card.population", self.population.short, lang)
        return f"<p><strong>{head}</strong></p><p>{words}</p>{counted}"

    def to_dict(self) -> dict[str, Any]:
        """The card in machine values, with its definition, its population and its time line."""
        if self.measure is None:
            return super().to_dict()
        said = {"code": self.measure.definition.to_dict()["code"], "variant": self.measure.variant}
        return {**super().to_dict(), "definition": {**said, "fingerprint": self.measure.definition_hash}}


def card(study: Study, kpi: str, period: str = "month", level: float = 0.95) -> Result:
    """One KPI: value, intervals, n, agents, share open, chance of the target, trend, definition, population, doubts."""
    measure = declared(study)[kpi]
    if gaps := lacking(study, kpi):
        return not_answerable(measure.question, gaps)
    table = with_targets(estimated(study, [kpi], (), level), study, declared(study), level)
    ends = pd.DataFrame([widened(row) for row in records(table)], columns=["wide_low", "wide_high"], index=table.index)
    found = trend(study, kpi, period, level) if followed(measure) else None
    return Card(
        pd.concat([table, ends], axis=1),
        _notes(study, measure, table),
        measure,
        counted(study, kpi),
        _last(found) if isinstance(found, Trend) else None,
    )


def _last(found: Trend) -> Trend:
    """The last periods of a time line."""
    return dataclasses.replace(
        found, group=Named("kpis.card.trend"), table=found.table.tail(_SHOWN).reset_index(drop=True)
    )


def _notes(study: Study, measure: Measure, table: pd.DataFrame) -> tuple[Sentence, ...]:
    """What to doubt: few cases, agents, what the definition leaves open, and what these data make doubtful."""
    heads = records(table[table["headline"]])
    notes = [thin_note(row) for row in heads if row["n"] < THIN and row["kind"] != "count"]
    notes += clustered_notes(heads)
    if any(likeness_unknown(row) and row["clusters"] > 0 for row in heads):
        notes.append(Sentence("kpis.scorecard.few_agents", {"clusters": int(heads[0]["clusters"])}))
    notes += [*promise_notes(table), *respondents_note(study, heads, declared(study))]
    return (*notes, *caveats(measure), *doubts(study, measure))


def caveats(measure: Measure) -> tuple[Sentence, ...]:
    """What a careful reader should doubt of a definition, whatever the data."""
    return tuple(Sentence(f"kpi.caveat.{code}") for code in measure.caveats)
