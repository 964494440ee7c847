"""One study: where its tables lie, what it declares, and up to which moment its data count."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from cxkit.calendars import Schedules, declared_schedules
from cxkit.contract import last_day, load, moment_of
from cxkit.errors import ParameterError, StudyError, nearest
from cxkit.lang import resolve
from cxkit.study.engines import store_of
from cxkit.study.prepare import prepare
from cxkit.study.settings import read_settings
from cxkit.study.store import ALL, Store


@dataclass(frozen=True, eq=False)  # eq=False: two studies are the same only if they are one
class Study:
    """A folder of exports turned into canonical tables; `open_study` makes one."""

    path: Path
    name: str
    time_zone: str
    as_of: pd.Timestamp  # naive UTC: what happened later has not happened yet
    languages: tuple[str, ...]
    targets: Mapping[str, Any]  # per KPI: shares 0-1, durations in seconds, or {within: seconds, share: 0-1}
    config: Mapping[str, Any]  # study.toml, checked, with its defaults
    intake: Mapping[str, Any]  # the account of how the exports were read; empty for tables laid there by hand
    store: Store

    def title(self, lang: str | None = None) -> str:
        """The study's title in `lang`; its name where it has none in that language."""
        return str(self.config["title"].get(resolve(lang), self.name))

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the canonical tables that are there, in the order of the contract."""
        return self.store.names

    @property
    def engine(self) -> BaseBackend:
        """The engine that counts, behind Ibis."""
        return self.store.engine

    def table(self, name: str) -> Table:
        """Table `name` as an Ibis expression; StudyError with the nearest name if the study does not have it."""
        return self.store.table(name)

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns that table `name` has."""
        return self.store.columns(name)

    def rows(self, name: str) -> int:
        """Number of rows of table `name`; 0 if it is not there."""
        return self.store.filled(name)[ALL] if name in self.tables else 0

    def has(self, name: str, *columns: str) -> bool:
        """Whether table `name` is there, with every one of `columns`, none of them all empty."""
        if name not in self.tables:
            return False
        filled = self.store.filled(name)
        return all(filled.get(column, 0) > 0 for column in columns)

    def filled(self, name: str) -> dict[str, int]:
        """How many rows of table `name` hold a value, per column; under "*" all rows."""
        return self.store.filled(name)

    def frame(self, name: str, columns: list[str] | tuple[str, ...] | None = None) -> pd.DataFrame:
        """Table `name` as rows: timestamps naive UTC in microseconds, dates at midnight, yes/no as nullable booleans.

        StudyError with the nearest name for a column that is not there.
        """
        return self.store.frame(name, columns)

    def lookup(self, name: str, frame: pd.DataFrame | pa.Table) -> Table:
        """A small table, up to some 100,000 rows, as an expression that can be joined to those of the study."""
        return self.store.lookup(name, frame)

    @functools.cached_property
    def clock(self) -> Schedules:
        """The business clocks that [calendar] declares; StudyError where it declares no hours."""
        return declared_schedules(self.config["calendar"], self.time_zone)

    def local(self, times: pd.Series[Any]) -> pd.Series[Any]:
        """Naive UTC timestamps as naive times on the study's own clock."""
        local: pd.Series[Any] = times.dt.tz_localize("UTC").dt.tz_convert(self.time_zone).dt.tz_localize(None)
        return local


def open_study(path: str | Path, as_of: str | dt.datetime | None = None) -> Study:
    """The study in folder `path`, its exports read first where that has not been done since they changed.

    A relative path is looked for below the working directory, then below the kit's own folder.
    as_of: the moment up to which the data count; a day means its end in the study's time zone, "" or None what
    study.toml says, and if it says nothing the newest observed time of the data (lone times far ahead of all others
    left out).
    """
    folder = find_study(path)
    settings = read_settings(folder)
    account = prepare(folder)
    store = store_of(folder, settings)
    if not store.names:
        raise StudyError("study_no_tables", study=settings["name"])
    declared = as_of or settings.get("as_of")
    return Study(
        path=folder,
        name=settings["name"],
        time_zone=settings["time_zone"],
        as_of=newest(store) if declared is None else _as_of(declared, settings["time_zone"], given=bool(as_of)),
        languages=tuple(settings["languages"]),
        targets=settings["targets"],
        config=settings,
        intake=account,
        store=store,
    )


def _as_of(declared: object, time_zone: str, given: bool) -> pd.Timestamp:
    """The declared moment; one that was given with the call and is none is a wrong parameter, no fault of the study."""
    try:
        return moment_of(declared, time_zone)
    except StudyError as wrong:
        if given:
            raise ParameterError(wrong.code, **wrong.params) from None
        raise


def newest(store: Store) -> pd.Timestamp:
    """The newest observed timestamp of the tables (naive UTC); without one, the newest date.

    Lone times far ahead of all others are left out, as `contract.last_day` says.
    """
    for kind in ("timestamp", "date"):
        found = _newest(store, [(name, column) for name in store.names for column in _times(store, name, kind)])
        if found is not None:
            return found
    raise StudyError("study_no_moment")


def _times(store: Store, name: str, kind: str) -> list[str]:
    filled = store.filled(name)
    columns = load().tables[name].of_type(kind)
    return [c.name for c in columns if filled.get(c.name) and (c.observed or kind == "date")]


def _newest(store: Store, columns: list[tuple[str, str]]) -> pd.Timestamp | None:
    last = last_day([_days(store, name, column) for name, column in columns])
    if last is None:
        return None
    edge = ibis.literal(pd.Timestamp(np.datetime64(last + 1, "D")).to_pydatetime())
    latest = []
    for name, column in columns:
        times = store.table(name)[column].cast("timestamp")
        top = times.max(where=times < edge).to_pyarrow().as_py()
        latest += [] if top is None else [pd.Timestamp(top)]
    return max(latest).as_unit("us")


def _days(store: Store, name: str, column: str) -> tuple[Any, Any]:
    """The days that hold values of a column, and how many each holds; counted where the data live."""
    table = store.table(name)
    day = table[column].cast("timestamp").date().name("day")
    tally = table.filter(table[column].notnull()).group_by(day).agg(n=lambda t: t.count()).to_pyarrow()
    return tally["day"].cast(pa.int32()).to_numpy().astype(np.int64), tally["n"].to_numpy()


def kit_folder() -> Path:
    """The folder that holds the kit itself, and in a checkout `data/` and `notebooks/`."""
    return Path(__file__).resolve().parents[2]


def find_study(path: str | Path) -> Path:
    """The folder of a study: as given, below the working directory, or below the kit's folder."""
    given = Path(path).expanduser()
    places = [given] if given.is_absolute() else [Path.cwd() / given, kit_folder() / given]
    for place in places:
        if place.is_dir():
            return place.resolve()
        if place.is_file() and place.name == "study.toml":
            return place.resolve().parent
    data = Path("data")
    homes = [(kit_folder() / data, data), (data, data), *((place.parent, given.parent) for place in reversed(places))]
    beside = {
        at.name: shown / at.name for home, shown in homes if home.is_dir() for at in home.iterdir() if at.is_dir()
    }
    near = beside.get(nearest(given.name, beside) or "", "none")
    raise StudyError("study_folder", given=str(path), near=str(near))
