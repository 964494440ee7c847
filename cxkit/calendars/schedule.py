"""One service's opening hours, dated and with exceptions, and the moments at which it is open."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cxkit.calendars.months import Moves
from cxkit.calendars.public_holidays import public_holidays
from cxkit.calendars.seasons import season_days
from cxkit.calendars.spans import Spans, Week
from cxkit.calendars.zones import DAY, Ints, day_number, day_of, offsets

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Dates:
    """The days from `first` to `last`, both included; None: without a bound."""

    first: dt.date | None = None
    last: dt.date | None = None

    def hold(self, days: Ints) -> Bools:
        """Which of `days` (since 1970) they hold."""
        low = -np.inf if self.first is None else day_number(self.first)
        high = np.inf if self.last is None else day_number(self.last)
        return np.asarray((days >= low) & (days <= high))


@dataclass(frozen=True)
class Hours:
    """A week of opening hours, and the dates between which it holds."""

    dates: Dates
    week: Week


@dataclass(frozen=True)
class Season:
    """Other hours for a while: a week of them, or the same spans on each day that is usually open."""

    dates: Dates
    name: str = ""  # of SEASONS; "" where the dates say it all
    week: Week | None = None
    spans: Spans = ()


@dataclass(frozen=True)
class OwnDays:
    """Days with hours of their own; None: the hours that would hold if it were no public holiday."""

    dates: Dates
    spans: Spans | None
    name: str = ""


@dataclass(frozen=True)
class Country:
    """Whose public holidays close the service, and those on which it works all the same."""

    code: str
    subdivision: str = ""
    worked: frozenset[dt.date] = frozenset()


@dataclass(frozen=True)
class Schedule:
    """When one service is open, by its own wall clock.

    The usual week, over it the seasons, over both the public holidays, over all of them the days with hours of their
    own. A span belongs to the day on which it begins: the night before a holiday ends in the morning of the holiday.
    """

    time_zone: str
    hours: tuple[Hours, ...]
    seasons: tuple[Season, ...] = ()
    holidays: Country | None = None
    days: tuple[OwnDays, ...] = ()
    moves: Moves = field(default_factory=dict)

    def open_spans(self, first: int, last: int) -> tuple[Ints, Ints]:
        """UTC seconds at which the service opens and closes on the UTC days `first` to `last` (since 1970).

        It is open at a moment when its wall clock shows an open time. So a span that the clock skips in spring is not
        open at all, and one that it shows twice in autumn is open twice.
        """
        # No zone is as much as a day from UTC, and a night that ends on the first of them began the day before.
        days = np.arange(first - 2, last + 3, dtype=np.int64)
        opens, closes = _united(*self._local_spans(days))
        changes = [*offsets(self.time_zone, first, last + 1), ((last + 1) * DAY, 0)]
        parts = []
        for (start, ahead), (end, _) in itertools.pairwise(changes):
            low, high = np.maximum(opens - ahead, start), np.minimum(closes - ahead, min(end, (last + 1) * DAY))
            parts.append((low[low < high], high[low < high]))
        return _united(np.concatenate([low for low, _ in parts]), np.concatenate([high for _, high in parts]))

    def is_open(self, first: int, last: int) -> Bools:
        """Whether the service opens on each of the local days `first` to `last` (since 1970)."""
        which, _ = self._patterns(np.arange(first, last + 1, dtype=np.int64))
        return np.asarray(which > 0)

    def opens_on(self, day: dt.date) -> bool:
        """Whether the service opens on the local day `day`."""
        return bool(self.is_open(day_number(day), day_number(day))[0])

    def _local_spans(self, days: Ints) -> tuple[Ints, Ints]:
        """Opening and closing times of `days`, in seconds of the wall clock since 1970."""
        which, patterns = self._patterns(days)
        opens, closes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for number, spans in enumerate(patterns):
            midnight = days[which == number] * DAY
            opens += [midnight + start for start, _ in spans]
            closes += [midnight + end for _, end in spans]
        return np.concatenate(opens), np.concatenate(closes)

    def _patterns(self, days: Ints) -> tuple[Ints, list[Spans]]:
        """Which pattern of spans each day has, and the patterns; the first of them is closed."""
        book = _Patterns(days)
        for hours in self.hours:
            book.set_week(hours.week, hours.dates.hold(days))
        for season in self.seasons:
            for mask in self._held_by(season, days):
                if season.week is not None:
                    book.set_week(season.week, mask)
                else:
                    book.set(season.spans, mask & (book.which > 0))
        usual = book.which.copy()
        book.which[np.isin(days, self._holidays(days))] = 0
        for own in self.days:
            mask = own.dates.hold(days)
            if own.spans is None:
                book.which[mask] = usual[mask]
            else:
                book.set(own.spans, mask)
        return book.which, list(book.known)

    def _held_by(self, season: Season, days: Ints) -> Iterator[Bools]:
        held = season.dates.hold(days)
        if not season.name:
            yield held
            return
        for first, last in season_days(season.name, day_of(int(days[0])), day_of(int(days[-1])), self.moves):
            yield held & Dates(first, last).hold(days)

    def _holidays(self, days: Ints) -> list[int]:
        """The public holidays, in days since 1970, on which the service is closed."""
        country = self.holidays
        if country is None:
            return []
        found = public_holidays(
            country.code, country.subdivision, day_of(int(days[0])).year, day_of(int(days[-1])).year
        )
        return [day_number(day) for day in found if day not in country.worked]


class _Patterns:
    """A pattern of spans for each of some days."""

    def __init__(self, days: Ints) -> None:
        self.which: Ints = np.zeros(len(days), dtype=np.int64)
        self.known: dict[Spans, int] = {(): 0}
        self.weekday = (days + 3) % 7  # 1970 began on a Thursday, and Monday is 0

    def set(self, spans: Spans, mask: Bools) -> None:
        self.which[mask] = self.known.setdefault(spans, len(self.known))

    def set_week(self, week: Week, mask: Bools) -> None:
        for weekday, spans in enumerate(week):
            self.set(spans, mask & (self.weekday == weekday))


def _united(opens: Ints, closes: Ints) -> tuple[Ints, Ints]:
    """Spans in order, those that touch or overlap made one."""
    order = np.argsort(opens, kind="stable")
    opens, closes = opens[order], np.maximum.accumulate(closes[order])
    fresh = np.ones(len(opens), dtype=bool)
    fresh[1:] = opens[1:] > closes[:-1]
    return opens[fresh], closes[np.append(fresh[1:], True)] if len(opens) else closes
