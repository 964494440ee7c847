"""The columns that measures read, as one Ibis table: joined where they belong together, seen as at `as_of`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from cxkit.calendars import local_day
from cxkit.contract import load
from cxkit.errors import MeasureError
from cxkit.measures.derived import derived, own_needs
from cxkit.measures.expressions import AS_OF, column_names, condition, known_column
from cxkit.measures.kinds import EXCLUSIONS, SOURCES, Count, Duration, Measure
from cxkit.measures.needs import columns_of
from cxkit.measures.openings import with_open_places

if TYPE_CHECKING:
    from cxkit.study import Study

# names of periods that rows can be grouped by
PERIODS = ("day", "week", "half_month", "month")
# what a ticket can say about its survey; where the survey says it too, the survey's word counts
_FROM_TICKET = ("channel", "language", "agent_id", "customer_id")


def source(study: Study, measures: Sequence[Measure], by: Sequence[str] = ()) -> ir.Table:
    """The columns that `measures`, all of one table, and `by` need; survey answers with their survey and its ticket.

    Nothing after `as_of` is seen: a timestamp that lies later is empty.
    """
    of = measures[0].of
    known = columns_of(study, of)
    for column in (*(c for m in measures for c in sorted(m.required)), *(b for b in by if b not in PERIODS)):
        known_column(column, known, of)
    needed = [c for c in known if c in set(by).union(*map(_read_by, measures))]
    places = frozenset().union(*(m.clocked for m in measures)) & {*known, AS_OF}
    made = [c for c in needed if c in derived(of)]
    wanted = {*needed, *places, study.clock.column} if places else {*needed}
    read = [c for c in known if c not in derived(of) and c in _with_needs(of, wanted, made)]
    table = seen(study, of, read)
    if any(derived(of)[column].sorts for column in made):
        table = with_rules(table, of, {rule for measure in measures for rule in measure.rules})
    for column in made:
        table = derived(of)[column].make(table, lambda name, *columns: seen(study, name, columns))
    if places:
        table = with_open_places(study, table, sorted(places))
    return table.select([*needed, *(c for c in table.columns if c.startswith(("cx_open_", "cx_rule_")))])


def seen(study: Study, of: str, columns: Collection[str] = ()) -> ir.Table:
    """Table `of` with what belongs to it, or only `columns` of it, as it stood at `as_of`."""
    table = study.table(of)
    if of in _JOINED:
        table = _JOINED[of](study, table, columns or table.columns)
    return _seen_at(table.select(list(columns)) if columns else table, study)


def with_rules(table: ir.Table, of: str, rules: Collection[str]) -> ir.Table:
    """`table` with a yes or no for each rule: lighter to carry through a sorting than what the rule reads."""
    flags = {f"cx_rule_{rule}": left_out(table, of, rule) for rule in sorted(rules)}
    return table.mutate(**{name: flag for name, flag in flags.items() if flag is not None})


def left_out(table: ir.Table, of: str, rule: str) -> ir.BooleanValue | None:
    """Whether a rule of EXCLUSIONS leaves a row out, never unknown; None if the table lacks what the rule reads."""
    if f"cx_rule_{rule}" in table.columns:
        return table[f"cx_rule_{rule}"]
    known = column_names(EXCLUSIONS[rule]) <= set(table.columns)
    return condition(EXCLUSIONS[rule], table, of).fill_null(False) if known else None


def moment(at: pd.Timestamp) -> ir.TimestampScalar:
    """A naive UTC moment for the engine."""
    return ibis.literal(at.to_pydatetime(), type="timestamp(6)")


def has_column(study: Study, measure: Measure, column: str) -> str | None:
    """`column`, where the measure's table has it."""
    return column if column in columns_of(study, measure.of) else None


def dated(measure: Measure, table: ir.Table) -> ir.TimestampColumn:
    """The timestamp that rows are attributed to, a day as its midnight; MeasureError if the measure has none."""
    if not measure.dated_by:
        raise MeasureError("measure_undated", kpi=measure.spoken, table=measure.of)
    return as_time(table[measure.dated_by])


def as_time(column: ir.Value) -> ir.TimestampColumn:
    """A timestamp as it is, a day as its midnight."""
    return column if column.type().is_timestamp() else column.cast("timestamp(6)")


def _read_by(measure: Measure) -> set[str]:
    """Columns that a measure reads where the data have them."""
    read = {measure.cluster, measure.stratum, SOURCES[measure.of].entry, *measure.required}
    for rule in measure.rules:
        read |= column_names(EXCLUSIONS[rule])
    if isinstance(measure, Count):
        read |= {c for spell in measure.spells for c in spell}
    return read.union(measure.until) if isinstance(measure, Duration | Count) else read


def _with_needs(of: str, wanted: Collection[str], made: Sequence[str]) -> set[str]:
    """`wanted`, and what the derived columns among them are made from, as far as it tells contacts from noise."""
    noise = set().union(*(column_names(rule) for rule in EXCLUSIONS.values())) if made and of == "tickets" else set()
    return set(wanted).union(*(own_needs(of, column) for column in made)) | noise


def _with_survey(study: Study, answers: ir.Table, needed: Collection[str]) -> ir.Table:
    """`answers` with the needed columns of their survey, and what its ticket adds to them."""
    if not study.has("surveys"):
        return answers
    surveys, own = study.table("surveys"), answers.columns
    wanted = [c for c in needed if c not in own]
    taken = [c for c in surveys.columns if c in {*wanted, "ticket_id"}]
    surveys = _with_ticket(study, surveys.select("response_id", *taken), wanted)
    return answers.left_join(surveys, "response_id").drop("response_id_right")


def _with_ticket(study: Study, rows: ir.Table, wanted: Collection[str]) -> ir.Table:
    """`rows` with what their ticket says about the wanted columns that they do not have or leave empty."""
    if not (study.has("tickets") and "ticket_id" in rows.columns):
        return rows
    tickets, own = study.table("tickets"), rows.columns
    taken = [c for c in wanted if c in tickets.columns and c != "ticket_id" and (c not in own or c in _FROM_TICKET)]
    if not taken:
        return rows
    theirs = tickets.select("ticket_id", **{f"{c}_of_ticket": tickets[c] for c in taken})
    joined = rows.left_join(theirs, "ticket_id")
    said = {c: joined[f"{c}_of_ticket"] for c in taken}
    filled = {c: ibis.coalesce(joined[c], theirs) if c in own else theirs for c, theirs in said.items()}
    return joined.select(**{c: joined[c] for c in own if c not in filled}, **filled)


_JOINED = {"survey_answers": _with_survey, "surveys": _with_ticket, "qa_reviews": _with_ticket}


def _seen_at(table: ir.Table, study: Study) -> ir.Table:
    """`table` without what happened after `as_of`; the contract's planned dates stay."""
    today = ibis.literal(local_day(study.as_of, study.time_zone))
    past = {}
    for column, kind in table.schema().items():
        if kind.is_timestamp():
            past[column] = (table[column] <= moment(study.as_of)).ifelse(table[column], ibis.null())
        elif kind.is_date() and column not in _PLANNED:
            past[column] = (table[column] <= today).ifelse(table[column], ibis.null())
    return table.mutate(**past)


_PLANNED = {
    column.name
    for table in load().tables.values()
    for column in table.columns.values()
    if column.type == "date" and column.name == "ended_on"  # the end of a contract may lie ahead
}
