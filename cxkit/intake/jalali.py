"""Jalali (Persian solar) dates into days since 1970, for whole columns at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EPOCH = 1_948_320 - 2_440_588  # first day of year 1, in days since 1970-01-01
_BEFORE_MONTH = np.array([0, 31, 62, 93, 124, 155, 186, 216, 246, 276, 306, 336])

Ints = NDArray[np.int64]


def is_leap(year: Ints) -> NDArray[np.bool_]:
    """Whether Esfand has thirty days, by the 33-year rule that ICU uses (exact for 1900-2149)."""
    return np.asarray((25 * year + 11) % 33 < 8)


def month_days(year: Ints, month: Ints) -> Ints:
    """Days of the month; zero where there is no such month."""
    esfand = np.where(is_leap(year), 30, 29)
    days = np.select([month < 1, month <= 6, month <= 11, month == 12], [0, 31, 30, esfand], default=0)
    return np.asarray(days, dtype=np.int64)


def days_since_1970(year: Ints, month: Ints, day: Ints) -> Ints:
    """Days since 1970-01-01 of Jalali dates (months 1-12; check the day with `month_days` first).

    >>> days = days_since_1970(np.array([1403]), np.array([2]), np.array([12]))
    >>> str(days.astype("datetime64[D]")[0])
    '2024-05-01'
    """
    before = 365 * (year - 1) + (8 * year + 21) // 33 + _BEFORE_MONTH[month - 1]
    return np.asarray(_EPOCH - 1 + before + day, dtype=np.int64)
