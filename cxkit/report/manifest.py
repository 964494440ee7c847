"""The record of a folder of reports: what was run on which data, how it ended, and which files it left."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cxkit.report.document import notebook_hash
from cxkit.report.execute import Failure
from cxkit.report.plan import Job
from cxkit.report.source import Source

FILE = "manifest.json"
Entry = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Made:
    """One report of this run: its files (kind -> content) when it succeeded, its failure when it did not."""

    job: Job
    title: str
    seconds: float
    files: Mapping[str, bytes] = field(default_factory=dict)
    failure: Failure | None = None
    looks: tuple[Mapping[str, Any], ...] = ()

    @property
    def status(self) -> str:
        """One of "ok", "failed", "timed-out" and "kernel-died"."""
        return self.failure.status if self.failure else "ok"

    @property
    def key(self) -> Key:
        """Notebook and language: what the report replaces."""
        return self.job.name, self.job.lang

    def path(self, kind: str) -> str:
        """Place of a file below the folder of the period: "fa/04_measure_kpis.html"."""
        return f"{self.job.lang}/{self.job.name}.{kind}"

    @property
    def error(self) -> str:
        """The failure in one line; empty when there is none."""
        if self.failure is None:
            return ""
        words = f": {self.failure.words.splitlines()[0][:200]}" if self.failure.words else ""
        return f"{self.failure.cell}: {self.failure.name}{words}"


def entries(folder: Path) -> dict[Key, Entry]:
    """What the manifest of an earlier run says of each report; empty when there is none that can be read."""
    return {(e["notebook"], e["lang"]): e for e in read(folder).get("reports", [])}


def read(folder: Path) -> dict[str, Any]:
    """The manifest in `folder`, or an empty one."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def manifest(made: list[Made], source: Source, before: Mapping[Key, Entry]) -> dict[str, Any]:
    """The manifest after this run: its reports, and those of earlier runs that it did not make again."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")  # of the run, not of any number
    after = {**before, **{m.key: _entry(m, source, before.get(m.key, {}), now) for m in made}}
    return {
        "schema": 1,
        "study": source.name,
        "titles": dict(source.titles),
        "period": source.folder[1],
        "as_of": f"{source.as_of.isoformat()}Z",
        "time_zone": source.time_zone,
        "made_at": now,
        "data": {"digest": source.digest, "tables": dict(source.tables)},
        "definitions": dict(source.definitions),
        "versions": dict(source.versions),
        "reports": [after[key] for key in sorted(after)],
    }


def _entry(made: Made, source: Source, before: Entry, now: str) -> Entry:
    """A new report; or the failure of one, with the files that an earlier run left."""
    entry = {
        "notebook": made.job.name,
        "lang": made.job.lang,
        "status": made.status,
        "seconds": round(made.seconds, 2),
        "made_at": now,
        "error": made.error,
    }
    if made.failure is not None:
        kept: Entry = {
            k: before[k]
            for k in ("title", "files", "data", "parameters", "notebook_hash", "files_made_at", "looks")
            if k in before
        }
        return {"title": made.title, "files": {}, **kept, **entry, "failure_page": made.path("failed.html")}
    return {
        **entry,
        "title": made.title,
        "parameters": made.job.shown,
        "notebook_hash": notebook_hash(made.job.notebook),
        "data": source.digest,
        "files_made_at": now,
        "files": {kind: _file(made.path(kind), content) for kind, content in made.files.items()},
        **_looks(made, before),
    }


def _looks(made: Made, before: Entry) -> Entry:
    """Looks at running data, those of the reports that this one replaces included: a look cannot be taken back."""
    new = {(look["key"], look["as_of"]) for look in made.looks}
    kept = [look for look in before.get("looks", []) if (look["key"], look["as_of"]) not in new]
    found = [*kept, *map(dict, made.looks)]
    return {"looks": found} if found else {}


def _file(path: str, content: bytes) -> dict[str, object]:
    return {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
