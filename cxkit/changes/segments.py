"""Did the change work everywhere alike: whether segments differ at all first, then how far each may be believed.

Of twenty segments in which the effect is the same, one looks different at p < .05. So no segment is singled out unless
the segments differ from each other (Cochran's Q), and each estimate is drawn towards the mean as far as its own noise
asks for (empirical Bayes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.changes.asking import change_of
from cxkit.changes.compare import compare
from cxkit.changes.drawing import change_axis, effect_title
from cxkit.changes.finding import Finding
from cxkit.changes.lines import Data, everybody, ground, lines_of, measure_of
from cxkit.changes.sides import PERSONS
from cxkit.changes.words import Change, Column, Group, P, Span
from cxkit.errors import CxkitError, ParameterError
from cxkit.lang import Sentence, Several
from cxkit.measures import Measure, check_group
from cxkit.measures.expressions import known_column
from cxkit.result import Format, Result, records
from cxkit.stats import Heterogeneity, benjamini_hochberg, group_differences, shrunken

LEAST = 5  # cases a side below which nothing is told of a segment
MOST = 50  # segments; more are no segments
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Segments(Result):
    """One row a segment: its effect as it is, and drawn towards the mean of all, with intervals.

    Columns: segment, n, unit, value, low, high, p, p_adjusted, drawn_value, drawn_low, drawn_high, drawn (0 not at all,
    1 all the way to the mean). `overall` is the finding for all segments together.
    """

    within: str = ""
    overall: Finding | None = None
    findings: Mapping[str, Finding] = field(default_factory=dict)
    test: Heterogeneity | None = None
    alpha: float = 0.05

    size: ClassVar[tuple[float, float]] = (9.0, 4.0)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Segment, cases, effect as it is, effect as far as it may be believed."""
        within = self.within
        return {
            "segment": ("c", lambda row, lang: _name(within, row["segment"], lang)),
            "n": "count",
            "effect": ("d", lambda row, lang: Change(row["value"], row["unit"]).text(lang)),
            "interval": _interval(""),
            "shrunken": ("d", lambda row, lang: Change(row["drawn_value"], row["unit"]).text(lang)),
            "shrunken_interval": _interval("drawn_"),
            "p_adjusted": ("n", lambda row, lang: P(row["p_adjusted"]).bare(lang)),
        }

    @property
    def differ(self) -> bool:
        """Whether segments differ more than chance makes them."""
        return self.test is not None and self.test.test.p < self.alpha

    def sentences(self) -> tuple[Sentence, ...]:
        """The overall verdict; whether segments differ; only then, which of them stand out."""
        said = [] if self.overall is None else list(self.overall.headline)
        if self.test is None:
            return (*said, Sentence("changes.segments.too_few", {"within": Column(self.within)}))
        told = {"within": Column(self.within), "n": int(self.test.test.df + 1), "p": P(self.test.test.p)}
        if not self.differ:
            return (*said, Sentence("changes.segments.alike", told))
        said.append(Sentence("changes.segments.differ", told))
        known = self.table[self.table["drawn_value"].notna()]
        order = known["drawn_value"].to_numpy(np.float64).argsort()
        ends = known.iloc[int(order[0])], known.iloc[int(order[-1])]
        facts: dict[str, object] = {}
        for end, row in zip(("lowest", "highest"), ends, strict=True):
            facts[end] = Group(self.within, str(row["segment"]))
            facts[f"{end}_effect"] = Change(float(row["drawn_value"]), str(row["unit"]))
        said.append(Sentence("changes.segments.ends", facts))
        clear = known[known["p_adjusted"] < self.alpha]
        names = tuple(Group(self.within, str(name)) for name in clear["segment"])
        if names:
            said.append(Sentence("changes.segments.clear", {"segments": Several(names), "n": len(names)}))
        return tuple(said)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Pale: each segment's own interval. Dark: drawn towards the mean. Upright: no change, and the mean of all."""
        ax = figures.own_axes(ax, lang, self.size)
        known = self.table[self.table["value"].notna()].iloc[::-1].reset_index(drop=True)
        if known.empty or self.overall is None:
            ax.set_axis_off()
            return ax
        unit = str(known["unit"].iloc[0])
        none = 0.5 if unit == "chance" else 0.0
        ax.axvline(none, color=figures.INK, linewidth=1.2)
        if self.test is not None:
            middle = self.test.average.estimate
            ax.axvline(
                float(np.expm1(middle)) if unit == "relative" else float(middle), color=figures.ACCENT, linestyle=":"
            )
        for at, row in enumerate(records(known)):
            ax.hlines(at, row["low"], row["high"], color=figures.MUTED, linewidth=6, alpha=0.3)
            ax.plot(row["value"], at, "o", color=figures.MUTED, markersize=5, alpha=0.6)
            ax.hlines(at, row["drawn_low"], row["drawn_high"], color=figures.ACCENT, linewidth=2)
            ax.plot(row["drawn_value"], at, "o", color=figures.ACCENT, markersize=7)
        ax.set_yticks(range(len(known)), [figures.axis_name(_name(self.within, s, lang)) for s in known["segment"]])
        ax.set_ylim(-0.6, len(known) - 0.4)
        told = self.overall.effects[:1]
        ax.set_title(" · ".join([self.overall.kpi.text(lang), *(effect_title(each, lang) for each in told)]))
        figures.finish(ax, lang, "categories", "none", "x")
        change_axis(ax.xaxis, unit, lang)
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Verdict, notes, table, the test between segments, and the overall finding."""
        test = None
        if self.test is not None:
            test = {"q": self.test.test.statistic, "df": self.test.test.df, "p": self.test.test.p, "i2": self.test.i2}
        overall = None if self.overall is None else self.overall.to_dict()
        return {**super().to_dict(), "within": self.within, "differ": self.differ, "test": test, "overall": overall}


def segments(
    data: Data,
    kpi: str | Measure,
    within: str,
    *,
    change: str = "",
    where: str = "",
    alpha: float = 0.05,
    ask: Callable[..., Finding] = compare,
    least: int = LEAST,
    **question: Any,
) -> Segments:
    """The effect on `kpi` in each segment of the column `within`, after the test whether segments differ at all.

    The question is what `compare` takes (at, change, by, ...). Segments with fewer than `least` cases, or that carry no
    verdict of their own, are counted in the overall finding only. Agents who serve several segments make these look
    more alike than chance alone would; the test then errs on the side of "alike". ParameterError for single persons as
    segments, and for a column without at least two segments.
    """
    measure = measure_of(data, kpi)
    at: dict[str, Any] = {}
    if change:
        at["at"], where = change_of(data, change, where)
    overall = ask(data, measure, where=where, alpha=alpha, **at, **question)
    if overall.effect is not None and overall.effect.stat == "capped_mean":
        question.setdefault("horizon", overall.effect.amount)  # one horizon for all, or they would not compare
    values = _values(data, measure, within, where)
    found: dict[str, Finding] = {}
    for value in values:
        try:
            each = ask(data, measure, where=_among(where, within, value), alpha=alpha, **at, **question)
        except CxkitError:
            continue
        if each.effect is not None and _cases(each) >= least:
            found[_said(value)] = each
    table, test = _table(found)
    left = len(values) - len(found)
    notes = [Sentence("changes.note.shrunken")]
    notes += [Sentence("changes.note.thin_segments", {"n": left})] if left else []
    return Segments(table, tuple(notes), within, overall, found, test, alpha)


def _values(data: Data, measure: Measure, within: str, where: str) -> list[Any]:
    """The values of the segments, as the data hold them; refused where they are persons, or none."""
    if within in PERSONS:
        raise ParameterError("segments_persons", by=within)
    place = ground(data, measure)
    known = place.columns(measure.of)
    if place.study is not None and within not in known:
        check_group(within, known)
    known_column(within, known, measure.of if place.study is not None else "DataFrame")
    rows = lines_of(place, everybody(measure, measure.at), (within,), where=where)
    values = list(rows[within].dropna().unique().tolist())
    if not 2 <= len(values) <= MOST:
        raise ParameterError("segments_values", within=within, n=len(values), most=MOST)
    return sorted(values, key=str)


def _said(value: Any) -> str:
    """A segment by its name."""
    return ("yes" if value else "no") if isinstance(value, bool | np.bool_) else str(value)


def _among(where: str, within: str, value: Any) -> str:
    """`where`, and the segment."""
    if isinstance(value, bool | np.bool_):
        whom = within if value else f"not {within}"
    else:
        whom = f"{within} == {value!r}" if isinstance(value, int | float) else f"{within} == {str(value)!r}"
    return f"({where}) and {whom}" if where else whom


def _cases(found: Finding) -> float:
    return float(found.table["n"].min()) if "n" in found.table and len(found.table) else 0.0


def _table(found: Mapping[str, Finding]) -> tuple[pd.DataFrame, Heterogeneity | None]:
    """Effects as they are, and drawn towards their mean; and whether they differ."""
    effects = [each.effects[0] for each in found.values()]
    unit = effects[0].unit if effects else "share"
    into: Callable[[Any], Any] = np.log1p if unit == "relative" else np.asarray
    back: Callable[[Any], Any] = np.expm1 if unit == "relative" else np.asarray
    value = into(np.array([e.found.value for e in effects], dtype=np.float64))
    se = np.array([e.found.se for e in effects], dtype=np.float64)
    known = np.isfinite(value) & (se > 0)
    test, drawn = None, np.full((4, len(effects)), _NAN)
    if known.sum() >= 2:
        test = group_differences(value[known], se[known])
        pulled = shrunken(np.where(known, value, np.nan), np.where(known, se, np.nan))
        drawn = np.vstack([back(np.asarray(pulled.interval)), np.asarray(pulled.drawn)[None]])
    p = [e.found.p for e in effects]
    table = pd.DataFrame(
        {
            "segment": list(found),
            "n": [float(each.table["n"].groupby(each.table["stat"]).sum().iloc[0]) for each in found.values()],
            "unit": unit,
            "value": [e.found.value for e in effects],
            "low": [e.found.low for e in effects],
            "high": [e.found.high for e in effects],
            "p": p,
            "p_adjusted": benjamini_hochberg(p) if p else [],
            "drawn_value": drawn[0],
            "drawn_low": drawn[1],
            "drawn_high": drawn[2],
            "drawn": drawn[3],
        }
    )
    return table, test


def _interval(drawn: str) -> Format:
    return "d", lambda row, lang: Span(row[f"{drawn}low"], row[f"{drawn}high"], row["unit"]).text(lang)


def _name(within: str, value: Any, lang: str | None) -> str:
    return Group(within, str(value)).text(lang)
