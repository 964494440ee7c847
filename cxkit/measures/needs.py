"""Can these data carry a KPI, and if not, what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cxkit.contract import load
from cxkit.errors import MeasureError, ParameterError, nearest
from cxkit.measures.derived import derivable, derived, lacking
from cxkit.measures.expressions import known_column
from cxkit.measures.kinds import Measure, Net, Ratio, Score

if TYPE_CHECKING:
    from cxkit.study import Study

# what a declaration reads in the place of a number that study.toml has not said: no table has such a column
UNDECLARED = {
    "promised_reply_seconds": "study.toml: promises.first_reply",
    "promised_resolution_seconds": "study.toml: promises.resolution",
    "inactive_after_days": "study.toml: retention.inactive_after_days",
}
_GROUPS = {"agent_id", "queue", "team", "topic"}  # texts that are groups, beside choices and yes or no
# survey answers are read together with the survey they belong to and its ticket
_READ_WITH = {
    "survey_answers": ("survey_answers", "surveys", "tickets"),
    "surveys": ("surveys", "tickets"),
    "qa_reviews": ("qa_reviews", "tickets"),
}


def columns_of(study: Study, table: str) -> tuple[str, ...]:
    """Columns that conditions on `table` may read: its own, those of the tables read with it, and derived ones."""
    names = [c for part in _READ_WITH.get(table, (table,)) if study.has(part) for c in study.columns(part)]
    return tuple(dict.fromkeys([*names, *derivable(study, table)]))


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
    made = derived(measure.of)
    gaps = [
        gap
        for column in sorted(measure.required)
        if not any(study.has(part, column) for part in parts)
        for gap in (lacking(study, made[column]) if column in made else (_named(column, parts),))
    ]
    if isinstance(measure, Ratio) and measure.denominator:
        gaps += missing(measure.denominator, study)
    if measure.clocked and not study.config.get("calendar", {}).get("hours"):
        gaps.append("study.toml: calendar.hours")
    if not gaps and isinstance(measure, Score | Net) and measure.item:
        answers = study.table(measure.of)
        asked = answers.filter((answers["item"] == measure.item) & answers[measure.value].notnull())
        if not asked.limit(1).count().to_pandas():
            gaps.append(f"{measure.of}.item={measure.item}")
    return tuple(dict.fromkeys(gaps))


def must_answer(study: Study, measure: Measure) -> None:
    """MeasureError unless the study can carry `measure`, with the nearest name of a misspelt column."""
    gaps = missing(measure, study)
    if not gaps:
        return
    known = columns_of(study, measure.of)
    parts = _READ_WITH.get(measure.of, (measure.of,))
    canonical = {c for part in parts for c in load().tables[part].columns} | set(derived(measure.of))
    for column in sorted(measure.required - canonical - set(known) - set(UNDECLARED)):
        known_column(column, known, measure.of)
    raise MeasureError("measure_not_answerable", kpi=measure.spoken, needs=", ".join(gaps))


def _named(column: str, parts: tuple[str, ...]) -> str:
    """A gap as "table.column", with the table that the contract keeps the column in; or the setting that is missing."""
    tables = load().tables
    home = next((part for part in parts if column in tables[part].columns), parts[0])
    return UNDECLARED.get(column, f"{home}.{column}")
