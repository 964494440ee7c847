"""The definitions of one KPI side by side on the same data, and what the choice between them does to a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.errors import ParameterError, nearest
from cxkit.kpis.asked import declared
from cxkit.kpis.drawing import bar_of, colour_of, edge_of
from cxkit.kpis.judging import UNITS
from cxkit.kpis.page import Page
from cxkit.kpis.spans import written
from cxkit.kpis.words import Change, headline_name
from cxkit.lang import Amount, Coded, Sentence, value
from cxkit.measures import Measure, estimates, missing, rivals, waterfall
from cxkit.measures.once import once
from cxkit.result import Format, Result, by_unit, not_answerable, records, span

if TYPE_CHECKING:
    from cxkit.study import Study

_DONE = ("all", "left")


@dataclass(frozen=True, eq=False)
class Words(Result):
    """One row a definition: its name, its words, its fingerprint."""

    measures: Mapping[str, Measure] = field(default_factory=dict)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The words are the measure's own, with its numbers."""
        used: Format = ("c", lambda row, lang: value("variant", row["variant"], lang))
        words: Format = ("c", lambda row, lang: self.measures[row["variant"]].definition.text(lang))
        return {"used": used, "definition": words, "fingerprint": "text"}


@dataclass(frozen=True, eq=False)
class Compared(Page):
    """One row a definition: value, interval, n, how many rows it leaves out and by which rule most of them."""

    kpi: str = ""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    unanswered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    folded: ClassVar[bool] = True

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The definition by name, then its estimate."""
        counted: dict[str, Format] = {"n": "count", "not_counted": "count", "rule": "code"}
        estimate: dict[str, Format] = {"value": by_unit("value"), "interval": span()}
        used: Format = ("c", lambda row, lang: value("variant", row["variant"], lang))
        return {"used": used, **estimate, **counted}

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: a line for every definition."""
        return (9.0, 0.38 * max(4, len(self.table)) + 0.9)

    @property
    def more(self) -> Mapping[str, Result]:
        """The definitions in words."""
        words = Words(self.table[["variant", "fingerprint"]], (), self.measures)
        return {"kpis.compared.words": words}

    def sentences(self) -> tuple[Sentence, ...]:
        """How far the definitions lie apart on these data."""
        known = self.table[self.table["value"].notna()].sort_values("value", kind="stable")
        about: dict[str, object] = {"kpi": Coded("kpi", self.kpi), "n": len(known)}
        if len(known) < 2:
            return (Sentence("kpis.compared.one", about),)
        lowest, highest = known.iloc[0], known.iloc[-1]
        unit = str(lowest["unit"])
        ends = {
            f"{end}{part}": word
            for end, row in (("lowest", lowest), ("highest", highest))
            for part, word in (
                ("", Coded("variant", row["variant"])),
                ("_value", Amount(float(row["value"]), unit)),
            )
        }
        apart = Change(float(highest["value"] - lowest["value"]), unit, signed=False)
        return (Sentence("kpis.compared.spread", {**about, **ends, "spread": apart}),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """A dot with its interval for each definition; the one in use on top, in ink."""
        ax = figures.own_axes(ax, lang, self.size)
        shown, edge = self.table.iloc[::-1].reset_index(drop=True), edge_of(self.table)
        for at, row in enumerate(records(shown)):
            bar_of(ax, at, row, edge, figures.INK if row["in_use"] else colour_of(row), lang)
        ax.set_yticks(range(len(shown)), [figures.axis_name(value("variant", v, lang)) for v in shown["variant"]])
        ax.set_ylim(-0.7, len(shown) - 0.3)
        unit, stat = (str(shown[c].iloc[0]) if len(shown) else "number2" for c in ("unit", "stat"))
        ax.set_title(headline_name(self.kpi, stat, lang))
        return figures.finish(ax, lang, "categories", figures.axis_unit(unit), "x")


def definitions_compared(study: Study, kpi: str, level: float = 0.95) -> Result:
    """Every definition of `kpi` that the method knows, on the same data; the one in use first."""
    asked = declared(study)[kpi]
    known = dict(rivals(study, kpi))
    lacks = {name: missing(measure, study) for name, measure in known.items()}
    carried = {name: measure for name, measure in known.items() if not lacks[name]}
    if not carried:
        return not_answerable(asked.question, tuple(dict.fromkeys(gap for gaps in lacks.values() for gap in gaps)))
    table = _headlines(study, carried, (), level)
    falls = [_left_out(study, measure) for measure in carried.values()]
    table[["not_counted", "rule"]] = pd.DataFrame(falls, index=table.index)
    table["fingerprint"] = [measure.definition_hash for measure in carried.values()]
    table["in_use"] = [measure.definition_hash == asked.definition_hash for measure in carried.values()]
    unanswered = {name: gaps for name, gaps in lacks.items() if gaps}
    notes = [Sentence("kpis.compared.same", {})] if len(table) > 1 else []
    if unanswered:
        needs = ", ".join(dict.fromkeys(gap for gaps in unanswered.values() for gap in gaps))
        notes.append(Sentence("kpis.compared.lacking", {"n": len(unanswered), "needs": needs}))
    return Compared(table, tuple(notes), kpi, carried, unanswered)


def _headlines(study: Study, measures: Mapping[str, Measure], by: tuple[str, ...], level: float) -> pd.DataFrame:
    """The headline of each definition, by its name in the column `variant`."""
    named = {name: dataclasses.replace(measure, name=f"{measure.name} ({name})") for name, measure in measures.items()}
    fingerprints = tuple(measure.definition_hash for measure in named.values())
    table = once(study, (fingerprints, by, level), lambda: estimates(study, named, by=by, level=level))
    variants = {measure.name: name for name, measure in named.items()}
    table = table.assign(variant=table["kpi"].map(variants), unit=table["stat"].map(UNITS))
    heads = {name: measure.headline for name, measure in measures.items()}
    return table[table["stat"] == table["variant"].map(heads)].reset_index(drop=True)


def _left_out(study: Study, measure: Measure) -> tuple[int, str | None]:
    """How many rows of its table a definition leaves out, and the rule that takes most of them."""
    falls = once(study, ("waterfall", measure.definition_hash), lambda: waterfall(study, measure))
    total, left = int(falls["left"].iloc[0]), int(falls["left"].iloc[-1])
    return total - left, (falls["rule"].iloc[int(falls["removed"].argmax())] if total > left else None)


@dataclass(frozen=True, eq=False)
class DefinitionGap(Result):
    """Four rows: the first report, what the definition changes, what the period changes, the second report."""

    kpi: str = ""
    reports: tuple[tuple[str, pd.Timestamp], tuple[str, pd.Timestamp]] | None = None
    unit: str = "month"

    size: ClassVar[tuple[float, float]] = (8.0, 2.6)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The part, and how much it is in the unit of the KPI."""
        return {"part": "code", "amount": ("d", lambda row, lang: _amount(row).text(lang))}

    def sentences(self) -> tuple[Sentence, ...]:
        """How much of the difference is definition, and how much is period."""
        amount = self.table.set_index("part")["amount"]
        unit = str(self.table["unit"].iloc[0])
        whole = float(amount["second"] - amount["first"])
        parts = {part: Change(float(amount[part]), unit) for part in ("definition", "period")}
        facts: dict[str, object] = {"kpi": Coded("kpi", self.kpi), "whole": Change(whole, unit), **parts}
        for name, (variant, day) in zip(("first", "second"), self.reports or (), strict=False):
            facts |= {name: Coded("variant", variant), f"{name}_period": Amount(day, self.unit)}  # type: ignore[arg-type]
        return (Sentence("kpis.gap.parts", facts),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """From the first report to the second in two steps."""
        ax = figures.own_axes(ax, lang, self.size)
        names = [value("part", part, lang) for part in self.table["part"]]
        ax.set_title(value("kpi", self.kpi, lang))
        figures.steps_of(ax, names, self.table["amount"].tolist())
        return figures.finish(ax, lang, "categories", figures.axis_unit(str(self.table["unit"].iloc[0])), "x")


def _amount(row: Mapping[str, Any]) -> Amount | Change:
    total = row["part"] in ("first", "second")
    return Amount(row["amount"], row["unit"]) if total else Change(row["amount"], row["unit"])


def definition_gap(
    study: Study,
    kpi: str,
    first: tuple[str, str],
    second: tuple[str, str],
    period: str = "month",
) -> Result:
    """How much of the difference between two reports of `kpi` is their definition, and how much their period.

    Each report is a definition and a day in its period, such as ("one_touch", "2026-05-01"). Changing the definition
    first or the period first gives other parts; their mean over both orders sums to the difference exactly (Shapley).
    """
    known = dict(rivals(study, kpi))
    for name, _ in (first, second):
        if name not in known:
            near = nearest(name, known) or "none"
            raise ParameterError("definition_unknown_here", given=name[:40], near=near, known=", ".join(known))
    chosen = {name: known[name] for name in dict.fromkeys((first[0], second[0]))}
    if gaps := tuple(dict.fromkeys(gap for measure in chosen.values() for gap in missing(measure, study))):
        return not_answerable(declared(study)[kpi].question, gaps)
    table = _headlines(study, chosen, (period,), 0.95)
    days = tuple(period_of(table[period], day) for _, day in (first, second))
    (a, b), (p, q) = (first[0], second[0]), days
    known_at = {(row["variant"], pd.Timestamp(row[period])): float(row["value"]) for row in records(table)}
    v = {(name, at): known_at.get((name, at), float("nan")) for name in (a, b) for at in (p, q)}
    by_definition = ((v[b, p] - v[a, p]) + (v[b, q] - v[a, q])) / 2
    by_period = ((v[a, q] - v[a, p]) + (v[b, q] - v[b, p])) / 2
    parts = pd.DataFrame({"part": ["first", "definition", "period", "second"]})
    parts["amount"] = [v[a, p], by_definition, by_period, v[b, q]]
    parts["unit"] = table["unit"].iloc[0]
    return DefinitionGap(parts, (Sentence("kpis.gap.orders"),), kpi, ((a, p), (b, q)), written(study, period))


def period_of(periods: pd.Series[Any], day: str) -> pd.Timestamp:
    """The period that holds a day; ParameterError where there is none."""
    starts = pd.DatetimeIndex(sorted(pd.to_datetime(pd.Series(periods.unique())))).as_unit("us")
    at = pd.to_datetime(day, errors="coerce")
    place = int(starts.searchsorted(at, side="right")) - 1 if not pd.isna(at) else -1
    if place < 0:
        raise ParameterError("period_unknown", given=str(day)[:40], first=str(starts[0].date()) if len(starts) else "-")
    return starts[place]
