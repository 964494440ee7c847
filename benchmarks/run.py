"""How fast and how lean: cxkit against its peers, each side in fresh processes, printed and kept in latest.json.

`python benchmarks/run.py` takes a few minutes; `--quick` uses small sizes. The two sides take turns, so that a busy
machine disturbs both; each figure is the best of its turns. Compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# name, script, peer, rows, rows of --quick
TASKS = (
    ("scorecard: every KPI x channel x month", "bench_scorecard.py", "pandas", 2_000_000, 50_000),
    ("Kaplan-Meier: 50 groups, median, P90, share", "bench_survival.py", "lifelines", 200_000, 20_000),
    ("business hours between two moments", "bench_clock.py", "business-duration", 1_000_000, 100_000),
    ("business hours between two moments", "bench_clock.py", "pandas", 1_000_000, 100_000),
)
LARGE = 10_000_000  # tickets; the peer needs some 13 GB
APART = {"business-duration": "business_duration"}  # peers that are no requirement of the kit, and their modules


def main() -> None:
    """Run every task and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, seconds instead of minutes")
    parser.add_argument("--large", action="store_true", help="the scorecard of 10,000,000 tickets, once, and no other")
    parser.add_argument("--turns", type=int, default=3, help="how often each side runs (default 3)")
    options = parser.parse_args()
    tasks, turns = [task for task in TASKS if _there(task[2])], options.turns
    if options.large:
        name, script, peer, *_ = TASKS[0]
        tasks, turns = [(name, script, peer, LARGE, LARGE)], 1
    with tempfile.TemporaryDirectory(prefix="cxkit-bench-") as folder:
        rows = [_compared(task, Path(folder), options.quick, turns) for task in tasks]
    (HERE / "latest.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    _show(rows)


def _there(peer: str) -> bool:
    found = peer not in APART or importlib.util.find_spec(APART[peer]) is not None
    if not found:
        print(f"left out: {peer} is not installed (see README.md)")
    return found


def _compared(task: tuple[str, str, str, int, int], folder: Path, quick: bool, turns: int) -> dict[str, object]:
    name, script, peer, full, small = task
    size = small if quick else full
    if script == "bench_scorecard.py":
        _run(script, "make", folder, size)
    ours, theirs = [], []
    for _ in range(turns):
        ours.append(_run(script, "cxkit", folder, size))
        theirs.append(_run(script, peer, folder, size))
    a, b = ({key: min(run[key] for run in runs) for key in ("s", "cpu_s", "mb")} for runs in (ours, theirs))
    return {
        "name": name,
        "size": size,
        "ours_s": a["s"],
        "ours_cpu_s": a["cpu_s"],
        "ours_mb": a["mb"],
        "peer": peer,
        "peer_s": b["s"],
        "peer_cpu_s": b["cpu_s"],
        "peer_mb": b["mb"],
        "ratio": b["s"] / a["s"],
        "ratio_mb": b["mb"] / a["mb"],
        "peer_rows": int(theirs[0].get("sample", size)),
    }


def _run(script: str, side: str, folder: Path, size: int) -> dict[str, float]:
    kit = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, str(HERE / script), side, str(folder / str(size)), str(size)],
        env={**os.environ, "PYTHONPATH": kit},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}


def _show(rows: list[dict[str, object]]) -> None:
    print(f"{'task':<48}{'rows':>10}{'cxkit s':>9}{'MB':>7}  {'peer':<18}{'s':>8}{'MB':>7}{'faster':>10}{'leaner':>8}")
    for row in rows:
        print(
            f"{row['name']:<48}{row['size']:>10,}{row['ours_s']:>9.2f}{row['ours_mb']:>7.0f}  {row['peer']:<18}"
            f"{row['peer_s']:>8.2f}{row['peer_mb']:>7.0f}{row['ratio']:>9,.1f}x{row['ratio_mb']:>7.1f}x"
        )
        if row["peer_rows"] != row["size"]:
            print(f"    {row['peer']} did {row['peer_rows']:,} rows; its seconds are multiplied up to {row['size']:,}")


if __name__ == "__main__":
    main()
