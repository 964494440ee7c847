"""A study made of frames in memory, for tests that need tables and nothing else of a study."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd


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
        if not (self.folder / f"{name}.parquet").exists():
            return False
        table = self.table(name)
        return all(c in table.columns and bool(table[c].notnull().any().to_pandas()) for c in columns)


def small_study(folder: Path, as_of: str, tables: dict[str, pd.DataFrame], **settings: Any) -> SmallStudy:
    """A study of `tables`; columns ending in `_at` become timestamps in microseconds."""
    for name, table in tables.items():
        times = {c: pd.to_datetime(table[c]).astype("datetime64[us]") for c in table if str(c).endswith("_at")}
        table.assign(**times).to_parquet(folder / f"{name}.parquet")
    return SmallStudy(folder, pd.Timestamp(as_of), **settings)
