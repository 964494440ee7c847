"""The business clocks of a study: one for every schedule it declares, and which ticket goes by which."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from cxkit.calendars.clock import Clock
from cxkit.calendars.public_holidays import public_holidays, source
from cxkit.calendars.schedule import Schedule
from cxkit.errors import StudyError, nearest
from cxkit.lang import Sentence

USUAL = "usual"


@dataclass(frozen=True, eq=False)
class Schedules:
    """The schedules of a study by name; "usual" is the one of every ticket that no other is declared for."""

    rules: Mapping[str, Schedule]
    column: str = ""  # the column of tickets that picks a schedule; "" where there is but one
    values: Mapping[str, str] = field(default_factory=dict)  # value of that column -> schedule
    known_on: dt.date | None = None  # when somebody last looked over the declared calendar

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the schedules, the usual one first."""
        return tuple(self.rules)

    def of(self, value: object) -> str:
        """The schedule of a ticket with this value in `column`."""
        return self.values.get(value, USUAL) if isinstance(value, str) else USUAL

    def rule(self, name: str = USUAL) -> Schedule:
        """What a schedule declares; StudyError with the nearest name for one that is not declared."""
        if name not in self.rules:
            near = nearest(name, self.rules) or USUAL
            raise StudyError("calendar_schedule", given=name, near=near, known=", ".join(self.rules))
        return self.rules[name]

    def clock(self, name: str = USUAL) -> Clock:
        """The clock of a schedule, made once; StudyError with the nearest name for one that is not declared."""
        self.rule(name)
        return self._clocks[name]

    @functools.cached_property
    def _clocks(self) -> dict[str, Clock]:
        return {name: Clock(rule) for name, rule in self.rules.items()}

    def holidays(self, first: dt.date, last: dt.date, name: str = USUAL, lang: str = "en") -> pd.DataFrame:
        """The public holidays of a schedule from `first` to `last`.

        Columns: day, holiday (in `lang` where the package has it), estimated (the moon may move it), open (the schedule
        opens all the same).
        """
        rule, rows = self.rule(name), []
        if rule.holidays is not None:
            found = public_holidays(rule.holidays.code, rule.holidays.subdivision, first.year, last.year, lang)
            rows = [
                (day, holiday.name, holiday.estimated, rule.opens_on(day))
                for day, holiday in found.items()
                if first <= day <= last
            ]
        return pd.DataFrame(rows, columns=["day", "holiday", "estimated", "open"])

    def notes(self, first: dt.date, last: dt.date) -> tuple[Sentence, ...]:
        """What a reader should know of the calendar behind business times: as known on which day, what is estimated."""
        notes = []
        if self.known_on is not None:
            notes.append(Sentence("calendar.known_on", {"day": self.known_on}))
        countries = sorted({rule.holidays.code for rule in self.rules.values() if rule.holidays is not None})
        if countries:
            notes.append(Sentence("calendar.holidays", {"countries": ", ".join(countries), "source": source()}))
        found = pd.concat([self.holidays(first, last, name) for name in self.names])
        unsure = found[found["estimated"].astype(bool) & ~found["open"].astype(bool)]["day"].nunique()
        if unsure:
            notes.append(Sentence("calendar.estimated", {"n": int(unsure)}))
        return tuple(notes)
