"""The moment up to which data count, as a person declares it."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pandas as pd

from cxkit.calendars import local_midnight
from cxkit.errors import StudyError

_TICK = pd.Timedelta(microseconds=1)  # the resolution of every table


def moment_of(value: object, time_zone: str) -> pd.Timestamp:
    """`value` as naive UTC. A time without an offset is local; a day without a time means its last moment.

    The midnight after it belongs to the next day: rows that are dated by the day alone stand exactly there.

    >>> str(moment_of("2026-06-30", "Asia/Riyadh")), str(moment_of("2026-06-30T12:00:00Z", "Asia/Riyadh"))
    ('2026-06-30 20:59:59.999999', '2026-06-30 12:00:00')
    """
    try:
        given = _parsed(value)
        if type(given) is dt.date:
            found = local_midnight(given + dt.timedelta(days=1), time_zone) - _TICK
        else:
            at = pd.Timestamp(given)
            aware = at if at.tzinfo else at.tz_localize(ZoneInfo(time_zone))
            found = aware.tz_convert("UTC").tz_localize(None)
    except (ValueError, OverflowError):
        raise StudyError("study_as_of", given=str(value)[:40]) from None
    if not 1990 <= found.year <= 2100:
        raise StudyError("study_as_of_year", year=str(found.year))
    return found.as_unit("us")


def _parsed(value: object) -> dt.date | dt.datetime:
    if isinstance(value, dt.date):  # a datetime and a pandas timestamp are dates, too
        return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
    text = str(value).strip()
    return dt.date.fromisoformat(text) if len(text) <= 10 else dt.datetime.fromisoformat(text)
