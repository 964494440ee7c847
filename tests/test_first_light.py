"""The whole line on a small sample study: exports, gate, tables, notebooks, reports in three languages."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lab import jupyterlab

from cxkit.lang import LANGS
from cxkit.report import Batch, run
from cxkit.result import MIME
from cxkit.samples import make_sample

NOTEBOOKS = ("00_check_data", "01_assess_process", "04_measure_kpis", "05_test_changes")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("first_light")]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of 1,500 tickets."""
    return make_sample(tmp_path_factory.mktemp("study") / "sample", tickets=1500)


@pytest.fixture(scope="module")
def batch(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """All notebooks in all languages."""
    return run(study, out=tmp_path_factory.mktemp("out") / "reports", progress=False)


def _page(batch: Batch, lang: str, name: str, ending: str) -> Path:
    return Path(batch.folder) / lang / f"{name}.{ending}"


def test_every_notebook_becomes_a_report_in_every_language(batch: Batch) -> None:
    """Four notebooks in three languages: twelve pages, twelve JSON files, twelve notebooks, one index."""
    assert batch.exit_code == 0, [result.error for result in batch.results]
    for name in NOTEBOOKS:
        for lang in LANGS:
            assert all(_page(batch, lang, name, ending).stat().st_size for ending in ("html", "json", "ipynb"))
    index = Path(batch.index).read_text("utf-8")
    assert all(f"{lang}/{name}.html" in index for lang in LANGS for name in NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_three_languages_say_the_same_numbers(batch: Batch, name: str) -> None:
    """design.md: verdicts are codes with parameters, so the JSON of the three differs in its words alone."""
    documents = {lang: json.loads(_page(batch, lang, name, "json").read_text("utf-8")) for lang in LANGS}
    bare = {lang: [_without_words(result) for result in _results(document)] for lang, document in documents.items()}
    assert len(bare["en"]) > 3
    assert bare["en"] == bare["ar"] == bare["fa"]
    said = {lang: [result["verdict_text"] for result in _results(document)] for lang, document in documents.items()}
    assert said["en"] != said["ar"] != said["fa"]


def _results(document: Any) -> list[Mapping[str, Any]]:
    """Every result in a report's JSON, wherever it stands."""
    if isinstance(document, Mapping):
        own = [document] if "verdict_text" in document else []
        return own + [found for part in document.values() for found in _results(part)]
    return [found for part in document for found in _results(part)] if isinstance(document, list) else []


def _without_words(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in result.items() if name not in ("lang", "verdict_text", "notes_text")}


@pytest.mark.parametrize("lang", LANGS)
def test_a_report_asks_nothing_of_the_outside(batch: Batch, lang: str) -> None:
    """safety.md, item 10: no address in a source, a link to code or a style; a strict policy; the right direction."""
    for name in NOTEBOOKS:
        page = _page(batch, lang, name, "html").read_text("utf-8")
        assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
        assert not re.search(r"@import|url\(\s*['\"]?https?:", page)
        assert "default-src 'none'" in html.unescape(page)
        assert "<script" not in page
        assert f'lang="{lang}"' in page
        assert f'dir="{"ltr" if lang == "en" else "rtl"}"' in page


def test_no_word_is_left_untranslated_in_arabic_and_persian(batch: Batch) -> None:
    """A catalogue key or an English verdict in an Arabic page would be read by a customer's manager."""
    for lang in ("ar", "fa"):
        for name in NOTEBOOKS:
            for result in _results(json.loads(_page(batch, lang, name, "json").read_text("utf-8"))):
                for text in [*result["verdict_text"], *result["notes_text"]]:
                    assert re.search("[\u0600-\u06ff]", text), text


@pytest.mark.lab
def test_the_notebooks_run_in_jupyterlab(study: Path, root: Path, tmp_path: Path, chromium: str) -> None:
    """Run all cells as the menu does: no error, no request that leaves the machine, results with their JSON."""
    place = tmp_path / "notebooks"
    place.mkdir()
    for name in NOTEBOOKS:
        text = (root / "notebooks" / f"{name}.ipynb").read_text("utf-8")
        assert "data/sample" in text
        (place / f"{name}.ipynb").write_text(text.replace("data/sample", study.as_posix()), "utf-8")
    with jupyterlab(place, tmp_path / "home", shutil.which(chromium) or chromium) as lab:
        for name in NOTEBOOKS:
            ran = lab.run_all(f"{name}.ipynb")
            assert ran.failed == {}
            assert ran.page_errors == []
            assert ran.outside == []
            shown = [out for outs in ran.outputs.values() for out in outs if MIME in out.get("data", {})]
            assert len(shown) > 3
