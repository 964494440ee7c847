"""What an analyst may write as a condition, and its translation for the engine that holds the data.

A condition is one line such as `refund_days <= 3 and channel in ("email", "chat")`. It may hold columns, numbers,
strings, True and False; comparisons, also chained; `and`, `or`, `not`; `in` and `not in` with a list of constants;
`is None` and `is not None`; `+ - * /`; and the functions `days(n)`, `hours(n)`, `minutes(n)`, `lower(x)`. Two times
differ by a length of time, which is compared with `days(3)` or the like, or with a column of seconds. `as_of` is the
moment up to which the data count; `working(opened_at, first_replied_at)` is the open time between two timestamps on the
study's business clock; `filled(hold_seconds, 0)` stands for a column with a number in its empty cells.
`hours(1) if priority == "urgent" else hours(4)` chooses; where the condition is unknown, what follows `else`.

An empty cell makes a comparison unknown, neither true nor false: only `is None` and `is not None` ask about it.
Division by zero is unknown too. Nothing is ever evaluated by Python: each allowed piece becomes an Ibis expression,
everything else is refused by name.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import ibis
import ibis.expr.types as ir

from cxkit.errors import MeasureError, nearest

_LONGEST = 1000  # characters of a condition
_SPANS = {"days": 86_400, "hours": 3_600, "minutes": 60}
FUNCTIONS = (*_SPANS, "lower", "working", "filled")
AS_OF = "as_of"  # in a condition: the moment up to which the data count
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


@dataclass(frozen=True)
class _Span:
    """A length of time in seconds, as a number or as an expression."""

    seconds: Any

    @property
    def interval(self) -> ir.IntervalValue:
        if isinstance(self.seconds, ir.Value):
            return self.seconds.cast("float64").floor().as_interval("s")  # casts round as each engine likes
        return ibis.interval(seconds=round(self.seconds))


_Piece: TypeAlias = Any  # an Ibis value, or a _Span


def condition(text: str, table: ir.Table, name: str, as_of: ir.TimestampScalar | None = None) -> ir.BooleanValue:
    """The condition `text` on the rows of `table`; `name` is the table's name for messages.

    MeasureError says which column is missing (and the nearest one), or which piece is not allowed.
    """
    found = _Translator(text, table, name, as_of).piece(_parsed(text))
    if not isinstance(found, ir.BooleanValue):
        raise MeasureError("measure_not_condition", expression=text)
    return found


def numeric(text: str, table: ir.Table, name: str, as_of: ir.TimestampScalar | None = None) -> ir.NumericValue:
    """The number that `text` is in each row of `table`: a length of time in seconds, a yes as 1."""
    found = _Translator(text, table, name, as_of).piece(_parsed(text))
    if isinstance(found, _Span):
        found = found.seconds if isinstance(found.seconds, ir.Value) else ibis.literal(found.seconds)
    if isinstance(found, ir.BooleanValue):
        found = ibis.cases((found, 1), (~found, 0))
    if not isinstance(found, ir.NumericValue):
        raise MeasureError("measure_not_number", expression=text)
    return found


@functools.cache  # asked of the same few texts thousands of times for a report
def column_names(text: str) -> frozenset[str]:
    """Names of the columns that a condition reads; empty text reads none."""
    if not text:
        return frozenset()
    tree = _parsed(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called)
    return frozenset(names) - {AS_OF}


def clocked_names(text: str) -> frozenset[str]:
    """Names that stand inside `working(...)`: their place on the business clock is asked for."""
    if not text:
        return frozenset()
    calls = (node for node in ast.walk(_parsed(text)) if isinstance(node, ast.Call))
    working = (node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "working")
    return frozenset(part.id for node in working for part in node.args if isinstance(part, ast.Name))


def open_place(column: str) -> str:
    """Name of the column that holds the place of timestamp `column` on the business clock, in open seconds."""
    return f"cx_open_{column}"


def canonical(text: str) -> str:
    """The condition in one spelling, so that blanks, quotes and brackets do not change a definition's hash."""
    return ast.unparse(_parsed(text)) if text else ""


def known_column(column: str, known: Sequence[str], table: str) -> str:
    """`column`, if the table has it; otherwise MeasureError with the nearest name."""
    if column not in known:
        near = nearest(column, known) or "-"
        raise MeasureError("measure_no_column", column=column, table=table, near=near, known=", ".join(sorted(known)))
    return column


@functools.lru_cache(maxsize=512)
def _parsed(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise MeasureError("measure_too_long", expression=text[:60], n=len(text), most=_LONGEST)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise MeasureError("measure_syntax", expression=text) from error


class _Translator:
    """Turns the pieces of one condition into Ibis expressions, innermost first."""

    def __init__(self, text: str, table: ir.Table, name: str, as_of: ir.TimestampScalar | None) -> None:
        self.text, self.table, self.name, self.as_of = text, table, name, as_of

    def piece(self, node: ast.expr) -> _Piece:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name(id=name):
                return self._named(name)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return ~self._yes_no(inner)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return self.piece(ast.Constant(-number))
            case ast.BoolOp(op=joined, values=parts):
                join = operator.and_ if isinstance(joined, ast.And) else operator.or_
                return functools.reduce(join, (self._yes_no(part) for part in parts))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                lefts = [left, *rights[:-1]]
                pairs = [self._compared(a, op, b) for a, op, b in zip(lefts, ops, rights, strict=True)]
                return functools.reduce(operator.and_, pairs)
            case ast.BinOp(left=left, op=sign, right=right):
                return self._sum(node, self.piece(left), sign, self.piece(right))
            case ast.IfExp(test=test, body=chosen, orelse=other):
                return self._either(test, chosen, other)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return self._called(node, name, arguments)
        raise self._refused(node)

    def _constant(self, node: ast.Constant) -> ir.Value:
        match node.value:
            case bool() | str():
                return ibis.literal(node.value)
            case int() | float() as number if abs(number) < 1e15:
                return ibis.literal(number)
        raise self._refused(node)

    def _named(self, name: str) -> ir.Value:
        if name == AS_OF and self.as_of is not None:
            return self.as_of
        column = self.table[known_column(name, self.table.columns, self.name)]
        return column.cast("timestamp(6)") if column.type().is_date() else column  # a day is its midnight

    def _either(self, test: ast.expr, chosen: ast.expr, other: ast.expr) -> _Piece:
        """The piece `chosen` where `test` holds, `other` elsewhere, also where `test` is unknown."""
        holds, a, b = self._yes_no(test).fill_null(False), self.piece(chosen), self.piece(other)
        if _sort(a) != _sort(b) or _sort(a) == "other":
            raise self._mismatch(chosen, other)
        if isinstance(a, _Span):
            return _Span(ibis.cases((holds, a.seconds), else_=b.seconds))
        return ibis.cases((holds, a), else_=b)

    def _yes_no(self, node: ast.expr) -> ir.BooleanValue:
        found = self.piece(node)
        if not isinstance(found, ir.BooleanValue):
            raise MeasureError("measure_not_condition", expression=ast.unparse(node))
        return found

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> ir.BooleanValue:
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise self._refused(right)
            empty = self._plain(left).isnull()
            return empty if isinstance(op, ast.Is) else ~empty
        if isinstance(op, ast.In | ast.NotIn):
            inside = self._listed(left, right)
            return inside if isinstance(op, ast.In) else ~inside
        a, b = self.piece(left), self.piece(right)
        if _sort(a) == "span" or _sort(b) == "span":
            a, b = self._seconds(a, left), self._seconds(b, right)
        if _sort(a) != _sort(b) or _sort(a) == "other":
            raise self._mismatch(left, right)
        return _COMPARE[type(op)](a, b)

    def _listed(self, left: ast.expr, right: ast.expr) -> ir.BooleanValue:
        if not isinstance(right, ast.Tuple | ast.List | ast.Set):
            raise self._refused(right)
        value, options = self._plain(left), [self._plain(item) for item in right.elts]
        for option, item in zip(options, right.elts, strict=True):
            if not isinstance(item, ast.Constant | ast.UnaryOp):
                raise self._refused(item)
            if _sort(option) != _sort(value):
                raise self._mismatch(left, item)
        return value.isin(options)

    def _sum(self, node: ast.BinOp, a: _Piece, sign: ast.operator, b: _Piece) -> _Piece:
        sorts = (_sort(a), _sort(b))
        if sorts == ("number", "number") and isinstance(sign, ast.Div):
            return a / b.nullif(0)
        if sorts == ("number", "number") and type(sign) in _ARITHMETIC:
            return _ARITHMETIC[type(sign)](a, b)
        if sorts == ("time", "time") and isinstance(sign, ast.Sub):
            return _Span(seconds_between(b, a))
        if isinstance(sign, ast.Add | ast.Sub) and isinstance(b, _Span):
            if isinstance(a, _Span):
                return _Span(_ARITHMETIC[type(sign)](a.seconds, b.seconds))
            if sorts[0] == "time":
                return _ARITHMETIC[type(sign)](a, b.interval)
        if not isinstance(sign, ast.Add | ast.Sub | ast.Mult | ast.Div):
            raise self._refused(node)
        raise self._mismatch(node.left, node.right)

    def _called(self, node: ast.Call, name: str, arguments: list[ast.expr]) -> _Piece:
        match name, arguments:
            case "working", [ast.Name(id=start), ast.Name(id=stop)]:
                return _Span(self._place(stop) - self._place(start))
            case "filled", [argument, ast.Constant() as other]:
                return self._filled(argument, other)
            case "lower", [argument]:
                text = self.piece(argument)
                if isinstance(text, ir.StringValue):
                    return text.lower()
            case _, [ast.Constant(value=int() | float() as number)] if name in _SPANS and not isinstance(number, bool):
                return _Span(number * _SPANS[name])
            case _, [argument] if name in _SPANS:
                value = self.piece(argument)
                if _sort(value) == "number":
                    return _Span(value * _SPANS[name])
        raise self._refused(node)

    def _place(self, column: str) -> ir.IntegerValue:
        """The place of a timestamp on the business clock, which the source of the rows has looked up."""
        if column != AS_OF:
            known_column(column, self.table.columns, self.name)
        if open_place(column) not in self.table.columns:
            raise MeasureError("measure_no_clock", expression=self.text, column=column)
        return self.table[open_place(column)]

    def _filled(self, argument: ast.expr, other: ast.Constant) -> ir.Value:
        value, filling = self._plain(argument), self._plain(other)
        if _sort(value) != _sort(filling):
            raise self._mismatch(argument, other)
        return value.fill_null(filling)

    def _plain(self, node: ast.expr) -> ir.Value:
        found = self.piece(node)
        if isinstance(found, _Span):
            raise self._refused(node)
        return found

    def _seconds(self, found: _Piece, node: ast.expr) -> ir.NumericValue:
        """A length of time, or a column of seconds, as a number of seconds."""
        if isinstance(found, _Span):
            return found.seconds if isinstance(found.seconds, ir.Value) else ibis.literal(found.seconds)
        if _sort(found) == "number" and not isinstance(node, ast.Constant):
            return found
        raise MeasureError("measure_needs_unit", expression=self.text, found=ast.unparse(node))

    def _refused(self, node: ast.AST) -> MeasureError:
        return MeasureError("measure_not_allowed", expression=self.text, found=ast.unparse(node)[:80])

    def _mismatch(self, left: ast.expr, right: ast.expr) -> MeasureError:
        return MeasureError(
            "measure_mismatch", expression=self.text, left=ast.unparse(left)[:80], right=ast.unparse(right)[:80]
        )


def seconds_between(start: ir.TimestampValue, stop: ir.TimestampValue) -> ir.IntegerValue:
    """Whole seconds from `start` to `stop`: both are cut to the second, the same on every engine."""
    return whole_second(stop) - whole_second(start)


def whole_second(time: ir.TimestampValue) -> ir.IntegerValue:
    """Seconds since 1970, the fraction cut off; some engines would keep it, and call it a whole number all the same."""
    return time.epoch_seconds().cast("float64").floor()


def _sort(found: _Piece) -> str:
    """The sort of thing that may be compared with its like."""
    sorts: tuple[tuple[type, str], ...] = (
        (_Span, "span"),
        (ir.BooleanValue, "yes-no"),
        (ir.NumericValue, "number"),
        (ir.StringValue, "text"),
        (ir.TimestampValue, "time"),
    )
    return next((sort for kind, sort in sorts if isinstance(found, kind)), "other")
