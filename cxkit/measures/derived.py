"""Columns that no export has, made from those it has by the engine: what a customer did next, which priority counted.

A derived column follows from one canonical table and others beside it, as they stood at `as_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

if TYPE_CHECKING:
    from cxkit.study import Study

Tables = Callable[..., ir.Table]  # a canonical table, or some columns of it, as it stood at `as_of`
Make = Callable[[ir.Table, Tables], ir.Table]  # the rows, and the rows with the derived column
_NOT_A_CONTACT = ("is_spam", "is_test")  # and what an agent opened, or was merged into another ticket


@dataclass(frozen=True)
class Derived:
    """A derived column: how it is made, which canonical columns ("table.column") it needs, if all rows are sorted."""

    needs: tuple[str, ...]
    make: Make
    sorts: bool = False


def derived(table: str) -> Mapping[str, Derived]:
    """The columns that can be derived for `table`, by name."""
    return _DERIVED.get(table, {})


def derivable(study: Study, table: str) -> tuple[str, ...]:
    """The derived columns of `table` for which the study has all that is needed."""
    return tuple(name for name, column in derived(table).items() if not lacking(study, column))


def lacking(study: Study, column: Derived) -> tuple[str, ...]:
    """What the study lacks to derive a column."""
    parts = (need.partition(".") for need in column.needs)
    return tuple(f"{table}.{name}" for table, _, name in parts if not study.has(table, name))


def own_needs(table: str, column: str) -> frozenset[str]:
    """Columns of `table` itself that a derived column is made from."""
    found = derived(table).get(column)
    pairs = [need.partition(".") for need in found.needs] if found else []
    return frozenset(name for home, _, name in pairs if home == table)


def _genuine(tickets: ir.Table) -> ir.BooleanValue:
    """Whether a ticket is a customer's own contact, as far as the data say."""
    found: ir.BooleanValue = ibis.literal(True)
    for flag in _NOT_A_CONTACT:
        if flag in tickets.columns:
            found = found & ~tickets[flag].fill_null(False)
    if "merged_into" in tickets.columns:
        found = found & tickets["merged_into"].isnull()
    if "created_by" in tickets.columns:
        found = found & (tickets["created_by"] != "agent").fill_null(True)
    return found


def _next_ticket(rows: ir.Table, tables: Tables, name: str, alike: Sequence[str]) -> ir.Table:
    """When the next genuine ticket with the same values in `alike` was opened; empty without one."""
    known = rows[alike[0]].notnull()
    for column in alike[1:]:
        known = known & rows[column].notnull()
    rows = rows.mutate(cx_known=known, cx_genuine=_genuine(rows))  # told before the sorting, it need not carry more
    groups = [*(rows[column] for column in alike), rows["cx_genuine"]]
    later = rows["opened_at"].lead().over(ibis.window(group_by=groups, order_by=[rows["opened_at"], rows["ticket_id"]]))
    return rows.mutate(**{name: rows["cx_known"].ifelse(later, ibis.null())}).drop("cx_known", "cx_genuine")


def _next_order(rows: ir.Table, tables: Tables) -> ir.Table:
    later = rows["ordered_at"].lead()
    window = ibis.window(group_by=rows["customer_id"], order_by=[rows["ordered_at"], rows["order_id"]])
    return rows.mutate(next_order_at=rows["customer_id"].notnull().ifelse(later.over(window), ibis.null()))


def _first_of(rows: ir.Table, tables: Tables, name: str, table: str, key: str, at: str) -> ir.Table:
    """The earliest `at` among the rows of `table` whose `key` is the ticket."""
    other = tables(table, key, at)
    first = other.filter(other[key].notnull()).group_by(cx_key=other[key]).agg(**{name: other[at].min()})
    return rows.left_join(first, rows["ticket_id"] == first["cx_key"]).drop("cx_key")


def _contact_after_session(rows: ir.Table, tables: Tables) -> ir.Table:
    """When the customer's next ticket after the session was opened: both are put in one order and looked back over."""
    tickets = tables("tickets")
    opened = tickets.filter(_genuine(tickets) & tickets["customer_id"].notnull())
    kinds = rows.schema()
    visits = rows.mutate(cx_opened=_no_time(), cx_ticket=0)
    known = {"customer_id": opened["customer_id"], "started_at": opened["opened_at"]}
    blank = {c: known.get(c, ibis.null(kinds[c])).cast(kinds[c]) for c in rows.columns}
    line = visits.union(opened.select(**blank, cx_opened=opened["opened_at"], cx_ticket=1))
    window = ibis.window(
        group_by=line["customer_id"], order_by=[line["started_at"], line["cx_ticket"]], preceding=0, following=None
    )
    after = line.mutate(next_contact_at=line["cx_opened"].min().over(window))
    return after.filter(after["cx_ticket"] == 0).drop("cx_opened", "cx_ticket")


def _no_time() -> ir.Value:
    return ibis.null("timestamp(6)")


def _priority(rows: ir.Table, tables: Tables, name: str, at: str) -> ir.Table:
    """The priority that a ticket had at its timestamp `at`; its first one where it got none by then."""
    changes = tables("priority_changes").select(cx_key="ticket_id", cx_at="at", cx_priority="priority")
    asked = rows.select(cx_ticket=rows["ticket_id"], cx_when=rows[at])
    both = changes.inner_join(asked, changes["cx_key"] == asked["cx_ticket"])
    both = both.filter(both["cx_when"].notnull(), both["cx_at"].notnull())
    early = both["cx_at"] <= both["cx_when"]
    # the latest of those in time, else the earliest of those after; equal moments are told apart by the word
    after = early.ifelse(ibis.null("timestamp(6)"), both["cx_at"])
    order = [early.ifelse(0, 1), after, both["cx_at"].desc(), both["cx_priority"]]
    place = ibis.row_number().over(ibis.window(group_by=both["cx_key"], order_by=order))
    first = both.mutate(cx_place=place)
    first = first.filter(first["cx_place"] == 0).select("cx_key", "cx_priority")
    joined = rows.left_join(first, rows["ticket_id"] == first["cx_key"]).drop("cx_key")
    return joined.rename({name: "cx_priority"})


_OPENED = ("tickets.ticket_id", "tickets.opened_at", "tickets.customer_id")
_CHANGED = ("priority_changes.ticket_id", "priority_changes.at", "priority_changes.priority")
_DERIVED: Mapping[str, Mapping[str, Derived]] = {
    "tickets": {
        "next_contact_at": Derived(
            _OPENED, partial(_next_ticket, name="next_contact_at", alike=("customer_id",)), True
        ),
        "next_same_topic_at": Derived(
            (*_OPENED, "tickets.topic"),
            partial(_next_ticket, name="next_same_topic_at", alike=("customer_id", "topic")),
            True,
        ),
        "followed_up_at": Derived(
            ("tickets.ticket_id", "tickets.opened_at", "tickets.follow_up_of"),
            partial(_first_of, name="followed_up_at", table="tickets", key="follow_up_of", at="opened_at"),
        ),
        "surveyed_at": Derived(
            ("tickets.ticket_id", "surveys.ticket_id", "surveys.sent_at"),
            partial(_first_of, name="surveyed_at", table="surveys", key="ticket_id", at="sent_at"),
        ),
        "priority_at_opened": Derived(
            ("tickets.ticket_id", "tickets.opened_at", *_CHANGED),
            partial(_priority, name="priority_at_opened", at="opened_at"),
            True,
        ),
        "priority_at_reopened": Derived(
            ("tickets.ticket_id", "tickets.reopened_at", *_CHANGED),
            partial(_priority, name="priority_at_reopened", at="reopened_at"),
            True,
        ),
    },
    "kb_sessions": {
        "next_contact_at": Derived(
            ("kb_sessions.session_id", "kb_sessions.started_at", "kb_sessions.customer_id", *_OPENED[1:]),
            _contact_after_session,
            True,
        ),
    },
    "orders": {
        "next_order_at": Derived(("orders.order_id", "orders.ordered_at", "orders.customer_id"), _next_order, True),
    },
}
