"""Nine KPIs by channel and month from a study on disk: `python bench_scorecard.py {make,cxkit,pandas} FOLDER ROWS`."""

from __future__ import annotations

import sys
from pathlib import Path

from timing import report

NINE = ["csat", "nps", "ces", "first_reply_time", "resolution_time", "fcr", "return_rate", "escalation", "volume"]


def main(side: str, folder: Path, rows: int) -> None:
    """Make the study, or time one side on it."""
    if side == "make":
        from make_data import make_study

        make_study(folder, rows)
    elif side == "cxkit":
        from cxkit.measures import estimates, registry
        from cxkit.study import open_study

        def scorecard() -> None:
            study = open_study(folder)
            measures = registry(study)
            estimates(study, [measures[kpi] for kpi in NINE], by=("channel", "month"))

        report(scorecard)
    else:
        import pandas as pd
        from peer_pandas import scorecard as plain

        report(lambda: plain(folder, "Asia/Riyadh", pd.Timestamp("2026-01-01"), 14_400, 259_200))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
