"""Asterisk's queue_log: one line an event, gathered into one row per visit of a caller to a queue."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cxkit.errors import IntakeError
from cxkit.intake.account import Rejected
from cxkit.intake.decode import decode
from cxkit.intake.source import Source
from cxkit.lang import Sentence

# Where each event keeps the wait, the talk (both in seconds) and the way the visit ended; fields after the event's
# name count from 1. From docs.asterisk.org, Queue Logs; ATTENDEDTRANSFER has no fixed fields, so its times are taken
# from the clock. RINGNOANSWER and SYSCOMPAT say nothing about the caller's visit. The writing after a call is a pause
# of the agent with a reason of its own (PauseQueueMember puts the reason into the log).
_WAIT = {
    "CONNECT": 1,
    "COMPLETEAGENT": 1,
    "COMPLETECALLER": 1,
    "ABANDON": 3,
    "EXITWITHTIMEOUT": 3,
    "EXITWITHKEY": 4,
    "EXITEMPTY": 3,
    "TRANSFER": 3,
    "BLINDTRANSFER": 3,
}
_TALK = {"COMPLETEAGENT": 2, "COMPLETECALLER": 2, "TRANSFER": 4, "BLINDTRANSFER": 4}
_MOVED = ("TRANSFER", "BLINDTRANSFER", "ATTENDEDTRANSFER")
_ENDED = {
    "COMPLETEAGENT": "answered",
    "COMPLETECALLER": "answered",
    "AGENTDUMP": "answered",
    **dict.fromkeys(_MOVED, "answered"),
    "ABANDON": "abandoned",
    "EXITWITHTIMEOUT": "timed_out",
    "EXITWITHKEY": "other",
    "EXITEMPTY": "other",
    "FULL": "other",
    "JOINEMPTY": "other",
    "JOINUNAVAIL": "other",
    "LEAVEEMPTY": "other",
    "LEAVEUNAVAIL": "other",
}
_PAUSES = ("PAUSE", "UNPAUSE")
_WRAP_REASONS = ("wrapup", "wrap", "acw", "aftercall", "aftercallwork")
_WRAP_WITHIN = 30  # seconds after the call in which such a pause must begin
_CALL = {"ENTERQUEUE", "CONNECT", "RINGNOANSWER", "RINGCANCELED", "SYSCOMPAT", *_ENDED}
_NO_CALL = {"", "NONE", "REALTIME", "MANAGER"}
_LINE = re.compile(r"\d{9,10}(\.\d+)?\|[^|]*\|[^|]*\|[^|]*\|[A-Z]+(\||$)")
HEADERS = ("visit", "queue", "arrived", "ended", "wait", "talk", "wrap", "outcome", "transferred", "member")


def looks_like_queue_log(text: str) -> bool:
    """Whether the first lines of `text` are events of a queue_log."""
    lines = [line for line in text.splitlines()[:20] if line.strip()]
    return bool(lines) and sum(bool(_LINE.match(line)) for line in lines) > len(lines) / 2


def read_queue_log(raw: bytes, file: str, encoding: str | None = None) -> Source:
    """The visits of a queue_log as text columns (`HEADERS`), in the order in which they began.

    A visit is one stay of one caller in one queue: a caller who is sent on to another queue makes two, the second named
    with /2. A visit whose beginning is not in the log gets it from the times of its later events; one that is not ended
    in the log has no end, and no outcome unless an agent has taken it. Lines that are no event of a call are rejected
    and counted.
    """
    decoded = decode(raw, file, encoding)
    lines = [line.rstrip("\r") for line in decoded.text.split("\n")]
    rows = np.array([i for i, line in enumerate(lines, 1) if line.strip()], dtype=np.int64)
    if not len(rows):
        raise IntakeError("intake_empty_file", file=file)
    events, rejected = _events([lines[i - 1] for i in rows], rows)
    if len(events) == 0:
        raise IntakeError("intake_no_queue_events", file=file)
    events = _visits(events)
    visits = _gathered(events)
    cells = pa.table(
        {str(i): pa.array(visits[name].fillna("").astype(str), pa.string()) for i, name in enumerate(HEADERS)}
    )
    notes = [*decoded.notes, *_notes(visits)]
    begun = events.groupby("visit")["row"].transform("first").to_numpy()
    lines_of = (events["row"].to_numpy(), begun)
    return Source(
        file,
        decoded.encoding,
        "|",
        HEADERS,
        cells,
        visits["row"].to_numpy(),
        len(rows),
        rejected,
        notes,
        lines_of=lines_of,
    )


def _events(lines: list[str], rows: NDArray[np.int64]) -> tuple[pd.DataFrame, list[Rejected]]:
    """The events of calls, one row each, and the lines that are none."""
    parts = [line.split("|") for line in lines]
    fields = [(p + [""] * 10)[:10] for p in parts]
    names = ["time", "call", "queue", "member", "event", "1", "2", "3", "4", "5"]
    frame = pd.DataFrame(fields, columns=names, dtype="str").apply(lambda column: column.str.strip())
    frame["row"] = rows
    time = pd.to_numeric(frame["time"], errors="coerce")
    whole = (np.array([len(p) for p in parts]) >= 5) & time.between(1e8, 9.9e9).to_numpy()
    frame["time"] = time
    frame["call"] = _with_wraps(frame)
    known = frame["event"].isin({*_CALL, *_PAUSES}).to_numpy()
    call = known & ~frame["call"].isin(_NO_CALL).to_numpy()
    rejected = [("not_an_event", ~whole), ("not_a_call", whole & ~call)]
    return frame[whole & call].reset_index(drop=True), [
        Rejected.of(rule, rows[mask]) for rule, mask in rejected if mask.any()
    ]


def _with_wraps(frame: pd.DataFrame) -> pd.Series:
    """The call of each event, where a pause for writing, and its end, belong to the call that the agent ended last.

    A pause in several queues is one line for each of them: the first one counts.
    """
    acts = frame[frame["event"].isin({*_ENDED, *_PAUSES}) & ~frame["member"].isin(_NO_CALL)]
    pause = acts["event"].isin(_PAUSES)
    acts = acts[~(pause & acts.duplicated(["member", "event", "time"]))]
    before = acts.groupby("member")[["event", "call", "time"]].shift()
    reason = acts["1"].str.lower().str.replace(r"[^a-z]", "", regex=True)
    soon = (acts["time"] - before["time"]).between(0, _WRAP_WITHIN)
    begun = acts["event"].eq("PAUSE") & before["event"].isin(_ENDED) & reason.isin(_WRAP_REASONS) & soon
    calls = frame["call"].mask(frame["event"].isin(_PAUSES), "NONE")
    calls.update(before.loc[begun, "call"])
    held = calls.loc[acts.index].groupby(acts["member"]).shift()
    over = acts["event"].eq("UNPAUSE") & begun.groupby(acts["member"]).shift(fill_value=False)
    calls.update(held[over])
    return calls


def _visits(events: pd.DataFrame) -> pd.DataFrame:
    """Number the visits of each call: every ENTERQUEUE after the first event begins another."""
    entered = (events["event"] == "ENTERQUEUE") & events["call"].duplicated()
    number = entered.astype(int).groupby(events["call"]).cumsum() + 1
    return events.assign(visit=events["call"].where(number == 1, events["call"] + "/" + number.astype(str)))


def _gathered(events: pd.DataFrame) -> pd.DataFrame:
    """One row per visit, in the order of the log."""
    wait, talk = _seconds(events, _WAIT), _seconds(events, _TALK)
    by = events["visit"]

    def first(values: pd.Series, mask: pd.Series) -> pd.Series:
        return values[mask].groupby(by[mask]).first()

    ends = events["event"].isin(_ENDED)
    connects = events["event"] == "CONNECT"
    visits = events.groupby("visit", sort=False).agg(row=("row", "first"), queue=("queue", "first"))
    answered = connects | events["event"].map(_ENDED).eq("answered")
    made = {
        "entered": first(events["time"], events["event"] == "ENTERQUEUE"),
        "connected": first(events["time"], connects),
        "end": first(events["time"], ends),
        "wait": first(wait, wait.notna()),
        "talk": first(talk, talk.notna()),
        "paused": first(events["time"], events["event"] == "PAUSE"),
        "unpaused": first(events["time"], events["event"] == "UNPAUSE"),
        "outcome": first(events["event"].map(_ENDED), ends),
        "moved": first(events["event"].isin(_MOVED), events["event"].isin(_MOVED)),
        "member": first(events["member"], answered & ~events["member"].isin(_NO_CALL)),
        "answered": first(answered, answered),
    }
    made["outcome"] = made["outcome"].combine_first(made["answered"].map({True: "answered"}))
    return _timed(visits.join(pd.DataFrame(made)).reset_index())


def _seconds(events: pd.DataFrame, places: dict[str, int]) -> pd.Series:
    """The number of seconds that each event keeps at its own place; NaN where it keeps none."""
    out = pd.Series(np.nan, index=events.index)
    for event, place in places.items():
        mask = events["event"] == event
        out[mask] = pd.to_numeric(events.loc[mask, str(place)], errors="coerce")
    return out


def _timed(visits: pd.DataFrame) -> pd.DataFrame:
    """Beginning, wait and talk of each visit, from the clock where the events do not say."""
    answer = visits["connected"].fillna(visits["end"] - visits["talk"])  # when an agent took the call
    left = answer.where(visits["answered"].eq(True), visits["end"])  # when the wait was over
    arrived = visits["entered"].fillna(left - visits["wait"])
    visits["arrived_known"] = visits["entered"].notna()
    visits["arrived"] = arrived.map(_digits)
    visits["wait"] = visits["wait"].fillna(left - arrived).map(_digits)
    talk = visits["talk"].fillna((visits["end"] - visits["connected"]).where(visits["answered"].eq(True)))
    visits["talk"] = talk.map(_digits)
    wrap = visits["unpaused"] - visits["paused"]
    if visits["paused"].notna().any():  # where agents log their writing, a finished call without it had none
        wrap = wrap.mask(visits["answered"].eq(True) & visits["end"].notna() & visits["paused"].isna(), 0.0)
    visits["wrap"] = wrap.map(_digits)
    visits["ended"] = visits["end"].map(_digits)
    moved = visits["moved"].eq(True)
    visits["transferred"] = np.where(moved, "true", np.where(visits["answered"].eq(True), "false", ""))
    return visits


def _digits(seconds: float) -> str:
    return "" if np.isnan(seconds) else f"{seconds:.6f}".rstrip("0").rstrip(".")


def _notes(visits: pd.DataFrame) -> list[Sentence]:
    counted = {
        "open_visits": visits["outcome"].isna().sum(),
        "visits_begun_before": (~visits["arrived_known"]).sum(),
        "further_visits": visits["visit"].str.contains("/", regex=False).sum(),
    }
    return [Sentence(f"intake.note.{name}", {"n": int(n)}) for name, n in counted.items() if n]
