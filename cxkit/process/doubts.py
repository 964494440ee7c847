"""What a careful reader should doubt in answers about a log: selected cases, undeclared roles, the order of ties."""

from __future__ import annotations

import numpy as np

from cxkit.lang import Sentence
from cxkit.process.core import MICRO, EventLog, Rows, per_case, ties, traces, with_ties_reversed
from cxkit.process.log import CLOSED, RESOLVED, StudyLog

DAY = 86_400.0
WINDOW_SHARE = 0.98  # the share of the cases that a window must hold
NARROW = 0.5  # ends that fit in half the time of the starts were chosen by their end
LEAST = 100  # finished cases below which no window is judged


def narrowest_window(moments: Rows, share: float = WINDOW_SHARE) -> float:
    """Seconds of the shortest span that holds `share` of `moments` (microseconds); NaN without any."""
    if not len(moments):
        return float("nan")
    ordered = np.sort(moments)
    held = int(np.ceil(share * len(ordered)))
    return float((ordered[held - 1 :] - ordered[: len(ordered) - held + 1]).min()) * MICRO


def extract_windows(log: StudyLog) -> tuple[float, float]:
    """Seconds of the windows that hold 98% of the finished cases' ends, and of their starts.

    A log of all work of a period has about equal windows. Where the ends fit in a much shorter one, the extract chose
    its cases by when they ended: slow cases are in it and their quick contemporaries are not.
    """
    events = log.events
    done = ~log.is_open
    return narrowest_window(events.at[events.last][done]), narrowest_window(events.at[events.first][done])


def chosen_by_end(log: StudyLog) -> bool:
    """Whether the extract chose its cases by when they ended."""
    ends, starts = extract_windows(log)
    return bool((~log.is_open).sum() >= LEAST and ends < NARROW * starts)


def doubts(log: StudyLog) -> tuple[Sentence, ...]:
    """Notes that every answer about times carries."""
    notes = []
    if chosen_by_end(log):
        ends, starts = extract_windows(log)
        notes.append(Sentence("process.note.chosen_by_end", {"ends": ends / DAY, "starts": starts / DAY}))
    if not log.knows_end:
        notes.append(Sentence("process.note.no_closed", CLOSED))
    elif not len(log.closed):
        notes.append(Sentence("process.note.never_closed", CLOSED))
    if not len(log.resolved):
        notes.append(Sentence("process.note.no_resolved", RESOLVED))
    return tuple(notes)


def tie_sensitivity(log: EventLog) -> tuple[int, int, int]:
    """What the order of equal times decides: tied events, cases that change when ties are reversed, variants then."""
    tied = int(ties(log).sum())
    if not tied:
        return 0, 0, len(traces(log).cases)
    turned = with_ties_reversed(log)
    changed = per_case(log, turned.activity != log.activity) > 0
    return tied, int(changed.sum()), len(traces(turned).cases)
