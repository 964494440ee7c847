"""A study of any size for timing: one year of a service in tables of the contract, the same rows for the same size.

Tables are written piece by piece, so that ten million tickets need no more memory than half a million.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

DAYS, PIECE = 365, 500_000
YEAR = DAYS * 86_400
AGENTS, TOPICS = 400, 12
CHANNELS = ["email", "web", "phone", "chat", "social", "in_person", "self_service", "other"]
CHANNEL_SHARES = [0.3, 0.15, 0.15, 0.2, 0.08, 0.04, 0.05, 0.03]
PRIORITIES = ["low", "normal", "high", "urgent"]
STUDY = """name = "bench"
time_zone = "Asia/Riyadh"
as_of = 2026-01-01T00:00:00Z
[targets]
first_reply_time = 14400
resolution_time = 259200
"""

Columns = dict[str, pa.Array]
Make = Callable[[np.random.Generator, int, int, int], Columns]  # first row, rows of the piece, all rows -> columns


def make_study(folder: Path, tickets: int) -> Path:
    """A study folder with `tickets` tickets and what belongs to them; left alone if it is already there."""
    if (folder / "study.toml").exists():
        return folder
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    customers = max(tickets // 5, 1)
    plan: dict[str, tuple[Make, int]] = {
        "tickets": (_tickets, tickets),
        "surveys": (_surveys, tickets * 2 // 5),
        "survey_answers": (_answers, tickets * 2 // 5),
        "calls": (_calls, tickets // 5),
        "priority_changes": (_priority_changes, tickets),
        "customers": (_customers, customers),
        "orders": (_orders, tickets),
        "kb_sessions": (_kb_sessions, tickets * 3 // 5),
        "qa_reviews": (_qa_reviews, tickets // 50),
        "agents": (_agents, AGENTS),
        "costs": (_costs, 12 * len(CHANNELS) * 4),
    }
    for name, (make, rows) in plan.items():
        _write(folder / "tables" / f"{name}.parquet", _pieces(name, make, rows))
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder


def _pieces(name: str, make: Make, rows: int) -> Iterator[Columns]:
    for piece, first in enumerate(range(0, rows, PIECE)):
        seed = np.random.default_rng([20260101, piece, *name.encode()])
        yield make(seed, first, min(PIECE, rows - first), rows)


def _write(file: Path, pieces: Iterator[Columns]) -> None:
    writer = None
    for columns in pieces:
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table, row_group_size=131_072)
    if writer:
        writer.close()


def _opened(rng: np.random.Generator, first: int, n: int, rows: int) -> np.ndarray:
    """Seconds of the year at which rows `first` and following arrive: evenly, in their order."""
    return np.sort(rng.uniform(first, first + n, n)) / rows * YEAR


def _tickets(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    opened = _opened(rng, first, n, rows)
    agent, channel = rng.integers(0, AGENTS, n), rng.choice(8, n, p=CHANNEL_SHARES)
    ease = np.random.default_rng(7)
    speed = ease.normal(0, 0.4, AGENTS)[agent] + ease.normal(0, 0.3, 8)[channel]
    assigned = opened + rng.exponential(1800, n)
    reply = assigned + np.exp(8.6 + speed + rng.normal(0, 1.2, n))
    solve = np.maximum(opened + np.exp(11.3 + speed + rng.normal(0, 1.5, n)), reply)
    back = rng.random(n) < 0.12
    reopen = np.where(back, solve + rng.exponential(6 * 86_400, n), np.inf)
    final = np.where(back, reopen + rng.exponential(86_400, n), solve)
    final = np.where(reopen < YEAR, final, solve)
    closed = final + 20 * 86_400
    bot = rng.random(n) < 0.04
    stations = 1 + rng.poisson(0.3, n)
    follows = np.where(rng.random(n) < 0.03, np.maximum(np.arange(first, first + n) - rng.integers(1, 5000, n), 0), -1)
    state = np.select([rng.random(n) < 0.01, closed < YEAR, final < YEAR], [3, 2, 1], 0)
    return {
        "ticket_id": _names("t", np.arange(first, first + n)),
        "opened_at": _time(opened),
        "created_by": _words(["customer", "agent", "bot"], rng.choice(3, n, p=[0.9, 0.06, 0.04])),
        "channel": _words(CHANNELS, channel),
        "language": _words(["ar", "fa", "en"], rng.integers(0, 3, n)),
        "customer_id": _names("c", rng.integers(0, max(rows // 5, 1), n)),
        "agent_id": _names("a", agent),
        "team": _words([f"team {i}" for i in range(10)], agent % 10),
        "topic": _words([f"topic {i}" for i in range(TOPICS)], rng.integers(0, TOPICS, n)),
        "subject": _words([f"subject of kind {i}" for i in range(5000)], rng.integers(0, 5000, n)),
        "priority": _words(PRIORITIES, rng.integers(0, 4, n)),
        "status": _words(["open", "solved", "closed", "deleted"], state),
        "first_assigned_at": _time(assigned),
        "first_replied_at": _time(np.where(bot, np.inf, reply)),
        "first_solved_at": _time(solve),
        "solved_at": _time(np.where((reopen < YEAR) & (final >= YEAR), np.inf, final)),
        "reopened_at": _time(reopen),
        "closed_at": _time(closed),
        "reopens": pa.array((reopen < YEAR).astype(np.int64)),
        "replies": pa.array(1 + rng.poisson(1.1, n)),
        "agent_stations": pa.array(stations),
        "group_stations": pa.array(np.maximum(stations - 1, 1)),
        "touch_seconds": pa.array(np.floor(np.exp(6 + speed + rng.normal(0, 0.8, n)))),
        "pending_seconds": pa.array(np.floor((rng.random(n) < 0.4) * rng.exponential(36_000, n))),
        "follow_up_of": _names("t", follows, follows < 0),
        "solved_first_contact": pa.array(rng.random(n) < 0.7),
        "resolvable": pa.array(rng.random(n) < 0.93),
        "bot_only": pa.array(bot),
        "escalated": pa.array(rng.random(n) < 0.07),
        "is_spam": pa.array(rng.random(n) < 0.03),
        "is_test": pa.array(rng.random(n) < 0.001),
        "merged_into": _names("t", np.where(rng.random(n) < 0.02, 0, -1), None),
    }


def _asked(n: int, first: int) -> np.ndarray:
    """The tickets whose customers were asked: two in five."""
    place = np.arange(first, first + n)
    return place * 5 // 2


def _answered(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.random(n) < 0.4


def _survey_times(first: int, n: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When each was asked, looked, and answered (never: infinite); the same for surveys and their answers."""
    rng = np.random.default_rng([99, first])
    sent = (_asked(n, first) + 0.5) / (rows * 5 / 2) * YEAR + rng.exponential(2 * 86_400, n)
    viewed = np.where(rng.random(n) < 0.6, sent + rng.exponential(86_400, n), np.inf)
    return sent, viewed, np.where(rng.random(n) < 0.5, viewed + rng.exponential(3600, n), np.inf)


def _surveys(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    sent, viewed, answered = _survey_times(first, n, rows)
    return {
        "response_id": _names("r", np.arange(first, first + n)),
        "ticket_id": _names("t", _asked(n, first)),
        "sent_at": _time(sent),
        "viewed_at": _time(viewed),
        "answered_at": _time(answered),
        "finished": pa.array(answered < YEAR),
    }


def _answers(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    """Three questions for each who answered."""
    who = np.flatnonzero(_survey_times(first, n, rows)[2] < YEAR)
    items = (("csat", 1, 5), ("nps", 0, 10), ("ces", 1, 7))
    scale = [np.repeat(np.array([item[end] for item in items], dtype=float), len(who)) for end in (1, 2)]
    given = [rng.integers(low, high + 1, len(who)) for _, low, high in items]
    return {
        "response_id": pa.chunked_array([_names("r", first + who)] * 3).combine_chunks(),
        "item": _words([item for item, _, _ in items], np.repeat(np.arange(3), len(who))),
        "value": pa.array(np.concatenate(given).astype(float)),
        "scale_min": pa.array(scale[0]),
        "scale_max": pa.array(scale[1]),
    }


def _calls(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    arrived, wait = _opened(rng, first, n, rows), np.floor(rng.exponential(60, n))
    answered = rng.random(n) < np.exp(-wait / 600)
    talk, hold, wrap = (np.where(answered, np.floor(rng.gamma(2, mean / 2, n)), 0) for mean in (240, 20, 60))
    agent = rng.integers(0, AGENTS, n)
    return {
        "call_id": _names("k", np.arange(first, first + n)),
        "arrived_at": _time(arrived),
        "queue": _words(["sales", "support"], rng.integers(0, 2, n)),
        "ivr_seconds": pa.array(np.floor(rng.exponential(20, n))),
        "wait_seconds": pa.array(wait),
        "talk_seconds": pa.array(talk),
        "hold_seconds": pa.array(hold),
        "wrap_seconds": pa.array(wrap),
        "outcome": _words(["answered", "abandoned"], np.where(answered, 0, 1)),
        "transferred": pa.array(answered & (rng.random(n) < 0.08)),
        "agent_id": _names("a", np.where(answered, agent, -1), ~answered),
        "customer_id": _names("c", rng.integers(0, rows, n)),
        "ended_at": _time(arrived + wait + talk + hold),
    }


def _priority_changes(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    """The first priority of each ticket, at its opening or soon after."""
    return {
        "ticket_id": _names("t", np.arange(first, first + n)),
        "at": _time((np.arange(first, first + n) + 0.5) / rows * YEAR),
        "priority": _words(PRIORITIES, rng.integers(0, 4, n)),
    }


def _customers(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    since = rng.integers(-700, DAYS, n)
    left = since + rng.exponential(900, n).astype(int) + 1
    return {
        "customer_id": _names("c", np.arange(first, first + n)),
        "since_on": _day(since),
        "left_on": _day(left, left >= DAYS),
        "language": _words(["ar", "fa", "en"], rng.integers(0, 3, n)),
        "segment": _words(["private", "business"], rng.integers(0, 2, n)),
    }


def _orders(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    return {
        "order_id": _names("o", np.arange(first, first + n)),
        "customer_id": _names("c", rng.integers(0, max(rows // 5, 1), n)),
        "ordered_at": _time(_opened(rng, first, n, rows)),
        "amount": pa.array(np.round(rng.lognormal(4, 0.8, n), 2)),
        "currency": _words(["SAR"], np.zeros(n, dtype=int)),
        "channel": _words(["app", "web", "store"], rng.integers(0, 3, n)),
    }


def _kb_sessions(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    started = _opened(rng, first, n, rows)
    return {
        "session_id": _names("s", np.arange(first, first + n)),
        "customer_id": _names("c", rng.integers(0, max(rows // 3, 1), n)),
        "started_at": _time(started),
        "ended_at": _time(started + rng.exponential(200, n)),
        "language": _words(["ar", "fa", "en"], rng.integers(0, 3, n)),
        "articles": pa.array(rng.poisson(2, n)),
        "searches": pa.array(rng.poisson(1, n)),
    }


def _qa_reviews(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    place = np.arange(first, first + n)
    return {
        "review_id": _names("q", place),
        "ticket_id": _names("t", place * 50),
        "reviewer_id": _names("w", rng.integers(0, 20, n)),
        "reviewed_at": _time((place + 0.5) / rows * YEAR + 5 * 86_400),
        "score_share": pa.array(np.round(rng.beta(8, 2, n), 2)),
        "sampling_weight": pa.array(np.full(n, 50.0)),
    }


def _agents(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    return {
        "agent_id": _names("a", np.arange(first, first + n)),
        "team": _words([f"team {i}" for i in range(10)], np.arange(first, first + n) % 10),
        "tier": pa.array(1 + np.arange(first, first + n) % 3),
        "started_on": _day(rng.integers(-900, 0, n)),
    }


def _costs(rng: np.random.Generator, first: int, n: int, rows: int) -> Columns:
    month, channel, kind = np.unravel_index(np.arange(first, first + n), (12, len(CHANNELS), 4))
    return {
        "booked_on": _day(month * 30 + 14),
        "kind": _words(["staff", "tools", "training", "other"], kind),
        "channel": _words(CHANNELS, channel),
        "amount": pa.array(np.round(rng.lognormal(9, 0.5, n), 2)),
        "currency": _words(["SAR"], np.zeros(n, dtype=int)),
    }


def _time(seconds: np.ndarray) -> pa.Array:
    """Seconds of the year as timestamps; what lies after its end has not happened."""
    known = seconds < YEAR
    micro = (np.where(known, seconds, 0) * 1e6).astype("timedelta64[us]")
    return pa.array(np.datetime64("2025-01-01", "us") + micro, mask=~known)


def _day(number: np.ndarray, empty: np.ndarray | None = None) -> pa.Array:
    return pa.array(np.datetime64("2025-01-01", "D") + number.astype("timedelta64[D]"), mask=empty)


def _names(letter: str, number: np.ndarray, empty: np.ndarray | None = None) -> pa.Array:
    """`t17` for 17; a negative number has no name."""
    text = pa.array(number, mask=number < 0 if empty is None else empty).cast(pa.string())
    return pc.binary_join_element_wise(letter, text, "")


def _words(words: list[str], code: np.ndarray) -> pa.Array:
    return pa.array(words).take(pa.array(code))
