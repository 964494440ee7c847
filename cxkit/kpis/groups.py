"""One KPI side by side for the channels, teams or any other groups of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit import figures
from cxkit.disclosure import HIDDEN, without_numbers
from cxkit.errors import ParameterError
from cxkit.kpis.asked import PERIODS, declared, estimated, lacking
from cxkit.kpis.drawing import bar_of, colour_of, edge_of, write_hidden
from cxkit.kpis.judging import THIN, WIDE, likeness_unknown, widened, with_targets
from cxkit.kpis.shielding import N_HIDDEN, SOLID, shield
from cxkit.kpis.words import ESTIMATE, headline_name, hidden_note, shielded, thin_note
from cxkit.lang import Amount, Coded, Named, Sentence, Word
from cxkit.measures import check_group, columns_of
from cxkit.result import Format, Result, not_answerable, records

if TYPE_CHECKING:
    from cxkit.study import Study

AGENTS = ("agent_id", "reviewer_id")  # a row is a person who works here
_PERSONS = ("customer_id", "ticket_id", "response_id", "call_id", "order_id", "review_id", "session_id")
OTHERS = "other_groups"  # groups of few cases, put together
_NAMELESS = {"unknown": "common.unknown", OTHERS: "kpis.groups.others"}


@dataclass(frozen=True, eq=False)
class ByGroup(Result):
    """One row a group: value, interval, n and still open; a group of too few cases is hidden."""

    kpi: str = ""
    by: str = "channel"

    size: ClassVar[tuple[float, float]] = (8.0, 3.6)

    @property
    def formats(self) -> Mapping[str, Format]:  # type: ignore[override]
        """The groups in their own words, then the estimate."""
        return {self.by: group_format(self.by), **shielded(ESTIMATE)}

    def sentences(self) -> tuple[Sentence, ...]:
        """The highest and the lowest group with enough cases, and whether their intervals keep apart.

        The intervals allow for the likeness of an agent's tickets: groups are mostly served by different agents. Agents
        themselves are not ranked.
        """
        solid = self.table[self.table[SOLID] & self.table["value"].notna()].sort_values("value", kind="stable")
        about = {"kpi": Coded("kpi", self.kpi)}
        if self.by in AGENTS:
            return (Sentence("kpis.groups.persons", {**about, "n": len(solid), "least": THIN}),)
        if len(solid) < 2:
            return (Sentence("kpis.groups.few", {**about, "least": THIN}),)
        top, bottom = solid.iloc[-1], solid.iloc[0]
        told = not (likeness_unknown(top) or likeness_unknown(bottom))
        apart = told and widened(top)[0] > widened(bottom)[1]
        ends = {
            "highest": group_word(self.by, top[self.by]),
            "highest_value": Amount(float(top["value"]), str(top["unit"])),
            "lowest": group_word(self.by, bottom[self.by]),
            "lowest_value": Amount(float(bottom["value"]), str(top["unit"])),
        }
        return (Sentence("kpis.groups.apart" if apart else "kpis.groups.overlap", {**about, **ends}),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """A dot with its interval for each group, the largest value on top; hidden groups by name alone."""
        ax = figures.own_axes(ax, lang, self.size)
        shown, edge = self._in_order, edge_of(self.table)
        for at, row in enumerate(records(shown)):
            if row.get(HIDDEN):
                write_hidden(ax, at, lang)
            else:
                bar_of(ax, at, row, edge, colour_of(row), lang)
        ax.set_yticks(range(len(shown)), [group_name(self.by, group, lang) for group in shown[self.by]])
        ax.set_ylim(-0.7, len(shown) - 0.3)
        unit = str(shown["unit"].iloc[0]) if len(shown) else "number2"
        ax.set_title(headline_name(self.kpi, str(shown["stat"].iloc[0]) if len(shown) else "", lang))
        return figures.finish(ax, lang, "categories", figures.axis_unit(unit), "x")

    @property
    def _in_order(self) -> pd.DataFrame:
        """Groups from the bottom of the picture: hidden ones, then by value; agents by name."""
        known = self.table[self.table["value"].notna() | self.table.get(HIDDEN, False)]
        if self.by in AGENTS:
            return known.sort_values(self.by, ascending=False).reset_index(drop=True)
        return known.sort_values("value", kind="stable", na_position="first").reset_index(drop=True)


def by_group(
    study: Study,
    kpi: str,
    by: str = "channel",
    level: float = 0.95,
    least: int = 5,
    agent_detail: bool = False,
) -> Result:
    """The headline statistic of `kpi` for each value of the column `by`; groups without cases are absent.

    Groups of fewer than `least` cases are hidden, and others with them where a hidden one could be told from the total.
    Agents are persons: a table of them must be asked for with `agent_detail`, hides those with fewer than thirty cases,
    and is ordered by name.
    """
    measure = declared(study)[kpi]
    check_persons(by, agent_detail)
    check_group(by, columns_of(study, measure.of))
    if gaps := lacking(study, kpi):
        return not_answerable(measure.question, gaps)
    if by not in columns_of(study, measure.of):
        return not_answerable(measure.question, (f"{measure.of}.{by}",))
    found = with_targets(estimated(study, [kpi], (by,), level), study, declared(study), level)
    table = found[found["headline"]].reset_index(drop=True)
    table[by] = table[by].astype(object).where(table[by].notna(), "unknown")
    persons = by in AGENTS
    order = table.sort_values(by) if persons else table.sort_values(["n", by], ascending=[False, True])
    shown = _disclosed(order.reset_index(drop=True), by, least, persons)
    rows = [row for row in records(shown) if not row[HIDDEN]]
    notes = hidden_note(shown, max(least, THIN) if persons else least)
    notes += [thin_note(row, group_word(by, row[by])) for row in rows if not row[SOLID] and not row[N_HIDDEN]]
    if not persons and any(likeness_unknown(row) or row["widening"] > WIDE for row in rows):
        notes.append(Sentence("kpis.groups.agents"))
    return ByGroup(shown, tuple(notes), kpi, by)


def _disclosed(table: pd.DataFrame, by: str, least: int, persons: bool) -> pd.DataFrame:
    """`table` without what too few cases say, and of persons without those with fewer than thirty cases."""
    shown = shield(table, [by], least)
    if not persons:
        return shown
    return without_numbers(shown, [by], (shown[HIDDEN] | ~shown[SOLID]).to_numpy(dtype=bool))


def check_persons(by: str, agent_detail: bool) -> None:
    """ParameterError for groups that are single persons or cases, unless agents are asked for on purpose."""
    if by in _PERSONS or (by in AGENTS and not agent_detail):
        raise ParameterError("group_persons" if by in _PERSONS else "group_agents", by=by)
    if by in PERIODS:
        raise ParameterError("group_period", by=by)


def group_word(by: str, group: object) -> Word:
    """A group inside a sentence."""
    if isinstance(group, bool | np.bool_):
        return Named("common.yes" if group else "common.no")
    return Named(_NAMELESS[group]) if isinstance(group, str) and group in _NAMELESS else Coded(by, group)


def group_name(by: str, group: object, lang: str | None) -> str:
    """A group beside an axis."""
    return figures.axis_name(group_word(by, group).text(lang))


def group_format(by: str) -> Format:
    """How the column of groups is written in a table."""
    return ("t", lambda row, lang: group_word(by, row[by]).text(lang))
