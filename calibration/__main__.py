"""`python -m calibration`: count everything, write docs/calibration.md.

Some three quarters of an hour on one core; `--workers 4` makes use of four. Counts are kept in latest.json beside this
file as they come in, so that `--only WORD` can count some jobs anew, `--resume` goes on where a run was stopped, and
`--page` writes the page of what was counted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibration import coverage, kinds, planted, real, series
from calibration.page import page
from calibration.runs import Counted, Job, Rate, counted_all

HERE = Path(__file__).resolve().parent
STORE, PAGE = HERE / "latest.json", HERE.parent / "docs" / "calibration.md"
RUNS, FITS = 10_000, 2_000


def all_jobs(runs: int = RUNS, fits: int = FITS, folder: Path | None = None) -> list[Job]:
    """Everything that is published; tickets of the `folder` of real data where there is one."""
    dealt = real.jobs(folder) if folder else []
    situations, teams = kinds.jobs(runs)[: len(kinds.SITUATIONS)], kinds.jobs(runs)[len(kinds.SITUATIONS) :]
    return [*situations, *dealt, *series.jobs(runs, fits), *planted.jobs(), *coverage.jobs(runs, fits), *teams]


def real_folder() -> Path | None:
    """The folder of the real data, which are no part of the kit."""
    folder = Path(os.environ.get("CXKIT_REAL_DATA") or HERE.parent.parent / "shared" / "data")
    return folder if (folder / "helpdesk").is_dir() and (folder / "anonymous_bank").is_dir() else None


def kept(job: Job, found: Counted) -> dict[str, Any]:
    """A job and what was counted, for the store."""
    hits = {case: {method: rate.hits for method, rate in rates.items()} for case, rates in found.rates.items()}
    return {"runs": job.runs, "aim": job.aim, "seconds": round(found.seconds, 1), "hits": hits}


def read(store: Path) -> dict[str, Counted]:
    """What was counted, by job."""
    told = json.loads(store.read_text("utf-8")) if store.exists() else {}
    return {
        name: Counted(
            {
                case: {method: Rate(hits, job["runs"], job["aim"]) for method, hits in methods.items()}
                for case, methods in job["hits"].items()
            },
            job["seconds"],
        )
        for name, job in told.items()
    }


def count(jobs: Sequence[Job], store: Path, workers: int) -> None:
    """Count the jobs, one after the other, into the store."""
    told = json.loads(store.read_text("utf-8")) if store.exists() else {}
    for at, (job, found) in enumerate(counted_all(jobs, workers), 1):
        told[job.name] = kept(job, found)
        store.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        sys.stdout.write(f"{at} of {len(jobs)}: {job.name}, {job.runs:,} draws, {found.seconds:.0f} s\n")
        sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(prog="python -m calibration", description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="processes at once (default 1)")
    parser.add_argument("--only", default="", metavar="WORD", help="only jobs whose name holds this word")
    parser.add_argument("--resume", action="store_true", help="only jobs that were not counted yet")
    parser.add_argument("--page", action="store_true", help="write the page of what was counted before")
    options = parser.parse_args(arguments)
    folder = real_folder()
    if folder is None:
        sys.stdout.write("Real tickets are left out: set CXKIT_REAL_DATA to the folder that holds them.\n")
    jobs = all_jobs(folder=folder)
    if not options.page:
        warnings.filterwarnings("ignore", module="ibis")
        done = read(STORE) if options.resume else {}
        count([job for job in jobs if options.only in job.name and job.name not in done], STORE, options.workers)
    told = read(STORE)
    PAGE.parent.mkdir(exist_ok=True)
    counted = {job.name: told[job.name] for job in jobs if job.name in told}
    PAGE.write_text(page(counted, folder, [job.name for job in jobs if job.name not in told]), "utf-8")
    sys.stdout.write(f"{PAGE.relative_to(HERE.parent)} is written.\n")


if __name__ == "__main__":
    main()
