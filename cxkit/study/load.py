"""A study's Parquet tables put where its [engine] says that they are: into a database, or before a cluster."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from cxkit.contract import load
from cxkit.errors import StudyError
from cxkit.study.address import address
from cxkit.study.engines import driver
from cxkit.study.prepare import prepare
from cxkit.study.settings import read_settings


def load_tables(folder: Path, replace: bool = False) -> dict[str, int]:
    """Rows per table that were loaded; the study's exports are read first, where it names any.

    Tables that [engine.tables] names belong to somebody else and are left alone. What is there already is refused
    unless `replace` is set. A server takes all tables or none.
    """
    settings = read_settings(folder)
    place, home = address(settings["engine"]), folder / "tables"
    if not place.elsewhere:
        raise StudyError("study_load_home")
    if settings["export"]:
        prepare(folder, again=True)
    ours = [name for name in load().tables if name not in place.tables and (home / f"{name}.parquet").is_file()]
    if not ours:
        raise StudyError("study_no_tables", study=settings["name"])
    tables = {name: pq.read_table(home / f"{name}.parquet") for name in ours}
    server = place.kind == "postgresql"
    kind = driver("postgres" if server else "spark", place)
    engine = kind.connected(place, writing=True) if server else kind.connected(place)
    there = kind.tables_at(engine, place, tuple(ours), *([] if server else [home]))
    if there and not replace:
        raise StudyError("study_load_exists", tables=", ".join(there), url=place.url)
    if server:
        kind.write(engine, tables, {name: (place.schema, place.named(name)) for name in ours})
    else:
        kind.write(engine, tables, place, home)
    return {name: rows.num_rows for name, rows in tables.items()}
