"""A study made of frames in memory, for tests that need tables and nothing else of a study."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from cxkit.calendars import Schedules, declared_schedules
from cxkit.study.store import lookup


@functools.lru_cache(maxsize=256)
def _filled(file: Path, written: int) -> frozenset[str]:
    """Columns with at least one value, of the file as it was written then."""
    frame = pd.read_parquet(file)
    return frozenset(str(c) for c in frame if frame[c].notna().any())


@dataclass(frozen=True)
class SmallStudy:
    """What measures ask of a study: tables, `as_of`, time zone, targets and settings."""

    folder: Path
    as_of: pd.Timestamp
    time_zone: str = "UTC"
    targets: dict[str, float] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    engine: Any = field(default_factory=ibis.duckdb.connect)

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(sorted(file.stem for file in self.folder.glob("*.parquet")))

    def table(self, name: str) -> ir.Table:
        return self.engine.read_parquet(self.folder / f"{name}.parquet", table_name=name)

    def columns(self, name: str) -> tuple[str, ...]:
        return tuple(self.table(name).columns)

    def has(self, name: str, *columns: str) -> bool:
        file = self.folder / f"{name}.parquet"
        return file.exists() and set(columns) <= _filled(file, file.stat().st_mtime_ns)

    @property
    def clock(self) -> Schedules:
        return declared_schedules(self.config.get("calendar", {}), self.time_zone)

    def frame(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"{name}.parquet", columns=columns)

    def local(self, times: pd.Series) -> pd.Series:
        return times.dt.tz_localize("UTC").dt.tz_convert(self.time_zone).dt.tz_localize(None)

    def lookup(self, name: str, frame: pd.DataFrame) -> ir.Table:
        return lookup(self.engine, name, frame, {})


def small_study(folder: Path, as_of: str, tables: dict[str, pd.DataFrame], **settings: Any) -> SmallStudy:
    """A study of `tables`; columns ending in `_at` become timestamps in microseconds."""
    for name, table in tables.items():
        times = {c: pd.to_datetime(table[c]).astype("datetime64[us]") for c in table if str(c).endswith("_at")}
        table.assign(**times).to_parquet(folder / f"{name}.parquet")
    return SmallStudy(folder, pd.Timestamp(as_of), **settings)
