"""How a change is spoken: its size with its sign, chances of error, what was measured."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import pandas as pd

from cxkit.lang import (
    Amount,
    Word,
    duration_number,
    duration_unit,
    has,
    is_rtl,
    label,
    number,
    percent,
    say,
    value,
)
from cxkit.lang.direction import LRI, PDI

_IN_POINTS = ("share", "points")  # differences of these are told in points of a hundred
_SMALLEST = 0.001
_MANY = 100  # takes the plural form that goes with any number
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")  # no script of ours has raised digits of its own


@dataclass(frozen=True)
class Change(Word):
    """A difference with its sign: of shares and net scores in points, of rates in percent, of chances as they are.

    Units: share, points, seconds, number2, count, relative (0.08 is "+8%"), chance (0-1, one half is no difference).
    """

    code: float
    unit: str
    signed: bool = True

    def text(self, lang: str | None = None) -> str:
        """The difference in `lang`."""
        return self._said(lang, points=True)

    def short(self, lang: str | None = None) -> str:
        """The difference without the word for points, as an axis that names its unit writes it."""
        return self._said(lang, points=False)

    def _said(self, lang: str | None, points: bool) -> str:
        if math.isnan(self.code):
            return "–"
        if math.isinf(self.code):
            return say("changes.size.any", lang)
        if self.unit == "chance" and self.signed:
            return percent(self.code, lang)
        size, words = self._size(lang, points)
        sign = "" if not size or not self.signed else "+" if self.code > 0 else "−"
        return _signed(words, sign, lang)

    def _size(self, lang: str | None, points: bool) -> tuple[float, str]:
        """The size as it is seen, rounded, and in words."""
        size = abs(self.code)
        if self.unit in (*_IN_POINTS, "chance"):
            seen = _rounded(size * 100)
            return seen, say("changes.size.points", lang, x=seen) if points else number(
                seen, lang, 1 if seen % 1 else 0
            )
        if self.unit == "relative":
            seen = _rounded(size * 100) / 100
            return seen, percent(seen, lang)
        words = Amount(size, self.unit).text(lang)
        if self.unit == "seconds" and self.signed and not re.search(r"\d", words):
            return size, _counted(size, lang)
        return size, words


def _counted(seconds: float, lang: str | None) -> str:
    """A length of time with its number, where the language would say one or two without it: a sign needs a number."""
    return say(f"duration_in.{duration_unit(seconds)}", lang, x=_MANY, text=duration_number(seconds, lang))


def _signed(words: str, sign: str, lang: str | None) -> str:
    """Words with a sign before their number, where it stays also between words that run from right to left."""
    digits = re.search(r"\d[\d.,٫٬]*[٪%]?", words)
    if not sign or digits is None:
        return f"{sign}{words}"
    told = f"{sign}{digits[0]}"
    return f"{words[: digits.start()]}{f'{LRI}{told}{PDI}' if is_rtl(lang) else told}{words[digits.end() :]}"


def _rounded(x: float) -> float:
    """One decimal, two of what is smaller than a tenth."""
    return round(x, 1) if x >= 0.1 else round(x, 2)


@dataclass(frozen=True)
class Span(Word):
    """The two ends of a change, with their signs."""

    low: float
    high: float
    unit: str

    @property
    def code(self) -> list[float]:  # type: ignore[override]
        """Both ends, for JSON."""
        return [self.low, self.high]

    def text(self, lang: str | None = None) -> str:
        """Both ends in `lang`; a dash where there is no interval."""
        if not math.isfinite(self.low + self.high):
            return "–"
        return say("common.interval", lang, low=self._low(lang), high=Change(self.high, self.unit).text(lang))

    def _low(self, lang: str | None) -> str:
        """The lower end, without the unit where the upper one names the same."""
        size = abs(self.low)
        if self.unit in _IN_POINTS:
            size = _rounded(size * 100)
            words = number(size, lang, 1 if size == round(size, 1) else 2)
        elif self.unit == "seconds" and duration_unit(self.low) == duration_unit(self.high):
            words = duration_number(size, lang)
        else:
            return Change(self.low, self.unit).text(lang)
        return _signed(words, "" if not size else "+" if self.low > 0 else "−", lang)


@dataclass(frozen=True)
class P(Word):
    """A p value: three decimals, below that as a power of ten when `exact`, else as "below 0.001"."""

    code: float
    exact: bool = False

    def text(self, lang: str | None = None) -> str:
        """The p in `lang`."""
        if math.isnan(self.code):
            return "–"
        if self.code >= _SMALLEST:
            return say("changes.p.equal", lang, p=self._number(lang))
        if not self.exact or self.code < 1e-300:
            return say("changes.p.below", lang, p=number(_SMALLEST, lang, 3))
        power = math.floor(math.log10(self.code))
        lead, ten = number(self.code / 10.0**power, lang, 0), label(10, lang)
        text = f"{lead} × {ten}{str(power).translate(_RAISED)}"
        return say("changes.p.power", lang, text=f"{LRI}{text}{PDI}" if is_rtl(lang) else text)

    def bare(self, lang: str | None = None) -> str:
        """The p below a heading that says that it is one."""
        if math.isnan(self.code):
            return "–"
        if self.code >= _SMALLEST:
            return self._number(lang)
        return say("changes.p.smaller", lang, p=number(_SMALLEST, lang, 3))

    def _number(self, lang: str | None) -> str:
        return number(self.code, lang, 3 if self.code < 0.1 else 2)


@dataclass(frozen=True)
class Measured(Word):
    """What was measured of a KPI: a share, a mean up to a horizon, the chance that an answer is higher."""

    stat: str
    amount: float = float("nan")
    unit: str = "seconds"

    @property
    def code(self) -> list[object]:  # type: ignore[override]
        """The statistic and its number, for JSON."""
        return [self.stat, self.amount]

    def text(self, lang: str | None = None) -> str:
        """The statistic in words."""
        key = f"changes.measured.{self.stat}"
        if not has(key, lang):
            return value("stat", self.stat, lang)
        spoken = "" if math.isnan(self.amount) else Amount(self.amount, self.unit).text(lang)
        return say(key, lang, amount=spoken)


@dataclass(frozen=True)
class Group(Word):
    """The name of a side: before, after, a word of the column that divides, or a value as it stands."""

    by: str
    code: str

    def text(self, lang: str | None = None) -> str:
        """The name in `lang`."""
        key = f"changes.side.{self.code}"
        if not self.by and has(key, lang):
            return say(key, lang)
        if self.code in ("yes", "no"):
            return say("changes.side.flag", lang, column=self.by, answer=say(f"common.{self.code}", lang))
        return value(self.by, self.code, lang)


@dataclass(frozen=True)
class Column(Word):
    """A column as readers call it: agent, customer, channel."""

    code: str

    def text(self, lang: str | None = None) -> str:
        """The column in `lang`, or its own name."""
        key = f"changes.column.{self.code}"
        return say(key, lang) if has(key, lang) else self.code


def local_time(at: pd.Timestamp, time_zone: str) -> pd.Timestamp:
    """A moment in naive UTC by the clock of a time zone."""
    return at.tz_localize("UTC").tz_convert(time_zone).tz_localize(None)


def local_date(at: pd.Timestamp, time_zone: str) -> pd.Timestamp:
    """The local day of a moment in naive UTC."""
    return local_time(at, time_zone).normalize()
