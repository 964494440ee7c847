"""The table [calendar] of study.toml: opening hours as an analyst writes them, checked, and made into clocks.

An example with everything; a plain one needs only `weekend` and `hours = "09:00-17:00"`::

    [calendar]
    months = "gregorian"                 # reports count gregorian, jalali or hijri months
    week_start = "sunday"
    weekend = ["friday", "saturday"]
    column = "team"                      # the column of tickets that picks one of the schedules below
    known_on = 2026-06-01                # when somebody last looked over this calendar; results print it

    [[calendar.hours]]                   # the usual week; a new one begins where the weekend changed
    until = 2025-12-31
    sunday-wednesday = ["09:00-12:00", "13:00-17:00"]
    thursday = "09:00-13:00"

    [[calendar.hours]]
    from = 2026-01-01
    sunday-thursday = "09:00-17:00"
    saturday = "20:00-02:00"             # the night belongs to the day on which it begins

    [[calendar.seasons]]                 # other hours for a while; where two meet, the later one holds
    season = "ramadan"                   # or eid_fitr, eid_adha, nowruz; or none, and from and until
    hours = "10:00-15:00"                # on every day that is usually open; or a table of days as above

    [calendar.holidays]                  # public holidays are closed
    country = "SA"                       # as the package `holidays` knows them
    worked = [2026-02-22]                # on these the service is open as usual

    [[calendar.days]]                    # single days, over all the above
    on = [2026-04-15, 2026-04-16]        # or from and until
    hours = "closed"                     # or spans; or "usual", whatever holiday it is
    name = "stocktaking"

    [calendar.sighted]                   # months that did not begin as the Umm al-Qura calendar has it
    1447-09 = 2026-02-19

    [calendar.schedules]                 # teams with other hours
    night = { for = ["night desk", "vip"], hours = { every_day = "00:00-24:00" }, holidays = "none" }
    dubai = { time_zone = "Asia/Dubai", hours = { monday-thursday = "09:00-18:00", friday = "09:00-12:00" } }

A schedule serves the value of the column that is its own name, unless `for` names others; the usual hours serve every
ticket that no schedule names. What a schedule leaves out is as above, with one exception: seasons change hours, so that
a schedule with hours of its own has the seasons that it says itself, or none.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cxkit.calendars.months import CALENDARS, Moves, moves_of
from cxkit.calendars.periods import DAYS
from cxkit.calendars.public_holidays import check_country
from cxkit.calendars.schedule import Country, Dates, Hours, OwnDays, Schedule, Season
from cxkit.calendars.schedules import USUAL, Schedules
from cxkit.calendars.seasons import SEASONS
from cxkit.calendars.spans import spans, week
from cxkit.calendars.zones import zone
from cxkit.errors import StudyError, nearest

_OF_A_SCHEDULE = ("weekend", "hours", "seasons", "holidays", "days")
_OF_ALL = ("months", "week_start", "known_on", "sighted", "column", "schedules")
_WITHOUT = "none"  # a schedule that does not close on public holidays says holidays = "none"


def check_calendar(setting: str, value: Any) -> dict[str, Any]:
    """The table as it stands, every word of it checked; StudyError names what to change."""
    table = _table(setting, value, (*_OF_A_SCHEDULE, *_OF_ALL))
    for name, known in (("months", CALENDARS), ("week_start", DAYS)):
        if name in table:
            _word(f"{setting}.{name}", table[name], known)
    if "column" in table:
        _text(f"{setting}.column", table["column"])
    if "hours" in table:
        _schedules(setting, table, "UTC")
    else:
        _weekend(setting, table)
        _moves(setting, table)
        for name in ("seasons", "holidays", "days", "column", "schedules"):
            if name in table:
                raise StudyError("calendar_hours_missing", setting=f"{setting}.{name}", hours=f"{setting}.hours")
    return dict(table)


def declared_schedules(calendar: Mapping[str, Any], time_zone: str) -> Schedules:
    """The business clocks that the table [calendar] declares, for a study in `time_zone`.

    StudyError, with what to write, where it declares no hours.
    """
    if not calendar.get("hours"):
        raise StudyError("calendar_no_hours")
    return _schedules("calendar", calendar, time_zone)


def _schedules(setting: str, table: Mapping[str, Any], time_zone: str) -> Schedules:
    moves = _moves(setting, table)
    usual = {name: table[name] for name in _OF_A_SCHEDULE if name in table}
    rules, values = {USUAL: _schedule(setting, usual, time_zone, moves)}, dict[str, str]()
    for path, name, entry in _others(f"{setting}.schedules", table.get("schedules", {})):
        taken = {key: value for key, value in usual.items() if key != "seasons" or "hours" not in entry}
        its_zone = zone(f"{path}.time_zone", entry.get("time_zone", time_zone))
        rules[name] = _schedule(path, {**taken, **entry}, its_zone, moves)
        for served in _texts(f"{path}.for", entry.get("for", [name])):
            if served in values:
                raise StudyError("calendar_served_twice", given=served, first=values[served], second=name)
            values[served] = name
    if ("column" in table) != bool(values):
        raise StudyError("calendar_column_missing", column=f"{setting}.column", schedules=f"{setting}.schedules")
    return Schedules(rules, table.get("column", ""), values, _date_or_none(setting, table, "known_on"))


def _others(setting: str, value: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The schedules beside the usual one: where each stands, its name, what it says."""
    for name, entry in _table(setting, value, None).items():
        path = f"{setting}.{name}"
        if name == USUAL:
            raise StudyError("calendar_usual", setting=path)
        yield path, name, _table(path, entry, (*_OF_A_SCHEDULE, "for", "time_zone"))


def _schedule(setting: str, table: Mapping[str, Any], time_zone: str, moves: Moves) -> Schedule:
    weekend = _weekend(setting, table)
    return Schedule(
        time_zone=time_zone,
        hours=_hours(f"{setting}.hours", table["hours"], weekend),
        seasons=tuple(_season(path, entry) for path, entry in _entries(f"{setting}.seasons", table.get("seasons", []))),
        holidays=_holidays(f"{setting}.holidays", table.get("holidays", _WITHOUT)),
        days=_own_days(f"{setting}.days", table.get("days", [])),
        moves=moves,
    )


def _hours(setting: str, value: Any, weekend: tuple[int, ...] | None) -> tuple[Hours, ...]:
    """Dated weeks: one for all times, or one for each entry of a list of tables."""
    if isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        found = tuple(_dated_week(path, entry) for path, entry in _entries(setting, value))
        _refuse_shared_days(setting, [hours.dates for hours in found])
    elif isinstance(value, Mapping):
        found = (Hours(Dates(), week(setting, value)),)
    else:
        day = spans(setting, value)
        if weekend is None:
            raise StudyError("calendar_weekend_missing", setting=setting, weekend=setting.replace(".hours", ".weekend"))
        found = (Hours(Dates(), tuple(() if number in weekend else day for number in range(7))),)
    if not any(day for hours in found for day in hours.week):
        raise StudyError("calendar_never_open", setting=setting)
    return found


def _dated_week(setting: str, entry: Any) -> Hours:
    days = {name: value for name, value in entry.items() if name not in ("from", "until")}
    return Hours(_dates(setting, entry), week(setting, days))


def _season(setting: str, entry: Any) -> Season:
    table = _table(setting, entry, ("season", "from", "until", "hours"), needed=("hours",))
    name = _word(f"{setting}.season", table["season"], tuple(SEASONS)) if "season" in table else ""
    dates = _dates(setting, table)
    if not name and (dates.first is None or dates.last is None):
        raise StudyError("study_setting_missing", setting=f"{setting}.season")
    if isinstance(table["hours"], Mapping):
        return Season(dates, name, week=week(f"{setting}.hours", table["hours"]))
    return Season(dates, name, spans=spans(f"{setting}.hours", table["hours"]))


def _holidays(setting: str, value: Any) -> Country | None:
    """A country's code alone, a table, or "none"."""
    if value == _WITHOUT:
        return None
    given = {"country": value} if isinstance(value, str) else value
    table = _table(setting, given, ("country", "subdivision", "worked"), needed=("country",))
    code = _text(f"{setting}.country", table["country"])
    part = _text(f"{setting}.subdivision", table["subdivision"]) if "subdivision" in table else ""
    check_country(setting, code, part)
    return Country(code, part, frozenset(_days(f"{setting}.worked", table.get("worked", []))))


def _own_days(setting: str, value: Any) -> tuple[OwnDays, ...]:
    found: list[OwnDays] = []
    for path, entry in _entries(setting, value):
        table = _table(path, entry, ("on", "from", "until", "hours", "name"), needed=("hours",))
        hours = None if table["hours"] == USUAL else spans(f"{path}.hours", table["hours"])
        name = _text(f"{path}.name", table["name"]) if "name" in table else ""
        found += [OwnDays(dates, hours, name) for dates in _which_days(path, table)]
    _refuse_shared_days(setting, [own.dates for own in found])
    return tuple(found)


def _which_days(setting: str, table: Mapping[str, Any]) -> list[Dates]:
    if "on" in table:
        return [Dates(day, day) for day in _days(f"{setting}.on", table["on"])]
    dates = _dates(setting, table)
    if dates.first is None or dates.last is None:
        raise StudyError("study_setting_missing", setting=f"{setting}.on")
    return [dates]


def _dates(setting: str, table: Mapping[str, Any]) -> Dates:
    first, last = (_date_or_none(setting, table, name) for name in ("from", "until"))
    if first is not None and last is not None and last < first:
        raise StudyError("calendar_from_until", setting=setting, first=str(first), last=str(last))
    return Dates(first, last)


def _refuse_shared_days(setting: str, dates: Iterable[Dates]) -> None:
    ordered = sorted(dates, key=lambda span: span.first or dt.date.min)
    for before, after in itertools.pairwise(ordered):
        begins = after.first or dt.date.min
        if begins <= (before.last or dt.date.max):
            raise StudyError("calendar_dates_overlap", setting=setting, day=str(after.first or before.last or "none"))


def _moves(setting: str, table: Mapping[str, Any]) -> Moves:
    sighted = _table(f"{setting}.sighted", table.get("sighted", {}), None)
    return moves_of({month: _date(f"{setting}.sighted.{month}", day) for month, day in sighted.items()})


def _weekend(setting: str, table: Mapping[str, Any]) -> tuple[int, ...] | None:
    if "weekend" not in table:
        return None
    path = f"{setting}.weekend"
    return tuple(DAYS.index(_word(path, day, DAYS)) for day in _list(path, table["weekend"]))


def _table(setting: str, value: Any, known: Sequence[str] | None, needed: Sequence[str] = ()) -> Mapping[str, Any]:
    """A table with no other names than `known` (None: any), and all of `needed`."""
    if not isinstance(value, Mapping):
        raise StudyError("study_setting_type", setting=setting, wanted="table")
    for name in value if known is not None else ():
        if name not in (known or ()):
            near = nearest(name, known or ()) or "none"
            raise StudyError(
                "study_setting_unknown", setting=f"{setting}.{name}", near=near, known=", ".join(known or ())
            )
    for name in needed:
        if name not in value:
            raise StudyError("study_setting_missing", setting=f"{setting}.{name}")
    return value


def _entries(setting: str, value: Any) -> list[tuple[str, Any]]:
    """Entries of a list of tables, with the place of each."""
    return [
        (f"{setting}[{n}]", _table(f"{setting}[{n}]", entry, None)) for n, entry in enumerate(_list(setting, value), 1)
    ]


def _list(setting: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise StudyError("study_setting_type", setting=setting, wanted="list")
    return value


def _text(setting: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise StudyError("study_setting_type", setting=setting, wanted="text")
    return value


def _texts(setting: str, value: Any) -> list[str]:
    return [_text(setting, text) for text in ([value] if isinstance(value, str) else _list(setting, value))]


def _word(setting: str, value: Any, known: Sequence[str]) -> str:
    text = _text(setting, value)
    if text not in known:
        near = nearest(text, known) or known[0]
        raise StudyError("study_setting_word", setting=setting, given=text, near=near, known=", ".join(known))
    return text


def _date(setting: str, value: Any) -> dt.date:
    if type(value) is not dt.date:  # a moment is a date to Python, but says more than is meant here
        raise StudyError("study_setting_type", setting=setting, wanted="date")
    return value


def _date_or_none(setting: str, table: Mapping[str, Any], name: str) -> dt.date | None:
    return _date(f"{setting}.{name}", table[name]) if name in table else None


def _days(setting: str, value: Any) -> list[dt.date]:
    return [_date(setting, day) for day in (value if isinstance(value, list) else [value])]
