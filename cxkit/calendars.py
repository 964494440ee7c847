"""Months as a team counts them, and the special days that move demand."""

from __future__ import annotations

import datetime as dt
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from zoneinfo import ZoneInfo

import pandas as pd

from cxkit.lang import jalali


@dataclass(frozen=True)
class Period:
    """One local period: its first day, and its span in UTC (start included, end excluded; naive timestamps)."""

    first_on: dt.date
    start_at: pd.Timestamp
    end_at: pd.Timestamp


def local_midnight(day: dt.date, time_zone: str) -> pd.Timestamp:
    """Naive UTC timestamp of the first moment of `day` in `time_zone`."""
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=ZoneInfo(time_zone))
    return pd.Timestamp(midnight.astimezone(dt.UTC).replace(tzinfo=None))


def local_day(at: pd.Timestamp, time_zone: str) -> dt.date:
    """The local date of a naive UTC timestamp."""
    return at.to_pydatetime().replace(tzinfo=dt.UTC).astimezone(ZoneInfo(time_zone)).date()


@functools.lru_cache(maxsize=64)
def _first_of_month(day: dt.date, calendar: str) -> dt.date:
    day_of_month = day.day if calendar == "gregorian" else jalali(day)[2]
    return day - dt.timedelta(days=day_of_month - 1)


def _next_month(first_on: dt.date, calendar: str) -> dt.date:
    # Every month of both calendars has 28 to 31 days: 31 days on is in the next month, or at most its third day.
    return _first_of_month(first_on + dt.timedelta(days=31), calendar)


def month_edges(first: pd.Timestamp, last: pd.Timestamp, time_zone: str, calendar: str = "gregorian") -> list[Period]:
    """The months of `calendar` ("gregorian" or "jalali") that hold the moments from `first` to `last` (naive UTC)."""
    months: list[Period] = []
    day = _first_of_month(local_day(first, time_zone), calendar)
    end_day = local_day(last, time_zone)
    while day <= end_day:
        following = _next_month(day, calendar)
        months.append(Period(day, local_midnight(day, time_zone), local_midnight(following, time_zone)))
        day = following
    return months


@functools.cache
def _special() -> dict[str, list[tuple[dt.date, dt.date]]]:
    text = (resources.files("cxkit") / "calendars.toml").read_text("utf-8")
    return {
        name: [(span["first"], span["last"]) for span in spans]
        for name, spans in tomllib.loads(text).items()
        if isinstance(spans, list)
    }


def special_days(first: dt.date, last: dt.date) -> pd.DataFrame:
    """One row a day from `first` to `last`, with a flag for each special season.

    Columns: day, ramadan, eid_fitr, eid_adha, nowruz. The Hijri spans follow the Umm al-Qura calendar; a sighting can
    move them by a day. LookupError when the table does not reach that far.
    """
    days = pd.date_range(first, last, freq="D")
    table = pd.DataFrame({"day": days.date})
    spans = _special()
    known = [edge for name in spans for span in spans[name] for edge in span]
    if first.year < min(known).year or last.year > max(known).year:
        raise LookupError(f"special days are known from {min(known).year} to {max(known).year}")
    for name, seasons in spans.items():
        table[name] = [any(a <= day <= b for a, b in seasons) for day in table["day"]]
    return table
