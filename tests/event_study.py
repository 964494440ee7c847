"""Event logs for tests: a log written as text, and a study folder around it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxkit.process.core import EventLog, event_log
from cxkit.study import Study, open_study

START = pd.Timestamp("2026-01-04")


def events(text: str) -> pd.DataFrame:
    """One event a word, `case:activity@hours` or `case:activity@hours/resource`, in the order of the file."""
    rows = []
    for word in text.split():
        head, _, resource = word.partition("/")
        case, _, step = head.partition(":")
        activity, _, hours = step.partition("@")
        rows.append((case, activity, START + pd.Timedelta(hours=float(hours)), resource or None))
    frame = pd.DataFrame(rows, columns=["case_id", "activity", "at", "resource"])
    return frame.astype({"at": "datetime64[us]", "resource": "string"})


def log_of(text: str) -> EventLog:
    """The log of `events(text)`."""
    return event_log(events(text))


def event_study(folder: Path, frame: pd.DataFrame | None, process: str = "", as_of: str = "2026-12-31") -> Study:
    """A study in `folder` whose only table is `frame` (none at all if None); `process` is the body of `[process]`."""
    (folder / "tables").mkdir(parents=True)
    settings = f'name = "small"\ntime_zone = "UTC"\nas_of = {as_of}\n[process]\n{process}\n'
    (folder / "study.toml").write_text(settings, encoding="utf-8")
    if frame is not None:
        frame.to_parquet(folder / "tables" / "events.parquet")
    else:
        pd.DataFrame({"ticket_id": ["1"], "opened_at": [START]}).to_parquet(folder / "tables" / "tickets.parquet")
    return open_study(folder)
