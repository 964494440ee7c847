"""A published notebook as one page: self-contained, in the reader's direction, with nothing to run or to fetch."""

from __future__ import annotations

import functools
import html
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters import strip_ansi
from nbformat import from_dict
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

import cxkit
from cxkit.lang import direction, has, number, say, text_direction, value
from cxkit.report.document import notebook_hash, results
from cxkit.report.execute import Failure
from cxkit.report.fonts import font_face
from cxkit.report.plan import Job
from cxkit.report.prose import Prose
from cxkit.report.safe import safe_html
from cxkit.report.source import Source
from cxkit.result import MIME

TEMPLATES = Path(__file__).resolve().parent / "template"
# Nothing is loaded, sent or run; pictures and letters come from the page itself.
POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_FONTS = "/*fonts*/"
_rendering = threading.Lock()  # nbconvert's exporter keeps state between pages


class ReportExporter(TemplateExporter):
    """nbconvert with the kit's own template, in which every value is escaped unless it says that it is HTML."""

    output_mimetype = "text/html"

    def _create_environment(self) -> Any:
        environment = super()._create_environment()  # type: ignore[no-untyped-call]
        environment.autoescape = True
        environment.trim_blocks = environment.lstrip_blocks = True
        style = (TEMPLATES / "cxreport" / "report.css").read_text("utf-8")
        environment.globals.update(
            policy=POLICY, direction=direction, say=say, fonts=_as_html(_FONTS), style=_as_html(style)
        )
        environment.filters.update(code=_code, shown=shown, first_direction=text_direction, address=quote)
        return environment


@functools.cache
def _exporter() -> ReportExporter:
    return ReportExporter(  # type: ignore[no-untyped-call]
        template_name="cxreport",
        template_file="index.html.j2",
        extra_template_basedirs=[str(TEMPLATES)],
        file_extension=".html",
    )


@dataclass(frozen=True)
class Shown:
    """What a page shows of one output: its kind (result, figure, html, text) and its content."""

    kind: str
    content: str | Markup
    alt: str = ""
    width: int | None = None
    caption: str = ""


def report_page(notebook: Mapping[str, Any], job: Job, source: Source, langs: Sequence[str]) -> tuple[str, str]:
    """The page of a published notebook, and its title; `langs` are the languages to link to."""
    spoken = {" ".join(found.get("verdict_text", [])) for _, found in results(notebook)}
    report = {
        **_frame(job, source),
        "prose": Prose(job.lang),
        "figures": _Figures(job.lang, spoken),
        "languages": [(lang, f"../{lang}/{quote(job.name)}.html") for lang in langs],
    }
    with _rendering:
        text, used = _exporter().from_notebook_node(from_dict(notebook), {"report": report})  # type: ignore[no-untyped-call]
    return _with_letters(text), used["report"]["prose"].title or job.name


def failure_page(failure: Failure, job: Job, source: Source, kept: bool) -> str:
    """The page that says which cell stopped a report, and why; `kept`: an earlier report stands beside it."""
    return page(
        "failed.html.j2",
        report={**_frame(job, source), "failure": failure, "kept": f"{quote(job.name)}.html" if kept else ""},
    )


def page(template: str, **values: Any) -> str:
    """The page that one of the kit's other templates makes of `values`."""
    with _rendering:
        text = _exporter().environment.get_template(template).render(**values)
    return _with_letters(text)


def title_of(notebook: Mapping[str, Any], job: Job) -> str:
    """The first heading of a notebook, or its name."""
    prose = Prose(job.lang)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and not prose.title:
            prose(cell["source"], str(cell["id"]))
    return prose.title or job.name


def _with_letters(text: str) -> str:
    return text.replace(_FONTS, font_face(html.unescape(text)))


def shown(output: Mapping[str, Any]) -> Shown | None:
    """The part of an output that a page shows; warnings and logs stay in the notebook."""
    if output["output_type"] == "stream":
        return Shown("text", _without_colours(output["text"])) if output["name"] == "stdout" else None
    if output["output_type"] == "error":
        return Shown("text", f"{output['ename']}: {output['evalue']}")
    data = output["data"]
    if MIME in data and "text/html" in data:
        return Shown("result", data["text/html"])
    for mime in ("image/png", "image/jpeg"):
        if mime in data:
            about = output.get("metadata", {}).get(mime, {})
            alt = about.get("alt") or data.get("text/plain", "")
            return Shown("figure", f"data:{mime};base64,{''.join(data[mime].split())}", alt, about.get("width"))
    if "text/html" in data:
        return Shown("html", data["text/html"])
    return Shown("text", _without_colours(data["text/plain"])) if "text/plain" in data else None


def _without_colours(text: str) -> str:
    return str(strip_ansi(text))  # type: ignore[no-untyped-call]


@dataclass(eq=False)
class _Figures:
    """Numbers the figures of a page; a caption repeats no verdict that the page has already spoken."""

    lang: str
    spoken: set[str]
    n: int = 0

    def __call__(self, figure: Shown) -> tuple[str, str]:
        self.n += 1
        number = say("report.figure", self.lang, n=self.n)
        return number, "" if figure.alt in self.spoken else figure.alt


def _code(source: str) -> Markup:
    """Python source with its syntax marked; Pygments escapes it."""
    formatter = HtmlFormatter(nowrap=True, classprefix="k-")
    return _as_html(highlight(source, PythonLexer(stripnl=True), formatter).rstrip())


def _as_html(text: str) -> Markup:
    """`text`, which the kit itself wrote or escaped, as HTML."""
    return Markup(text)  # noqa: S704 - the only place that says so


def _frame(job: Job, source: Source) -> dict[str, Any]:
    """What every page of a report holds around its own content."""
    lang = job.lang
    facts = [say("report.as_of", lang, day=source.as_of_on)]
    if source.period and source.period != source.as_of_on.isoformat():
        facts.append(say("report.period", lang, period=source.period))
    facts.append(say("report.time_zone", lang, time_zone=source.time_zone))
    return {
        "lang": lang,
        "name": job.name,
        "study": source.titles[lang],
        "facts": facts,
        "settings": [_setting(name, job, lang) for name in job.shown],
        "provenance": _provenance(job, source),
        "safe": lambda text: _as_html(
            safe_html(text, say("report.table", lang), lambda n: say("report.long_table", lang, n=n))
        ),
    }


def _setting(name: str, job: Job, lang: str) -> dict[str, str]:
    """A row of the table of settings; what it does stands in the page's language where the catalogue has that."""
    found, own = job.shown[name], f"parameter.{job.name}.{name}"
    key = own if has(own, lang) else f"parameter.{name}"
    text = ", ".join(_spoken(x, lang) for x in found) if isinstance(found, list) else _spoken(found, lang)
    return {
        "name": name,
        "value": text or say("report.not_set", lang),
        "help": say(key, lang) if has(key, lang) else job.declared[name].help,
        "lang": lang if has(key, lang) else "en",
    }


def _spoken(value: object, lang: str) -> str:
    """A setting's value as the page's language writes it; text stays as it was passed."""
    if isinstance(value, bool):
        return say("common.yes" if value else "common.no", lang)
    if isinstance(value, int | float):
        return number(value, lang, len(f"{value:f}".rstrip("0").partition(".")[2]))
    return "" if value is None else str(value)


def _provenance(job: Job, source: Source) -> list[str]:
    lang = job.lang
    tables = [
        say("report.table_rows", lang, table=value("table", name, lang), rows=int(str(table["rows"])))
        for name, table in source.tables.items()
    ]
    made = say(
        "report.made_with",
        lang,
        made=f"cxkit {cxkit.__version__} · Python {source.versions.get('python', '')}",
        notebook=f"{job.name} {notebook_hash(job.notebook)}",
    )
    lines = [made]
    if tables:
        lines.append(say("report.data", lang, digest=source.digest, tables=" · ".join(tables)))
    if source.definitions:
        definitions = " · ".join(f"{name} {digest[:8]}" for name, digest in source.definitions.items())
        lines.append(say("report.definitions", lang, definitions=definitions))
    return [*lines, say("report.private", lang)]
