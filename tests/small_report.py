"""Small notebooks and an origin for them, for tests of reports that need neither a study nor pandas."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import nbformat.v4 as v4

from cxkit.report.plan import Job, make_plan
from cxkit.report.source import Source, versions

# A picture of one white dot, and a result as `cxkit.result` displays it, made without importing either.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="
RESULT = """
verdict = {"en": "All is well.", "ar": "كل شيء بخير.", "fa": "همه‌چیز خوب است."}[lang]
html = f'<div class="cx-result"><style>p{{}}</style><p class="cx-verdict">{verdict}</p>' \\
    '<table class="cx-table"><tr><td class="n">1</td><td class="t" dir="rtl">سلام</td></tr></table></div>'
found = {"result": "Fine", "lang": lang, "verdict": [{"code": "fine", "params": {"n": 1}}], "verdict_text": [verdict],
         "notes": [], "notes_text": [], "table": {"columns": ["x"], "rows": [[0.25], [None]]}}
display({"text/plain": verdict, "text/html": html, "application/vnd.cxkit.result+json": found}, raw=True)
"""
PICTURE = f'display({{"image/png": "{DOT}"}}, raw=True, metadata={{"image/png": {{"alt": "a dot", "width": 1}}}})'
PARAMETERS = """study: str = "data/sample"  # folder of the study
lang: str = "en"  # language of the report
as_of: str = ""  # last day
minutes: int = 60  # promised time
words: str = ""  # anything"""


def code(cell_id: str, source: str, *tags: str) -> Any:
    return v4.new_code_cell(source, id=cell_id, metadata={"tags": list(tags)} if tags else {})


def prose(cell_id: str, text: str) -> Any:
    return v4.new_markdown_cell(text, id=cell_id)


def notebook(*cells: Any, parameters: str = PARAMETERS) -> dict[str, Any]:
    """A notebook with a title, a parameters cell, and `cells`; saved with a kernel that this machine does not have."""
    made = v4.new_notebook(
        cells=[prose("title", "# A small report\n\nIs all well?"), code("parameters", parameters, "parameters"), *cells]
    )
    made.metadata["kernelspec"] = {"name": "laptop-of-sara", "display_name": "Sara", "language": "python"}
    return made


def good(*cells: Any) -> dict[str, Any]:
    """A notebook that shows a result and a picture."""
    return notebook(prose("why", "## Look\n\nWhat we look at."), code("fine", RESULT), code("dot", PICTURE), *cells)


def save(folder: Path, name: str, made: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def origin(folder: Path, **changes: Any) -> Source:
    """A study called "small" in `folder`, as it stood at the end of June 2026."""
    facts: dict[str, Any] = {
        "path": folder / "secret-place" / "small",
        "name": "small",
        "titles": {"en": "Small shop", "ar": "متجر صغير", "fa": "فروشگاه کوچک"},
        "time_zone": "Asia/Riyadh",
        "as_of": dt.datetime(2026, 6, 30, 21),
        "tables": {"tickets": {"rows": 3, "sha256": "00"}},
        "definitions": {"csat": "0a1b2c3d4e5f"},
        "versions": versions(),
    }
    return Source(**{**facts, **changes})


def one_job(path: Path, lang: str = "en", **given: object) -> Job:
    return make_plan([path], given, [lang])[0]
