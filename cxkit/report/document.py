"""What is published of an executed notebook: its results as JSON, and the notebook without this machine's traces.

Both are the same, byte for byte, when the same notebook runs on the same data: times stand in the manifest alone.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cxkit
from cxkit.report.plan import Job
from cxkit.report.source import Source
from cxkit.result import MIME

Notebook = dict[str, Any]
_CELL_FILE = re.compile(r"[^\s\"'(]*[/\\]ipykernel_\d+[/\\]\d+\.py")
_FLAT_LIST = re.compile(r"\[\n\s+([^\[\]{}]*?)\n\s+\]")
_COMMON_FOLDERS = {"/", "/usr", "/usr/local", "/opt", "/home", "/tmp"}  # noqa: S108 - compared with, never written to


def published(executed: Mapping[str, Any], job: Job, source: Source) -> Notebook:
    """The executed notebook as it may leave this machine: no absolute path, no run times, the study by its name."""
    notebook: Notebook = copy.deepcopy(dict(executed))
    notebook["cells"] = [_cell(c, job, source) for c in notebook["cells"] if not _is_marker(c)]
    notebook["metadata"] = {
        "cxkit": {**notebook["metadata"].get("cxkit", {}), **_origin(job, source)},
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": notebook["metadata"].get("language_info", {"name": "python"}),
    }
    cleaned: Notebook = _scrub(notebook, _private_paths(job, source))
    return cleaned


def public(text: str, job: Job, source: Source) -> str:
    """`text` as it may leave this machine: no absolute path."""
    cleaned: str = _scrub(text, _private_paths(job, source))
    return cleaned


def findings(notebook: Notebook, job: Job, source: Source, title: str) -> dict[str, Any]:
    """Verdicts, notes and tables of a published notebook in the order of its cells, with their origin."""
    return {
        "schema": 1,
        "notebook": job.name,
        "title": title,
        "lang": job.lang,
        **_origin(job, source),
        "results": [{"cell": cell_id, **_plain(result)} for cell_id, result in results(notebook)],
        "provenance": {
            "cxkit": cxkit.__version__,
            "notebook": notebook_hash(job.notebook),
            "data": source.digest,
            "tables": dict(source.tables),
            "definitions": dict(source.definitions),
            "versions": dict(source.versions),
        },
    }


def results(notebook: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every result that the cells displayed: cell id, and the result as JSON."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            found = output.get("data", {}).get(MIME)
            if found is not None:
                yield cell["id"], found


def looks(notebook: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The looks at running data that the results say this report took: what was asked, up to when, on how many rows."""
    return tuple(taken for _, result in results(notebook) if (taken := result.get("look_taken")))


def notebook_hash(notebook: Mapping[str, Any]) -> str:
    """First 16 hex digits of the SHA-256 of the notebook's cells, whatever its outputs and metadata."""
    sources = [[c["cell_type"], _source(c)] for c in notebook["cells"]]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:16]


def to_json(document: Mapping[str, Any]) -> str:
    """`document` as JSON: sorted, Arabic and Persian readable, missing numbers as null, a flat list on one line."""
    text = json.dumps(_plain(document), ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    return _FLAT_LIST.sub(lambda m: "[" + re.sub(r"\n\s+", " ", m[1]) + "]", text) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _origin(job: Job, source: Source) -> dict[str, Any]:
    return {
        "study": source.name,
        "study_title": source.titles[job.lang],
        "period": source.folder[1],
        "as_of": f"{source.as_of.isoformat()}Z",
        "time_zone": source.time_zone,
        "parameters": job.shown,
    }


def _is_marker(cell: Mapping[str, Any]) -> bool:
    return "papermill-error-cell-tag" in cell["metadata"].get("tags", [])


def _cell(cell: Notebook, job: Job, source: Source) -> Notebook:
    kept = {k: v for k, v in cell["metadata"].items() if k not in {"execution", "papermill"}}
    if not kept.get("tags", True):
        del kept["tags"]
    cell = {**cell, "metadata": kept}
    if "injected-parameters" in kept.get("tags", []):
        # papermill writes Arabic and Persian as \u escapes, under a random id
        shown = {n: source.name if n == "study" else v for n, v in job.parameters.items()}
        shown = {**{n: v for n, v in (("study", source.name), ("lang", job.lang)) if n in job.declared}, **shown}
        cell = {**cell, "id": "injected-parameters", "source": "\n".join(f"{n} = {v!r}" for n, v in shown.items())}
    return cell


def _private_paths(job: Job, source: Source) -> dict[str, str]:
    """Folders of this machine, with what stands for each of them."""
    root = Path(__file__).resolve().parents[2]
    named = {
        source.path: source.name,
        job.path.parent: "notebooks",
        root: ".",
        Path.cwd(): ".",
        Path(sys.prefix): "python",
        Path(sys.base_prefix): "python",
        Path(tempfile.gettempdir()): "tmp",
        Path.home(): "~",
    }
    spelled = {
        form: name for path, name in named.items() for form in (str(path), path.as_posix(), repr(str(path))[1:-1])
    }
    return {form: name for form, name in spelled.items() if form not in _COMMON_FOLDERS}


def _scrub(value: Any, paths: Mapping[str, str]) -> Any:
    """`value` without private paths in any of its texts; pictures are left alone."""
    longest_first = sorted(paths, key=len, reverse=True)
    private = re.compile("(" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")

    def clean(part: Any) -> Any:
        if isinstance(part, str):
            return private.sub(lambda m: paths[m[1]], _CELL_FILE.sub("cell", part))
        if isinstance(part, Mapping):
            return {k: v if str(k).startswith("image/") else clean(v) for k, v in part.items()}
        return [clean(p) for p in part] if isinstance(part, list) else part

    return clean(value)


def _source(cell: Mapping[str, Any]) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
