"""Opening hours as an analyst writes them: "09:00-17:00", and a week of such texts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from cxkit.calendars.periods import DAYS
from cxkit.calendars.zones import DAY
from cxkit.errors import StudyError, nearest

Span = tuple[int, int]  # seconds after local midnight; an end beyond 24 hours lies in the next day
Spans = tuple[Span, ...]
Week = tuple[Spans, ...]  # Monday first

CLOSED = "closed"
EVERY_DAY = "every_day"
_WRITTEN = re.compile(r"\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*")
_LIKELY = re.compile(r"(\d{1,2})(?:[:.h]?(\d{2}))?\s*([ap])?\.?m?\b", re.IGNORECASE)


def spans(setting: str, value: Any) -> Spans:
    """The spans of one day, in order: from "closed", "09:00-17:00" or a list of such texts.

    "22:00-06:00" ends in the morning of the next day. StudyError shows how a text like "9-17" is written.

    >>> spans("hours", ["13:00-17:00", "09:00-12:00"])
    ((32400, 43200), (46800, 61200))
    """
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise StudyError("calendar_hours_type", setting=setting)
    found = sorted((_span(setting, text), text) for text in texts if text.strip().casefold() != CLOSED)
    for (before, first), (after, second) in itertools.pairwise(found):
        if after[0] < before[1]:
            raise StudyError("calendar_overlap", setting=setting, first=first, second=second)
    return tuple(span for span, _ in found)


def _span(setting: str, text: str) -> Span:
    match = _WRITTEN.fullmatch(text)
    found = _seconds(*(int(part) for part in match.groups())) if match else None
    if found is None:
        raise StudyError("calendar_span", setting=setting, given=text, near=_likely(text))
    if found[0] == found[1]:
        raise StudyError("calendar_span_same", setting=setting, given=text)
    return found if found[0] < found[1] else (found[0], found[1] + DAY)


def _seconds(hour: int, minute: int, end_hour: int, end_minute: int) -> Span | None:
    """Seconds after midnight; None for what no clock shows. Only an end may be 24:00."""
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    fits = start < 1440 and end <= 1440 and minute < 60 and end_minute < 60
    return (start * 60, end * 60) if fits else None


def _likely(text: str) -> str:
    """What "9-17" or "9 am - 5 pm" was probably meant to be; "none" where that is a riddle."""
    times = []
    for hour, minute, half in _LIKELY.findall(text):
        late = 12 * (half.lower() == "p") if int(hour) < 12 else 0
        times.append((int(hour) + late, int(minute or 0)))
    if len(times) != 2 or _seconds(*times[0], *times[1]) is None:
        return "none"
    return "-".join(f"{hour:02}:{minute:02}" for hour, minute in times)


def week(setting: str, value: Mapping[str, Any]) -> Week:
    """Seven days of spans from a table such as {"sunday-thursday": "09:00-17:00", "saturday": "10:00-14:00"}.

    A day that is named alone overrules a range of days, a range overrules "every_day"; a day that is not named is
    closed. StudyError for unknown days, for two ranges that share a day, and for spans that overlap across midnight.
    """
    found: list[Spans] = [()] * 7
    named_by: dict[int, tuple[int, str]] = {}
    parts = {name: named_days(f"{setting}.{name}", name) for name in value}
    for name, days in sorted(parts.items(), key=lambda part: -len(part[1])):
        rank = min(len(days), 2) if len(days) < 7 else 7
        for day in days:
            if day in named_by and named_by[day][0] == rank:
                raise StudyError("calendar_same_day", setting=setting, first=named_by[day][1], second=name)
            named_by[day] = (rank, name)
            found[day] = spans(f"{setting}.{name}", value[name])
    _refuse_overlap_at_night(setting, tuple(found))
    return tuple(found)


def named_days(setting: str, name: str) -> tuple[int, ...]:
    """The days that "sunday", "sunday-thursday" or "every_day" names; Monday is 0.

    >>> named_days("hours", "saturday-monday")
    (5, 6, 0)
    """
    if name == EVERY_DAY:
        return tuple(range(7))
    ends = [part.strip().casefold() for part in name.split("-")]
    for part in ends if len(ends) <= 2 else [name]:
        if part not in DAYS:
            near = nearest(part, (*DAYS, EVERY_DAY)) or "none"
            raise StudyError("calendar_day", setting=setting, given=part, near=near)
    first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
    return tuple((first + i) % 7 for i in range((last - first) % 7 + 1))


def _refuse_overlap_at_night(setting: str, days: Week) -> None:
    for day in range(7):
        tomorrow = (day + 1) % 7
        if days[day] and days[tomorrow] and days[day][-1][1] - DAY > days[tomorrow][0][0]:
            first, second = (written(days[day][-1]), written(days[tomorrow][0]))
            raise StudyError("calendar_overlap", setting=f"{setting}.{DAYS[tomorrow]}", first=first, second=second)


def written(span: Span) -> str:
    """A span as it is written.

    >>> written((79200, 108000))
    '22:00-06:00'
    """
    hours = [f"{at // 3600 % 24 if at != DAY else 24:02}:{at % 3600 // 60:02}" for at in span]
    return "-".join(hours)
