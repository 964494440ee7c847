"""What came of a question: the effect with its interval, how it was found, what was checked, and the verdict as a code.

A `Finding` is made by `compare`, and by every other way of asking whether something changed. Its parts are codes with
parameters, so that the three languages say the same numbers::

    found.code  # "improved", "worsened", "changed", "equivalent", "not_worse", "no_evidence", "inconclusive", "invalid"
    found.effect.found  # the primary effect: value, low, high, se, df, p
    found.card("en")  # the whole card as HTML
    found.to_dict()  # all of it, for JSON

To make one, fill the fields and let `judge` find the verdict::

    judgement = judge(lambda level: effect_at(level), better="lower", margin=None, alpha=0.05, rows=n)
    Finding(table, notes, measure=..., design=Design("since", names=("before", "after"), at=day), ...)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.changes.card import Section, card_html
from cxkit.changes.drawing import draw_effect, draw_means, draw_shape, parts_of
from cxkit.changes.parts import (
    CLAIMS,
    STAT,
    Check,
    Code,
    Design,
    Effect,
    Judgement,
    Look,
    Method,
    Naive,
    Reason,
    plain,
)
from cxkit.changes.words import Change, Column, Group, P, Span
from cxkit.lang import Amount, Sentence, Word, has, resolve, say, write
from cxkit.measures import Measure
from cxkit.result import Format, Result, by_unit, span, table_html
from cxkit.stats import Inference

_PER = 1000  # contacts for which an effect is told
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Finding(Result):
    """One row a side and statistic: value, interval, n, clusters, what they are worth, share open.

    Columns of `table`: group, stat, unit, value, low, high, n, clusters, n_eff, open_share, missing.
    `effects` begins with the primary one; `shape` is what the upper picture shows (see `cxkit.changes.drawing`);
    `doubts` say why the verdict is not a firm one, if it is not.
    """

    measure: Measure | None = None
    design: Design = field(default_factory=lambda: Design("since"))
    effects: tuple[Effect, ...] = ()
    relative: Inference | None = None
    judgement: Judgement = field(default_factory=lambda: Judgement("invalid"))
    method: Method = field(default_factory=lambda: Method("none"))
    naive: Naive | None = None
    checks: tuple[Check, ...] = ()
    doubts: tuple[Reason, ...] = ()
    alpha: float = 0.05
    margin: float | None = None
    look: Look | None = None
    shape: pd.DataFrame | None = None
    cluster_means: pd.DataFrame | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    size: ClassVar[tuple[float, float]] = (9.0, 6.0)
    _doubtful: ClassVar[str] = "_doubtful"  # words of a verdict that is not a firm one
    _more_of: ClassVar[str] = "more"  # cases; of other findings more_steps, more_units

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Side, statistic, estimate, and how many rows it rests on."""
        by = self.design.by
        shown: dict[str, Format] = {
            "group": ("c", lambda row, lang: Group(by, str(row["group"])).text(lang)),
            "stat": STAT,
            "value": by_unit("value"),
            "interval": span(),
            "n": "count",
            "cluster_count": ("n", lambda row, lang: write(row["clusters"], "count", lang)),
            "worth": ("n", lambda row, lang: write(row["n_eff"], "count", lang)),
            "share_open": ("n", lambda row, lang: write(row["open_share"], "share", lang)),
            "missing": "count",
        }
        empty = {"share_open": "open_share", "missing": "missing"}  # columns that say nothing make the page too wide
        nothing = {name for name, c in empty.items() if c in self.table and not (self.table[c] > 0).any()}
        return {name: kind for name, kind in shown.items() if name not in nothing}

    @property
    def code(self) -> Code:
        """The verdict."""
        return self.judgement.code

    @property
    def sure(self) -> bool:
        """Whether nothing speaks against the verdict."""
        return not self.doubts

    @property
    def effect(self) -> Effect | None:
        """The primary effect; None where nothing may be said."""
        return self.effects[0] if self.effects else None

    @property
    def p(self) -> float:
        """The one p of the question."""
        return self.effect.found.p if self.effect is not None else _NAN

    @property
    def kpi(self) -> Word:
        """The KPI by its name."""
        return self.measure.spoken if self.measure is not None else Column("kpi")

    @property
    def question(self) -> Sentence:
        """What was asked."""
        baseline, other = self.design.groups
        facts = {"kpi": self.kpi, "baseline": baseline, "other": other, "at": self._when}
        return Sentence(f"changes.question.{self.design.manner}", facts)

    @property
    def _when(self) -> Word:
        """The day from which on the change is in force."""
        return Amount(self.design.at, "date") if self.design.at is not None else Amount(_NAN, "number")  # type: ignore[arg-type]

    def sentences(self) -> tuple[Sentence, ...]:
        """The verdict; why it is not a firm one, if so; the effect for a thousand contacts; what it cannot say."""
        if self.effect is None or self.code == "invalid":
            stop = (self.judgement.stop.sentence,) if self.judgement.stop else ()
            return (Sentence("changes.verdict.invalid", {"kpi": self.kpi}), *stop)
        said = [Sentence(self._verdict_key(), self._facts())]
        said += [Sentence(f"changes.doubt.{doubt.code}", doubt.params) for doubt in self.doubts]
        said += [sentence for sentence in (self._per_thousand(), self._companion(), self._more()) if sentence]
        if self.design.manner == "since" and self.code in CLAIMS:
            said.append(Sentence("changes.verdict.not_caused"))
        return tuple(said)

    @property
    def headline(self) -> tuple[Sentence, ...]:
        """The verdict, and what speaks against it or why there is none."""
        return self.sentences()[: 2 if self.code == "invalid" else 1 + len(self.doubts)]

    def _verdict_key(self) -> str:
        if self.doubts and self.code in (*CLAIMS, "equivalent", "not_worse"):
            return f"changes.verdict.{self.code}{self._doubtful}"
        if self.code in CLAIMS:
            small = "_within" if self.judgement.within_margin else ""
            return f"changes.verdict.{self.code}{small}.{self.design.manner}"
        return f"changes.verdict.{self.code}"

    def _facts(self) -> dict[str, object]:
        effect = self.effects[0]
        baseline, other = self.design.groups
        unit = effect.unit
        return {
            "kpi": self.kpi,
            "baseline": baseline,
            "other": other,
            "at": self._when,
            "measured": effect.measured,
            "effect": Change(effect.found.value, unit),
            "interval": Span(effect.found.low, effect.found.high, unit),
            "level": 1 - self.alpha,
            "p": P(effect.found.p),
            "bound": Change(self.judgement.rules_out, unit, signed=False),
            "margin": Change(self.margin if self.margin is not None else _NAN, unit, signed=False),
        }

    def _per_thousand(self) -> Sentence | None:
        """The effect for a thousand contacts, of the first effect that is a share, a time or a number per contact."""
        known = [effect for effect in self.effects if np.isfinite(effect.found.low + effect.found.high)]
        return next((_thousand(e, _PER_KIND[e.stat]) for e in known if e.stat in _PER_KIND), None)

    def _companion(self) -> Sentence | None:
        """How much that is of where it stood."""
        found = self.relative
        if found is None or not np.isfinite(found.low + found.high) or self.effects[0].unit == "relative":
            return None
        facts = {"change": Change(found.value, "relative"), "interval": Span(found.low, found.high, "relative")}
        return Sentence("changes.verdict.relative", {**facts, "baseline": self.design.groups[0]})

    def _more(self) -> Sentence | None:
        if self.code != "inconclusive" or not self.judgement.more > 0:
            return None
        return Sentence(f"changes.verdict.{self._more_of}", self._more_facts)

    @property
    def _more_facts(self) -> dict[str, object]:
        return {"n": int(self.judgement.more)}

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Both distributions; below them the effect with its interval, no change, and the margin."""
        effect = self.effect
        if effect is None and self.cluster_means is not None and len(self.cluster_means):
            ax = figures.own_axes(ax, lang, self.size)
            return draw_means(ax, self.cluster_means, self.design, self.kpi, lang)
        if effect is None or self.shape is None:
            return super().plot(ax, lang)
        ax = figures.own_axes(ax, lang, self.size)
        above, below = parts_of(ax, lang)
        self._draw_shape(above, lang)
        draw_effect(below, effect, self.code, self.margin, lang)
        return ax

    def _draw_shape(self, ax: Axes, lang: str | None) -> None:
        if self.shape is not None:
            draw_shape(ax, self.shape, self.design, self.kpi, lang)

    def card(self, lang: str | None = None) -> str:
        """The finding as HTML: question, answer, effect, method, checks, what would change the verdict, sources."""
        lang = resolve(lang)
        return card_html(self._sections(lang), super()._repr_html_(lang), lang)

    def _repr_html_(self, lang: str | None = None) -> str:
        return self.card(lang)

    def _sections(self, lang: str) -> tuple[Section, ...]:
        """The sections of the card, in the order in which a reader asks."""
        tables = table_html(self.table, self.formats, lang) + self._effects_html(lang) + self._means_html(lang)
        return (
            Section("changes.card.question", (self.question.text(lang),)),
            Section("changes.card.answer", tuple(s.text(lang) for s in self.sentences()), strong=True),
            Section("changes.card.effect", ready=tables),
            Section("changes.card.method", self._method_said(lang), listed=True),
            Section("changes.card.instead", self._rejected_said(lang), listed=True),
            Section("changes.card.checks", tuple(_checked(check, lang) for check in self.checks), listed=True),
            Section("changes.card.would", tuple(s.text(lang) for s in self.would_change), listed=True),
            Section("common.notes", tuple(note.text(lang) for note in self.notes), listed=True),
            Section("changes.card.sources", (self._sources_said(lang),) if self.method.sources else ()),
        )

    def _effects_html(self, lang: str) -> str:
        """All effects, the primary one first."""
        if not self.effects:
            return ""
        rows = pd.DataFrame({"effect": list(self.effects)})
        return table_html(rows, _EFFECT_FORMATS, lang)

    def _means_html(self, lang: str) -> str:
        """The values of clusters that are too few for a test."""
        if self.cluster_means is None:
            return ""
        by = self.design.by
        group: Format = ("c", lambda row, lang: Group(by, str(row["group"])).text(lang))
        return table_html(self.cluster_means, {"group": group, "value": by_unit("value")}, lang)

    def _method_said(self, lang: str) -> tuple[str, ...]:
        said = [say(f"changes.method.{self.method.id}", lang)] if self.method.id != "none" else []
        return (*said, *(reason.sentence.text(lang) for reason in self.method.because))

    def _rejected_said(self, lang: str) -> tuple[str, ...]:
        """What the usual test would have said, and why each usual way was not taken."""
        said = []
        if self.naive is not None and np.isfinite(self.naive.p):
            facts = {"test": say(f"changes.naive.{self.naive.id}", lang), "p": P(self.naive.p, exact=True).text(lang)}
            ours = P(self.p, exact=True).text(lang)
            key = "changes.card.naive" if np.isfinite(self.p) else "changes.card.naive_alone"
            said.append(say(key, lang, **facts, ours=ours))
        for name, reason in self.method.rejected:
            facts = {"test": say(f"changes.naive.{name}", lang), "reason": reason.sentence.text(lang)}
            said.append(say("changes.card.rejected", lang, **facts))
        return tuple(said)

    def _sources_said(self, lang: str) -> str:
        return " ".join(say(f"changes.source.{key}", lang) for key in self.method.sources)

    @property
    def would_change(self) -> tuple[Sentence, ...]:
        """What would change the verdict."""
        if self.effect is None or self.code == "invalid":
            stop = self.judgement.stop
            return (Sentence(f"changes.mend.{stop.code}", stop.params),) if stop is not None and _mends(stop) else ()
        unit = self.effect.unit
        facts: dict[str, object] = {"bound": Change(self.judgement.rules_out, unit, signed=False)}
        if self.code in CLAIMS:
            return (Sentence(f"changes.would.{self.design.manner}", facts),)
        said = [Sentence(f"changes.would.{self.code}", facts)] if self.code != "inconclusive" else []
        if self.code == "inconclusive" and self.judgement.more > 0:
            said.append(Sentence(f"changes.would.{self._more_of}", self._more_facts))
        elif self.code == "no_evidence":
            said.append(Sentence(f"changes.would.halved{self._more_of.removeprefix('more')}"))
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """Everything in machine values: the same in every language, ready for JSON."""
        own = ("design", "effects", "relative", "judgement", "method", "naive", "checks", "look", "provenance")
        parts = {name: plain(getattr(self, name)) for name in own}
        about = {
            "kpi": self.measure.id if self.measure else None,
            "definition": self.measure.definition_hash if self.measure else None,
            "code": self.code,
            "p": plain(self.p),
            "alpha": self.alpha,
            "margin": self.margin,
            "doubts": [doubt.code for doubt in self.doubts],
        }
        return {**super().to_dict(), **about, **parts}


def _checked(check: Check, lang: str) -> str:
    level = say(f"changes.level.{check.level}", lang)
    return say("changes.card.check", lang, level=level, said=check.sentence.text(lang))


def _mends(stop: Reason | Check) -> bool:
    return has(f"changes.mend.{stop.code}")


def _size(row: Mapping[str, Any], lang: str) -> str:
    effect: Effect = row["effect"]
    return Change(effect.found.value, effect.unit).text(lang) if effect.role != "test" else "–"


def _span(row: Mapping[str, Any], lang: str) -> str:
    found, unit = row["effect"].found, row["effect"].unit
    return Span(found.low, found.high, unit).text(lang)


_EFFECT_FORMATS: Mapping[str, Format] = {
    "measured": ("c", lambda row, lang: row["effect"].measured.text(lang)),
    "change": ("d", _size),
    "interval": ("d", _span),
    "p_value": ("n", lambda row, lang: P(row["effect"].found.p).bare(lang)),
    "role": ("c", lambda row, lang: say(f"changes.role.{row['effect'].role}", lang)),
}
_PER_KIND = {
    **dict.fromkeys(("share", "top_share", "within"), "cases"),
    **dict.fromkeys(("capped_mean", "mean_seconds"), "time"),
}


def _thousand(effect: Effect, kind: str) -> Sentence:
    value, low, high = (float(x) * _PER for x in effect.found.interval)
    unit = "count" if kind == "cases" else "seconds"
    facts: dict[str, object] = {"size": Amount(abs(value), unit), "interval": Span(low, high, unit)}
    ending = "more" if value >= 0 else "fewer"
    return Sentence(f"changes.thousand.{kind}_{ending}", {"per": _PER, "measured": effect.measured, **facts})
