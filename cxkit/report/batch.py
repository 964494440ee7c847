"""Runs notebooks on a study and publishes their reports: checked first, run side by side, put in place in one step."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cxkit.errors import ReportError
from cxkit.lang import LANGS
from cxkit.lang.prose import localise
from cxkit.measures import check_group, registry
from cxkit.report import document, manifest
from cxkit.report.execute import Failure, Kernels, Limits, Run, execute, papermill
from cxkit.report.manifest import Made
from cxkit.report.plan import Job, make_plan
from cxkit.report.progress import Teller, telling
from cxkit.report.publish import publish, recover, replace_file, require_folder
from cxkit.report.source import Source, source_of
from cxkit.study import open_study

EXIT_CODES = {"ok": 0, "failed": 1, "kernel-died": 4, "timed-out": 5}


@dataclass(frozen=True)
class RunResult:
    """How one report ended: `paths` has its "html", "json" and "ipynb", or the page "failed" that says why not."""

    notebook: str
    lang: str
    status: str
    seconds: float
    paths: Mapping[str, Path] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Batch:
    """The reports of one run, their folder, and the page that leads to them."""

    results: tuple[RunResult, ...]
    folder: Path
    index: Path

    @property
    def exit_code(self) -> int:
        """0 when every report was made; else 1 (a cell failed), 4 (a kernel died) or 5 (out of time), the highest."""
        return max(EXIT_CODES[r.status] for r in self.results)

    @property
    def failed(self) -> tuple[RunResult, ...]:
        """The reports that were not made."""
        return tuple(r for r in self.results if r.status != "ok")

    def raise_for_status(self) -> Batch:
        """The batch itself, or ReportError when a report was not made."""
        if self.failed:
            names = ", ".join(f"{r.notebook} ({r.lang})" for r in self.failed)
            raise ReportError("report_failed", names=names)
        return self


def run(
    study: str | Path,
    notebooks: Sequence[str | Path] | None = None,
    params: Mapping[str, object] | None = None,
    langs: str | Sequence[str] = LANGS,
    out: str | Path = "reports",
    jobs: int = 2,
    progress: bool = True,
    period: str | None = None,
    timeout: float = 1800.0,
    cell_timeout: float = 600.0,
) -> Batch:
    """Make the reports of `notebooks` (default: all of the kit's) on `study` and publish them below `out`.

    Parameters, names and languages are checked before anything starts or is written (ParameterError, LanguageError,
    StudyError, ReportError). A notebook that fails is no exception: its result says so, its page says why, and the
    report of an earlier run stays. timeout, cell_timeout: seconds that one report and one cell may take.
    """
    plan = make_plan(notebooks, params, langs)
    folder = Path(out).expanduser().absolute()
    require_folder(folder)
    as_of = next((str(job.parameters["as_of"]) for job in plan if job.parameters.get("as_of")), None)
    opened = open_study(study, as_of=as_of)
    for name, given in {(n, str(v)) for job in plan for n, v in job.parameters.items() if v}:
        if name in ("kpi", "survey_kpi"):
            registry(opened)[given]  # one that is none is refused before anything starts
        elif name == "by":
            check_group(given, (column for table in opened.tables for column in opened.columns(table)))
    source = source_of(opened, period)
    return make_reports(plan, source, folder, jobs, progress, Limits(cell=cell_timeout, report=timeout))


def make_reports(
    plan: list[Job],
    source: Source,
    out: Path,
    jobs: int = 2,
    progress: bool = True,
    limits: Limits | None = None,
) -> Batch:
    """Run a checked plan on a study that is ready, publish what was made, and bring the index pages up to date."""
    folder = out.joinpath(*source.folder)
    recover(folder)
    papermill()
    with telling(plan, progress) as teller:
        runs = _run_all(plan, source, folder.parent, limits or Limits(), jobs, teller)
    before = manifest.entries(folder)
    made = [
        _made(job, run, source, _languages(plan, runs, before)[job.name]) for job, run in zip(plan, runs, strict=True)
    ]
    _publish(folder, made, source, before)
    _publish_shelf(out)
    return Batch(tuple(_result(m, folder) for m in made), folder, folder / "index.html")


def _run_all(plan: list[Job], source: Source, shelf: Path, limits: Limits, jobs: int, teller: Teller) -> list[Run]:
    """Every job in a kernel of its own, `jobs` at a time; an interrupt ends the kernels and leaves nothing written."""
    kernels = Kernels()
    with ThreadPoolExecutor(max_workers=max(1, min(jobs, len(plan)))) as pool:
        futures: dict[Future[Run], Job] = {
            pool.submit(_run, job, source, shelf, limits, kernels, teller): job for job in plan
        }
        try:
            importlib.import_module("cxkit.report.html")  # takes a second, which the kernels need to start anyway
            for future in as_completed(futures):
                done = future.result()
                teller.done(futures[future], done.status, done.seconds)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            kernels.kill()
            raise
    return [future.result() for future in futures]


def _run(job: Job, source: Source, shelf: Path, limits: Limits, kernels: Kernels, teller: Teller) -> Run:
    """One job; `shelf` holds the study's reports of all periods, among which looks at running data are counted."""
    notebook = localise(dict(job.notebook), job.path.stem, job.lang, job.path.parent)
    given = {"study": str(source.path), "lang": job.lang, "reports": str(shelf)}
    parameters = {**{n: v for n, v in given.items() if n in job.declared}, **job.parameters}
    return execute(notebook, parameters, job.path.parent, limits, kernels, lambda: teller.cell(job))


def _languages(plan: list[Job], runs: list[Run], before: Mapping[manifest.Key, Any]) -> dict[str, list[str]]:
    """The languages in which each notebook's report will be there after this run."""
    there = {key for key, entry in before.items() if entry["files"]}
    there |= {(job.name, job.lang) for job, run in zip(plan, runs, strict=True) if run.failure is None}
    return {job.name: [lang for lang in LANGS if (job.name, lang) in there] for job in plan}


def _made(job: Job, run: Run, source: Source, langs: list[str]) -> Made:
    """The files of a run that succeeded; a page that cannot be made is a failure of its report, not of the batch."""
    from cxkit.report import html

    notebook = document.published(run.notebook, job, source)
    if run.failure is not None:
        failure = replace(run.failure, words=document.public(run.failure.words, job, source))
        return Made(job, html.title_of(notebook, job), run.seconds, failure=failure)
    try:
        page, title = html.report_page(notebook, job, source, langs)
        findings = document.findings(notebook, job, source, title)
        files = {
            "html": page.encode(),
            "json": document.to_json(findings).encode(),
            "ipynb": (json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode(),
        }
    except Exception as error:  # one odd output must not cost the other reports
        failure = Failure("failed", "-", "", type(error).__name__, document.public(str(error), job, source))
        return Made(job, html.title_of(notebook, job), run.seconds, failure=failure)
    return Made(job, title, run.seconds, files, looks=document.looks(notebook))


def _publish(folder: Path, made: list[Made], source: Source, before: Mapping[manifest.Key, Any]) -> None:
    from cxkit.report import html, index

    files = {m.path(kind): content for m in made for kind, content in m.files.items()}
    for m in made:
        if m.failure is not None:
            kept = bool(before.get(m.key, {}).get("files"))
            files[m.path("failed.html")] = html.failure_page(m.failure, m.job, source, kept).encode()
    record = manifest.manifest(made, source, before)
    files[manifest.FILE] = document.to_json(record).encode()
    files["index.html"] = index.period_page(record).encode()
    publish(folder, files, remove=frozenset(m.path("failed.html") for m in made))


def _publish_shelf(out: Path) -> None:
    from cxkit.report import index

    replace_file(out / "index.html", index.shelf_page(out).encode())


def _result(made: Made, folder: Path) -> RunResult:
    kinds = {"failed": "failed.html"} if made.failure is not None else {kind: kind for kind in made.files}
    paths = {name: folder / made.path(kind) for name, kind in kinds.items()}
    return RunResult(made.job.name, made.job.lang, made.status, made.seconds, paths, made.error)
