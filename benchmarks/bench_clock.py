"""Open seconds between two moments of each ticket: `python bench_clock.py {cxkit,business-duration,pandas} - ROWS`.

Riyadh, Sunday to Thursday, 9 to 17. The peers take milliseconds a ticket, so they count a sample, and their seconds are
multiplied up to all rows; the line of JSON says how large the sample was. They know no time zones and get local times;
pandas' CustomBusinessHour counts whole hours only. business-duration is installed apart (see README.md).
"""

from __future__ import annotations

import datetime as dt
import sys

import numpy as np
import pandas as pd
from timing import report

from cxkit.calendars import declared_schedules

SAMPLES = {"business-duration": 5_000, "pandas": 500}
WEEKEND = [4, 5]
OPENS, CLOSES = dt.time(9), dt.time(17)


def tickets(rows: int) -> tuple[pd.Series, pd.Series]:
    """Local times at which tickets open and are solved: three years, three days on average."""
    rng = np.random.default_rng(1)
    opened = pd.Series(
        np.datetime64("2023-01-01", "us") + rng.integers(0, 3 * 365 * 86_400, rows) * np.timedelta64(1, "s")
    )
    return opened, opened + pd.to_timedelta(rng.exponential(3 * 86_400, rows).round(), unit="s")


def ours(opened: pd.Series, solved: pd.Series) -> np.ndarray:
    """A new clock every time: building it is part of the work."""
    calendar = {"hours": {"sunday-thursday": "09:00-17:00"}}
    return declared_schedules(calendar, "Asia/Riyadh").clock().seconds(opened, solved)


def by_business_duration(opened: pd.Series, solved: pd.Series) -> list[float]:
    """One call a ticket, as its documentation has it."""
    from business_duration import businessDuration  # not there on every machine

    pairs = zip(opened, solved, strict=True)
    return [
        businessDuration(start, stop, starttime=OPENS, endtime=CLOSES, weekendlist=WEEKEND, unit="sec")
        for start, stop in pairs
    ]


def by_pandas(opened: pd.Series, solved: pd.Series) -> list[float]:
    """Whole open hours between two moments, as many answers on the web count them."""
    open_hour = pd.offsets.CustomBusinessHour(start=OPENS, end=CLOSES, weekmask="Sun Mon Tue Wed Thu")
    pairs = zip(opened, solved, strict=True)
    return [3600.0 * len(pd.date_range(start, stop, freq=open_hour)) for start, stop in pairs]


def main(side: str, rows: int) -> None:
    """Time one side; a peer must give our seconds (pandas: within two hours), or its time would mean nothing."""
    opened, solved = tickets(rows)
    three_hours = pd.Timedelta(hours=3)
    if side == "cxkit":
        in_utc = opened - three_hours, solved - three_hours
        report(lambda: ours(*in_utc))
        return
    part = slice(0, min(rows, SAMPLES[side]))
    counted = by_business_duration if side == "business-duration" else by_pandas
    found: list[list[float]] = []
    report(lambda: found.append(counted(opened[part], solved[part])), sample=part.stop, rows=rows)
    apart = np.abs(np.array(found[0]) - ours(opened[part] - three_hours, solved[part] - three_hours))
    if apart.max() > (7_200 if side == "pandas" else 0.01):
        raise SystemExit(f"{side} counts other seconds: up to {apart.max():.0f} apart")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[3]))
