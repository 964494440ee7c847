"""Are a study's tables still what its exports say? If not, the exports are read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

from cxkit.errors import StudyError
from cxkit.intake import run_intake
from cxkit.study.address import address
from cxkit.study.settings import read_settings

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None


def prepare(folder: Path, again: bool = False) -> dict[str, Any]:
    """The account of how the exports of the study in `folder` were read; reads them where that is not done yet.

    They are read again when `again` is set, or when an export, study.toml, a mapping or the kit's own reading changed.
    A study that names no exports keeps the tables that lie there; one whose tables live in a database or on a cluster
    is not read at all, unless `again` asks for its exports. What intake or the gate refuses is raised, and the
    old tables stay as they were.
    """
    settings = read_settings(folder)
    if address(settings["engine"]).elsewhere and not (again and settings["export"]):
        return {}
    if not settings["export"]:
        if not any((folder / "tables").glob("*.parquet")):
            raise StudyError("study_no_tables", study=settings["name"])
        return account_of(folder)
    digest = source_digest(folder)
    if not again and account_of(folder).get("digest") == digest:
        return account_of(folder)
    with _alone(folder):
        if again or account_of(folder).get("digest") != digest:  # unless somebody else has done it meanwhile
            run_intake(folder)
            account = {**account_of(folder), "digest": digest}
            _write(folder / "tables" / "intake.json", json.dumps(account, ensure_ascii=False, indent=1) + "\n")
    return account_of(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time write the tables of a study; two notebooks may open it at the same moment."""
    with (folder / "study.toml").open("rb") as settings:
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks: as good as it gets
                fcntl.flock(settings, fcntl.LOCK_EX)
        yield


def account_of(folder: Path) -> dict[str, Any]:
    """How the exports were read, as intake wrote it down; empty if tables were laid there by hand."""
    file = folder / "tables" / "intake.json"
    account: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return account


def source_digest(folder: Path) -> str:
    """Fingerprint of all that decides what the tables hold: exports, settings, mappings, and the kit's own reading."""
    digest = hashlib.sha256()
    for name, file in _sources(folder):
        digest.update(f"{name}\0".encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[tuple[str, Path]]:
    for place in ("study.toml", "exports", "mappings"):
        root = folder / place
        files = [root] if root.is_file() else sorted(file for file in root.rglob("*") if file.is_file())
        yield from ((file.relative_to(folder).as_posix(), file) for file in files)
    kit = Path(str(resources.files("cxkit")))
    for place, end in (("contract", ".toml"), ("contract", ".py"), ("intake", ".py"), ("intake/mappings", ".toml")):
        yield from ((f"cxkit/{place}/{file.name}", file) for file in sorted((kit / place).glob(f"*{end}")))


def _write(file: Path, text: str) -> None:
    """Write `file` whole or not at all."""
    aside = file.with_suffix(".new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(file)
