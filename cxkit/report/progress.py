"""One line per report while they run: a bar where somebody watches, a plain line each where nobody does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cxkit.lang import say
from cxkit.report.plan import Job


class Teller(Protocol):
    """Hears how the reports come along."""

    def cell(self, job: Job) -> None:
        """A cell of `job` has run."""

    def done(self, job: Job, status: str, seconds: float) -> None:
        """`job` has ended."""


class _Silent:
    def cell(self, job: Job) -> None: ...

    def done(self, job: Job, status: str, seconds: float) -> None: ...


class _Lines(_Silent):
    def done(self, job: Job, status: str, seconds: float) -> None:
        sys.stderr.write(_line(job, status, seconds) + "\n")
        sys.stderr.flush()


class _Bars:
    def __init__(self, bars: Progress, plan: list[Job]) -> None:
        self.bars = bars
        # papermill adds one cell with the parameters
        self.tasks: dict[int, TaskID] = {
            id(job): bars.add_task(f"{job.name} · {job.lang}", total=_cells(job) + 1, visible=False, start=False)
            for job in plan
        }

    def cell(self, job: Job) -> None:
        task = self.tasks[id(job)]
        self.bars.start_task(task)
        self.bars.update(task, advance=1, visible=True)

    def done(self, job: Job, status: str, seconds: float) -> None:
        task = self.tasks[id(job)]
        self.bars.update(task, description=_line(job, status, seconds), visible=True)
        self.bars.stop_task(task)


def _line(job: Job, status: str, seconds: float) -> str:
    return say(
        "report.progress.line", report=job.name, lang=job.lang, status=say(f"report.status.{status}"), seconds=seconds
    )


def _cells(job: Job) -> int:
    return sum(c["cell_type"] == "code" and bool("".join(c["source"]).strip()) for c in job.notebook["cells"])


@contextmanager
def telling(plan: list[Job], show: bool = True) -> Iterator[Teller]:
    """Somebody to tell about progress, on the error stream; `show` False: nobody."""
    console = Console(stderr=True)
    if not show:
        yield _Silent()
    elif not console.is_terminal:
        yield _Lines()
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bars:
            yield _Bars(bars, plan)
