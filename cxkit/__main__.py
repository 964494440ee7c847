"""The command line: the kit's jobs for people and schedules that do not open a notebook."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from cxkit.errors import CxkitError, ParameterError

app = typer.Typer(
    help="Honest, reproducible reports for customer-service teams, in English, Arabic and Persian.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

StudyFolder = Annotated[Path, typer.Argument(help="folder of the study: study.toml, exports/ and tables/")]
Out = Annotated[Path, typer.Option(help="folder for the reports")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="notebooks that run at the same time")]
Languages = Annotated[str, typer.Option("--lang", help="languages of the reports, with commas")]


def kit_root() -> Path:
    """The folder that holds `cxkit/`, `notebooks/` and `data/`."""
    return Path(__file__).resolve().parent.parent


@app.command()
def report(out: Out = Path("reports"), jobs: Jobs = 2, languages: Languages = "en,ar,fa") -> None:
    """Make the sample study if it is not there, and its reports in three languages."""
    study = kit_root() / "data" / "sample"
    if not (study / "study.toml").exists():
        _make_sample(study)
    folder = out if out.is_absolute() or out != Path("reports") else kit_root() / "reports"
    _run(study, [], [], languages, folder, jobs)


@app.command()
def sample(
    into: Annotated[Path, typer.Argument(help="folder of the new study")] = Path("data/sample"),
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 20260701,
    tickets: Annotated[int, typer.Option(min=200, help="about how many tickets")] = 20_000,
) -> None:
    """Simulate a service of known truth: its exports, study.toml and truth.toml."""
    _make_sample(into, seed, tickets)


def _make_sample(into: Path, seed: int = 20260701, tickets: int = 20_000) -> None:
    from cxkit.samples import make_sample

    typer.echo(f"simulating a service of about {tickets:,} tickets ...")
    typer.echo(f"sample study: {make_sample(into, seed=seed, tickets=tickets)}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="name of the study")],
    files: Annotated[list[Path] | None, typer.Argument(help="exports to copy into it")] = None,
    into: Annotated[Path, typer.Option(help="folder that will hold the study")] = Path("data"),
    mapping: Annotated[
        str | None, typer.Option(help="name of a mapping, or your own file.toml, where headers do not tell")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="time zone of dates that are written without one")] = "UTC",
) -> None:
    """Begin a study from exports: copy them, recognise their format, write study.toml."""
    from cxkit.study import new_study

    study = new_study(name, files or [], into=into, mapping=mapping, time_zone=time_zone)
    typer.echo(f"study: {study}\nnext: read {study / 'study.toml'}, then: cxkit intake {study}")


@app.command()
def intake(study: StudyFolder) -> None:
    """Read the exports of a study, check them, and write its tables (all or none)."""
    from cxkit.check import account_lines
    from cxkit.study import find_study, prepare

    folder = find_study(study)
    prepare(folder, again=True)
    for line in account_lines(folder):
        typer.echo(line)


@app.command()
def load(
    study: StudyFolder,
    replace: Annotated[bool, typer.Option("--replace", help="make tables anew that are there already")] = False,
) -> None:
    """Put the tables of a study where its [engine] says they are: into a database, or before a cluster."""
    from cxkit.study import find_study, load_tables

    for name, rows in load_tables(find_study(study), replace=replace).items():
        typer.echo(f"{name}: {rows:,}")


@app.command()
def kpis(
    study: StudyFolder,
    family: Annotated[str, typer.Option(help="one family, such as satisfaction, reply or calls; empty: all")] = "",
    kpi: Annotated[str, typer.Option(help="one KPI as a card, such as csat or resolution_time")] = "",
    as_of: Annotated[str, typer.Option(help="last moment that counts; empty: the newest of the data")] = "",
    lang: Annotated[str, typer.Option(help="en, ar or fa; empty: that of CXKIT_LANG, or en")] = "",
) -> None:
    """Print the scorecard of a study, or the card of one KPI."""
    import cxkit as cx
    from cxkit.kpis.terminal import card_lines, scorecard_lines
    from cxkit.lang import current

    lang = lang or current()
    cx.use(lang)
    data = cx.open_study(study, as_of=as_of or None)
    for line in card_lines(data, kpi, lang) if kpi else scorecard_lines(data, lang, family):
        typer.echo(line)


@app.command()
def run(
    study: StudyFolder,
    notebooks: Annotated[list[str] | None, typer.Argument(help="notebooks by number, name or path; none: all")] = None,
    parameter: Annotated[list[str] | None, typer.Option("-p", "--parameter", help="name=value")] = None,
    languages: Languages = "en,ar,fa",
    out: Out = Path("reports"),
    jobs: Jobs = 2,
) -> None:
    """Run notebooks on a study and publish their reports, whole or not at all."""
    _run(study, notebooks or [], parameter or [], languages, out, jobs)


def _run(study: Path, notebooks: list[str], parameter: list[str], languages: str, out: Path, jobs: int) -> None:
    from cxkit.report import run as run_reports

    langs = tuple(code.strip() for code in languages.split(",") if code.strip())
    batch = run_reports(study, notebooks or None, _pairs(parameter), langs=langs, out=out, jobs=jobs)
    typer.echo(f"reports: {batch.index}")
    failed = {(result.notebook, result.error): result.paths["failed"] for result in reversed(batch.failed)}
    for (notebook, error), page in failed.items():  # the languages of a report mostly fail alike
        typer.echo(f"{notebook} · {error}\n{page}", err=True)
    if batch.exit_code:
        raise typer.Exit(batch.exit_code)


def _pairs(parameter: list[str]) -> dict[str, str]:
    pairs = {}
    for text in parameter:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError("parameter_no_equals", name=name)
        if name in pairs:
            raise ParameterError("parameter_twice", name=name)
        pairs[name] = value
    return pairs


@app.command()
def params(notebook: Annotated[str, typer.Argument(help="notebook by number, name or path")]) -> None:
    """Show the parameters that a notebook declares."""
    from cxkit.report.params import describe

    for line in describe(notebook):
        typer.echo(line)


def main() -> None:
    """Run a command; a refusal is one sentence on the error stream and its exit code."""
    try:
        app()
    except CxkitError as refusal:
        importlib.import_module("cxkit.lang")  # has the words, and may not be loaded yet
        typer.echo(str(refusal), err=True)
        sys.exit(refusal.exit_code)


if __name__ == "__main__":
    main()
