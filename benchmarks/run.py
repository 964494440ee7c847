"""How fast and how lean: cxkit against its peers, each side in fresh processes, printed and kept in latest.json.

`python benchmarks/run.py` takes a few minutes; `--quick` uses small sizes. The sides of a task take turns, so that a
busy machine disturbs all of them; each figure is the best of its turns. Compare ratios, not seconds.
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
Task = tuple[str, str, tuple[str, ...], int, int]  # name, script (and its task), peers, rows, rows of --quick
TASKS: tuple[Task, ...] = (
    ("scorecard: every KPI x channel x month", "bench_scorecard.py", ("pandas", "polars"), 2_000_000, 50_000),
    ("Kaplan-Meier: 50 groups, median, P90, share", "bench_survival.py", ("lifelines",), 200_000, 20_000),
    ("business hours between two moments", "bench_clock.py", ("business-duration", "pandas"), 1_000_000, 100_000),
    ("two sides: mean by 800 agents", "bench_changes.py mean", ("statsmodels",), 2_000_000, 50_000),
    ("two sides: net score, interval", "bench_changes.py net", ("scipy",), 2_000_000, 50_000),
    ("two sides: median, interval", "bench_changes.py median", ("scipy",), 2_000_000, 50_000),
    ("two sides: waits, log-rank, capped means", "bench_changes.py waits", ("lifelines",), 2_000_000, 50_000),
)
LARGE = 10_000_000  # tickets; pandas needs some 13 GB
MAKERS = ("bench_scorecard.py", "bench_changes.py")  # that make a table for all sides first
# peers that are no requirement of the kit, and their modules
APART = {"business-duration": "business_duration", "polars": "polars"}


def main() -> None:
    """Run every task and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, seconds instead of minutes")
    parser.add_argument("--large", action="store_true", help="the scorecard of 10,000,000 tickets, once, and no other")
    parser.add_argument("--only", default="", metavar="WORD", help="only tasks whose name holds this word")
    parser.add_argument("--turns", type=int, default=3, help="how often each side runs (default 3)")
    options = parser.parse_args()
    tasks, turns = tuple(task for task in TASKS if options.only in task[0]), options.turns
    if options.large:
        name, script, peers, *_ = TASKS[0]
        tasks, turns = ((name, script, peers, LARGE, LARGE),), 1
    there = {peer: _there(peer) for _, _, peers, *_ in tasks for peer in peers}
    rows = []
    with tempfile.TemporaryDirectory(prefix="cxkit-bench-") as folder:
        for name, script, peers, full, small in tasks:
            met = tuple(peer for peer in peers if there[peer])
            rows += _compared((name, script, met, full, small), Path(folder), options.quick, turns)
    (HERE / "latest.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    _show(rows)


def _there(peer: str) -> bool:
    found = peer not in APART or importlib.util.find_spec(APART[peer]) is not None
    if not found:
        print(f"left out: {peer} is not installed (see README.md)")
    return found


def _compared(task: Task, folder: Path, quick: bool, turns: int) -> list[dict[str, object]]:
    """One row per peer; our side runs once a turn, however many peers it meets."""
    name, script, peers, full, small = task
    size = small if quick else full
    if script.split()[0] in MAKERS:
        _run(script, "make", folder, size)
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in ("cxkit", *peers)}
    for _ in range(turns):
        for side, done in runs.items():
            done.append(_run(script, side, folder, size))
    best = {side: {key: min(run[key] for run in done) for key in ("s", "cpu_s", "mb")} for side, done in runs.items()}
    ours = best["cxkit"]
    return [
        {
            "name": name,
            "size": size,
            "ours_s": ours["s"],
            "ours_cpu_s": ours["cpu_s"],
            "ours_mb": ours["mb"],
            "peer": peer,
            "peer_s": best[peer]["s"],
            "peer_cpu_s": best[peer]["cpu_s"],
            "peer_mb": best[peer]["mb"],
            "ratio": best[peer]["s"] / ours["s"],
            "ratio_mb": best[peer]["mb"] / ours["mb"],
            "peer_did": int(runs[peer][0].get("sample", size)),
            "peer_whole": int(runs[peer][0].get("whole", size)),
            "peer_of": runs[peer][0].get("of", "rows"),
        }
        for peer in peers
    ]


def _run(script: str, side: str, folder: Path, size: int) -> dict[str, float]:
    kit = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, str(HERE / script.split()[0]), side, str(folder / str(size)), str(size), *script.split()[1:]],
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
        if row["peer_did"] != row["peer_whole"]:
            print(
                f"    {row['peer']} did {row['peer_did']:,} {row['peer_of']}; its seconds are multiplied up to "
                f"{row['peer_whole']:,}"
            )


if __name__ == "__main__":
    main()
