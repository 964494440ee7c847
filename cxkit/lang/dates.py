"""Days, weeks, halves of a month and months as each language writes them, in three calendars."""

from __future__ import annotations

import calendar as gregorian
import datetime as dt
import functools
from collections.abc import Callable

import pandas as pd
from icu4py.messageformat import MessageFormat

from cxkit.lang.catalogue import _BARE_ALM, _ISOLATES, say
from cxkit.lang.direction import is_rtl
from cxkit.lang.session import LOCALES, resolve

MISSING = "–"
_ICU = {"gregorian": "gregory", "jalali": "persian", "hijri": "islamic-umalqura"}
Day = dt.date | pd.Timestamp


@functools.cache
def _day(pattern: str, locale: str) -> MessageFormat:
    return MessageFormat(f"{{d, date,{pattern}}}", locale)


def _when(at: Day, pattern: str, locale: str) -> str:
    plain = at.to_pydatetime() if isinstance(at, pd.Timestamp) else at
    if isinstance(plain, dt.datetime):
        plain = plain.replace(tzinfo=None)  # ICU would move an aware time into the machine's zone
    return str(_day(pattern, locale).format({"d": plain})).translate(_BARE_ALM)


def date(day: Day | None, lang: str | None = None) -> str:
    """A day: Gregorian in English and Arabic, Jalali in Persian."""
    return MISSING if day is None or pd.isna(day) else _when(day, "d MMMM y", LOCALES[resolve(lang)])


def moment(at: dt.datetime | pd.Timestamp | None, lang: str | None = None) -> str:
    """A day with its time of day, as given (no time zone is applied here)."""
    return (
        MISSING
        if at is None or pd.isna(at)
        else _when(at, "d MMMM y، HH:mm" if is_rtl(lang) else "d MMMM y, HH:mm", LOCALES[resolve(lang)])
    )


def month(day: Day | None, lang: str | None = None, short: bool = False, calendar: str = "") -> str:
    """The month that `day` opens, with its year: in the calendar in which `day` is a first of the month.

    A Gregorian month keeps its Gregorian name in Persian, and a Jalali month its Persian name in English: June is not
    Tir. (No first of a Jalali month is a first of a Gregorian month; a Hijri month must be asked for.)
    """
    if day is None or pd.isna(day):
        return MISSING
    kind = calendar or ("gregorian" if day.day == 1 else "jalali")
    # Half a month on lies in the same Hijri month, even if a sighting moved its first day.
    return _month_around(day + dt.timedelta(days=14) if kind == "hijri" else day, kind, lang, short)


def half_month(day: Day | None, lang: str | None = None, calendar: str = "") -> str:
    """The half of a month that `day` opens: 1 to 15, or 16 to its end; in the calendar in which it does.

    >>> half_month(dt.date(2025, 9, 23), "en"), half_month(dt.date(2025, 10, 16), "en")
    ('1–15 Mehr 1404', '16–31 October 2025')
    """
    if day is None or pd.isna(day):
        return MISSING
    kind = calendar or ("gregorian" if day.day in (1, 16) else "jalali")
    inside = day + dt.timedelta(days=7)
    named = _month_around(inside, kind, lang, short=False)
    if _number(inside, kind) <= 15:
        text = say("period.days", lang, first=1, last=15, month=named)
    elif kind == "hijri":  # how long it lasted may hang on a sighting, which its first day does not tell
        text = say("period.from_day", lang, first=16, month=named)
    else:
        text = say("period.days", lang, first=16, last=_length(day, kind), month=named)
    return text.translate(_ISOLATES)


def week(day: Day | None, lang: str | None = None) -> str:
    """The week that `day` opens.

    >>> week(dt.date(2026, 5, 3), "en")
    'week of 3 May 2026'
    """
    return (
        MISSING if day is None or pd.isna(day) else say("period.week", lang, day=date(day, lang)).translate(_ISOLATES)
    )


def jalali(day: dt.date) -> tuple[int, int, int]:
    """Year, month and day of the Persian solar calendar, from ICU.

    >>> jalali(dt.date(2024, 5, 1))
    (1403, 2, 12)
    """
    return _numbers(day, "jalali")


def hijri(day: dt.date) -> tuple[int, int, int]:
    """Year, month and day of the Umm al-Qura calendar, from ICU: the table of its publisher, from 1300 to 1600 AH.

    >>> hijri(dt.date(2026, 2, 18))
    (1447, 9, 1)
    """
    return _numbers(day, "hijri")


def _numbers(day: dt.date, kind: str) -> tuple[int, int, int]:
    locale = f"en-u-nu-latn-ca-{_ICU[kind]}"
    year, month_, day_ = _when(dt.date(day.year, day.month, day.day), "yyyy/MM/dd", locale).split("/")
    return int(year), int(month_), int(day_)


def _number(day: Day, kind: str) -> int:
    return _numbers(day, kind)[2]


def _length(sixteenth: Day, kind: str) -> int:
    """The number of the last day of the month whose sixteenth is given."""
    if kind == "gregorian":
        return gregorian.monthrange(sixteenth.year, sixteenth.month)[1]
    return 15 + next(n for n in range(13, 18) if _number(sixteenth + dt.timedelta(days=n), kind) == 1)


def _month_around(day: Day, kind: str, lang: str | None, short: bool) -> str:
    """The month in which `day` lies, with its year."""
    locale = f"{LOCALES[resolve(lang)]}-u-ca-{_ICU[kind]}"
    if kind == "jalali":  # CLDR's Arabic names of these months are not what Arabic readers know
        return f"{say(f'jalali_month.{_numbers(day, kind)[1]}', lang)} {_when(day, 'y', locale)}"
    return _when(day, "MMM y" if short else "MMMM y", locale)


def _hijri(written: Callable[..., str]) -> Callable[[Day, str], str]:
    return lambda day, lang: written(day, lang, calendar="hijri")


WRITERS: dict[str, Callable[[Day, str], str]] = {
    "date": date,
    "week": week,
    "half_month": half_month,
    "month": month,
    "hijri_half_month": _hijri(half_month),
    "hijri_month": _hijri(month),
}
