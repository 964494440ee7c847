"""The event log of a study: events up to `as_of`, with the roles that its study.toml gives to activities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cxkit.lang import value
from cxkit.process.core import (
    MICRO,
    MISSING,
    Codes,
    EventLog,
    Floats,
    Mask,
    Rows,
    event_log,
    first_at,
    has_next,
    seconds_to_next,
)
from cxkit.result import Format

if TYPE_CHECKING:
    from cxkit.study import Study

NEEDED = ("case_id", "activity", "at")
OPTIONAL = ("resource", "team", "order_no")
KINDS = ("touch", "queue", "customer", "vendor", "after", "unset")
NOTHING = "–"  # a cell without a value

# Where a role is declared: parameters of the sentences that miss one.
CLOSED = {"file": "study.toml", "setting": "[process] closed"}
RESOLVED = {"file": "study.toml", "setting": "[process] resolved"}
STAGE_KINDS = {"file": "study.toml", "setting": "[process.stages]", "kinds": ", ".join(KINDS[:-1])}


@dataclass(frozen=True, eq=False)
class StudyLog:
    """Events up to `as_of` (microseconds, UTC) and the codes of the resolved and closed activities.

    `kinds` maps an activity to touch, queue, customer, vendor or after, as declared; resolved and closed ones are
    "after" by themselves, the rest "unset". `knows_end`: study.toml says which activities close a case.
    """

    events: EventLog
    resolved: Codes
    closed: Codes
    kinds: Mapping[str, str]
    as_of: int
    knows_end: bool

    def kind(self, activity: str) -> str:
        """Kind of a stage."""
        return self.kinds.get(activity, "unset")

    @property
    def holders(self) -> dict[str, Codes]:
        """Who holds a case at each event, by resource and by team where known; nobody (-1) at closed events.

        Closing is mostly done by the tool itself: being handed to it is no hand-off.
        """
        events, closed = self.events, np.isin(self.events.activity, self.closed)
        known = {"resource": events.resource, "team": events.team}
        return {level: np.where(closed, MISSING, codes) for level, codes in known.items() if codes is not None}

    @property
    def first_resolve(self) -> Rows:
        """Row of each case's first resolved or closed event; -1 where there is none.

        Closing counts, because a case that is closed without a resolve does not wait for one any more.
        """
        return first_at(self.events, np.concatenate([self.resolved, self.closed]))

    @property
    def first_close(self) -> Rows:
        """Row of each case's first closed event; -1 where there is none."""
        return first_at(self.events, self.closed)

    @property
    def is_open(self) -> Mask:
        """For each case, whether its last activity is not a closed one. All False where nobody says what closes."""
        if not self.knows_end:
            return np.zeros(self.events.n_cases, dtype=bool)
        return ~np.isin(self.events.activity[self.events.last], self.closed)


@dataclass(frozen=True, eq=False)
class Visits:
    """One row per visit to a stage: its event's row, its seconds, and whether it ended (else they run to `as_of`)."""

    row: Rows
    activity: Codes
    seconds: Floats
    ended: Mask


def visits(log: StudyLog) -> Visits:
    """Time in stage: until the next event of the case.

    The last visit of a case that is not closed goes on at `as_of`. A closed activity is the end, not a stage: it has no
    duration. Where no closed activity is declared, nobody knows whether a last event is the end, so it has none either.
    """
    events = log.events
    closed = np.isin(events.activity, log.closed)
    goes_on = ~has_next(events) & ~closed & log.knows_end
    seconds = np.where(goes_on, (log.as_of - events.at) * MICRO, seconds_to_next(events))
    row = np.flatnonzero(~closed & ~np.isnan(seconds))
    return Visits(row, events.activity[row], seconds[row], ~goes_on[row])


def after_first_resolve(log: StudyLog, row: Rows) -> Mask:
    """For each event row, whether its case had been resolved by then (the first resolve itself included)."""
    start = log.first_resolve[log.events.case[row]]
    return (start >= 0) & (row >= start)


@lru_cache(maxsize=1)
def study_log(study: Study) -> StudyLog:
    """The log of `study`, which must have events (see `lacking`); kept for the next question to the same study."""
    columns = [*NEEDED, *(c for c in OPTIONAL if study.has("events", c))]
    frame = study.frame("events", columns)
    events = event_log(frame.loc[~(frame["at"] > study.as_of)])
    declared = study.config.get("process", {})
    resolved, closed = tuple(declared.get("resolved", ())), tuple(declared.get("closed", ()))
    kinds = dict.fromkeys((*resolved, *closed), "after") | dict(declared.get("stages", {}))
    as_of = int(study.as_of.to_datetime64().astype("datetime64[us]").astype(np.int64))
    return StudyLog(events, events.codes_of(resolved), events.codes_of(closed), kinds, as_of, bool(closed))


def lacking(study: Study, *roles: str) -> tuple[str, ...]:
    """What a question misses: columns of the events, or the roles ("resolved", "closed") that study.toml does not give.

    No event up to `as_of`, or a role whose activities never occur, is as good as none.
    """
    if not study.has("events", *NEEDED) or not study_log(study).events.size:
        return tuple(f"events.{column}" for column in NEEDED)
    log = study_log(study)
    return tuple(f"study.toml: [process] {role}" for role in roles if not len(getattr(log, role)))


def spoken(column: str) -> Format:
    """A table's column that names an activity, shown by its word where the catalogue has one."""
    return ("c", lambda row, lang: NOTHING if row[column] is None else activity_word(str(row[column]), lang))


def activity_word(activity: str, lang: str | None = None) -> str:
    """The word for an activity in `lang`; an activity without one keeps the name of its log."""
    return value("activity", activity, lang)
