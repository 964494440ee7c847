"""The whole scorecard by channel and month: `bench_scorecard.py {make,cxkit,pandas,polars} FOLDER ROWS`."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

from timing import report

WANTED = ("channel", "month")


def scorecard(folder: Path) -> int:
    """Every KPI that the tables carry, with its intervals, by channel and month where its table knows them."""
    from cxkit.measures import Measure, columns_of, estimates, missing, registry
    from cxkit.study import open_study

    study = open_study(folder)
    together: dict[tuple[str, ...], list[Measure]] = {}
    for measure in registry(study).values():
        if not missing(measure, study):
            known = {*columns_of(study, measure.of), *(["month"] if measure.dated_by else [])}
            together.setdefault(tuple(by for by in WANTED if by in known), []).append(measure)
    return sum(len(estimates(study, measures, by=by)) for by, measures in together.items())


def main(side: str, folder: Path, rows: int) -> None:
    """Make the study, or time one side on it."""
    if side == "make":
        from make_data import make_study

        make_study(folder, rows)
    elif side == "cxkit":
        import cxkit.measures
        import cxkit.study  # noqa: F401 - imports are not timed

        report(lambda: scorecard(folder))
    elif side == "polars":
        from peer_polars import scorecard as lazily

        report(lambda: lazily(folder, "Asia/Riyadh", dt.datetime(2026, 1, 1)))
    else:
        import pandas as pd
        from peer_pandas import scorecard as plain

        report(lambda: plain(folder, "Asia/Riyadh", pd.Timestamp("2026-01-01")))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
