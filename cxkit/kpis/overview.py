"""Many KPIs at one glance: small pictures side by side, period by period or group by group, family by family."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.errors import ParameterError, nearest
from cxkit.kpis.asked import carried, declared, estimated, followed, lacking
from cxkit.kpis.groups import ByGroup, by_group, group_format, group_word
from cxkit.kpis.judging import THIN, with_targets
from cxkit.kpis.scorecard import in_families, promise_notes, respondents_note, strip
from cxkit.kpis.shielding import SOLID, shield
from cxkit.kpis.spans import written
from cxkit.kpis.trend import Trend, in_periods, trend
from cxkit.kpis.words import (
    CHANCE,
    ESTIMATE,
    NAME,
    clustered_notes,
    headline_name,
    hidden_note,
    shielded,
    thin_note,
    value_of,
)
from cxkit.lang import Amount, Coded, Sentence, is_rtl
from cxkit.measures import check_group, columns_of
from cxkit.measures.kinds import FAMILIES
from cxkit.result import Format, Result, by_unit, not_answerable, records

if TYPE_CHECKING:
    from cxkit.study import Study

COLUMNS = 2
_SHOWN = 60  # periods of a time line in a panel
_REACHED = 0.5  # share of periods with a finite value, below which a time line says nothing


@dataclass(frozen=True, eq=False)
class Overview(Result):
    """The tables of several results under one another, their pictures in a grid."""

    parts: tuple[Result, ...] = ()
    key: str = "month"  # the column that tells the rows of one KPI apart
    unit: str = "month"  # in which it is written, if it is a period

    max_rows: ClassVar[int] = 150

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """KPI, period or group, estimate."""
        return {"kpi": "code", self.key: self.unit or group_format(self.key), **shielded(ESTIMATE)}

    @property
    def size(self) -> tuple[float, float]:  # type: ignore[override]
        """Inches: one row of pictures for every two KPIs."""
        return (10.0, 2.9 * max(1, math.ceil(len(self.parts) / COLUMNS)))

    def sentences(self) -> tuple[Sentence, ...]:
        """The first sentence of each part."""
        return tuple(part.sentences()[0] for part in self.parts) or (Sentence("kpis.overview.none"),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """The pictures of the parts, read in the direction of the language."""
        ax = figures.own_axes(ax, lang, self.size)
        ax.set_axis_off()
        rows = max(1, math.ceil(len(self.parts) / COLUMNS))
        for place, part in enumerate(self.parts):
            row, column = divmod(place, COLUMNS)
            column = COLUMNS - 1 - column if is_rtl(lang) else column
            height, room = 1 / rows, 0.15 if isinstance(part, ByGroup) else 0.07  # for the names beside the axis
            left = column / COLUMNS + (0.01 if is_rtl(lang) else room)
            box = (left, 1 - (row + 0.78) * height, 1 / COLUMNS - room - 0.03, height * 0.62)
            inset = ax.inset_axes(box)
            part.plot(inset, lang)
            inset.tick_params(labelsize=8)
            for title in (inset.title, inset._left_title, inset._right_title):  # type: ignore[attr-defined]
                title.set_fontsize(9)
            if (known := inset.get_legend()) is not None:
                for text in known.get_texts():
                    text.set_fontsize(8)
        return ax


def _together(parts: Iterable[Result], kind: type[Result], key: str, unit: str) -> Overview:
    shown = tuple(part for part in parts if isinstance(part, kind) and len(part.table))
    tables = [part.table for part in shown]
    return Overview(pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(), _notes(shown), shown, key, unit)


def _notes(parts: Sequence[Result]) -> tuple[Sentence, ...]:
    """The notes of all parts, each once; the table beside them says which KPIs rest on few cases."""
    said = {(note.key, str(note.params)): note for part in parts for note in part.notes}
    return tuple(note for note in said.values() if note.key != "common.small_n")


def chosen(study: Study, family: str = "", by: Iterable[str] = ()) -> tuple[str, ...]:
    """The KPIs that the data carry by `by`, of one family or of all, in the order of families."""
    check_family(family)
    measures = declared(study)
    names = in_families(measures, carried(study, by))
    return tuple(name for name in names if not family or measures[name].family == family)


def check_family(family: str) -> None:
    """ParameterError for a family that is none; empty means all."""
    if family and family not in FAMILIES:
        near = nearest(family, FAMILIES) or "none"
        raise ParameterError("kpi_family_unknown", family=family[:40], near=near, known=", ".join(FAMILIES))


def trends(study: Study, period: str = "month", family: str = "", level: float = 0.95) -> Overview:
    """Every KPI that the data carry (of one family, or of all), period by period."""
    names = chosen(study, family, (period,))
    estimated(study, names, (period,), level)  # all of them in one go
    return _together((trend(study, kpi, period, level) for kpi in names), Trend, period, written(study, period))


def channels(study: Study, family: str = "", level: float = 0.95, least: int = 5) -> Result:
    """Every KPI that the data carry (of one family, or of all), channel by channel."""
    return segments(study, "channel", family, level, least)


def segments(study: Study, by: str, family: str = "", level: float = 0.95, least: int = 5) -> Result:
    """Every KPI that the data carry (of one family, or of all), for each value of the column `by`."""
    names = chosen(study, family, (by,))
    if not names:
        check_group(by, {c for m in declared(study).values() for c in columns_of(study, m.of)})
    estimated(study, names, (by,), level)
    return _together((by_group(study, kpi, by, level, least) for kpi in names), ByGroup, by, "")


def trends_by_group(
    study: Study, kpi: str, by: str = "channel", period: str = "month", level: float = 0.95, least: int = 5
) -> Result:
    """The headline of one KPI period by period, a picture for each group; cells of few cases are hidden."""
    measure = declared(study)[kpi]
    whole = by_group(study, kpi, by, level, least)  # refuses what is no group, and what cannot be answered
    if not isinstance(whole, ByGroup):
        return whole
    if not followed(measure):
        return not_answerable(measure.question, (f"{measure.of}: {period}",))
    table = in_periods(study, measure, period, (by,), level)
    table[by] = table[by].astype(object).where(table[by].notna(), "unknown")
    shown = shield(table, (period, by), least)
    parts = [
        Trend(
            shown[shown[by] == group].reset_index(drop=True),
            (),
            kpi,
            period=period,
            unit=written(study, period),
            group=group_word(by, group),
            limits=_limits(shown),
        )
        for group in whole.table[by]
    ]
    return GroupTrends(shown, tuple(hidden_note(shown, least)), tuple(parts), period, written(study, period), kpi, by)


def _limits(table: pd.DataFrame) -> tuple[float, float] | None:
    """From the lowest to the highest end of what is finite; None where there is nothing."""
    ends = table[["value", "low", "high"]].to_numpy(float).ravel()
    ends = ends[np.isfinite(ends)]
    if not len(ends) or ends.min() == ends.max():
        return None
    room = 0.05 * float(ends.max() - ends.min())
    return float(ends.min()) - room, float(ends.max()) + room


@dataclass(frozen=True, eq=False)
class GroupTrends(Overview):
    """One row a period and group of one KPI."""

    kpi: str = ""
    by: str = "channel"

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """Period, group, estimate."""
        return {self.key: self.unit, self.by: group_format(self.by), **shielded(ESTIMATE), "complete": "yesno"}

    def sentences(self) -> tuple[Sentence, ...]:
        """Of the last complete period, the highest and the lowest group with enough cases."""
        solid = self.table[self.table["complete"] & self.table[SOLID] & self.table["value"].notna()]
        about: dict[str, object] = {"kpi": Coded("kpi", self.kpi), "least": THIN}
        last = solid[solid[self.key] == solid[self.key].max()].sort_values("value", kind="stable")
        if len(last) < 2:
            return (Sentence("kpis.group_trends.few", about),)
        ends = {
            f"{end}{part}": word
            for end, row in (("lowest", last.iloc[0]), ("highest", last.iloc[-1]))
            for part, word in (
                ("", group_word(self.by, row[self.by])),
                ("_value", Amount(float(row["value"]), str(row["unit"]))),
            )
        }
        told = {"period": Amount(last[self.key].iloc[0], self.unit), "n": len(last)}
        return (Sentence("kpis.group_trends.last", {**about, **told, **ends}),)


@dataclass(frozen=True, eq=False)
class Standing(Result):
    """One KPI without a time line: its strip."""

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """The value with its interval, and its target."""
        ax = figures.own_axes(ax, lang, self.size)
        row = records(self.table)[0]
        ax.set_title(headline_name(row["kpi"], row["stat"], lang))
        strip(ax, row, lang)
        ax.set_ylim(-2.5, 2.5)
        return ax


@dataclass(frozen=True, eq=False)
class Family(Overview):
    """One family of KPIs: a row for each statistic, a picture for each KPI."""

    family: str = ""
    lacks: int = 0  # KPIs of the family that the data cannot carry

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """KPI, estimate, target."""
        judged: dict[str, Format] = {"target": by_unit("target"), "standing": "code", "chance": CHANCE}
        estimate = {column: kind for column, kind in ESTIMATE.items() if column != "stat"}
        return {"kpi": NAME, **estimate, **judged}

    def sentences(self) -> tuple[Sentence, ...]:
        """Each KPI of the family with its interval, and how many cannot be answered."""
        about = {"family": Coded("family", self.family), "lacks": self.lacks}
        heads = self.table[self.table["headline"]] if len(self.table) else self.table
        said = [Sentence("kpis.family.carried", {**about, "n": len(heads)})]
        return (*said, *(value_of(row) for row in records(heads)))


def families(study: Study) -> tuple[str, ...]:
    """The families of which the data carry at least one KPI."""
    return tuple(dict.fromkeys(declared(study)[name].family for name in chosen(study)))


def family(study: Study, family: str, period: str = "month", level: float = 0.95) -> Result:
    """The panel of one family: its KPIs with intervals, targets and chances, and how each moved."""
    names = chosen(study, family)
    measures = declared(study)
    mine = [name for name, measure in measures.items() if measure.family == family]
    if not names:
        gaps = tuple(dict.fromkeys(gap for name in mine for gap in lacking(study, name)))
        return not_answerable(Sentence("kpis.family.question", {"family": Coded("family", family)}), gaps)
    estimated(study, chosen(study), (), level)  # all families in one go, for the panels that follow
    estimated(study, chosen(study, "", (period,)), (period,), level)
    table = with_targets(estimated(study, names, (), level), study, measures, level)
    parts = [part for name in names for part in _pictures(study, name, table, period, level)]
    heads = records(table[table["headline"]])
    notes = [thin_note(row) for row in heads if row["n"] < THIN and row["kind"] != "count"]
    notes += clustered_notes(heads)
    notes += [*promise_notes(table), *respondents_note(study, heads, measures), *_notes(parts)]
    shown = {(note.key, str(note.params)): note for note in notes}
    return Family(table, tuple(shown.values()), tuple(parts), family=family, lacks=len(mine) - len(names))


def _pictures(study: Study, kpi: str, table: pd.DataFrame, period: str, level: float) -> list[Result]:
    """The time line of a KPI, of a volume also per open hour; its strip where none says anything."""
    found = trend(study, kpi, period, level)
    if isinstance(found, Trend) and np.isfinite(found.table["value"]).mean() >= _REACHED:
        lines = [found, *([trend(study, kpi, period, level, per_open=True)] if "per_open" in found.table else [])]
        return [replace(line, table=line.table.tail(_SHOWN).reset_index(drop=True)) for line in lines]
    own = table[(table["kpi"] == kpi) & table["headline"]].reset_index(drop=True)
    return [Standing(own)] if own["value"].notna().any() else []
