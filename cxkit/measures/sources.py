"""The columns that measures read, as one Ibis table: joined where they belong together, seen as at `as_of`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from cxkit.errors import MeasureError
from cxkit.measures.expressions import column_names, known_column
from cxkit.measures.kinds import EXCLUSIONS, SOURCES, Duration, Measure
from cxkit.measures.needs import columns_of

if TYPE_CHECKING:
    from cxkit.study import Study

MONTH = "month"
# what a ticket can say about its survey; where the survey says it too, the survey's word counts
_FROM_TICKET = ("channel", "language", "agent_id", "customer_id")


def source(study: Study, measures: Sequence[Measure], by: Sequence[str] = ()) -> ir.Table:
    """The columns that `measures`, all of one table, and `by` need; survey answers with their survey and its ticket.

    Nothing after `as_of` is seen: a timestamp that lies later is empty.
    """
    of = measures[0].of
    known = columns_of(study, of)
    for column in (*(c for m in measures for c in sorted(m.required)), *(b for b in by if b != MONTH)):
        known_column(column, known, of)
    needed = [c for c in known if c in set(by).union(*map(_read_by, measures))]
    joined = _with_survey(study, study.table(of), needed) if of == "survey_answers" else study.table(of)
    return _seen_at(joined.select(needed), study.as_of)


def moment(at: pd.Timestamp) -> ir.TimestampScalar:
    """A naive UTC moment for the engine."""
    return ibis.literal(at.to_pydatetime(), type="timestamp(6)")


def has_column(study: Study, measure: Measure, column: str) -> str | None:
    """`column`, where the measure's table has it."""
    return column if column in columns_of(study, measure.of) else None


def dated(measure: Measure, table: ir.Table) -> ir.TimestampColumn:
    """The timestamp that rows are attributed to; MeasureError if the measure has none."""
    if not measure.dated_by:
        raise MeasureError("measure_undated", kpi=measure.spoken, table=measure.of)
    return table[measure.dated_by]


def _read_by(measure: Measure) -> set[str]:
    """Columns that a measure reads where the data have them."""
    read = {measure.cluster, measure.stratum, SOURCES[measure.of].entry, *measure.required}
    for rule in measure.rules:
        read |= column_names(EXCLUSIONS[rule])
    return read.union(measure.until) if isinstance(measure, Duration) else read


def _with_survey(study: Study, answers: ir.Table, needed: Collection[str]) -> ir.Table:
    """`answers` with the needed columns of their survey, and what its ticket adds to them."""
    if not study.has("surveys"):
        return answers
    surveys, own = study.table("surveys"), answers.columns
    wanted = [c for c in needed if c not in own]
    taken = [c for c in surveys.columns if c in {*wanted, "ticket_id"}]
    surveys = surveys.select("response_id", *taken)
    if study.has("tickets") and "ticket_id" in taken:
        surveys = _with_ticket(study, surveys, wanted)
    return answers.left_join(surveys, "response_id").drop("response_id_right")


def _with_ticket(study: Study, surveys: ir.Table, wanted: Collection[str]) -> ir.Table:
    """`surveys` with what the ticket says about the wanted columns that they do not have or leave empty."""
    tickets, own = study.table("tickets"), surveys.columns
    taken = [c for c in wanted if c in tickets.columns and (c not in own or c in _FROM_TICKET)]
    if not taken:
        return surveys
    theirs = tickets.select("ticket_id", **{f"{c}_of_ticket": tickets[c] for c in taken})
    joined = surveys.left_join(theirs, "ticket_id")
    said = {c: joined[f"{c}_of_ticket"] for c in taken}
    filled = {c: ibis.coalesce(joined[c], theirs) if c in own else theirs for c, theirs in said.items()}
    return joined.select(**{c: joined[c] for c in own if c not in filled}, **filled)


def _seen_at(table: ir.Table, as_of: pd.Timestamp) -> ir.Table:
    times = [c for c, kind in table.schema().items() if kind.is_timestamp()]
    return table.mutate(**{c: (table[c] <= moment(as_of)).ifelse(table[c], ibis.null()) for c in times})
