"""What every analysis returns: a table, a picture, a verdict in three languages, and what to doubt."""

from __future__ import annotations

import datetime as dt
import html
import json
import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxkit.figures import Picture, own_axes, picture, style
from cxkit.lang import Sentence, direction, frame_line, has, interval, resolve, say, text_direction, value, write

MIME = "application/vnd.cxkit.result+json"

Row = Mapping[str, Any]
Cell = Callable[[Row, str], str]
Format = str | tuple[str, Cell]

_NUMERIC = frozenset({"share", "share0", "number0", "number", "number2", "number3", "count", "points"})


def by_unit(column: str, unit: str = "unit") -> Format:
    """A column whose rows have different units, named in the column `unit`."""
    return ("d", lambda row, lang: write(row[column], row[unit], lang))


def span(low: str = "low", high: str = "high", unit: str = "unit", kind: str | None = None) -> Format:
    """Two columns shown as one interval, in `kind` or in the unit that the row names."""
    return ("d", lambda row, lang: _span(row[low], row[high], kind or row[unit], lang))


def _span(low: float, high: float, kind: str, lang: str) -> str:
    # pandas' own missing values compare with nothing
    return "–" if _absent(low) and _absent(high) else interval(low, high, lang, kind)


def _absent(x: object) -> bool:
    return x is None or x is pd.NaT or x is pd.NA or (isinstance(x, float) and math.isnan(x))


@dataclass(frozen=True, eq=False)  # eq=False: comparing two DataFrames has no single answer
class Result:
    """An answer: tidy `table` in machine values, `notes` that a careful reader should weigh.

    A subclass names the columns it shows (`formats`: column -> kind, or `(css class, function of row and language)`),
    says its verdict as `sentences()`, and draws itself in `plot()`.
    """

    table: pd.DataFrame
    notes: tuple[Sentence, ...] = ()

    formats: ClassVar[Mapping[str, Format]] = {}
    size: ClassVar[tuple[float, float]] = (8.0, 4.0)
    max_rows: ClassVar[int] = 40

    def sentences(self) -> tuple[Sentence, ...]:
        """The verdict as codes with parameters."""
        return ()

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Draw the result; a result without a picture of its own draws its verdict."""
        ax = own_axes(ax, lang, self.size)
        ax.set_axis_off()
        words = frame_line(textwrap.fill(self.verdict(lang), 90), lang)
        ax.text(0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes)
        return ax

    def verdict(self, lang: str | None = None) -> str:
        """The answer in words."""
        return " ".join(sentence.text(lang) for sentence in self.sentences())

    def figure(self, lang: str | None = None) -> Picture:
        """The result as a picture whose alternative text is the verdict."""
        with style(lang):
            drawn = Figure(figsize=self.size, layout="constrained")
            self.plot(drawn.add_subplot(), lang)
            return picture(drawn, self.verdict(lang))

    def to_dict(self) -> dict[str, Any]:
        """Verdict, notes and table in machine values: the same in every language, ready for JSON."""
        return {
            "result": type(self).__name__,
            "verdict": [_jsonable(s.to_dict()) for s in self.sentences()],
            "notes": [_jsonable(s.to_dict()) for s in self.notes],
            "table": {
                "columns": [str(c) for c in self.table.columns],
                "rows": [[_jsonable(x) for x in row] for row in self.table.itertuples(index=False, name=None)],
            },
        }

    def _repr_html_(self, lang: str | None = None) -> str:
        lang = resolve(lang)
        blocks = [
            _verdict_html([sentence.text(lang) for sentence in self.sentences()]),
            table_html(self.table, self.formats, lang, self.max_rows) if self.formats else "",
            _notes_html(self.notes, lang),
        ]
        return f'<div class="cx-result" lang="{lang}" dir="{direction(lang)}">{_STYLE}{"".join(blocks)}</div>'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        lang = resolve(None)
        words = {
            "lang": lang,
            "verdict_text": [s.text(lang) for s in self.sentences()],
            "notes_text": [s.text(lang) for s in self.notes],
        }
        return {
            "text/plain": self.verdict(lang),
            "text/html": self._repr_html_(lang),
            MIME: json.loads(json.dumps({**self.to_dict(), **words}, allow_nan=False)),
        }


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `table` as plain dictionaries."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def table_text(result: Result, lang: str | None = None) -> str:
    """A result for the terminal: verdict, table in the words of `lang`, notes."""
    lang = resolve(lang)
    kinds = {
        c: _cell(c, f, lang)[1]
        for c, f in result.formats.items()
        if not isinstance(f, str) or c in result.table.columns
    }
    rows = records(result.table)
    shown = pd.DataFrame({heading(c, lang): [write_cell(row) for row in rows] for c, write_cell in kinds.items()})
    notes = [f"- {note.text(lang)}" for note in result.notes]
    return "\n".join([result.verdict(lang), "", shown.to_string(index=False), *([""] if notes else []), *notes])


@dataclass(frozen=True, eq=False)
class NotAnswerable(Result):
    """The printed answer where the data cannot carry a question: which question, and what it would need."""

    question: Sentence | None = None
    needs: tuple[str, ...] = ()

    size: ClassVar[tuple[float, float]] = (8.0, 1.0)

    def sentences(self) -> tuple[Sentence, ...]:
        """One sentence: the question, and the tables and columns that are missing."""
        return (_Unanswered("common.not_answerable", {"question": self.question, "needs": ", ".join(self.needs)}),)


class _Unanswered(Sentence):
    """A sentence that quotes another sentence, in the same language."""

    def text(self, lang: str | None = None) -> str:
        question = self.params["question"]
        words = question.text(lang) if isinstance(question, Sentence) else ""
        return say(self.key, lang, question=words, needs=self.params["needs"]).strip()

    def to_dict(self) -> dict[str, object]:
        question = self.params["question"]
        code = question.key if isinstance(question, Sentence) else None
        return {"code": self.key, "params": {"question": code, "needs": self.params["needs"]}}


def not_answerable(question: str | Sentence, needs: tuple[str, ...]) -> NotAnswerable:
    """The answer "these data cannot say": the question (a catalogue key) and what is missing ("table.column")."""
    asked = question if isinstance(question, Sentence) else Sentence(question)
    return NotAnswerable(pd.DataFrame({"needs": list(needs)}), (), asked, tuple(needs))


# Each rule names two classes: JupyterLab's own rules for tables would win over one.
_STYLE = (
    "<style>.cx-result{text-align:start;line-height:1.6}"
    ".cx-result .cx-verdict{font-weight:600;text-align:start}"
    ".cx-result .cx-notes,.cx-result .cx-notes li,.cx-result .cx-more{font-size:.95em;text-align:start}"
    ".cx-result table.cx-table{border-collapse:collapse;margin:.6em 0;font-variant-numeric:tabular-nums}"
    ".cx-result .cx-table th,.cx-result .cx-table td{padding:.3em .7em;text-align:start;vertical-align:top;"
    "border-block-end:1px solid #d8dee6}"
    ".cx-result .cx-table .n,.cx-result .cx-table .d{text-align:right}"
    ".cx-result .cx-table td.n,.cx-result .cx-table td.d{white-space:nowrap}"
    ".cx-result .cx-table td.n{unicode-bidi:isolate}</style>"
)


def _paragraph(css: str, text: str) -> str:
    return f'<p class="{css}">{html.escape(text)}</p>' if text else ""


def _verdict_html(said: list[str]) -> str:
    """One or two sentences as a paragraph, more as a list."""
    if len(said) <= 2:
        return _paragraph("cx-verdict", " ".join(said))
    return f'<div class="cx-verdict"><ul>{"".join(f"<li>{html.escape(text)}</li>" for text in said)}</ul></div>'


def _notes_html(notes: tuple[Sentence, ...], lang: str) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{html.escape(note.text(lang))}</li>" for note in notes)
    return f'<div class="cx-notes"><strong>{html.escape(say("common.notes", lang))}</strong><ul>{items}</ul></div>'


def heading(column: str, lang: str | None = None) -> str:
    """The heading of a table's column in `lang`; a column without words keeps its own name."""
    key = f"column.{column}"
    return say(key, lang) if has(key, lang) else column


def table_html(table: pd.DataFrame, formats: Mapping[str, Format], lang: str | None = None, max_rows: int = 40) -> str:
    """`table` as HTML in `lang`: every text escaped, numbers aligned on one edge, at most `max_rows` rows."""
    lang = resolve(lang)
    kinds = {c: _cell(c, f, lang) for c, f in formats.items() if not isinstance(f, str) or c in table.columns}
    head = "".join(
        f'<th scope="col" class="{css}">{html.escape(heading(c, lang))}</th>' for c, (css, _) in kinds.items()
    )
    rows = table.head(max_rows).to_dict("records")
    body = "".join(
        "<tr>"
        + "".join(_td(css, write({str(k): v for k, v in row.items()})) for css, write in kinds.values())
        + "</tr>"
        for row in rows
    )
    if not rows:
        body = f'<tr><td colspan="{len(kinds)}">{html.escape(say("common.no_rows", lang))}</td></tr>'
    more = (
        _paragraph("cx-more", say("common.more_rows", lang, n=len(table) - max_rows)) if len(table) > max_rows else ""
    )
    return f'<table class="cx-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}'


def _td(css: str, text: str) -> str:
    towards = f' dir="{text_direction(text)}"' if css == "t" else ""
    words = html.escape(text)
    return f'<td class="{css}"{towards}>{words if css in ("n", "d") else f"<bdi>{words}</bdi>"}</td>'


_CSS = {"seconds": "d", "date": "d", "month": "d", "moment": "d", "text": "t"} | dict.fromkeys(_NUMERIC, "n")


def _cell(column: str, kind: Format, lang: str) -> tuple[str, Callable[[Row], str]]:
    """CSS class and writer of one column: n numbers, d durations and intervals, c coded words, t free text."""
    if not isinstance(kind, str):
        css, speak = kind
        return css, lambda row: speak(row, lang)
    if kind == "code":
        return "c", lambda row: "–" if _absent(row[column]) else value(column, row[column], lang)
    return _CSS.get(kind, "c"), lambda row: write(row[column], kind, lang)


def _jsonable(x: object) -> Any:
    """`x` as JSON takes it: missing and not finite become null, times become ISO text."""
    if isinstance(x, Mapping):
        return {str(k): _jsonable(v) for k, v in x.items()}
    if isinstance(x, list | tuple | set | frozenset):
        return [_jsonable(v) for v in x]
    if isinstance(x, np.generic):
        return _jsonable(x.item())
    if _absent(x) or (isinstance(x, float) and math.isinf(x)):
        return None
    if isinstance(x, dt.date | dt.datetime):
        return x.isoformat()
    return x if isinstance(x, str | int | float | bool) else str(x)
