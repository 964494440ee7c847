"""One change, many KPIs: the one that was chosen beforehand decides, guardrails are read together, the rest are hints.

::

    found = scorecard(
        study, ["first_reply_time", "csat", "return_rate"], primary="first_reply_time", change="email_triage"
    )
    found.findings["csat"].card("en")

Of ten KPIs in which nothing happened, four times in ten one looks changed at p < .05. So one KPI is named before
anybody looks and has the whole chance of error for itself; guardrails share one by Holm's method; all others are
explored by Benjamini and Hochberg's, and what they show is a question for the next test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.changes.compare import compare
from cxkit.changes.drawing import draw_effect
from cxkit.changes.finding import Finding
from cxkit.changes.lines import Data, measure_of
from cxkit.changes.parts import CLAIMS, Code, Judgement
from cxkit.changes.words import Change, P, Span
from cxkit.errors import CxkitError, ParameterError, nearest
from cxkit.lang import Sentence, Several, Word, frame_line, is_rtl, say
from cxkit.measures import Measure
from cxkit.result import Format, Result
from cxkit.stats import benjamini_hochberg, hochberg, holm

Role = Literal["primary", "guardrail", "exploration"]
Adjust = Literal["holm", "hochberg", "bh"]

_ADJUST: Mapping[str, Callable[[Any], Any]] = {"holm": holm, "hochberg": hochberg, "bh": benjamini_hochberg}
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Findings(Result):
    """One row a KPI: its role, the effect with its interval, p as it is and p beside the others, the verdict.

    `findings` holds each KPI's own finding as if it were alone; `codes` the verdicts that stand when all are read
    together; `refused` the KPIs that these data cannot carry, with the refusal.
    """

    findings: Mapping[str, Finding] = field(default_factory=dict)
    codes: Mapping[str, Code] = field(default_factory=dict)
    primary: str = ""
    adjust: Adjust = "holm"
    alpha: float = 0.05
    refused: Mapping[str, CxkitError] = field(default_factory=dict)
    names: Mapping[str, Word] = field(default_factory=dict)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """KPI and what was measured, role, effect, p alone and beside the others, verdict."""
        return {
            "kpi": ("c", lambda row, lang: self._asked(row["kpi"], lang)),
            "kpi_role": ("c", lambda row, lang: say(f"changes.kpi_role.{row['role']}", lang)),
            "effect": ("d", lambda row, lang: Change(row["value"], row["unit"]).text(lang)),
            "interval": ("c", lambda row, lang: Span(row["low"], row["high"], row["unit"]).text(lang)),
            "p_value": ("n", lambda row, lang: P(row["p"]).bare(lang)),
            "p_adjusted": ("n", lambda row, lang: P(row["p_adjusted"]).bare(lang)),
            "verdict": ("c", lambda row, lang: self._verdict_on(row["kpi"], row["code"], lang)),
        }

    def _verdict_on(self, kpi: str, code: str, lang: str | None) -> str:
        """The verdict in a word or two, and whether it is a doubtful one."""
        said = say(f"changes.code.{code}", lang)
        doubtful = kpi in self.findings and not self.findings[kpi].sure and code in (*CLAIMS, "equivalent", "not_worse")
        return say("changes.code.doubtful", lang, verdict=said) if doubtful else said

    def _asked(self, kpi: str, lang: str) -> str:
        effect = self.findings[kpi].effect if kpi in self.findings else None
        name = self.names[kpi].text(lang)
        return name if effect is None else f"{name} · {effect.measured.text(lang)}"

    def __getitem__(self, kpi: str) -> Finding:
        return self.findings[kpi]

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: a strip for each KPI with an effect."""
        return (9.0, 0.95 * max(2, len(self._drawn)) + 0.3)

    @property
    def _drawn(self) -> list[str]:
        return [kpi for kpi, found in self.findings.items() if found.effect is not None]

    def sentences(self) -> tuple[Sentence, ...]:
        """The verdict on the primary KPI; what happened to the guardrails; hints from the others."""
        said: list[Sentence] = []
        if self.primary in self.findings:
            said += self.findings[self.primary].headline
        elif self.primary:
            said.append(Sentence("changes.many.primary_refused", {"kpi": self.names[self.primary]}))
        said += self._guarded() + self._hints()
        mute = self.table[(self.table["code"] == "invalid") & (self.table["kpi"] != self.primary)]
        said += [told] if (told := self._named("changes.many.invalid", mute)) is not None else []
        if self.refused:
            said.append(Sentence("changes.many.refused", {"n": len(self.refused)}))
        return tuple(said)

    def _guarded(self) -> list[Sentence]:
        """Guardrails that moved when all are read together; those that would have, alone; or that none did."""
        rows = self._told("guardrail")
        if rows.empty:
            return []
        said = [self._named(f"changes.many.{code}", rows[rows["code"] == code]) for code in CLAIMS]
        watched = rows[(rows["alone"] == "worsened") & (rows["code"] != "worsened")]
        said.append(self._named("changes.many.watch", watched))
        known = [sentence for sentence in said if sentence is not None]
        return known or [Sentence("changes.many.quiet", {"n": len(rows)})]

    def _hints(self) -> list[Sentence]:
        rows = self._told("exploration")
        if rows.empty:
            return []
        hint = self._named("changes.many.hint", rows[rows["code"].isin(CLAIMS)])
        return [hint] if hint is not None else [Sentence("changes.many.no_hint", {"n": len(rows)})]

    def _told(self, role: Role) -> pd.DataFrame:
        """The KPIs of a role that carry a verdict."""
        return self.table[(self.table["role"] == role) & ~self.table["code"].isin(("invalid", "refused"))]

    def _named(self, key: str, rows: pd.DataFrame) -> Sentence | None:
        if rows.empty:
            return None
        return Sentence(key, {"kpis": Several(tuple(self.names[kpi] for kpi in rows["kpi"])), "n": len(rows)})

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """One strip for each KPI, on its own scale: the effect with its interval, and no change."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rtl, shown = is_rtl(lang), self._drawn
        height = 1 / max(len(shown), 1)
        for place, kpi in enumerate(shown):
            found, bottom = self.findings[kpi], 1 - (place + 0.75) * height
            if found.effect is None:
                continue
            strip = ax.inset_axes((0.04 if rtl else 0.42, bottom, 0.54, height * 0.42))
            draw_effect(strip, found.effect, self.codes[kpi], found.margin, lang)
            strip.set_title("")
            strip.tick_params(labelsize=8)
            words = f"{found.kpi.text(lang)}\n{self._verdict_on(kpi, self.codes[kpi], lang)}"
            side = "right" if rtl else "left"
            ax.text(float(rtl), bottom + height * 0.25, frame_line(words, lang), ha=side, va="center")
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Verdict, notes, table, and each KPI's own finding in machine values."""
        own = {kpi: found.to_dict() for kpi, found in self.findings.items()}
        refused = {kpi: wrong.code for kpi, wrong in self.refused.items()}
        about = {"primary": self.primary, "codes": dict(self.codes), "adjust": self.adjust, "alpha": self.alpha}
        return {**super().to_dict(), **about, "findings": own, "refused": refused}


def scorecard(
    data: Data,
    kpis: Sequence[str | Measure],
    *,
    primary: str = "",
    guardrails: Sequence[str] | None = None,
    adjust: Adjust = "holm",
    alpha: float = 0.05,
    margins: Mapping[str, float | str] | None = None,
    ask: Callable[..., Finding] = compare,
    **question: Any,
) -> Findings:
    """Every KPI of `kpis` asked the same question, and read together.

    primary: the one KPI that decides, chosen before looking; it keeps `alpha` for itself. guardrails: those that must
    not get worse (all others, if not given); they share `alpha` by `adjust` ("holm", "hochberg" or "bh"). KPIs in
    neither are explorations, by Benjamini and Hochberg's method. margins: per KPI what still counts as no change. ask:
    `compare`, or `trend_change`; the question is what it takes besides a KPI (`change=`, `at=`, `by=`, ...).

    A KPI that these data cannot carry is listed, not fatal. ParameterError without a primary KPI.
    """
    measures = [measure_of(data, kpi) for kpi in kpis]
    names = [measure.id for measure in measures]
    roles = _roles(names, primary, guardrails)
    if adjust not in _ADJUST:
        raise ParameterError("many_adjust", given=str(adjust)[:40], known=", ".join(_ADJUST))
    found: dict[str, Finding] = {}
    refused: dict[str, CxkitError] = {}
    for measure in measures:
        margin = (margins or {}).get(measure.id)
        try:
            found[measure.id] = ask(data, measure, alpha=alpha, margin=margin, **question)
        except CxkitError as wrong:
            refused[measure.id] = wrong
    if not found and refused:
        raise next(iter(refused.values()))
    p = _adjusted(found, roles, adjust)
    codes = {kpi: _together(each.judgement, p[kpi], alpha, each.margin) for kpi, each in found.items()}
    rows = [_row(measure, roles[measure.id], found.get(measure.id), p, codes) for measure in measures]
    table = pd.DataFrame(rows).sort_values("role", key=lambda r: r.map(_ORDER), kind="stable", ignore_index=True)
    notes = [Sentence("changes.note.one_primary")]
    notes += [Sentence(f"changes.note.adjust_{adjust}")] if "guardrail" in roles.values() else []
    notes += [Sentence("changes.note.explored")] if "exploration" in roles.values() else []
    spoken = {measure.id: measure.spoken for measure in measures}
    ordered = {kpi: found[kpi] for kpi in table["kpi"] if kpi in found}
    return Findings(table, tuple(notes), ordered, codes, primary or names[0], adjust, alpha, refused, spoken)


_ORDER = {"primary": 0, "guardrail": 1, "exploration": 2}


def _roles(names: Sequence[str], primary: str, guardrails: Sequence[str] | None) -> dict[str, Role]:
    """The role of each KPI."""
    if len(set(names)) < len(names) or not names:
        raise ParameterError("many_kpis", n=len(names) - len(set(names)))
    if not primary and len(names) > 1:
        raise ParameterError("many_primary", known=", ".join(names))
    primary = primary or names[0]
    for name in (primary, *(guardrails or ())):
        if name not in names:
            near = nearest(name, names) or "none"
            raise ParameterError("many_unknown", given=str(name)[:40], near=near, known=", ".join(names))
    guarded = set(names if guardrails is None else guardrails) - {primary}
    return {name: "primary" if name == primary else "guardrail" if name in guarded else "exploration" for name in names}


def _adjusted(found: Mapping[str, Finding], roles: Mapping[str, Role], adjust: str) -> dict[str, float]:
    """The p of each KPI beside those of its own role."""
    p = {kpi: each.p for kpi, each in found.items()}
    for role, method in (("guardrail", _ADJUST[adjust]), ("exploration", benjamini_hochberg)):
        family = [kpi for kpi in p if roles[kpi] == role]
        if family:
            p |= dict(zip(family, method([p[kpi] for kpi in family]).tolist(), strict=True))
    return p


def _together(own: Judgement, p: float, alpha: float, margin: float | None) -> Code:
    """The verdict that stands beside the others: a claim needs its adjusted p."""
    if own.code not in CLAIMS or p < alpha:
        return own.code
    return "no_evidence" if margin is None else "inconclusive"


def _row(
    measure: Measure, role: Role, found: Finding | None, p: Mapping[str, float], codes: Mapping[str, Code]
) -> dict[str, Any]:
    effect = found.effect if found is not None else None
    value, low, high = effect.found.interval if effect is not None else (_NAN, _NAN, _NAN)
    return {
        "kpi": measure.id,
        "role": role,
        "stat": effect.stat if effect is not None else "",
        "unit": effect.unit if effect is not None else "share",
        "value": value,
        "low": low,
        "high": high,
        "p": found.p if found is not None else _NAN,
        "p_adjusted": p.get(measure.id, _NAN),
        "alone": found.code if found is not None else "invalid",
        "code": codes.get(measure.id, "invalid") if found is not None else "refused",
    }
