"""Public holidays of a country, as the package `holidays` knows them; it is loaded when a study names a country."""

from __future__ import annotations

import datetime as dt
import functools
from importlib import metadata
from typing import NamedTuple

from cxkit.errors import StudyError, nearest


class Holiday(NamedTuple):
    """What a public holiday is called, and whether its date is only expected: the moon may move it."""

    name: str
    estimated: bool


@functools.lru_cache(maxsize=64)
def public_holidays(
    country: str, subdivision: str, first_year: int, last_year: int, lang: str = "en"
) -> dict[dt.date, Holiday]:
    """The public holidays of some years, by day; named in `lang` where the package has that language."""
    import holidays

    years = range(first_year, last_year + 1)
    spoken = holidays.country_holidays(country, subdiv=subdivision or None, years=[])
    languages = spoken.supported_languages

    def named(language: str | None) -> dict[dt.date, str]:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=years, language=language)
        return dict(sorted(found.items()))

    english = named("en_US" if "en_US" in languages else None)
    other = next((code for code in languages if code.partition("_")[0] == lang), None)
    names = english if lang == "en" or other is None else named(other)
    return {day: Holiday(names[day], "estimated" in english[day]) for day in english}


def check_country(setting: str, country: str, subdivision: str) -> None:
    """StudyError with the nearest right word for a country or a part of it that the package does not know."""
    import holidays

    known = holidays.list_supported_countries()
    if country not in known:
        near = nearest(country, known) or "none"
        raise StudyError("calendar_country", setting=setting, given=country, near=near)
    if subdivision and subdivision not in known[country]:
        near = nearest(subdivision, known[country]) or "none"
        parts = ", ".join(known[country]) or "–"
        raise StudyError(
            "calendar_subdivision", setting=setting, given=subdivision, country=country, near=near, known=parts
        )


def source() -> str:
    """The package that says which days are holidays, with its version."""
    return f"holidays {metadata.version('holidays')}"
