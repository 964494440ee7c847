"""One task in one fresh process: its seconds and the most memory the process ever held."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def report(task: Callable[[], object], sample: int = 0, rows: int = 0, of: str = "rows") -> None:
    """Run `task` once; print wall seconds, processor seconds and peak memory in MB as one line of JSON.

    Imports are not timed, but what they hold counts as memory. A task of `sample` rows (or what else they are
    `of`) stands for `rows`: its seconds are multiplied up, and the line says how many were really done.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    task()
    times = rows / sample if sample else 1
    found = {"s": (time.perf_counter() - wall) * times, "cpu_s": (time.process_time() - cpu) * times, "mb": _peak_mb()}
    print(json.dumps(found | ({"sample": sample, "whole": rows, "of": of} if sample else {})))


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says on Linux may be the parent's
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024
