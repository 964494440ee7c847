"""A study of any size for timing: two years of tickets with surveys, the same bytes for the same size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DAYS, AS_OF = 365, pd.Timestamp("2026-01-01")
CHANNELS = np.array(["email", "web", "phone", "chat", "social", "in_person", "self_service", "other"])
STUDY = """name = "bench"
time_zone = "Asia/Riyadh"
as_of = 2026-01-01T00:00:00Z
[targets]
first_reply_time = 14400
resolution_time = 259200
"""


def make_study(folder: Path, tickets: int, surveyed: float = 0.2) -> Path:
    """A study folder with `tickets` rows and answers from a share of them; left alone if it is already there."""
    if (folder / "study.toml").exists():
        return folder
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20260101)
    _write(_tickets(rng, tickets), folder / "tables" / "tickets.parquet")
    surveys, answers = _surveys(rng, tickets, int(tickets * surveyed))
    _write(surveys, folder / "tables" / "surveys.parquet")
    _write(answers, folder / "tables" / "survey_answers.parquet")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder


def _tickets(rng: np.random.Generator, n: int) -> dict[str, pa.Array]:
    opened = np.sort(rng.uniform(0, DAYS * 86_400, n))
    agent = rng.integers(0, 400, n)
    channel = rng.choice(8, n, p=[0.3, 0.15, 0.15, 0.2, 0.08, 0.04, 0.05, 0.03])
    speed = rng.normal(0, 0.4, 400)[agent] + rng.normal(0, 0.3, 8)[channel]
    reply = opened + np.exp(8.8 + speed + rng.normal(0, 1.2, n))
    solve = np.maximum(opened + np.exp(11.3 + speed + rng.normal(0, 1.5, n)), reply)
    reopen = np.where(rng.random(n) < 0.12, solve + rng.exponential(6 * 86_400, n), np.inf)
    text = rng.integers(0, 5000, n)
    return {
        "ticket_id": _names("t", np.arange(n)),
        "opened_at": _time(opened),
        "created_by": _words(["customer", "agent", "bot"], rng.choice(3, n, p=[0.9, 0.06, 0.04])),
        "channel": _words(list(CHANNELS), channel),
        "language": _words(["ar", "fa", "en"], rng.integers(0, 3, n)),
        "customer_id": _names("c", rng.integers(0, max(n // 5, 1), n)),
        "agent_id": _names("a", agent),
        "subject": pa.array([f"subject of kind {i}" for i in range(5000)]).take(pa.array(text)),
        "priority": _words(["low", "normal", "high", "urgent"], rng.integers(0, 4, n)),
        "status": _words(["open", "solved", "deleted"], np.where(rng.random(n) < 0.01, 2, (solve < DAYS * 86_400) * 1)),
        "first_replied_at": _time(reply),
        "first_solved_at": _time(solve),
        "reopened_at": _time(reopen),
        "closed_at": _time(solve + 20 * 86_400),
        "reopens": pa.array((reopen < DAYS * 86_400).astype(np.int64)),
        "escalated": pa.array(rng.random(n) < 0.07),
        "is_spam": pa.array(rng.random(n) < 0.03),
        "is_test": pa.array(rng.random(n) < 0.001),
        "merged_into": pa.array(np.where(rng.random(n) < 0.02, "t0", None)),
    }


def _surveys(rng: np.random.Generator, tickets: int, n: int) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    of = np.sort(rng.choice(tickets, n, replace=False))
    response = _names("r", np.arange(n))
    surveys = {
        "response_id": response,
        "ticket_id": _names("t", of),
        "answered_at": _time(of / tickets * DAYS * 86_400 + rng.exponential(3 * 86_400, n)),
    }
    items = (("csat", 1, 5), ("nps", 0, 10), ("ces", 1, 7))
    scale = [np.repeat(np.array([item[end] for item in items], dtype=float), n) for end in (1, 2)]
    answers = {
        "response_id": pa.concat_arrays([response] * 3),
        "item": _words([item for item, _, _ in items], np.repeat(np.arange(3), n)),
        "value": pa.array(np.concatenate([rng.integers(low, high + 1, n) for _, low, high in items]).astype(float)),
        "scale_min": pa.array(scale[0]),
        "scale_max": pa.array(scale[1]),
    }
    return surveys, answers


def _time(seconds: np.ndarray) -> pa.Array:
    """Seconds of the year as timestamps; what lies after its end has not happened."""
    known = seconds < DAYS * 86_400
    start = np.datetime64("2025-01-01", "us")
    micro = (np.where(known, seconds, 0) * 1e6).astype("timedelta64[us]")
    return pa.array(start + micro, mask=~known)


def _names(letter: str, number: np.ndarray) -> pa.Array:
    return pa.array(np.char.add(letter, number.astype(str)))


def _words(words: list[str], code: np.ndarray) -> pa.Array:
    return pa.array(words).take(pa.array(code))


def _write(columns: dict[str, pa.Array], file: Path) -> None:
    pq.write_table(pa.table(columns), file)
