"""Claims about notebook prose in another language."""

import json
import re
from pathlib import Path

import pytest
from small_report import code, notebook, prose, save

from cxkit.errors import LanguageError
from cxkit.lang.prose import Status, load, localise, notebooks_folder, source_hash, status, unframed

OWN = sorted(p.stem for p in notebooks_folder().glob("[0-9][0-9]_*.ipynb"))


def translate(folder: Path, lang: str, name: str, *blocks: tuple[str, str, str]) -> None:
    file = folder / "translations" / lang / f"{name}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(f"<!-- cell: {i} src: {source} -->\n{words}" for i, source, words in blocks)
    file.write_text(text + "\n", encoding="utf-8")


def test_the_hash_does_not_see_how_lines_are_broken():
    """`printf 'a b' | sha1sum` begins with 7dbde935."""
    assert source_hash("a b") == source_hash("  a\n\tb ") == "7dbde935"


def test_an_edited_cell_is_stale_a_new_one_missing_and_a_deleted_one_orphan(tmp_path):
    """Three cells: one translated before its text changed, one never, and a block without a cell."""
    save(tmp_path, "x", notebook(prose("why", "New words.")))
    translate(tmp_path, "fa", "x", ("why", source_hash("Old words."), "واژه"), ("gone", "00000000", "رفته"))
    assert status("x", "fa", tmp_path) == Status(missing=("title",), stale=("why",), orphan=("gone",))


def test_a_cell_translated_twice_is_an_orphan_too(tmp_path):
    """Two blocks of one id: which one shows would depend on their order."""
    made = notebook()
    title = source_hash(made["cells"][0]["source"])
    save(tmp_path, "x", made)
    translate(tmp_path, "ar", "x", ("title", title, "واحد"), ("title", title, "اثنان"))
    assert status("x", "ar", tmp_path) == Status((), (), ("title",))


def test_a_localised_notebook_speaks_the_language_and_leaves_code_alone(tmp_path):
    """The translated cell stands in a frame with its direction; the other stays English, and says so."""
    made = notebook(prose("why", "Words."), code("one", "1"))
    save(tmp_path, "x", made)
    translate(tmp_path, "fa", "x", ("why", source_hash("Words."), "واژه‌ها\n\n- یک"))
    out = localise(made, "x", "fa", tmp_path)
    assert out["metadata"]["cxkit"] == {"lang": "fa", "dir": "rtl"}
    assert unframed(out["cells"][2]["source"]) == ("واژه‌ها\n\n- یک", "fa")
    assert out["cells"][2]["source"].startswith('<div dir="rtl" lang="fa">')
    assert unframed(out["cells"][0]["source"]) == ("# A small report\n\nIs all well?", "en")
    assert out["cells"][3]["source"] == made["cells"][3]["source"] == "1"
    assert made["cells"][2]["source"] == "Words."


def test_english_stays_as_it_is():
    """The source notebook is English: only its language and direction are noted."""
    made = notebook()
    out = localise(made, "x", "en")
    assert out["cells"] == made["cells"]
    assert out["metadata"]["cxkit"] == {"lang": "en", "dir": "ltr"}


def test_a_language_we_do_not_speak_is_refused():
    """`resolve` names the languages there are."""
    with pytest.raises(LanguageError):
        localise(notebook(), "x", "de")


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("lang", ["ar", "fa"])
def test_every_notebook_is_translated_completely(name, lang):
    """Nothing missing, stale or orphan: English, Arabic and Persian are equals."""
    assert status(name, lang) == Status((), (), ())


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("lang", ["ar", "fa"])
def test_a_translation_has_the_headings_and_code_words_of_its_source(name, lang):
    """Same levels of headings, same `code` in backticks: the contents lists match, and no name is translated away."""
    cells = json.loads((notebooks_folder() / f"{name}.ipynb").read_text("utf-8"))["cells"]
    english = {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"}
    for cell_id, translation in load(name, lang).items():
        for pattern in (r"(?m)^#+(?= )", r"`[^`]+`", r"\]\([^)]+\)"):
            found = [sorted(re.findall(pattern, text)) for text in (english[cell_id], translation.text)]
            assert found[0] == found[1], f"{cell_id}: {pattern}"
