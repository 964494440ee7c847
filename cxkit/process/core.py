"""Event arithmetic on integer codes: a log of ten million events in seconds, with NumPy alone.

Case, activity, resource and team become codes once; after one stable sort everything is counting, subtracting and
gathering. Times are microseconds inside and seconds outside. Nothing here knows a study, a language or a chart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix

Codes = NDArray[np.int32]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]

MISSING = -1
MICRO = 1e-6


@dataclass(frozen=True, eq=False)
class EventLog:
    """Events as codes, sorted by case, then time, then order number, then place in the file.

    `at` is in microseconds since 1970 (UTC); `resource` and `team` are None when the column is absent and -1 where a
    value is missing. `ordered`: an order number decides between equal times; `backwards` counts the events whose number
    is higher but whose time is earlier than those of the number before. `dropped` counts the events left out because
    their case, activity or time is missing.
    """

    case: Codes
    activity: Codes
    at: NDArray[np.int64]
    resource: Codes | None
    team: Codes | None
    n_cases: int
    activities: tuple[str, ...]
    row: Rows
    first: Rows
    ordered: bool = False
    backwards: int = 0
    dropped: int = 0

    @property
    def size(self) -> int:
        """Number of events."""
        return len(self.case)

    @property
    def length(self) -> Rows:
        """Events per case."""
        return np.diff(np.append(self.first, self.size))

    @property
    def last(self) -> Rows:
        """Row of each case's last event."""
        return self.first + self.length - 1

    def codes_of(self, names: tuple[str, ...]) -> Codes:
        """Codes of those of `names` that occur in the log."""
        known = {name: code for code, name in enumerate(self.activities)}
        return np.array([known[n] for n in names if n in known], dtype=np.int32)


def event_log(events: pd.DataFrame) -> EventLog:
    """The log of a frame with columns case_id, activity, at and, where present, resource, team and order_no.

    Rows without case, activity or time are left out and counted. Equal times in a case keep the order of `order_no`
    and then of the file.
    """
    whole = events[["case_id", "activity", "at"]].notna().all(axis=1).to_numpy()
    part = events if whole.all() else events.loc[whole]
    case, cases = _coded(part["case_id"])
    activity, names = _coded(part["activity"])
    at = part["at"].to_numpy("datetime64[us]").astype(np.int64)
    number = part["order_no"].to_numpy(np.float64, na_value=np.nan) if "order_no" in part else None
    ordered = number is not None and not bool(np.isnan(number).all())
    order = _case_order(case, at, number if ordered else None, len(cases))
    case = case[order]
    return EventLog(
        case=case,
        activity=activity[order],
        at=at[order],
        resource=_column(part, "resource", order),
        team=_column(part, "team", order),
        n_cases=len(cases),
        activities=tuple(str(n) for n in names),
        row=np.flatnonzero(whole)[order],
        first=np.flatnonzero(np.diff(case, prepend=-1)),
        ordered=ordered,
        backwards=_backwards(case, at[order], number[order]) if ordered and number is not None else 0,
        dropped=int((~whole).sum()),
    )


def _coded(column: pd.Series) -> tuple[Codes, pd.Index]:
    codes, names = pd.factorize(column)
    return codes.astype(np.int32), pd.Index(names)


def _column(events: pd.DataFrame, name: str, order: Rows) -> Codes | None:
    if name not in events or not events[name].notna().any():
        return None
    codes: Codes = _coded(events[name])[0][order]
    return codes


def _case_order(case: Codes, at: NDArray[np.int64], number: Floats | None, n_cases: int) -> Rows:
    """Rows by case, time and number; equal ones stay in the order they came in."""
    if number is not None:
        by_time = np.lexsort((number, at))
    elif (at[1:] >= at[:-1]).all():
        by_time = np.arange(len(at))
    else:
        by_time = np.argsort(at, kind="stable")
    return by_time[_counting_sort(case[by_time], n_cases)]


def _backwards(case: Codes, at: NDArray[np.int64], number: Floats) -> int:
    """Events that are earlier than the one whose number comes before theirs in the case."""
    by_number = np.lexsort((number, case))
    same = case[by_number][1:] == case[by_number][:-1]
    return int((same & (np.diff(at[by_number]) < 0)).sum())


def _counting_sort(codes: Codes, n_codes: int) -> Rows:
    """Stable order of `codes` in linear time: a sparse matrix groups entries by row and keeps their order."""
    n = len(codes)
    entries = (np.ones(n, np.int8), (codes, np.arange(n, dtype=np.int32)))
    return coo_matrix(entries, shape=(max(n_codes, 1), max(n, 1))).tocsr().indices.astype(np.int64)


# --- what follows what ------------------------------------------------------------------------------------------------


def has_next(log: EventLog) -> Mask:
    """For each event, whether another event of the same case follows."""
    follows = np.zeros(log.size, dtype=bool)
    follows[:-1] = log.case[1:] == log.case[:-1]
    return follows


def seconds_to_next(log: EventLog) -> Floats:
    """Seconds until the next event of the case; NaN at each case's last event."""
    gap = np.full(log.size, np.nan)
    inner = np.flatnonzero(has_next(log))
    gap[inner] = (log.at[inner + 1] - log.at[inner]) * MICRO
    return gap


def transition_codes(log: EventLog) -> tuple[Rows, NDArray[np.int64]]:
    """Rows that have a successor, and their transition as one code: from x number of activities + to."""
    inner = np.flatnonzero(has_next(log))
    return inner, log.activity[inner].astype(np.int64) * len(log.activities) + log.activity[inner + 1]


@dataclass(frozen=True, eq=False)
class Transitions:
    """Every pair of activities that follow each other: names, number and the seconds between the two events."""

    pairs: list[tuple[str, str]]
    n: Rows
    seconds: list[Floats]


def transitions(log: EventLog) -> Transitions:
    """All directly-follows pairs, in the order of their codes."""
    inner, codes = transition_codes(log)
    names, size = log.activities, len(log.activities)
    used, dense = _dense(codes, size * size)
    n = np.bincount(dense, minlength=len(used))
    gap = seconds_to_next(log)[inner]
    seconds = [gap[rows] for rows in rows_by_code(dense, len(used))] if len(used) else []
    return Transitions([(names[c // size], names[c % size]) for c in used.tolist()], n, seconds)


def _dense(codes: NDArray[np.int64], n_codes: int) -> tuple[NDArray[np.int64], Codes]:
    """The codes that occur, and each code's place among them; by a table where it fits, else by sorting."""
    if n_codes > 4_000_000:
        used, place = np.unique(codes, return_inverse=True)
        return used, place.astype(np.int32)
    used = np.flatnonzero(np.bincount(codes, minlength=n_codes))
    table = np.zeros(n_codes, dtype=np.int32)
    table[used] = np.arange(len(used))
    return used, table[codes]


def rows_by_code(codes: Codes, n_codes: int) -> list[Rows]:
    """For each code, the places where it stands, in their order."""
    order = _counting_sort(codes, n_codes)
    return np.split(order, np.cumsum(np.bincount(codes, minlength=n_codes))[:-1])


def directly_follows(log: EventLog) -> pd.DataFrame:
    """Every transition: from_activity, to_activity, n, and mean, median and P90 of the seconds between the events."""
    found = transitions(log)
    rows = [
        (*pair, len(part), part.mean(), *np.quantile(part, [0.5, 0.9]))
        for pair, part in zip(found.pairs, found.seconds, strict=True)
    ]
    columns = ["from_activity", "to_activity", "n", "mean_seconds", "median_seconds", "p90_seconds"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["n", "from_activity", "to_activity"], ascending=[False, True, True], ignore_index=True)


def reach(log: EventLog) -> tuple[Rows, Rows]:
    """For each activity: the cases that have it at all, and the cases that have it more than once."""
    order = _counting_sort(log.activity, len(log.activities))
    activity, case = log.activity[order], log.case[order]
    start = np.flatnonzero((np.diff(activity, prepend=-1) != 0) | (np.diff(case, prepend=-1) != 0))
    again = np.diff(np.append(start, log.size)) > 1
    n = len(log.activities)
    return np.bincount(activity[start], minlength=n), np.bincount(activity[start[again]], minlength=n)


# --- cases ------------------------------------------------------------------------------------------------------------


def case_seconds(log: EventLog) -> Floats:
    """Seconds from each case's first event to its last."""
    return (log.at[log.last] - log.at[log.first]) * MICRO


def first_at(log: EventLog, activities: Codes) -> Rows:
    """Row of each case's first event among `activities`; -1 where there is none."""
    rows = np.flatnonzero(np.isin(log.activity, activities))
    found = np.full(log.n_cases, -1, dtype=np.int64)
    found[log.case[rows[::-1]]] = rows[::-1]  # backwards, so that the first of a case is written last
    return found


def per_case(log: EventLog, mask: Mask) -> Rows:
    """How many events of each case `mask` marks."""
    return np.bincount(log.case[mask], minlength=log.n_cases)


# --- variants ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Traces:
    """Distinct sequences of activities: the number of cases of each and one example case."""

    cases: Rows
    example: Rows
    of_case: Rows


def traces(log: EventLog) -> Traces:
    """The distinct traces, most frequent first; exact.

    A trace is hashed as a sum of products of two random 64-bit tables (position, activity). Every case is then compared
    with the example of its hash, event by event; should two traces ever share a hash, other tables are drawn.
    """
    position = np.arange(log.size) - np.repeat(log.first, log.length)
    seed = 0
    while True:
        hashed = _trace_hash(log, position, seed)
        _, example, of_case, cases = np.unique(hashed, return_index=True, return_inverse=True, return_counts=True)
        if _same_traces(log, position, example[of_case]):
            break
        seed += 1
    rank = np.lexsort((example, -cases))
    place = np.empty_like(rank)
    place[rank] = np.arange(len(rank))
    return Traces(cases=cases[rank], example=example[rank], of_case=place[of_case])


def _trace_hash(log: EventLog, position: Rows, seed: int) -> NDArray[np.uint64]:
    if log.size == 0:
        return np.empty(0, dtype=np.uint64)
    rng = np.random.default_rng(seed)
    of_position = rng.integers(0, 2**64 - 1, size=int(log.length.max()), dtype=np.uint64)
    of_activity = rng.integers(0, 2**64 - 1, size=len(log.activities), dtype=np.uint64)
    return np.add.reduceat(of_position[position] * of_activity[log.activity], log.first)


def _same_traces(log: EventLog, position: Rows, example_of_case: Rows) -> bool:
    """Whether every case has, event by event, the activities of its example."""
    if not np.array_equal(log.length, log.length[example_of_case]):
        return False
    twin = np.repeat(log.first[example_of_case], log.length) + position
    return bool((log.activity == log.activity[twin]).all())


def trace_of(log: EventLog, case: int) -> tuple[str, ...]:
    """Activities of one case in their order."""
    start = int(log.first[case])
    return tuple(log.activities[a] for a in log.activity[start : start + int(log.length[case])])


def ties(log: EventLog) -> Mask:
    """For each event, whether the next event of its case has the same time."""
    tied = has_next(log)
    tied[:-1] &= log.at[1:] == log.at[:-1]
    return tied


def with_ties_reversed(log: EventLog) -> EventLog:
    """The same log with the events of equal time within a case in the opposite order."""
    starts = np.flatnonzero(np.append(True, ~ties(log)[:-1])[: log.size])  # a block: events of one case and one time
    ends = np.append(starts[1:], log.size) - 1
    order = np.repeat(starts + ends, ends - starts + 1) - np.arange(log.size)
    return replace(
        log,
        activity=log.activity[order],
        row=log.row[order],
        resource=None if log.resource is None else log.resource[order],
        team=None if log.team is None else log.team[order],
    )


# --- hand-offs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Stations:
    """Whose hands a case goes through: one entry per run of events of one holder; unknown holders are skipped."""

    case: Codes
    holder: Codes
    row: Rows


def stations(log: EventLog, holder: Codes) -> Stations:
    """Runs of events held by the same resource or team, case by case."""
    known = np.flatnonzero(holder != MISSING)
    case, who = log.case[known], holder[known]
    new = np.ones(len(known), dtype=bool)
    new[1:] = (case[1:] != case[:-1]) | (who[1:] != who[:-1])
    return Stations(case[new], who[new], known[new])


def hand_offs(log: EventLog, held: Stations) -> Rows:
    """Number of changes of hands per case."""
    changed = held.case[1:] == held.case[:-1]
    return np.bincount(held.case[1:][changed], minlength=log.n_cases)


def ping_pongs(log: EventLog, held: Stations) -> Rows:
    """Number of returns per case: A to B and back to A, however many events B had."""
    back = (held.case[2:] == held.case[:-2]) & (held.holder[2:] == held.holder[:-2])
    return np.bincount(held.case[2:][back], minlength=log.n_cases)


def hand_offs_from(log: EventLog, held: Stations) -> Rows:
    """For each activity, how many hand-offs happened right after one of its visits."""
    leaving = held.row[1:][held.case[1:] == held.case[:-1]] - 1
    return np.bincount(log.activity[leaving], minlength=len(log.activities))
