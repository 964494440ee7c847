"""The store that study.toml names: Parquet files and DuckDB, a PostgreSQL server, or Spark."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from cxkit.contract import load
from cxkit.errors import StudyError
from cxkit.study.address import Address, address
from cxkit.study.store import DatabaseStore, ParquetStore, Store


def store_of(folder: Path, settings: Mapping[str, Any]) -> Store:
    """The tables of the study in `folder`, and the engine that counts them."""
    place, home = address(settings["engine"]), folder / "tables"
    store = _STORES[place.kind](place, home)
    if not store.names and place.elsewhere:
        raise StudyError("study_engine_empty", url=place.url, known=", ".join(map(place.named, load().tables)))
    return store


def _parquet(place: Address, home: Path) -> Store:
    return ParquetStore(home)


def _postgresql(place: Address, home: Path) -> Store:
    kind = driver("postgres", place)
    engine = kind.connected(place)
    tables = kind.tables_at(engine, place, tuple(load().tables))
    return DatabaseStore(engine, {name: partial(kind.table_at, engine, at) for name, at in tables.items()})


def _spark(place: Address, home: Path) -> Store:
    kind = driver("spark", place)
    engine = kind.connected(place)
    tables = kind.tables_at(engine, place, tuple(load().tables), home)
    readers = {name: partial(kind.table_at, engine, at, name) for name, at in tables.items()}
    return DatabaseStore(engine, readers, {name: Path(at) for name, at in tables.items() if Path(at).is_file()})


_STORES = {"duckdb": _parquet, "postgresql": _postgresql, "spark": _spark}


def driver(extra: str, place: Address) -> ModuleType:
    """The module that speaks to a server; StudyError if what it needs is not installed."""
    try:
        return import_module(f"cxkit.study.{extra}")
    except ImportError as absent:
        if (absent.name or "").startswith("cxkit"):
            raise
        raise StudyError("study_engine_extra", url=place.url, extra=f"cxkit[{extra}]") from None
