"""The prose of a notebook in another language, matched by cell id and by the hash of the English text.

A notebook is one source with English prose. Its Arabic and Persian prose lies beside it, a file per language, in blocks

    <!-- cell: stages-why src: 1a2b3c4d -->
    text

where `src` is the hash of the English text that was translated: when the English changes, `status` calls it stale.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxkit.lang.direction import direction
from cxkit.lang.session import resolve

Notebook = dict[str, Any]  # a notebook as JSON, or nbformat's NotebookNode, which is a dict too
_BLOCK = re.compile(r"<!-- cell: (\S+) src: (\w+) -->[ \t]*\n(.*?)(?=\n<!-- cell: |\Z)", re.S)
_FRAME = re.compile(r'\A<div dir="(rtl|ltr)" lang="(\w+)">\n\n(.*)\n\n</div>\Z', re.S)


@dataclass(frozen=True)
class Translation:
    """One translated cell: the hash of its English source, and the text."""

    source: str
    text: str


@dataclass(frozen=True)
class Status:
    """Cell ids whose translation is missing, out of date, or belongs to no cell (or to one cell twice)."""

    missing: tuple[str, ...]
    stale: tuple[str, ...]
    orphan: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every markdown cell has one translation of its present text."""
        return not (self.missing or self.stale or self.orphan)


def notebooks_folder() -> Path:
    """The folder of the kit's own notebooks: `notebooks/` above the package, or the copy inside an installed one."""
    package = Path(__file__).resolve().parent.parent
    beside = package.parent / "notebooks"
    return beside if any(beside.glob("[0-9][0-9]_*.ipynb")) else package / "_notebooks"


def source_hash(markdown: str) -> str:
    r"""First 8 hex digits of the SHA-1 of `markdown`, in which every run of white space counts as one space.

    >>> source_hash("Time in  each stage") == source_hash("Time in\neach stage")
    True
    """
    return hashlib.sha1(" ".join(markdown.split()).encode(), usedforsecurity=False).hexdigest()[:8]


def load(name: str, lang: str, folder: Path | None = None) -> dict[str, Translation]:
    """Translations of notebook `name` by cell id; empty where there is no file. `folder` holds the notebook."""
    return dict(_blocks(name, lang, folder))


def status(name: str, lang: str, folder: Path | None = None) -> Status:
    """What is missing, stale or orphan in the translation of notebook `name` into `lang`."""
    folder = folder or notebooks_folder()
    notebook = json.loads((folder / f"{name}.ipynb").read_text("utf-8"))
    hashes = {cell["id"]: source_hash(_text(cell)) for cell in notebook["cells"] if cell["cell_type"] == "markdown"}
    blocks = list(_blocks(name, lang, folder))
    found, times = dict(blocks), Counter(cell_id for cell_id, _ in blocks)
    return Status(
        missing=tuple(i for i in hashes if i not in found),
        stale=tuple(i for i in hashes if i in found and found[i].source != hashes[i]),
        orphan=tuple(i for i, n in times.items() if i not in hashes or n > 1),
    )


def localise(notebook: Notebook, name: str, lang: str, folder: Path | None = None) -> Notebook:
    """A copy of `notebook` with its prose in `lang`; a cell without a translation stays English and says so.

    Every markdown cell that is not in the notebook's own language and direction stands in a `<div dir lang>`, which
    JupyterLab honours; `unframed` takes it off again.
    """
    lang = resolve(lang)
    localised = copy.deepcopy(notebook)
    localised["metadata"]["cxkit"] = {**localised["metadata"].get("cxkit", {}), "lang": lang, "dir": direction(lang)}
    if lang == "en":
        return localised
    found = load(name, lang, folder)
    for cell in localised["cells"]:
        if cell["cell_type"] == "markdown":
            translation = found.get(cell.get("id", ""))
            shown, text = (lang, translation.text) if translation else ("en", _text(cell))
            cell["source"] = f'<div dir="{direction(shown)}" lang="{shown}">\n\n{text}\n\n</div>'
    return localised


def unframed(markdown: str) -> tuple[str, str | None]:
    r"""The text that `localise` framed and its language; a text without a frame, and None.

    >>> unframed('<div dir="rtl" lang="fa">\n\nسلام\n\n</div>')
    ('سلام', 'fa')
    """
    framed = _FRAME.match(markdown.strip())
    return (framed[3], framed[2]) if framed else (markdown, None)


def _blocks(name: str, lang: str, folder: Path | None) -> Iterator[tuple[str, Translation]]:
    file = (folder or notebooks_folder()) / "translations" / resolve(lang) / f"{name}.md"
    if file.exists():
        for block in _BLOCK.finditer(file.read_text("utf-8")):
            yield block[1], Translation(block[2], block[3].strip())


def _text(cell: Mapping[str, Any]) -> str:
    """Source of a cell, which a notebook file may hold as one string or as a list of lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)
