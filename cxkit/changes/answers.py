"""Short answers around a question about a change: refused, what is ruled out, which look it is, do the ways agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.changes.drawing import draw_effect
from cxkit.changes.finding import Finding
from cxkit.changes.many import Findings
from cxkit.changes.parts import Code, Look, plain
from cxkit.changes.words import Change, P, Span
from cxkit.errors import CxkitError
from cxkit.lang import Sentence, Several, Word, frame_line, is_rtl, say
from cxkit.result import Format, Result

CLAIMS = ("improved", "worsened", "changed")
SAME = ("equivalent", "not_worse")


class NoPicture(figures.Picture):
    """The picture of an answer that has none: it shows nothing."""

    def _ipython_display_(self) -> None:
        """Show nothing."""


@dataclass(frozen=True, eq=False)
class Unanswered(Result):
    """One way of asking that these data do not allow: the refusal, or why there was nothing to ask."""

    why: Sentence = field(default_factory=lambda: Sentence("changes.asked.nothing"))

    def sentences(self) -> tuple[Sentence, ...]:
        """Why there is no answer."""
        return (self.why,)

    def figure(self, lang: str | None = None) -> figures.Picture:
        """No picture: words say it all."""
        return NoPicture(b"", self.verdict(lang), 0)


def unanswered(why: Sentence | CxkitError) -> Unanswered:
    """The answer that says why there is none."""
    said = Sentence(f"error.{why.code}", _speakable(why.params)) if isinstance(why, CxkitError) else why
    return Unanswered(pd.DataFrame(), (), said)


def _speakable(params: Mapping[str, object]) -> dict[str, object]:
    kinds = (Word, str, int, float, bool)
    return {name: x if isinstance(x, kinds) else str(x) for name, x in params.items()}


@dataclass(frozen=True, eq=False)
class RuledOut(Result):
    """One row a KPI: the verdict beside the others, the changes still possible, and those that are ruled out."""

    margin: float | None = None

    formats: ClassVar[Mapping[str, Format]] = {
        "kpi": ("c", lambda row, lang: row["spoken"].text(lang)),
        "verdict": ("c", lambda row, lang: say(f"changes.code.{row['code']}", lang)),
        "measured": ("c", lambda row, lang: row["measured"].text(lang)),
        "possible": ("d", lambda row, lang: Span(row["low"], row["high"], row["unit"]).text(lang)),
        "ruled_out": ("d", lambda row, lang: _bound(row, lang)),
        "margin": ("d", lambda row, lang: _margin(row, lang)),
    }

    def sentences(self) -> tuple[Sentence, ...]:
        """Which KPIs moved, which are the same by their margin, and which are merely not shown to have moved."""
        said = []
        for key, codes in (("moved", CLAIMS), ("same", SAME), ("open", ("no_evidence", "inconclusive"))):
            rows = self.table[self.table["code"].isin(codes)]
            if len(rows):
                said.append(Sentence(f"changes.ruled.{key}", {"n": len(rows), "kpis": Several(tuple(rows["spoken"]))}))
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """Verdict, notes and table in machine values."""
        shown = Result(self.table.drop(columns=["spoken", "measured"]))
        return {**super().to_dict(), "table": shown.to_dict()["table"]}


def ruled_out(card: Findings) -> RuledOut:
    """What the KPIs of a scorecard still allow, and what they rule out."""
    rows = [_ruled(kpi, found, card.codes[kpi]) for kpi, found in card.findings.items() if found.effect is not None]
    columns = ["kpi", "spoken", "code", "measured", "unit", "low", "high", "bound", "margin"]
    return RuledOut(pd.DataFrame(rows, columns=columns), (Sentence("changes.note.not_same"),))


def _ruled(kpi: str, found: Finding, code: Code) -> dict[str, Any]:
    effect = found.effects[0]
    margin = math.nan if found.margin is None else found.margin
    about = {"kpi": kpi, "spoken": found.kpi, "code": code, "measured": effect.measured, "unit": effect.unit}
    low, high = effect.found.low, effect.found.high
    return {**about, "low": low, "high": high, "bound": found.judgement.rules_out, "margin": margin}


def _bound(row: Mapping[str, Any], lang: str) -> str:
    return Change(row["bound"], row["unit"], signed=False).text(lang) if math.isfinite(row["bound"]) else "–"


def _margin(row: Mapping[str, Any], lang: str) -> str:
    return Change(row["margin"], row["unit"], signed=False).text(lang) if math.isfinite(row["margin"]) else "–"


@dataclass(frozen=True, eq=False)
class Looks(Result):
    """Which look at running data this is: one row for each look so far, with its moment and its cases.

    `taken` is what a report keeps of this look, so that the next one counts it.
    """

    look: Look | None = None
    taken: Mapping[str, Any] = field(default_factory=dict)
    planned: int = 1  # as the front desk says: 1 looks once, 0 at will

    formats: ClassVar[Mapping[str, Format]] = {"look_number": "count", "looked_on": "date", "cases": "count"}

    def sentences(self) -> tuple[Sentence, ...]:
        """The number of this look, and what that costs."""
        if self.look is None:
            return (Sentence("changes.looks.only"),)
        facts = {"number": self.look.number, "planned": self.look.planned}
        if self.look.planned:
            return (Sentence("changes.looks.planned", facts),)
        key = "unplanned" if self.planned == 1 else "free"
        return (Sentence(f"changes.looks.{key}", facts),)

    def to_dict(self) -> dict[str, Any]:
        """The looks so far, and this one as a report keeps it."""
        return {**super().to_dict(), "look": plain(self.look), "look_taken": plain(dict(self.taken)) or None}


@dataclass(frozen=True, eq=False)
class Ways(Result):
    """One row for each way in which the same question was asked: before and after, as a series, beside the others."""

    findings: Mapping[str, Finding] = field(default_factory=dict)
    card: Findings | None = None

    formats: ClassVar[Mapping[str, Format]] = {
        "asked_way": ("c", lambda row, lang: say(f"changes.way.{row['way']}", lang)),
        "measured": ("c", lambda row, lang: row["measured"].text(lang) if row["measured"] is not None else "–"),
        "effect": ("d", lambda row, lang: Change(row["value"], row["unit"]).text(lang)),
        "interval": ("d", lambda row, lang: _interval(row, lang)),
        "p_value": ("n", lambda row, lang: P(row["p"]).bare(lang)),
        "verdict": ("c", lambda row, lang: say(f"changes.code.{row['code']}", lang)),
    }

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: a strip for each way."""
        return (9.0, 1.1 * max(2, len(self._drawn)) + 0.3)

    @property
    def _drawn(self) -> list[str]:
        return [way for way, found in self.findings.items() if found.effect is not None]

    def sentences(self) -> tuple[Sentence, ...]:
        """The answer, whether the other ways of asking agree, and what became of the guardrails."""
        answer = next(iter(self.findings.values()), None)
        if answer is None:
            return (Sentence("changes.asked.nothing"),)
        said = [answer.sentences()[0], *self._agreement()]
        return (*said, *(self.card.sentences()[1:] if self.card is not None else ()))

    def _agreement(self) -> list[Sentence]:
        codes = {way: self.findings[way].code for way in self._drawn}
        if len(codes) < 2:
            return [Sentence("changes.ways.alone")]
        first, others = next(iter(codes.values())), list(codes.values())[1:]
        facts = {"n": len(codes)}
        if first not in CLAIMS:
            claimed = any(code in CLAIMS for code in others)
            return [Sentence(f"changes.ways.{'other_claims' if claimed else 'none_claims'}", facts)]
        if any(code in CLAIMS and code != first for code in others):
            return [Sentence("changes.ways.against", facts)]
        key = "agree" if all(code == first for code in others) else "first_only"
        return [Sentence(f"changes.ways.{key}", {**facts, "claims": sum(code == first for code in codes.values())})]

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """One strip for each way: the effect with its interval, and no change; equal units have one scale."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rtl, shown = is_rtl(lang), self._drawn
        height = 1 / max(len(shown), 1)
        strips: dict[str, list[Axes]] = {}
        for place, way in enumerate(shown):
            found, bottom = self.findings[way], 1 - (place + 0.8) * height
            strip = ax.inset_axes((0.04 if rtl else 0.42, bottom, 0.54, height * 0.45))
            draw_effect(strip, found.effects[0], found.code, found.margin, lang)
            strip.set_title("")
            strips.setdefault(found.effects[0].unit, []).append(strip)
            words = f"{say(f'changes.way.{way}', lang)}\n{say(f'changes.code.{found.code}', lang)}"
            side = "right" if rtl else "left"
            ax.text(float(rtl), bottom + height * 0.25, frame_line(words, lang), ha=side, va="center")
        for alike in strips.values():
            _one_scale(alike)
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Verdict, notes and table in machine values."""
        shown = Result(self.table.drop(columns="measured"))
        return {**super().to_dict(), "table": shown.to_dict()["table"]}


def ways(findings: Mapping[str, Result], card: Result) -> Ways:
    """The ways of asking that gave a finding, the deciding one first."""
    found = {way: each for way, each in findings.items() if isinstance(each, Finding)}
    columns = ["way", "measured", "unit", "value", "low", "high", "p", "code"]
    table = pd.DataFrame([_way(way, each) for way, each in found.items()], columns=columns)
    return Ways(table, (), found, card if isinstance(card, Findings) else None)


def _way(way: str, found: Finding) -> dict[str, Any]:
    effect = found.effect
    value, low, high = effect.found.interval if effect is not None else (math.nan,) * 3
    unit, measured = (effect.unit, effect.measured) if effect is not None else ("share", None)
    size = {"value": value, "low": low, "high": high, "p": found.p}
    return {"way": way, "measured": measured, "unit": unit, **size, "code": found.code}


def _one_scale(strips: list[Axes]) -> None:
    ends = [end for strip in strips for end in strip.get_xlim()]
    inverted = strips[0].xaxis_inverted()
    low, high = min(ends), max(ends)
    for strip in strips:
        strip.set_xlim(*((high, low) if inverted else (low, high)))


def _interval(row: Mapping[str, Any], lang: str) -> str:
    low, high = float(row["low"]), float(row["high"])
    return Span(low, high, str(row["unit"])).text(lang) if math.isfinite(low) and math.isfinite(high) else "–"


def looked_on(stamp: str, time_zone: str) -> pd.Timestamp:
    """The local day that the data of a look end with: midnight still belongs to the day that it ends."""
    before = pd.Timestamp(stamp) - pd.Timedelta(microseconds=1)
    return before.tz_localize("UTC").tz_convert(time_zone).tz_localize(None).normalize()
