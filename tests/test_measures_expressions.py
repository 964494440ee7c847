"""What a condition may say, what it means where cells are empty, and how everything else is refused."""

from __future__ import annotations

import ast
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import small_study

from cxkit.errors import MeasureError
from cxkit.lang import LANGS
from cxkit.measures.expressions import canonical, column_names, condition

START = pd.Timestamp("2026-03-01 10:00")


@pytest.fixture(scope="module")
def tickets(tmp_path_factory):
    """Four tickets, the last with empty cells."""
    frame = pd.DataFrame(
        {
            "refund_days": [1.0, 3.0, 5.0, np.nan],
            "channel": ["email", "chat", "EMAIL", None],
            "escalated": pd.array([True, False, True, None], dtype="boolean"),
            "wait_seconds": [30, 120, 600, 0],
            "opened_at": [START] * 4,
            "solved_at": [START + pd.Timedelta(days=d) for d in (1, 2, 3)] + [pd.NaT],
        }
    )
    return small_study(tmp_path_factory.mktemp("expressions"), "2026-04-01", {"tickets": frame}).table("tickets")


def truths(text, table):
    """True, False or None for each row."""
    found = table.select(found=condition(text, table, "tickets")).to_pyarrow()
    return found["found"].to_pylist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("refund_days <= 3", [True, True, False, None]),
        ("not refund_days <= 3", [False, False, True, None]),
        ("1 < refund_days < 5", [False, True, False, None]),
        ("refund_days == -1 or refund_days != 3", [True, False, True, None]),
        ("refund_days is None", [False, False, False, True]),
        ("refund_days is not None", [True, True, True, False]),
        ("escalated", [True, False, True, None]),
        ("escalated == True and refund_days > 2", [False, False, True, None]),
        ("escalated or refund_days is None", [True, False, True, True]),
        ("escalated and channel is not None", [True, False, True, False]),
        ("channel in ('email', 'chat')", [True, True, False, None]),
        ("channel not in ['email']", [False, True, True, None]),
        ("lower(channel) == 'email'", [True, False, True, None]),
        ("refund_days * 2 + 1 >= 7", [False, True, True, None]),
        ("10 / (refund_days - 3) > 0", [False, None, True, None]),
        ("solved_at - opened_at <= days(2)", [True, True, False, None]),
        ("solved_at > opened_at + hours(48)", [False, False, True, None]),
        ("solved_at - days(1) == opened_at", [True, False, False, None]),
        ("solved_at > opened_at + days(refund_days)", [False, False, False, None]),
        ("solved_at - opened_at == days(1) + hours(24)", [False, True, False, None]),
        ("wait_seconds <= minutes(2)", [True, True, False, True]),
        ("minutes(10) <= wait_seconds", [False, False, True, False]),
        ("(1 if refund_days > 3 else 2) == 2", [True, True, False, True]),
        ("solved_at - opened_at <= (days(1) if refund_days <= 1 else days(2))", [True, True, False, None]),
    ],
)
def test_conditions_mean_what_they_say_and_empty_cells_are_unknown(tickets, text, expected):
    """Expected answers written by hand; None is neither true nor false, as in SQL (Kleene)."""
    assert truths(text, tickets) == expected


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("__import__('os').system('true')", "__import__('os').system('true')"),
        ("channel.upper() == 'A'", "channel.upper()"),
        ("eval('1') == 1", "eval('1')"),
        ("[c for c in channel] == channel", "[c for c in channel]"),
        ("(lambda: True)()", "(lambda: True)()"),
        ("channel[0] == 'e'", "channel[0]"),
        ("f'{channel}' == 'e'", "f'{channel}'"),
        ("refund_days ** 9 > 1", "refund_days ** 9"),
        ("{1: 2}[refund_days] > 1", "{1: 2}[refund_days]"),
        ("(x := 3) > 1", "(x := 3)"),
        ("channel == b'email'", "b'email'"),
        ("refund_days == None", "None"),
        ("channel in other", "other"),
        ("refund_days > 9999999999999999999", "9999999999999999999"),
        ("days(refund_days, 2) > days(1)", "days(refund_days, 2)"),
        ("days('3') > days(1)", "days('3')"),
        ("lower(refund_days) == 'a'", "lower(refund_days)"),
    ],
)
def test_nothing_else_is_read_and_the_refusal_names_the_piece(tickets, text, piece):
    with pytest.raises(MeasureError) as refused:
        condition(text, tickets, "tickets")
    assert refused.value.text("en") == (
        f"The condition “{text}” holds “{piece}”, which is not allowed. Allowed are columns, numbers, texts, "
        "comparisons, and, or, not, in, is None, + - * /, a if b else c, and days(n), hours(n), minutes(n), lower(x), "
        "filled(x, 0), working(from, to)."
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "refund_day <= 3",
            "tickets has no column refund_day (did you mean refund_days?). It has: channel, escalated, opened_at, "
            "refund_days, solved_at, wait_seconds.",
        ),
        (
            "refund_days <=",
            "The condition “refund_days <=” cannot be read. Write it like "
            'channel == "email" and refund_days <= 3.',
        ),
        ("refund_days + 1", "“refund_days + 1” is not a condition: it is neither true nor false."),
        ("not channel", "“channel” is not a condition: it is neither true nor false."),
        (
            "refund_days <= '3'",
            "The condition “refund_days <= '3'” sets “refund_days” against “'3'”, but they are of different types.",
        ),
        (
            "opened_at + refund_days > solved_at",
            "The condition “opened_at + refund_days > solved_at” sets “opened_at” against “refund_days”, but they "
            "are of different types.",
        ),
        (
            "solved_at - opened_at <= 3",
            "The condition “solved_at - opened_at <= 3” sets a length of time against “3”; write it with its unit, "
            "like days(3), hours(4) or minutes(10).",
        ),
    ],
)  # fmt: skip
def test_refusals_say_what_to_change(tickets, text, sentence):
    with pytest.raises(MeasureError) as refused:
        condition(text, tickets, "tickets")
    assert refused.value.text("en") == sentence
    assert all(refused.value.text(lang) for lang in LANGS)


def test_very_long_and_very_deep_conditions_are_refused(tickets):
    for text in ("escalated or " * 100 + "escalated", "(" * 400 + "escalated" + ")" * 400):
        with pytest.raises(MeasureError):
            condition(text, tickets, "tickets")


def test_text_with_quotes_stays_text(tickets):
    """A quote in a constant must not end the engine's own text."""
    assert truths("""channel == "e'mail; drop table tickets --" """, tickets) == [False, False, False, None]


def test_columns_of_a_condition_are_its_names_without_functions():
    assert column_names("lower(channel) == 'days' and opened_at + days(3) > solved_at") == {
        "channel",
        "opened_at",
        "solved_at",
    }
    assert column_names("") == frozenset()


def test_blanks_quotes_and_brackets_do_not_change_a_condition():
    assert canonical('(channel=="email")  and(a<3)') == canonical("channel == 'email' and a < 3")


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_a_refusal_and_nothing_else(tickets, text):
    with suppress(MeasureError):
        assert condition(text, tickets, "tickets").type().is_boolean()


@given(st.recursive(st.sampled_from(["escalated", "refund_days <= 3", "channel is None"]), lambda inner: st.one_of(
    st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda t: f"({''.join(t)})"),
    inner.map(lambda t: f"(not {t})"),
), max_leaves=8))  # fmt: skip
def test_and_or_not_follow_kleene(tickets, text):
    """Against a table of three-valued logic written here."""
    cells = [(True, True, False), (False, True, False), (True, False, False), (None, None, True)]
    names = ("escalated", "refund_days <= 3", "channel is None")
    assert truths(text, tickets) == [
        _kleene(ast.parse(text, mode="eval").body, dict(zip(names, row, strict=True))) for row in cells
    ]


def _kleene(node, facts):
    if isinstance(node, ast.BoolOp):
        parts = [_kleene(part, facts) for part in node.values]
        decisive = isinstance(node.op, ast.Or)
        return decisive if decisive in parts else None if None in parts else not decisive
    if isinstance(node, ast.UnaryOp):
        inner = _kleene(node.operand, facts)
        return None if inner is None else not inner
    return facts[ast.unparse(node)]
