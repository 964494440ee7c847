"""Dates and times as exports write them, into UTC; what cannot be read safely is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cxkit.contract import likely_calendar
from cxkit.errors import IntakeError
from cxkit.intake import jalali
from cxkit.intake.cells import Cells
from cxkit.intake.fold import fold
from cxkit.intake.numerals import cleaned, to_numbers
from cxkit.lang import Sentence

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Moments = NDArray[np.datetime64]  # microseconds; NaT where there is no time

EPOCHS = {"epoch_seconds": 1e6, "epoch_milliseconds": 1e3}  # microseconds in one step
CALENDARS = ("gregorian", "jalali")
ORDERS = ("dmy", "mdy")
_FIRST_GREGORIAN = 1700
_TIME = (
    r"(?:[T ,]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r" ?(?P<p>[AaPp]\.?[Mm]\.?)? ?(?P<z>Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?$"
)
_YEAR_FIRST = r"^(?P<Y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})" + _TIME
_YEAR_LAST = r"^(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<Y>\d{4})" + _TIME
_DAY_NAMED = r"^(?P<d>\d{1,2})[-/. ](?P<B>\pL+)[-/., ]+(?P<Y>\d{4})" + _TIME
_NAMED_DAY = r"^(?P<B>\pL+)[. ]+(?P<d>\d{1,2}),? +(?P<Y>\d{4})" + _TIME
_TWO_DIGIT_YEAR = r"^(?:\d{1,2}[-/. ](?:\d{1,2}|\pL+)[-/. ]\d{2})(?:\D.*)?$"
_DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d{2})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})", "b": r"(?P<B>\pL+)",
    "B": r"(?P<B>\pL+)", "H": r"(?P<H>\d{1,2})", "I": r"(?P<H>\d{1,2})", "M": r"(?P<M>\d{1,2})", "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})", "p": r"(?P<p>[AaPp]\.?[Mm]\.?)", "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})", "%": "%",
}  # fmt: skip
_MONTHS = {
    "gregorian": (
        "january jan يناير", "february feb فبراير", "march mar مارس", "april apr أبريل", "may مايو", "june jun يونيو",
        "july jul يوليو", "august aug أغسطس", "september sep sept سبتمبر", "october oct أكتوبر", "november nov نوفمبر",
        "december dec ديسمبر",
    ),
    "jalali": (
        "فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد امرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند",
    ),
}  # fmt: skip
_HALF_DAYS = {"ق.ظ": "AM", "ب.ظ": "PM", "ص": "AM", "م": "PM"}
_HALF_DAY = re.compile(r"(?<=[\d ])(ق\.ظ|ب\.ظ|ص|م)\.?(?= |$)")


@dataclass(frozen=True)
class DateRule:
    """What a mapping states about the dates of a column; nothing stated means: read what is safe, refuse the rest."""

    formats: tuple[str, ...] = ()
    calendar: str = "gregorian"
    order: str | None = None  # dmy or mdy
    epoch: str | None = None  # one of EPOCHS


@dataclass
class Moment:
    """The distinct values of a column as local moments, with the offsets that some of them carry."""

    local: Moments
    offset: NDArray[np.float64]  # minutes east of Greenwich; NaN where the text has none
    unread: Mask
    notes: list[Sentence] = field(default_factory=list)


def read_dates(cells: Cells, rule: DateRule) -> Moment:
    """The dates and times of `cells` as they stand there, before any time zone is applied.

    Read without being told: years first (2024-05-01, 2024/5/1 10:32), with time, AM/PM (also ص/م) and offset; day or
    month first when the values themselves decide; named months with a year of four digits. Everything else needs
    `formats` (strptime signs), `order` or `epoch` in the mapping.

    IntakeError: a year below 1700 in a Gregorian column, a Gregorian year in a Jalali one, day and month that could be
    either, years of two digits.
    """
    if rule.epoch:
        return _from_epoch(cells, EPOCHS[rule.epoch])
    texts = _date_texts(cells.values)
    found = _Parts(len(texts))
    if rule.formats:
        for form in rule.formats:
            found.take(_extract(texts, _pattern(form)), rule.calendar)
    else:
        _shapes(cells, texts, rule, found)
    filled = np.asarray(texts.is_valid())
    _refuse_calendar(cells, found, rule.calendar)
    if not rule.formats:
        _refuse_two_digits(cells, texts, filled & ~found.there)
    local, offset, right = found.moments(rule.calendar)
    return Moment(local, offset, filled & ~right, found.notes)


def _from_epoch(cells: Cells, step: float) -> Moment:
    numbers = to_numbers(cells.values) * step
    right = np.abs(np.nan_to_num(numbers)) < 7.3e15  # up to the year 2200
    right &= ~np.isnan(numbers)
    local = np.full(len(numbers), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    local[right] = np.round(numbers[right]).astype(np.int64).astype("datetime64[us]")
    filled = np.asarray(_date_texts(cells.values).is_valid())
    return Moment(local, np.zeros(len(numbers)), filled & ~right)


def _date_texts(values: pa.StringArray) -> pa.StringArray:
    """Cleaned values with the halves of the day in Latin letters."""
    texts = cleaned(values)
    if pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return texts
    return pa.array([t and _HALF_DAY.sub(lambda m: _HALF_DAYS[m[1]], t) for t in texts.to_pylist()], pa.string())


def _pattern(form: str) -> str:
    """The regular expression of a strptime format; digits that touch other digits have exactly two."""
    out = []
    parts = [part for part in re.split(r"(%.)", form) if part]
    for before, part, after in zip(["", *parts], parts, [*parts[1:], ""], strict=False):
        if not part.startswith("%"):
            out.append(re.escape(part).replace(r"\ ", " +"))
            continue
        touches = any(other.startswith("%") and other[1:] in "YymdHIMS" for other in (before, after))
        sign = _DIRECTIVES[part[1:]]
        out.append(sign.replace(r"\d{1,2}", r"\d{2}") if touches else sign)
    return "^" + "".join(out) + "$"


def check_format(form: str) -> str | None:
    """The first sign of `form` that is no strptime sign known here, or None."""
    return next((f"%{sign}" for sign in re.findall(r"%(.)", form) if sign not in _DIRECTIVES), None)


Groups = dict[str, pa.StringArray]


def _extract(texts: pa.StringArray, pattern: str) -> tuple[Ints, Groups]:
    """Places of the texts that match, and what their named groups hold."""
    found = pc.extract_regex(texts, pattern)
    places = np.flatnonzero(np.asarray(found.is_valid()))
    taken = found.take(pa.array(places))
    return places, {f.name: taken.field(i) for i, f in enumerate(found.type)}


def _shapes(cells: Cells, texts: pa.StringArray, rule: DateRule, found: _Parts) -> None:
    """The shapes that are read without being told."""
    for pattern in (_YEAR_FIRST, _DAY_NAMED, _NAMED_DAY):
        found.take(_extract(texts, pattern), rule.calendar)
    places, groups = _extract(texts, _YEAR_LAST)
    if len(places):
        foreign = _foreign(_ints(groups["Y"]), rule.calendar).any()  # then the column is refused, whatever the order
        order = rule.order or ("dmy" if foreign else _order(cells, found, places, groups))
        day, month = ("a", "b") if order == "dmy" else ("b", "a")
        found.take((places, {**groups, "d": groups[day], "m": groups[month]}), rule.calendar)


def _order(cells: Cells, found: _Parts, places: Ints, groups: Groups) -> str:
    """Day first or month first, from numbers above twelve; IntakeError when there are none, or on both sides."""
    seen = {}
    for name in ("a", "b"):
        mask = np.zeros(len(cells.values), dtype=bool)
        mask[places] = _ints(groups[name]) > 12
        seen[name] = mask
    where = {"file": cells.file, "column": cells.column}
    if seen["a"].any() and seen["b"].any():
        rows = {"first_rows": cells.first_rows(seen["a"]), "second_rows": cells.first_rows(seen["b"])}
        raise IntakeError("intake_mixed_order", **where, **rows)
    if not (seen["a"].any() or seen["b"].any()):
        mask = np.zeros(len(cells.values), dtype=bool)
        mask[places] = True
        raise IntakeError("intake_day_or_month", **where, n=cells.count(mask), rows=cells.first_rows(mask))
    order = "dmy" if seen["a"].any() else "mdy"
    n = cells.count(seen["a"] | seen["b"])
    found.notes.append(Sentence("intake.note.order", {"column": cells.column, "order": order, "n": n}))
    return order


def _ints(texts: pa.StringArray) -> Ints:
    """Digits as numbers; zero where there are none."""
    return np.asarray(pc.if_else(pc.equal(texts, ""), "0", texts).cast(pa.int64()), dtype=np.int64)


class _Parts:
    """Year, month, day, time and offset of each distinct value, gathered shape by shape."""

    def __init__(self, size: int) -> None:
        self.there: Mask = np.zeros(size, dtype=bool)
        self.parts: dict[str, Ints] = {name: np.zeros(size, dtype=np.int64) for name in "YmdHMSf"}
        self.offset = np.full(size, np.nan)
        self.twelve: Mask = np.zeros(size, dtype=bool)
        self.wrong: Mask = np.zeros(size, dtype=bool)
        self.notes: list[Sentence] = []

    def take(self, matched: tuple[Ints, Groups], calendar: str) -> None:
        """Add the values at these places that no earlier shape has read."""
        places, groups = matched
        new = ~self.there[places]
        places, groups = places[new], {k: v.filter(pa.array(new)) for k, v in groups.items()}
        self.there[places] = True
        for name in "YmdHMS":
            if name in groups:
                self.parts[name][places] = _ints(groups[name])
        if "y" in groups:
            self.parts["Y"][places] = _century(_ints(groups["y"]), calendar)
        if "B" in groups:
            self.parts["m"][places] = _named_months(groups["B"], calendar)
        if "f" in groups:
            self.parts["f"][places] = _ints(pc.utf8_slice_codeunits(pc.utf8_rpad(groups["f"], 6, "0"), 0, 6))
        if "p" in groups:
            self._half_day(places, groups["p"])
        if "z" in groups:
            self.offset[places] = _offsets(groups["z"])

    def _half_day(self, places: Ints, half: pa.StringArray) -> None:
        half = pc.utf8_lower(half)
        said = np.asarray(pc.not_equal(half, ""))
        afternoon = np.asarray(pc.starts_with(half, "p"))
        hour = self.parts["H"][places]
        self.wrong[places] |= said & ((hour < 1) | (hour > 12))
        self.parts["H"][places] = np.where(said, hour % 12 + 12 * afternoon, hour)

    def moments(self, calendar: str) -> tuple[Moments, NDArray[np.float64], Mask]:
        """Local moments, offsets, and which values are a day and time that exist."""
        year, month, day, hour, minute, second, micro = (self.parts[name] for name in "YmdHMSf")
        safe_month = np.clip(month, 1, 12)
        length = _days_in_month(year, safe_month, calendar)
        right = self.there & ~self.wrong & (month == safe_month) & (day >= 1) & (day <= length)
        right &= (hour < 24) & (minute < 60) & (second < 60)
        days = _days(year, safe_month, np.clip(day, 1, 28), calendar) + day - np.clip(day, 1, 28)
        local = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micro
        moments = np.where(right, local, 0).astype("datetime64[us]")
        moments[~right] = np.datetime64("NaT", "us")
        return moments, self.offset, right


def _century(two: Ints, calendar: str) -> Ints:
    """Years of two digits that a format asked for: 1969-2068, or 1351-1450 in the Jalali calendar."""
    return np.where(two > 68, 1900, 2000) + two if calendar == "gregorian" else np.where(two > 50, 1300, 1400) + two


def _named_months(names: pa.StringArray, calendar: str) -> Ints:
    known = {fold(name): i for i, names in enumerate(_MONTHS[calendar], 1) for name in names.split()}
    words = pc.dictionary_encode(names)
    numbers = np.array([known.get(fold(w), 0) for w in words.dictionary.to_pylist()], dtype=np.int64)
    return numbers[np.asarray(words.indices)] if len(numbers) else np.zeros(len(names), dtype=np.int64)


def _offsets(zones: pa.StringArray) -> NDArray[np.float64]:
    """Minutes east of Greenwich; NaN where nothing is said."""
    words = pc.dictionary_encode(zones)
    minutes = np.array([_offset(w) for w in words.dictionary.to_pylist()], dtype=np.float64)
    return minutes[np.asarray(words.indices)] if len(minutes) else np.full(len(zones), np.nan)


def _offset(zone: str) -> float:
    if not zone:
        return np.nan
    if zone[0] not in "+-":
        return 0.0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 60 + int(digits[2:]))


def _days(year: Ints, month: Ints, day: Ints, calendar: str) -> Ints:
    """Days since 1970-01-01."""
    if calendar == "jalali":
        return jalali.days_since_1970(year, month, day)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) + day - 1


def _days_in_month(year: Ints, month: Ints, calendar: str) -> Ints:
    if calendar == "jalali":
        return jalali.month_days(year, month)
    one = np.ones_like(month)
    after_year, after_month = year + (month == 12), month % 12 + 1
    return _days(after_year, after_month, one, calendar) - _days(year, month, one, calendar)


def _foreign(year: Ints, calendar: str) -> Mask:
    """Years that belong to another calendar than the one they are read in."""
    return year < _FIRST_GREGORIAN if calendar == "gregorian" else year >= _FIRST_GREGORIAN


def _refuse_calendar(cells: Cells, found: _Parts, calendar: str) -> None:
    """IntakeError when the years of a column belong to another calendar than the one it is read in."""
    year = found.parts["Y"]
    other = found.there & _foreign(year, calendar)
    if not other.any():
        return
    likely = "gregorian" if calendar == "jalali" else likely_calendar(int(np.median(year[other])))
    if likely == "hijri" and (found.parts["d"][other] == 31).any():
        likely = "jalali"  # lunar months have at most thirty days
    where = {"file": cells.file, "column": cells.column}
    raise IntakeError(
        "intake_calendar", **where, n=cells.count(other), stated=calendar, likely=likely, rows=cells.first_rows(other)
    )


def _refuse_two_digits(cells: Cells, texts: pa.StringArray, left: Mask) -> None:
    short = left & np.asarray(pc.fill_null(pc.match_substring_regex(texts, _TWO_DIGIT_YEAR), False))
    if short.any():
        where = {"file": cells.file, "column": cells.column}
        raise IntakeError("intake_two_digit_year", **where, n=cells.count(short), rows=cells.first_rows(short))


def to_utc(cells: Cells, moment: Moment, zone: str) -> Moments:
    """Per distinct value: naive UTC. A text with an offset keeps its own; the others are local times of `zone`.

    A time that the clocks skipped moves to the first moment after the gap; of a time that they showed twice the first
    is taken. Both are counted in a note.
    """
    utc: Moments = moment.local - np.where(np.isnan(moment.offset), 0, moment.offset * 60e6).astype("timedelta64[us]")
    naive = np.flatnonzero(np.isnan(moment.offset) & ~np.isnat(moment.local))
    if not len(naive):
        return utc
    local = pd.DatetimeIndex(moment.local[naive])
    strict = local.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    index = strict
    if strict.hasnans:
        index = local.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")
        odd = np.zeros(len(moment.local), dtype=bool)
        odd[naive] = strict.isna()
        note = {"column": cells.column, "n": cells.count(odd), "zone": zone, "rows": cells.first_rows(odd)}
        moment.notes.append(Sentence("intake.note.clock_change", note))
    utc[naive] = index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    return utc
