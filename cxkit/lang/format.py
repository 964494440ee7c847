"""Numbers, shares and durations as each language writes them; every value in its unit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from icu4py.messageformat import MessageFormat

from cxkit.lang.catalogue import _BARE_ALM, Word, has, say
from cxkit.lang.dates import MISSING, WRITERS, moment
from cxkit.lang.session import LOCALES, resolve

_UNITS = (("days", 86_400.0, 172_800.0), ("hours", 3_600.0, 5_400.0), ("minutes", 60.0, 90.0), ("seconds", 1.0, 0.0))
_LEAST_SHARED = 0.1  # of the unit of the longer end: what it may still tell of the shorter one


@functools.cache
def _formatter(skeleton: str, locale: str) -> MessageFormat:
    return MessageFormat(f"{{x, number, ::{skeleton}}}", locale)


def _write(x: float, skeleton: str, lang: str | None) -> str:
    return str(_formatter(skeleton, LOCALES[resolve(lang)]).format({"x": x + 0.0})).translate(_BARE_ALM)


def label(n: int, lang: str | None = None) -> str:
    """A number that names something, such as a row or a year: in the digits of `lang`, without grouping.

    >>> label(33021, "en"), label(33021, "fa")
    ('33021', '۳۳۰۲۱')
    """
    return _write(n, "group-off precision-integer", lang)


def _digits(digits: int) -> str:
    return f".{'0' * digits}" if digits else "precision-integer"


def number(x: float | None, lang: str | None = None, digits: int = 0) -> str:
    """`x` with `digits` decimals; a dash where it is missing or not finite.

    >>> number(-1234.5, "en", 1), number(1234.5, "fa", 1)
    ('-1,234.5', '۱٬۲۳۴٫۵')
    """
    if x is None or not math.isfinite(x):
        return MISSING
    return _write(round(float(x), digits), _digits(digits), lang)


def count(n: float | None, lang: str | None = None) -> str:
    """A whole number with its thousands grouped."""
    return number(n, lang, 0)


def percent(share: float | None, lang: str | None = None, digits: int = 1) -> str:
    """A share (0-1) as a percentage.

    >>> percent(0.7256, "en"), percent(0.7256, "fa")
    ('72.6%', '۷۲٫۶٪')
    """
    if share is None or not math.isfinite(share):
        return MISSING
    # `/@r`: at least one digit that is not zero, because a rare thing is not a thing that never happens.
    return _write(float(share), f"percent scale/100 {_digits(digits)}{'/@r' if digits else ''}", lang)


def points(net: float | None, lang: str | None = None, digits: int = 0) -> str:
    """A net score (-1 to 1) in points of a hundred, with its sign: NPS +30."""
    if net is None or not math.isfinite(net):
        return MISSING
    return _write(round(float(net) * 100, digits), f"sign-except-zero {_digits(digits)}", lang)


def signed_points(change: float | None, lang: str | None = None, digits: int = 1) -> str:
    """A change of a share in percentage points, with its sign and without a unit."""
    return points(change, lang, digits)


def duration(seconds: float | None, lang: str | None = None, *, in_sentence: bool = False) -> str:
    """A length of time in the unit that people would use, with three significant digits.

    `in_sentence`: as it stands after a preposition, where Arabic bends its dual.

    >>> duration(516_672, "en"), duration(3000, "en"), duration(1.5, "en")
    ('5.98 days', '50 minutes', '1.5 seconds')
    """
    if seconds is None or math.isnan(seconds):
        return MISSING
    if math.isinf(seconds):
        return say("common.not_reached", lang)
    x, shown = _shown(seconds)
    return _in_unit(x, duration_unit(seconds), shown, lang, "duration_in" if in_sentence else "duration")


def duration_unit(seconds: float) -> str:
    """The unit in which `duration` tells a length of time: days, hours, minutes or seconds."""
    return _unit_of(seconds)[0]


def duration_number(seconds: float, lang: str | None = None) -> str:
    """The number of `duration` without its unit, for where the unit stands beside it already.

    >>> duration_number(3000, "en"), duration_unit(3000)
    ('50', 'minutes')
    """
    x, shown = _shown(seconds)
    return number(x, lang, shown)


def _shown(seconds: float) -> tuple[float, int]:
    """A length of time in its unit with three significant digits, and how many decimals that are."""
    x = seconds / _unit_of(seconds)[1]
    x = round(x, _digits_of(x))
    return x, 0 if x == int(x) else 1 if x * 10 == int(x * 10) else 2


def _unit_of(seconds: float) -> tuple[str, float]:
    return next((u, s) for u, s, least in _UNITS if abs(seconds) >= least)


def _digits_of(x: float) -> int:
    """How many decimals show three significant digits, two at most."""
    return min(2, max(0, 2 - math.floor(math.log10(abs(x))))) if x else 0


def _in_unit(x: float, unit: str, shown: int, lang: str | None, form: str) -> str:
    # A whole number takes its own plural form; a fraction takes the form of fractions.
    return say(f"{form}.{unit}", lang, x=int(x) if shown == 0 else x, text=number(x, lang, shown))


def interval(low: float, high: float, lang: str | None = None, unit: str = "share") -> str:
    """The two ends of an interval, written in `unit` (see `write`); one dash where neither is known.

    Durations share the unit and the decimals of the longer end, unless they lie so far apart that it would hide the
    shorter one.

    >>> interval(83, 103.8, "en", "seconds"), interval(20, 90_000, "en", "seconds")
    ('1.38 to 1.73 minutes', '20 seconds to 25 hours')
    """
    if low != low and high != high:
        return "–"
    if unit == "seconds" and math.isfinite(low) and math.isfinite(high):
        shared, size = _unit_of(max(abs(low), abs(high)))
        shown = _digits_of(max(abs(low), abs(high)) / size)
        ends = [round(end / size, shown) for end in (low, high)]
        if all(abs(end) >= _LEAST_SHARED or not end for end in (low / size, high / size)):
            shown = 0 if all(end == int(end) for end in ends) else shown
            last = _in_unit(ends[1], shared, shown, lang, "duration_in")
            return say("common.interval", lang, low=number(ends[0], lang, shown), high=last)
    return say("common.interval", lang, low=_inside(low, unit, lang), high=_inside(high, unit, lang))


def _inside(x: float, unit: str, lang: str | None) -> str:
    """`x` in `unit` as it stands inside a sentence."""
    return duration(x, lang, in_sentence=True) if unit == "seconds" else write(x, unit, lang)


_UNIT_WRITERS: dict[str, Callable[[Any, str], str]] = {
    "share": lambda x, g: percent(x, g, 1),
    "share0": lambda x, g: percent(x, g, 0),
    "number0": lambda x, g: number(x, g, 0),
    "number": lambda x, g: number(x, g, 1),
    "number2": lambda x, g: number(x, g, 2),
    "number3": lambda x, g: number(x, g, 3),
    "count": lambda x, g: number(x, g, 0),
    "points": lambda x, g: points(x, g, 0),
    "seconds": duration,
    **WRITERS,
    "moment": moment,
    "yesno": lambda x, g: say("common.yes" if x else "common.no", g),
    "key": lambda x, g: say(str(x), g),
    "text": lambda x, _: str(x),
}


def write(x: object, unit: str, lang: str | None = None) -> str:
    """`x` written in `unit`.

    Units: share, share0, number0, number, number2, number3, count, points, seconds, date, week, half_month, month,
    hijri_half_month, hijri_month, moment, yesno, key, text. Shares are 0-1, net scores -1 to 1, durations seconds;
    periods are told by their first day; a missing value is a dash.
    """
    if x is None or x is pd.NaT or x is pd.NA or (isinstance(x, float) and math.isnan(x)):
        return MISSING
    return _UNIT_WRITERS[unit](x, resolve(lang))


def value(column: str, code: object, lang: str | None = None) -> str:
    """The word for a coded value, such as channel "email"; a code without a word is shown as it is."""
    key = f"value.{column}.{code}"
    return say(key, lang) if isinstance(code, str) and has(key, lang) else str(code)


@dataclass(frozen=True)
class Coded(Word):
    """A coded value inside a sentence: spoken by `value(column, code)`."""

    column: str
    code: object

    def text(self, lang: str | None = None) -> str:
        """The word in `lang`."""
        return value(self.column, self.code, lang)


@dataclass(frozen=True)
class Several(Word):
    """Words inside a sentence, one after the other."""

    words: tuple[Word, ...]

    @property
    def code(self) -> list[object]:  # type: ignore[override]
        """The codes of the words, for JSON."""
        return [word.code for word in self.words]

    def text(self, lang: str | None = None) -> str:
        """The words, joined as the language joins a list."""
        return f"{say('common.comma', lang)} ".join(word.text(lang) for word in self.words)


@dataclass(frozen=True)
class Lasting(Word):
    """A duration in seconds inside a sentence."""

    code: float

    def text(self, lang: str | None = None) -> str:
        """The duration in `lang`."""
        return duration(self.code, lang, in_sentence=True)


@dataclass(frozen=True)
class Named(Word):
    """Another message, without arguments, inside a sentence: a KPI's name, a rule."""

    code: str

    def text(self, lang: str | None = None) -> str:
        """The words of that key."""
        return say(self.code, lang)


@dataclass(frozen=True)
class Amount(Word):
    """A number with its unit inside a sentence: spoken by `write`."""

    code: float
    unit: str

    def text(self, lang: str | None = None) -> str:
        """The number in `lang`."""
        return _inside(self.code, self.unit, lang)


@dataclass(frozen=True)
class Range(Word):
    """The two ends of an interval, with their unit, inside a sentence."""

    low: float
    high: float
    unit: str

    @property
    def code(self) -> list[float]:  # type: ignore[override]
        """Both ends, for JSON."""
        return [self.low, self.high]

    def text(self, lang: str | None = None) -> str:
        """The interval in `lang`."""
        return interval(self.low, self.high, lang, self.unit)
