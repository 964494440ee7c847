"""Tables onto the disk, all or none: written aside, then put in place by a rename."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_ASIDE, _OLD = ".tables-new-", ".tables-old"


def publish(study: Path, tables: Mapping[str, pa.Table], account: Mapping[str, Any]) -> None:
    """Write `tables` and the account to STUDY/tables; whatever fails, the old tables stay."""
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=study))
    try:
        for name, table in tables.items():
            pq.write_table(table.replace_schema_metadata(None), aside / f"{name}.parquet", compression="zstd")
            _sync(aside / f"{name}.parquet")
        (aside / "intake.json").write_text(json.dumps(account, ensure_ascii=False, indent=1) + "\n", "utf-8")
        _sync(aside / "intake.json")
        aside.chmod(0o755)
        _sync(aside)
        _swap(study, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def recover(study: Path) -> None:
    """Put the old tables back when an earlier run was stopped between the two renames; clear what it left aside."""
    tables, old = study / "tables", study / _OLD
    if old.is_dir() and not tables.exists():
        old.rename(tables)
    for left in (old, *study.glob(f"{_ASIDE}*")):
        shutil.rmtree(left, ignore_errors=True)


def _swap(study: Path, aside: Path) -> None:
    tables, old = study / "tables", study / _OLD
    had = tables.exists()
    if had:
        tables.rename(old)
    try:
        aside.rename(tables)
    except OSError:
        if had:
            old.rename(tables)
        raise
    with contextlib.suppress(OSError):  # the new tables are in place; only their survival of a power cut is less sure
        _sync(study)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    """Make sure that a file or folder is on the disk and not only in memory."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
