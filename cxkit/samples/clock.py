"""When the service is open: local minutes since 1970, and working time across closed hours."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from cxkit.calendars import special_days
from cxkit.samples.plan import MINUTES_A_DAY, Bools, Floats, Ints, Table

DAYS_AFTER = 900  # a ticket of the last day must be able to live out its whole life
WEEKEND = (5, 6)  # Friday and Saturday, when Sunday is 0


@dataclass(frozen=True, eq=False)
class Days:
    """One row a day: what kind of day it is, and when the service opens and closes (local minutes since 1970)."""

    number: Ints  # days since 1970
    weekday: Ints  # 0 is Sunday
    ramadan: Bools
    eid_fitr: Bools
    eid_adha: Bools
    nowruz: Bools
    opens: Ints
    closes: Ints

    def position(self, minute: Ints) -> Ints:
        """Row of the day that holds each minute."""
        return np.asarray(minute // MINUTES_A_DAY - self.number[0], dtype=np.int64)


def days_of(plan: Table) -> Days:
    """The days from the first of the window to long after the last."""
    first, last = plan["window"]["first_on"], plan["window"]["last_on"] + dt.timedelta(days=DAYS_AFTER)
    special = special_days(first, last)
    number = np.arange((first - dt.date(1970, 1, 1)).days, (last - dt.date(1970, 1, 1)).days + 1, dtype=np.int64)
    weekday = (number + 4) % 7  # 1970-01-01 was a Thursday
    flags = {name: special[name].to_numpy(dtype=bool) for name in ("ramadan", "eid_fitr", "eid_adha", "nowruz")}
    weekend = np.isin(weekday, WEEKEND)
    cases = [flags["eid_fitr"] | flags["eid_adha"], flags["ramadan"] & weekend, flags["ramadan"], weekend]
    names = ["eid", "ramadan_weekend", "ramadan", "weekend"]
    hours = plan["hours"]
    opens, closes = (
        number * MINUTES_A_DAY + 60 * np.select(cases, [hours[n][end] for n in names], hours["working_day"][end])
        for end in (0, 1)
    )
    return Days(number, weekday, opens=opens, closes=closes, **flags)


@dataclass(frozen=True, eq=False)
class ServiceClock:
    """Working minutes between any two moments, and the moment when some working minutes are over."""

    opens: Ints
    closes: Ints
    before: Ints  # working minutes before each opening

    @classmethod
    def of(cls, days: Days) -> ServiceClock:
        """The clock that stands still while the service is closed."""
        length = days.closes - days.opens
        return cls(days.opens, days.closes, np.concatenate(([0], np.cumsum(length)[:-1])))

    def worked(self, at: Ints) -> Ints:
        """Working minutes from the first day to each moment."""
        row = np.clip(np.searchsorted(self.opens, at, side="right") - 1, 0, None)
        inside = np.clip(at - self.opens[row], 0, self.closes[row] - self.opens[row])
        return np.asarray(self.before[row] + inside, dtype=np.int64)

    def between(self, start: Ints, end: Ints) -> Ints:
        """Working minutes from `start` to `end`."""
        return self.worked(end) - self.worked(start)

    def after(self, start: Ints, work: Floats) -> Ints:
        """First whole minute at which `work` (> 0) working minutes have passed since `start`."""
        target = self.worked(start) + np.maximum(work, 1e-3)
        row = np.clip(np.searchsorted(self.before, target, side="left") - 1, 0, None)
        return np.asarray(np.ceil(self.opens[row] + target - self.before[row]), dtype=np.int64)
