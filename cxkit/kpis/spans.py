"""The periods of a KPI: which are whole, and how long the service was open in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxkit.calendars import period_unit
from cxkit.measures import Measure, begins_at
from cxkit.measures.periods import is_over, measured_periods

if TYPE_CHECKING:
    from cxkit.study import Study

# data that begin this many days into a period begin with it, give or take a long weekend
_SLACK = {"day": 0, "week": 1, "half_month": 3, "month": 4}
_HOUR, _DAY = 3_600.0, 86_400.0


def _calendar(study: Study) -> Mapping[str, Any]:
    found: Mapping[str, Any] = study.config.get("calendar", {})
    return found


def written(study: Study, period: str) -> str:
    """The unit in which periods of the study's calendar are written."""
    return period_unit(period, _calendar(study).get("months", "gregorian"))


def whole(study: Study, measure: Measure, period: str, days: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether the data cover the period that opens on each of `days`: begin with it, and go on to its end."""
    start = begins_at(study, measure) - pd.Timedelta(days=_SLACK[period])
    known = measured_periods(study, measure, period)
    covered = {pd.Timestamp(each.first_on): start <= each.start_at and is_over(study, each) for each in known}
    return np.array([covered.get(pd.Timestamp(day), False) for day in days], dtype=bool)


def begun(study: Study, measure: Measure, period: str) -> pd.DatetimeIndex:
    """The first days of the periods that have lasted for a while at `as_of`: the one that opens with it has not."""
    moment = study.as_of - pd.Timedelta(microseconds=1)
    starts = [each.first_on for each in measured_periods(study, measure, period) if each.start_at <= moment]
    return pd.DatetimeIndex(pd.to_datetime(pd.Series(starts, dtype=object)))


def has_hours(study: Study) -> bool:
    """Whether the study declares business hours."""
    return bool(_calendar(study).get("hours"))


def exposure(study: Study, measure: Measure, period: str, days: pd.Series[Any]) -> pd.Series[Any]:
    """How long the service was open in each period, as far as the data cover it: hours, or days without a clock.

    Months differ in holidays and weekends: their volumes compare only per open hour.
    """
    first, last = begins_at(study, measure), study.as_of + pd.Timedelta(microseconds=1)
    covered = {
        pd.Timestamp(span.first_on): (max(span.start_at, first.floor("D")), min(span.end_at, last))
        for span in measured_periods(study, measure, period)
    }
    lengths = []
    for day in days:
        found = covered.get(pd.Timestamp(day))
        lengths.append(float("nan") if found is None else _open(study, *found))
    return pd.Series(lengths, index=days.index, dtype=float)


def _open(study: Study, start: pd.Timestamp, stop: pd.Timestamp) -> float:
    if has_hours(study):
        return float(study.clock.clock().seconds(start, stop)) / _HOUR
    return (stop - start).total_seconds() / _DAY
