"""A question about a change as it is put, and what is refused before a row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxkit.changes.lines import Data, ground
from cxkit.changes.parts import Look
from cxkit.errors import ParameterError, StudyError, nearest
from cxkit.measures import Count, Measure, Ratio
from cxkit.measures.expressions import known_column
from cxkit.measures.kinds import SOURCES
from cxkit.study.settings import lasting


@dataclass(frozen=True)
class Asked:
    """What is to be allowed for, and what the verdict is held against."""

    cluster: str | Sequence[str] | None = None
    strata: tuple[str, ...] = ()
    population: Any = None  # numbers by stratum, or columns by which they are counted
    covariate: str = ""
    covariate_at: Any = None
    margin: float | None = None
    horizon: float | None = None
    estimand: str = ""
    alpha: float = 0.05
    look: Look | None = None
    randomised: bool | str = False
    expected: tuple[float, float] = (0.5, 0.5)

    @property
    def population_columns(self) -> tuple[str, ...]:
        """The columns by which a population is counted."""
        return () if isinstance(self.population, Mapping) else names(self.population or ())

    @property
    def adjusted(self) -> tuple[str, ...]:
        """What is allowed for besides clusters."""
        given = {"strata": self.strata, "population": self.population, "covariate": self.covariate}
        return tuple(name for name, value in given.items() if value)


def names(given: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several."""
    return ((given,) if given else ()) if isinstance(given, str) else tuple(given)


def margin_of(margin: float | str | None) -> float | None:
    """A margin as a number: of a time in seconds, also from a text such as "30 min"."""
    if margin is None:
        return None
    found = lasting("margin", margin) if isinstance(margin, str) else float(margin)
    if not (np.isfinite(found) and found > 0):
        raise ParameterError("verdict_margin", margin=str(margin))
    return found


def horizon_asked(horizon: float | str | None) -> float | None:
    """A horizon in seconds."""
    return None if horizon is None else lasting("horizon", horizon)


def alpha_of(alpha: float) -> float:
    """The chance of a false alarm, where it is one."""
    if not 0 < alpha < 0.5:
        raise ParameterError("changes_alpha", alpha=str(alpha))
    return float(alpha)


def refuse_stock(measure: Measure) -> None:
    """A number of those who wait, and a count on rows without a date, have no independent days."""
    if isinstance(measure, Count) and measure.spells:
        raise ParameterError("changes_stock", kpi=measure.spoken)
    if isinstance(measure, Ratio) and measure.per and not SOURCES[measure.per].entry:
        raise ParameterError("changes_per_undated", kpi=measure.spoken, table=measure.per)


def change_of(data: Data, change: str, where: str) -> tuple[pd.Timestamp, str]:
    """When a change of the study's table happened, and the condition for whom."""
    row = change_row(data, change)
    at = pd.Timestamp(row["happened_at"]).tz_localize("UTC")
    column, value = (row.get(name) for name in ("column", "value"))
    if not isinstance(column, str) or not column:
        return at, where
    whom = f"{column} == {str(value)!r}"
    return at, f"({where}) and {whom}" if where else whom


def change_row(data: Data, change: str) -> pd.Series[Any]:
    """The row of a change in the study's own table."""
    if isinstance(data, pd.DataFrame) or not data.has("changes", "happened_at"):
        tables = ", ".join(getattr(data, "tables", ())) or "-"
        raise StudyError("study_table", table="changes", near="-", known=tables)
    table = data.table("changes").to_pyarrow().to_pandas()
    known = table["change_id"].tolist()
    if change not in known:
        near = nearest(change, known) or "none"
        raise ParameterError("changes_no_change", given=change[:40], near=near, known=", ".join(known))
    row: pd.Series[Any] = table[table["change_id"] == change].iloc[0]
    return row


def beside(data: Data, measure: Measure, asked: Asked) -> tuple[str, ...]:
    """Columns that are kept beside the values, each of which must be there, and a covariate known in time."""
    known = ground(data).columns(measure.of)
    shown = "DataFrame" if isinstance(data, pd.DataFrame) else measure.of
    drawn = (asked.randomised,) if isinstance(asked.randomised, str) else ()
    wanted = [*asked.strata, *asked.population_columns, *names(asked.covariate), *drawn]
    for column in wanted:
        known_column(column, known, shown)
    if asked.covariate:
        _refuse_late(data, measure, asked)
    return tuple(dict.fromkeys(wanted))


def _refuse_late(data: Data, measure: Measure, asked: Asked) -> None:
    """A covariate that the change may have moved takes its effect away: all that a help desk notes comes afterwards."""
    if asked.covariate in measure.required or not isinstance(data, pd.DataFrame):
        raise ParameterError("changes_covariate_own", column=asked.covariate)
    at = asked.covariate_at
    if at is None:
        return
    if measure.dated_by not in data.columns:
        raise ParameterError("changes_covariate_undated", column=str(at))
    begins = pd.to_datetime(data[measure.dated_by])
    measured = pd.to_datetime(data[at]) if isinstance(at, str) and at in data.columns else pd.Timestamp(at)
    late = int((measured > begins).sum())
    if late:
        raise ParameterError("changes_covariate_late", column=asked.covariate, n=late)
