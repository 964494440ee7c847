"""What a run will make: which notebooks, in which languages, with which parameters, checked before anything starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxkit.errors import ParameterError
from cxkit.lang import LANGS, resolve
from cxkit.lang.prose import notebooks_folder
from cxkit.report import params
from cxkit.report.notebooks import find_notebook, known_notebooks, safe_name
from cxkit.report.params import Value


@dataclass(frozen=True, eq=False)
class Job:
    """One report to make: a notebook in a language, with the parameters it declares and is passed."""

    path: Path
    name: str
    lang: str
    notebook: Mapping[str, Any]
    declared: Mapping[str, params.Parameter]
    parameters: Mapping[str, Value]

    @property
    def shown(self) -> dict[str, Value]:
        """Every declared parameter with the value this run gives it, apart from the study and the language."""
        values = {n: self.parameters.get(n, p.default) for n, p in self.declared.items()}
        return {n: v for n, v in values.items() if n not in params.RESERVED}


def make_plan(
    notebooks: Sequence[str | Path] | None, given: Mapping[str, object] | None, langs: str | Sequence[str]
) -> list[Job]:
    """Every report of a run, notebook by notebook; refuses what cannot be run, and starts nothing."""
    chosen = list(dict.fromkeys(find_notebook(n) for n in notebooks)) if notebooks else known_notebooks()
    if not chosen:
        raise ParameterError("notebook_none", folder=notebooks_folder().name)
    spoken = list(dict.fromkeys(resolve(g.strip()) for g in (langs.split(",") if isinstance(langs, str) else langs)))
    if not spoken:
        raise ParameterError("language_none", known=", ".join(LANGS))
    loaded = {path: json.loads(path.read_text("utf-8")) for path in chosen}
    names = _names(chosen)
    declared = {names[path]: params.declared(notebook) for path, notebook in loaded.items()}
    passed = params.checked(given or {}, declared)
    return [
        Job(path, names[path], lang, notebook, declared[names[path]], passed[names[path]])
        for path, notebook in loaded.items()
        for lang in spoken
    ]


def _names(paths: Iterable[Path]) -> dict[Path, str]:
    """A file name for the reports of each notebook; two notebooks of one name cannot go into one folder."""
    names: dict[Path, str] = {}
    for path in paths:
        name = safe_name(path.stem)
        if name in names.values():
            raise ParameterError("notebook_twice", name=name)
        names[path] = name
    return names
