"""Did the service change, or the mix of what came in: the difference of two sides in a mix part and a rate part.

A KPI can rise because every group did better (rate), or because more came from groups that always did better (mix).
Kitagawa (1955) takes the two apart with nothing left over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.changes.asking import alpha_of, change_of, horizon_asked
from cxkit.changes.estimands import Estimand, curve, estimands, horizon_of, row_values
from cxkit.changes.lines import Data, Moment, measure_of
from cxkit.changes.parts import Design, Manner, plain
from cxkit.changes.select import FEW_CLUSTERS
from cxkit.changes.sides import PERSONS, Side, Sides, sides
from cxkit.changes.steps import refuse_all_open
from cxkit.changes.words import Change, Column, Group, Span
from cxkit.errors import ParameterError
from cxkit.lang import Amount, Sentence, Word, say
from cxkit.measures import Count, Duration, Measure, Ratio
from cxkit.measures.expressions import known_column
from cxkit.result import Format, Result, by_unit
from cxkit.stats import Inference, Rows, mix_change

OTHERS = "others"
LEAST = 5  # cases of a group on a side below which it is put together with others
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Decomposition(Result):
    """One row a group: its weight and rate on either side, and its part of the change by mix and by rate."""

    measure: Measure | None = None
    mix_by: str = ""
    design: Design | None = None
    told: Estimand | None = None
    before: float = _NAN
    total: Inference | None = None
    mix: Inference | None = None
    rate: Inference | None = None
    simpson: bool = False

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Group, cases, weights, rates, parts."""
        by = self.mix_by
        return {
            "segment": ("c", lambda row, lang: _group(by, row["segment"]).text(lang)),
            "n_before": "count",
            "n_after": "count",
            "weight_before": "share",
            "weight_after": "share",
            "rate_before": by_unit("rate_before"),
            "rate_after": by_unit("rate_after"),
            "mix_part": ("d", lambda row, lang: Change(row["mix_part"], row["change"]).text(lang)),
            "rate_part": ("d", lambda row, lang: Change(row["rate_part"], row["change"]).text(lang)),
        }

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: a bar for the mix and one for each group."""
        return (9.0, 0.4 * (len(self.table) + 3) + 0.8)

    def sentences(self) -> tuple[Sentence, ...]:
        """The whole change and its two parts with intervals; an alarm where the total contradicts every group."""
        if self.total is None or self.mix is None or self.rate is None or self.told is None or self.design is None:
            return ()
        baseline, other = self.design.groups
        unit, change = self.told.unit, self.told.change
        facts: dict[str, object] = {
            "kpi": self._spoken,
            "measured": self.told.measured,
            "baseline": baseline,
            "other": other,
            "before": Amount(self.before, unit),
            "after": Amount(self.before + self.total.value, unit),
            "column": Column(self.mix_by),
        }
        for name, part in (("total", self.total), ("mix", self.mix), ("rate", self.rate)):
            facts |= {name: Change(part.value, change), f"{name}_interval": Span(part.low, part.high, change)}
        said = [Sentence("changes.decompose.total", facts), Sentence("changes.decompose.parts", facts)]
        return (*said, Sentence("changes.decompose.simpson", facts)) if self.simpson else tuple(said)

    @property
    def _spoken(self) -> Word:
        return self.measure.spoken if self.measure is not None else Column("kpi")

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """From the one side to the other: first what the mix did, then what each group did."""
        ax = figures.own_axes(ax, lang, self.size)
        if self.total is None or self.mix is None or self.told is None or self.design is None:
            return ax
        baseline, other = self.design.groups
        names = [baseline.text(lang), say("changes.decompose.mix", lang)]
        names += [figures.axis_name(_group(self.mix_by, s).text(lang)) for s in self.table["segment"]]
        names.append(other.text(lang))
        amounts = [self.before, self.mix.value, *self.table["rate_part"], self.before + self.total.value]
        measured = self.told.measured.text(lang)
        ax.set_title(f"{self._spoken.text(lang)} · {measured}")
        figures.steps_of(ax, names, amounts)
        return figures.finish(ax, lang, "categories", figures.axis_unit(self.told.unit), "x")

    def to_dict(self) -> dict[str, Any]:
        """Everything in machine values."""
        parts = {name: plain(getattr(self, name)) for name in ("total", "mix", "rate", "before", "simpson", "design")}
        about = {"kpi": self.measure.id if self.measure is not None else None, "mix_by": self.mix_by}
        return {**super().to_dict(), **about, **parts}


def decompose(
    data: Data,
    kpi: str | Measure,
    mix: str,
    *,
    by: str = "",
    baseline: str = "",
    treated: str = "",
    at: Moment | None = None,
    change: str = "",
    window_days: float = 0,
    where: str = "",
    dated: str = "",
    without: str | Sequence[str] = (),
    horizon: float | str | None = None,
    alpha: float = 0.05,
    least: int = LEAST,
    as_of: Moment | None = None,
) -> Decomposition:
    """How much of the change of `kpi` between two sides is the mix over the column `mix`, and how much is rate.

    The sides are those of `compare`. A score is told by its share of favourable answers; a wait by the share done
    within its target (without one, within the time that half of the baseline are done), of the cases decided by then.
    Groups of fewer than `least` cases on a side are put together. Intervals allow for agents, where either side has ten
    of them. ParameterError for numbers of arrivals and sums over other sums, which have no mix of cases.
    """
    measure = measure_of(data, kpi)
    if isinstance(measure, Count) or (isinstance(measure, Ratio) and (measure.per or measure.bottom)):
        raise ParameterError("decompose_kind", kpi=measure.spoken)
    if mix in PERSONS:
        raise ParameterError("segments_persons", by=mix)
    if change:
        at, where = change_of(data, change, where)
    cut: dict[str, Any] = {
        "by": by,
        "baseline": baseline,
        "treated": treated,
        "at": at,
        "window_days": window_days,
        "where": where,
    }
    found = sides(data, measure, **cut, dated=dated, without=without, beside=(mix,), as_of=as_of)
    known_column(mix, found.place.columns(measure.of), measure.of)
    told = _told(measure, found, horizon)
    amounts = [_valued(told, measure, side) for side in found.pair]
    kept = _pooled([side for side, _ in amounts], mix, least)
    if not all(len(side) for side in kept):
        raise ParameterError("stats_no_rows")
    groups = set().union(*(side[mix] for side in kept))
    if len(groups) < 2:
        raise ParameterError("decompose_groups", kpi=measure.spoken, column=mix, n=len(groups), least=least)
    unit = _clusters(found, kept)
    rows = [Rows(side["amount"], side[mix], side["n"], side[unit] if unit else None) for side in kept]
    parts = mix_change(*rows, level=1 - alpha_of(alpha))
    if not np.isfinite(parts.total.low):
        raise ParameterError("decompose_constant", kpi=measure.spoken)
    n = [side.groupby(mix)["n"].sum() for side in kept]
    rows_of = [
        {
            "segment": part.group,
            "n_before": float(n[0].get(part.group, 0)),
            "n_after": float(n[1].get(part.group, 0)),
            "weight_before": part.share_before,
            "weight_after": part.share_after,
            "rate_before": part.rate_before,
            "rate_after": part.rate_after,
            "mix_part": part.mix,
            "rate_part": part.rate,
            "unit": told.unit,
            "change": told.change,
        }
        for part in parts.groups
    ]
    table = pd.DataFrame(rows_of).sort_values("n_after", ascending=False, kind="stable", ignore_index=True)
    undecided = sum(left for _, left in amounts)
    notes = [Sentence("changes.note.kitagawa")]
    notes += [Sentence("changes.note.undecided", {"n": int(undecided)})] if undecided else []
    manner: Manner = "since" if found.at is not None else "between"
    design = Design(manner, found.names, found.by, found.day, found.where, "decompose")
    before = float(np.average(kept[0]["amount"], weights=kept[0]["n"]))
    return Decomposition(
        table,
        tuple(notes),
        measure,
        mix,
        design,
        told,
        before,
        parts.total,
        parts.mix,
        parts.rate,
        parts.simpson,
    )


def _told(measure: Measure, found: Sides, horizon: Any) -> Estimand:
    """The mean that is taken apart: a share, a score's share of favourable answers, a mean amount."""
    if isinstance(measure, Duration):
        refuse_all_open(measure, found)
        within = horizon_asked(horizon) or measure.target_seconds or curve(found.baseline.lines).median
        within = float(within) if np.isfinite(within) else horizon_of(found).seconds
        return Estimand("within", "share", "share", "higher", within)
    named = {e.stat: e for e in estimands(measure)}
    return named.get("top_share") or next(iter(named.values()))


def _valued(told: Estimand, measure: Measure, side: Side) -> tuple[pd.DataFrame, float]:
    """The lines of a side with the `amount` whose mean is the KPI, and how many cases are not decided yet."""
    lines = side.lines
    if told.stat != "within":
        return lines.assign(amount=row_values(told, measure, side.value)), 0.0
    decided = side.observed | (side.value > told.amount)
    return lines[decided].assign(amount=(side.value <= told.amount)[decided].astype(np.float64)), float(
        side.n[~decided].sum()
    )


def _pooled(tables: list[pd.DataFrame], mix: str, least: int) -> list[pd.DataFrame]:
    """The sides with small groups put together, until the rest of them is large enough to tell of nobody."""
    said = [t.assign(**{mix: t[mix].astype(object).where(t[mix].notna(), "unknown").astype(str)}) for t in tables]
    n = pd.concat([t.groupby(mix)["n"].sum() for t in said], axis=1).fillna(0)
    thin = ((n > 0) & (n < least)).any(axis=1)
    small, others = list(n.index[thin]), list(n[~thin].sum(axis=1).sort_values(kind="stable").index)
    while small and others and bool(((n.loc[small].sum() > 0) & (n.loc[small].sum() < least)).any()):
        small.append(others.pop(0))
    return [t.assign(**{mix: t[mix].where(~t[mix].isin(small), OTHERS)}) for t in said]


def _clusters(found: Sides, tables: list[pd.DataFrame]) -> str:
    """The column whose rows resemble each other, if either side has enough of its values."""
    for unit in found.units:
        if all(table[unit].nunique() >= FEW_CLUSTERS for table in tables):
            return unit
    return ""


def _group(by: str, name: object) -> Word:
    if name in (OTHERS, "unknown"):
        return Group("", str(name))
    return Group(by, str(name))
