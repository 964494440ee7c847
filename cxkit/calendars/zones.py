"""Local days of a time zone, and the moments at which its clocks change."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxkit.errors import StudyError, nearest

Ints = NDArray[np.int64]
DAY = 86_400  # seconds
_EPOCH = dt.date(1970, 1, 1)


def day_number(day: dt.date) -> int:
    """Days since 1970."""
    return (dt.date(day.year, day.month, day.day) - _EPOCH).days


def day_of(number: int) -> dt.date:
    """The date that many days after 1970 began."""
    return _EPOCH + dt.timedelta(days=number)


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def zone(setting: str, value: Any) -> str:
    """An IANA time zone; StudyError names the nearest one, also when only the city was given."""
    if not isinstance(value, str) or not value.strip():
        raise StudyError("study_setting_type", setting=setting, wanted="text")
    if value in _zones():
        return value
    cities = {name.rpartition("/")[2].casefold(): name for name in sorted(_zones()) if "/" in name}
    city = value.strip().replace(" ", "_").casefold()
    near = cities.get(city) or nearest(value, _zones()) or cities.get(nearest(city, cities) or "", "UTC")
    raise StudyError("study_zone", setting=setting, given=value, near=near)


def local_midnight(day: dt.date, time_zone: str) -> pd.Timestamp:
    """Naive UTC timestamp of the first moment of `day` in `time_zone`."""
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo(time_zone))
    return pd.Timestamp(midnight.astimezone(dt.UTC).replace(tzinfo=None))


def local_day(at: pd.Timestamp, time_zone: str) -> dt.date:
    """The local date of a naive UTC timestamp."""
    return at.to_pydatetime().replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo(time_zone)).date()


def _offset(second: int, zone_info: zoneinfo.ZoneInfo) -> int:
    found = dt.datetime.fromtimestamp(second, zone_info).utcoffset()
    return 0 if found is None else int(found.total_seconds())


def _change(low: int, high: int, zone_info: zoneinfo.ZoneInfo) -> int:
    """The second after `low`, and not after `high`, from which the offset is that of `high`."""
    after = _offset(high, zone_info)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(middle, zone_info) == after else (middle, high)
    return high


@functools.lru_cache(maxsize=64)
def offsets(time_zone: str, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """Seconds that local time is ahead of UTC, with the UTC second from which they hold, oldest first.

    first, last: the UTC days (since 1970) between which changes are looked for.
    """
    info = zoneinfo.ZoneInfo(time_zone)
    found = [(first * DAY, _offset(first * DAY, info))]
    for day in range(first + 1, last + 1):
        now = _offset(day * DAY, info)
        if now != found[-1][1]:
            found.append((_change((day - 1) * DAY, day * DAY, info), now))
    return tuple(found)
