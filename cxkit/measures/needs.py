"""Can these data carry a KPI, and if not, what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cxkit.contract import load
from cxkit.errors import MeasureError, ParameterError, nearest
from cxkit.measures.expressions import known_column
from cxkit.measures.kinds import Measure, Net, Score

if TYPE_CHECKING:
    from cxkit.study import Study

# survey answers are read together with the survey they belong to and its ticket
_GROUPS = {"agent_id", "queue", "team", "topic"}  # texts that are groups, beside choices and yes or no
_READ_WITH = {"survey_answers": ("survey_answers", "surveys", "tickets")}


def columns_of(study: Study, table: str) -> tuple[str, ...]:
    """Columns that conditions on `table` may read; of survey answers also those of the survey and its ticket."""
    names = [c for part in _READ_WITH.get(table, (table,)) if study.has(part) for c in study.columns(part)]
    return tuple(dict.fromkeys(names))


def check_group(by: str, columns: Iterable[str]) -> None:
    """ParameterError unless `by` is one of `columns` or one that the contract has: a slip, and no gap in the data."""
    contract = [column for table in load().tables.values() for column in table.columns.values()]
    known = {column.name for column in contract} | set(columns)
    if by not in known:
        usual = {column.name for column in contract if column.type in ("choice", "bool")} | _GROUPS
        near = nearest(by, usual) or nearest(by, known) or "none"
        raise ParameterError("group_unknown", by=by[:40], near=near, known=", ".join(sorted(usual)))


def home_of(study: Study, table: str, column: str) -> str:
    """The table that holds `column`, among those that conditions on `table` may read."""
    parts = _READ_WITH.get(table, (table,))
    return next((part for part in parts if study.has(part) and column in study.columns(part)), table)


def missing(measure: Measure, study: Study) -> tuple[str, ...]:
    """What the study lacks for `measure`, as "table.column"; empty if it can be answered.

    A column without a single value is missing too, and so is a survey item nobody answered ("survey_answers.item=nps").
    """
    parts = _READ_WITH.get(measure.of, (measure.of,))
    lacking = [
        f"{_home(column, parts)}.{column}"
        for column in sorted(measure.required)
        if not any(study.has(part, column) for part in parts)
    ]
    if not lacking and isinstance(measure, Score | Net) and measure.item:
        answers = study.table(measure.of)
        asked = answers.filter((answers["item"] == measure.item) & answers[measure.value].notnull())
        if not asked.limit(1).count().to_pandas():
            lacking.append(f"{measure.of}.item={measure.item}")
    return tuple(lacking)


def must_answer(study: Study, measure: Measure) -> None:
    """MeasureError unless the study can carry `measure`, with the nearest name of a misspelt column."""
    lacking = missing(measure, study)
    if not lacking:
        return
    known = columns_of(study, measure.of)
    parts = _READ_WITH.get(measure.of, (measure.of,))
    canonical = {column for part in parts for column in load().tables[part].columns}
    for column in sorted(measure.required - canonical - set(known)):
        known_column(column, known, measure.of)
    raise MeasureError("measure_not_answerable", kpi=measure.spoken, needs=", ".join(lacking))


def _home(column: str, parts: tuple[str, ...]) -> str:
    """The table that the contract keeps `column` in."""
    tables = load().tables
    return next((part for part in parts if column in tables[part].columns), parts[0])
