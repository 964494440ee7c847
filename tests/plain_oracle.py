"""Measures counted row by row in plain Python, from what their declarations say, to hold the engines against.

Nothing here knows Ibis or SQL, and nothing of `cxkit.measures` is used but the declarations themselves.
"""

from __future__ import annotations

import ast
import datetime as dt
import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from cxkit.measures.kinds import EXCLUSIONS, SOURCES, Count, Duration, Measure, Net, Ratio, Score, Share

Row = dict[str, Any]
EPOCH = dt.datetime(1970, 1, 1)
_SPANS = {"days": 86_400, "hours": 3_600, "minutes": 60}
_FROM_TICKET = ("channel", "language", "agent_id", "customer_id")


class Span(float):
    """A length of time in seconds."""


def whole(time: dt.datetime) -> int:
    """Seconds since 1970, the begun one cut off."""
    return (time - EPOCH) // dt.timedelta(seconds=1)


class Plain:
    """The tables of a study as rows, seen as at its date."""

    def __init__(self, frames: Mapping[str, pd.DataFrame], study: Any) -> None:
        self.as_of: dt.datetime = study.as_of.to_pydatetime()
        self.today = self.as_of.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(study.time_zone)).date()
        self.clocks = study.clock
        self.raw = {name: _rows(frame) for name, frame in frames.items()}
        self._made: dict[str, list[Row]] = {}
        self._places: dict[Any, int] = {}
        self._tallies: dict[Any, Counter[tuple[Any, ...]]] = {}

    def tally(self, measure: Measure, by: Sequence[str]) -> Counter[tuple[Any, ...]]:
        """How often each (by..., cluster, stratum, value, observed) occurs; with `bottom` that of a ratio, too."""
        if (measure, tuple(by)) not in self._tallies:
            self._tallies[measure, tuple(by)] = self._tally(measure, by)
        return self._tallies[measure, tuple(by)]

    def _tally(self, measure: Measure, by: Sequence[str]) -> Counter[tuple[Any, ...]]:
        rows = self.rows(measure.of)
        columns = rows[0].keys() if rows else ()
        cluster = measure.cluster if measure.cluster in columns else ""
        stratum = measure.stratum if cluster and measure.stratum in columns else ""
        keys = [*by, *filter(None, (cluster, stratum))]
        found: Counter[tuple[Any, ...]] = Counter()
        for row in rows:
            if self._belongs(measure, row):
                found[(*(row[key] for key in keys), *self._counted(measure, row), *self._below(measure, row))] += 1
        return found

    def rows(self, of: str) -> list[Row]:
        """The rows of a table with what belongs to them and what follows from them, nothing of it after `as_of`."""
        if of not in self._made:
            self._made[of] = [self._seen(row) for row in self._joined(of)]
            for name, derive in _DERIVED.get(of, {}).items():
                for row, value in zip(self._made[of], derive(self, self._made[of]), strict=True):
                    row[name] = value
        return self._made[of]

    def _joined(self, of: str) -> list[Row]:
        rows = [dict(row) for row in self.raw.get(of, [])]
        if of in ("surveys", "qa_reviews"):
            self._with_ticket(rows)
        if of == "survey_answers":
            surveys = {row["response_id"]: row for row in self._joined("surveys")}
            names = next(iter(surveys.values()), {}).keys()
            for row in rows:
                theirs = surveys.get(row["response_id"], {})
                row |= {name: theirs.get(name) for name in names if name not in row}
        return rows

    def _with_ticket(self, rows: list[Row]) -> None:
        tickets = {row["ticket_id"]: row for row in self.raw.get("tickets", [])}
        names = next(iter(tickets.values()), {}).keys()
        for row in rows:
            theirs, own = tickets.get(row["ticket_id"], {}), set(row)
            for name in names:
                if name not in own or (name in _FROM_TICKET and row[name] is None):
                    row[name] = theirs.get(name)

    def _seen(self, row: Row) -> Row:
        def known(name: str, value: Any) -> Any:
            if isinstance(value, dt.datetime):
                return value if value <= self.as_of else None
            if isinstance(value, dt.date) and name != "ended_on":
                return value if value <= self.today else None
            return value

        return {name: known(name, value) for name, value in row.items()}

    # --- which rows, and what is counted in each ---

    def _belongs(self, measure: Measure, row: Row) -> bool:
        if isinstance(measure, Score | Net) and measure.item and row["item"] != measure.item:
            return False
        entry = SOURCES[measure.of].entry
        if any(name in row and row[name] is None for name in (entry, measure.dated_by) if name):
            return False
        for rule in measure.rules:
            if _names(EXCLUSIONS[rule]) <= row.keys() and self.value(EXCLUSIONS[rule], row) is True:
                return False
        return not measure.among or self.value(measure.among, row) is True

    def _counted(self, measure: Measure, row: Row) -> tuple[Any, bool]:
        match measure:
            case Share():
                holds = self.value(measure.where, row)
                if not measure.follow_up_days:
                    return _one(holds), True
                until = _time(row[measure.dated_by]) + dt.timedelta(days=measure.follow_up_days)
                return (_one(holds), True) if until <= self.as_of else (None, False)
            case Score() | Net():
                return row[measure.value], True
            case Ratio():
                unknown = None in self._below(measure, row)
                return None if unknown else self.number(measure.top, row), True
            case Duration():
                return self._lasting(measure, row)
            case Count():
                return 1, True
        raise NotImplementedError(measure.kind)

    def _below(self, measure: Measure, row: Row) -> tuple[float | None, ...]:
        """What a row of a ratio adds underneath, if that is declared."""
        below = getattr(measure, "bottom", "")
        return (self.number(below, row),) if below else ()

    def _lasting(self, measure: Duration, row: Row) -> tuple[int | None, bool]:
        if measure.seconds:
            told = self.number(measure.seconds, row)
            seconds = None if told is None else math.floor(told)
            done = not measure.done or self.value(measure.done, row) is not False
        else:
            place = self._business if measure.clock == "business" else _wall
            last = place(row, self.as_of)
            ends = [place(row, _time(row[name])) for name in measure.until if row.get(name) is not None]
            stop = self.as_of if measure.stop == "as_of" else row[measure.stop]
            done = stop is not None
            end = place(row, _time(stop)) if done else min([last, *ends])
            start = row[measure.start]
            seconds = None if start is None else end - place(row, _time(start))
        if seconds is None or seconds < 0:
            return None, True
        pauses = [int(row[name] or 0) for name in measure.pauses]
        seconds = max(seconds - sum(pauses), 0) if pauses else seconds
        return _on_grid(seconds, measure.precision), done

    def _business(self, row: Row, time: dt.datetime) -> int:
        name = self.clocks.of(row.get(self.clocks.column) if self.clocks.column else None)
        key = name, whole(time)
        if key not in self._places:
            self._places[key] = round(float(self.clocks.clock(name).position(EPOCH + dt.timedelta(seconds=key[1]))))
        return self._places[key]

    # --- conditions ---

    def number(self, text: str, row: Row) -> float | None:
        """A numeric expression; a yes is one."""
        found = self.value(text, row)
        return None if found is None else float(found)

    def value(self, text: str, row: Row) -> Any:
        """What an expression of a declaration says of a row; None is unknown."""
        return self._piece(_parsed(text), row)

    def _piece(self, node: ast.expr, row: Row) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.as_of if name == "as_of" else _time(row[name])
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                held = self._piece(inner, row)
                return None if held is None else not held
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._piece(inner, row)
            case ast.BoolOp(op=joined, values=parts):
                return _joined(isinstance(joined, ast.And), [self._piece(part, row) for part in parts])
            case ast.Compare(left=left, ops=ops, comparators=rights):
                sides = [left, *rights]
                return _joined(
                    True, [self._compared(a, op, b, row) for a, op, b in zip(sides, ops, rights, strict=False)]
                )
            case ast.IfExp(test=test, body=chosen, orelse=other):
                return self._piece(chosen if self._piece(test, row) is True else other, row)
            case ast.BinOp(left=left, op=sign, right=right):
                return _summed(self._piece(left, row), sign, self._piece(right, row))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._called(name, arguments, row)
        raise NotImplementedError(ast.unparse(node))

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr, row: Row) -> bool | None:
        a = self._piece(left, row)
        if isinstance(op, ast.Is | ast.IsNot):
            return (a is None) == isinstance(op, ast.Is)
        if isinstance(op, ast.In | ast.NotIn):
            options = [self._piece(item, row) for item in right.elts]
            return None if a is None else (a in options) == isinstance(op, ast.In)
        b = self._piece(right, row)
        return None if a is None or b is None else _COMPARE[type(op)](a, b)

    def _called(self, name: str, arguments: list[ast.expr], row: Row) -> Any:
        if name == "working":
            times = [self._piece(part, row) for part in arguments]
            return None if None in times else Span(self._business(row, times[1]) - self._business(row, times[0]))
        values = [self._piece(part, row) for part in arguments]
        if name == "filled":
            return values[1] if values[0] is None else values[0]
        if values[0] is None:
            return None
        return values[0].lower() if name == "lower" else Span(values[0] * _SPANS[name])


@functools.cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def _rows(frame: pd.DataFrame) -> list[Row]:
    """Rows with Python's own values; what is missing, empty or no number is None."""
    return [{name: _cell(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _cell(value: Any) -> Any:
    if (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or value == ""
        or (isinstance(value, float) and math.isnan(value))
    ):
        return None
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def _time(value: Any) -> Any:
    """A day as its midnight, all else as it is."""
    return dt.datetime.combine(value, dt.time()) if type(value) is dt.date else value


def _wall(row: Row, time: dt.datetime) -> int:
    return whole(time)


def _one(holds: bool | None) -> int | None:
    return None if holds is None else int(holds)


def _on_grid(seconds: int, precision: float) -> int:
    """Steps of 2^(k - bits) between 2^k and 2^(k + 1), where 2^-bits is within the precision."""
    if not precision:
        return seconds
    bits = math.ceil(-math.log2(precision))
    return seconds - seconds % (1 << max(max(seconds, 1).bit_length() - 1 - bits, 0))


@functools.cache
def _names(text: str) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(_parsed(text)) if isinstance(node, ast.Name))


def _joined(both: bool, parts: list[bool | None]) -> bool | None:
    """Kleene's "and" (`both`) or "or"."""
    if (not both) in parts:
        return not both
    return None if None in parts else both


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}


def _summed(a: Any, sign: ast.operator, b: Any) -> Any:
    if a is None or b is None:
        return None
    if isinstance(a, dt.datetime):
        if isinstance(b, dt.datetime):
            return Span(whole(a) - whole(b))
        return a + dt.timedelta(seconds=b) if isinstance(sign, ast.Add) else a - dt.timedelta(seconds=b)
    match sign:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult():
            return a * b
        case ast.Div():
            return a / b if b else None
    raise NotImplementedError(type(sign).__name__)


# --- what follows from other rows ---


def _genuine(row: Row) -> bool:
    """A customer's own contact, as far as the data say."""
    noise = row.get("is_spam") or row.get("is_test") or row.get("merged_into") is not None
    return not noise and row.get("created_by") != "agent"


def _next(rows: list[Row], alike: Callable[[Row], tuple[Any, ...]], at: str, key: str) -> list[Any]:
    """`at` of the next row that is alike, in the order of `at` and then of `key`; empty where a like is missing."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(alike(row), []).append(row)
    after = {}
    for like, group in groups.items():
        group.sort(key=lambda row: (row[at] or dt.datetime(9999, 1, 1), row[key]))
        for row, later in zip(group, [*group[1:], {at: None}], strict=True):
            after[row[key]] = None if None in like else later[at]
    return [after[row[key]] for row in rows]


def _next_contact(study: Plain, rows: list[Row], *columns: str) -> list[Any]:
    return _next(rows, lambda row: (*(row[c] for c in columns), _genuine(row)), "opened_at", "ticket_id")


def _first(study: Plain, rows: list[Row], table: str, key: str, at: str) -> list[Any]:
    found: dict[Any, Any] = {}
    for row in study.rows(table) if table != "tickets" else rows:
        if row[at] is not None and row[key] is not None:
            found[row[key]] = min(found.get(row[key], row[at]), row[at])
    return [found.get(row["ticket_id"]) for row in rows]


def _priority(study: Plain, rows: list[Row], at: str) -> list[Any]:
    """The latest change up to `at`, else the first one after; of changes in one second the first word counts."""
    changes: dict[Any, list[Row]] = {}
    for change in study.rows("priority_changes"):
        if change["at"] is not None:
            changes.setdefault(change["ticket_id"], []).append(change)
    found = []
    for row in rows:
        mine = changes.get(row["ticket_id"], []) if row[at] is not None else []
        early = [change for change in mine if change["at"] <= row[at]]
        order = [(-whole(c["at"]) if early else whole(c["at"]), c["priority"]) for c in early or mine]
        found.append(min(order, key=lambda pair: (pair[0], pair[1] or "\U0010ffff"))[1] if order else None)
    return found


def _after_session(study: Plain, rows: list[Row]) -> list[Any]:
    opened: dict[Any, list[Any]] = {}
    for ticket in study.rows("tickets"):
        if _genuine(ticket) and ticket["opened_at"] is not None:
            opened.setdefault(ticket["customer_id"], []).append(ticket["opened_at"])

    def after(row: Row) -> Any:
        if row["customer_id"] is None or row["started_at"] is None:
            return None
        return min((at for at in opened.get(row["customer_id"], []) if at >= row["started_at"]), default=None)

    return [after(row) for row in rows]


_DERIVED: dict[str, dict[str, Callable[[Plain, list[Row]], list[Any]]]] = {
    "tickets": {
        "next_contact_at": lambda study, rows: _next_contact(study, rows, "customer_id"),
        "next_same_topic_at": lambda study, rows: _next_contact(study, rows, "customer_id", "topic"),
        "followed_up_at": lambda study, rows: _first(study, rows, "tickets", "follow_up_of", "opened_at"),
        "surveyed_at": lambda study, rows: _first(study, rows, "surveys", "ticket_id", "sent_at"),
        "priority_at_opened": lambda study, rows: _priority(study, rows, "opened_at"),
        "priority_at_reopened": lambda study, rows: _priority(study, rows, "reopened_at"),
    },
    "kb_sessions": {"next_contact_at": _after_session},
    "orders": {
        "next_order_at": lambda study, rows: _next(rows, lambda r: (r["customer_id"],), "ordered_at", "order_id")
    },
}
