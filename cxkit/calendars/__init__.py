"""Business clock, periods and special days: time as a team counts it."""

from cxkit.calendars.clock import Clock
from cxkit.calendars.declared import check_calendar, declared_schedules
from cxkit.calendars.months import CALENDARS, year_month_day
from cxkit.calendars.periods import DAYS, UNITS, Period, month_edges, period_unit, periods
from cxkit.calendars.schedules import USUAL, Schedules
from cxkit.calendars.seasons import special_days
from cxkit.calendars.zones import local_day, local_midnight, zone

__all__ = [
    "CALENDARS",
    "DAYS",
    "UNITS",
    "USUAL",
    "Clock",
    "Period",
    "Schedules",
    "check_calendar",
    "declared_schedules",
    "local_day",
    "local_midnight",
    "month_edges",
    "period_unit",
    "periods",
    "special_days",
    "year_month_day",
    "zone",
]
