"""What a report says of its origin: the study and its date; tables, definitions and versions behind the numbers."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo

import cxkit
from cxkit.lang import LANGS
from cxkit.report.notebooks import safe_name
from cxkit.study import Study

_PACKAGES = ("numpy", "pandas", "scipy", "duckdb", "ibis-framework", "matplotlib", "icu4py", "papermill", "nbconvert")


@dataclass(frozen=True)
class Source:
    """Origin of a batch of reports. `as_of` is naive UTC; `tables` holds rows and SHA-256 of each canonical table."""

    path: Path
    name: str
    titles: Mapping[str, str]
    time_zone: str
    as_of: dt.datetime
    period: str = ""
    tables: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def as_of_on(self) -> dt.date:
        """The last day that the data cover, in the study's own time zone."""
        return last_day(self.as_of, self.time_zone)

    @property
    def folder(self) -> tuple[str, str]:
        """Names of the report's folders: study, period (default: the local date of `as_of`)."""
        return safe_name(self.name), safe_name(self.period or self.as_of_on.isoformat())

    @functools.cached_property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of all tables: equal for equal data."""
        lines = [f"{name} {table.get('sha256', '')}" for name, table in sorted(self.tables.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def last_day(as_of: dt.datetime, time_zone: str) -> dt.date:
    """The local date of the last second before `as_of` (naive UTC): midnight still belongs to the day that it ends.

    >>> last_day(dt.datetime(2026, 6, 30, 21), "Asia/Riyadh")
    datetime.date(2026, 6, 30)
    """
    before = as_of.replace(tzinfo=dt.UTC) - dt.timedelta(microseconds=1)
    return before.astimezone(ZoneInfo(time_zone)).date()


def source_of(study: Study, period: str | None = None) -> Source:
    """The origin that an opened study gives its reports."""
    from cxkit.measures import registry

    return Source(
        path=Path(study.path).resolve(),
        name=study.name,
        titles={lang: study.title(lang) for lang in LANGS},
        time_zone=study.time_zone,
        as_of=study.as_of.to_pydatetime(),
        period=period or "",
        tables={name: _table(study, name) for name in sorted(study.tables)},
        definitions={name: measure.definition_hash for name, measure in sorted(registry(study).items())},
        versions=versions(),
    )


def _table(study: Study, name: str) -> dict[str, object]:
    file = study.store.file(name)
    if file is None:  # a study whose tables live in a database
        return {"rows": study.rows(name)}
    with file.open("rb") as opened:
        return {"rows": study.rows(name), "sha256": hashlib.file_digest(opened, "sha256").hexdigest()}


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python, cxkit and the packages that make the numbers and the pages."""
    found = {"python": platform.python_version(), "cxkit": cxkit.__version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
