"""Claims about runs of notebooks into published reports, with real kernels."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from small_report import code, good, notebook, origin, prose, save

from cxkit.errors import ReportError
from cxkit.lang.prose import source_hash
from cxkit.report import make_reports, run
from cxkit.report.execute import Limits, execute, mask
from cxkit.report.plan import make_plan

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
LANGS = ("en", "fa")


def translate(folder, lang, name, made):
    """A translation of every cell, which says that it is one."""
    file = folder / "translations" / lang / f"{name}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    cells = [c for c in made["cells"] if c["cell_type"] == "markdown"]
    texts = [c["source"].replace("A small report", "یک گزارش کوچک").replace("Look", "نگاه") for c in cells]
    blocks = [
        f"<!-- cell: {c['id']} src: {source_hash(c['source'])} -->\n{t}" for c, t in zip(cells, texts, strict=True)
    ]
    file.write_text("\n\n".join(blocks), encoding="utf-8")


def reports(folder, made, langs=LANGS, name="04_small", **options):
    path = save(folder / "notebooks", name, made)
    return make_reports(make_plan([path], {}, langs), origin(folder), folder / "reports", progress=False, **options)


def contents(folder, end):
    return {p.name + p.parent.name: p.read_bytes() for p in sorted(folder.rglob(f"*{end}"))}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with one batch in two languages, run twice; the contents after each run."""
    folder = tmp_path_factory.mktemp("reports")
    made = good()
    translate(folder / "notebooks", "fa", "04_small", made)
    first = reports(folder, made)
    before = {end: contents(first.folder, end) for end in (".json", ".html", ".ipynb")}
    again = reports(folder, made)
    return folder, again, before


def test_a_batch_leaves_a_page_the_numbers_and_the_notebook_per_language(finished):
    """`reports/<study>/<period>/<lang>/`, a manifest, the pages that lead there; the period is the local `as_of`."""
    folder, batch, _ = finished
    assert batch.exit_code == 0
    assert batch.raise_for_status() is batch
    assert batch.folder == folder / "reports" / "small" / "2026-06-30"
    assert sorted(
        p.relative_to(folder / "reports").as_posix() for p in (folder / "reports").rglob("*") if p.is_file()
    ) == [
        "index.html",
        *(f"small/2026-06-30/{lang}/04_small.{kind}" for lang in LANGS for kind in ("html", "ipynb", "json")),
        "small/2026-06-30/index.html",
        "small/2026-06-30/manifest.json",
    ]
    for result in batch.results:
        assert all(path.is_file() for path in result.paths.values())
    index = batch.index.read_text("utf-8")
    assert 'href="fa/04_small.html">یک گزارش کوچک</a>' in index
    assert 'href="small/2026-06-30/index.html"' in (folder / "reports" / "index.html").read_text("utf-8")


def test_a_report_holds_what_the_cells_said_in_their_order(finished):
    """The result as JSON with the id of its cell, the parameters, `as_of` and where the numbers come from."""
    _, batch, _ = finished
    found = json.loads((batch.folder / "fa" / "04_small.json").read_text("utf-8"))
    assert [(r["cell"], r["result"], r["verdict_text"], r["table"]) for r in found["results"]] == [
        ("fine", "Fine", ["همه‌چیز خوب است."], {"columns": ["x"], "rows": [[0.25], [None]]})
    ]
    assert found["title"] == "یک گزارش کوچک"
    assert found["as_of"] == "2026-06-30T21:00:00Z"
    assert found["parameters"] == {"as_of": "", "minutes": 60, "words": ""}
    assert found["provenance"]["definitions"] == {"csat": "0a1b2c3d4e5f"}
    page = (batch.folder / "fa" / "04_small.html").read_text("utf-8")
    assert '<html lang="fa" dir="rtl">' in page
    assert '<p class="cx-verdict">همه‌چیز خوب است.</p>' in page


def test_two_runs_on_the_same_data_give_the_same_bytes(finished):
    """Pages, numbers and notebooks; times and seconds stand in the manifest alone."""
    _, batch, before = finished
    for end in (".html", ".ipynb", ".json"):
        after = contents(batch.folder, end)
        assert {n: b for n, b in after.items() if "manifest" not in n} == {
            n: b for n, b in before[end].items() if "manifest" not in n
        }


def test_the_languages_say_the_same_numbers(finished):
    """Apart from words, the JSON of every language is one and the same."""
    _, batch, _ = finished
    english, persian = (json.loads((batch.folder / g / "04_small.json").read_text("utf-8")) for g in LANGS)
    for found in (english, persian):
        for key in ("lang", "title", "study_title"):
            del found[key]
        for result in found["results"]:
            del result["lang"], result["verdict_text"], result["notes_text"]
    assert english == persian


def test_nothing_of_this_machine_is_in_what_is_published(finished):
    """No folder of the study, of the test, of the kit, of Python; no half-built folder either."""
    folder, batch, _ = finished
    for file in (folder / "reports").rglob("*"):
        assert not file.name.startswith(".")
        if file.is_file():
            text = file.read_text("utf-8")
            assert not [p for p in (str(folder), "secret-place", sys.prefix, str(Path.cwd())) if p in text], file
    assert json.loads((batch.folder / "en" / "04_small.ipynb").read_text("utf-8"))["nbformat"] == 4


def test_the_manifest_says_what_was_run_on_which_data(finished):
    """Digest of the data, definitions, versions, and per report its state, seconds, parameters and files."""
    _, batch, _ = finished
    found = json.loads((batch.folder / "manifest.json").read_text("utf-8"))
    assert found["data"]["tables"] == {"tickets": {"rows": 3, "sha256": "00"}}
    assert {"python", "cxkit", "pandas", "papermill"} <= found["versions"].keys()
    assert [(r["notebook"], r["lang"], r["status"], r["error"]) for r in found["reports"]] == [
        ("04_small", "en", "ok", ""),
        ("04_small", "fa", "ok", ""),
    ]
    for report in found["reports"]:
        for kept in report["files"].values():
            assert len((batch.folder / kept["path"]).read_bytes()) == kept["bytes"]


def test_a_failing_run_leaves_the_old_report_and_says_why(tmp_path):
    """One language fails: its old files stay, its page of failure stands beside them, the other language is new."""
    first = reports(tmp_path, good())
    old = contents(first.folder, ".html")
    who = "who = 'sara' + '@example.com'"
    says = "raise ValueError(f'{who} has \"{who.title()}\" {10**9} in {study}')"
    raises = code("broken", f"{who}\nif lang == 'fa':\n    {says}")
    second = reports(tmp_path, good(raises))
    assert second.exit_code == 1
    with pytest.raises(ReportError) as refusal:
        second.raise_for_status()
    assert refusal.value.text("en") == "These reports could not be made: 04_small (fa)."
    assert [(r.lang, r.status) for r in second.results] == [("en", "ok"), ("fa", "failed")]
    new = contents(second.folder, ".html")
    assert new["04_small.htmlfa"] == old["04_small.htmlfa"]
    assert new["04_small.htmlen"] != old["04_small.htmlen"]
    page = second.results[1].paths["failed"].read_text("utf-8")
    assert "<code>broken</code>" in page and "ValueError" in page
    assert 'href="04_small.html"' in page
    assert "… has &#39;…&#39; … in small" in page
    for file in second.folder.rglob("*.*"):
        text = file.read_text("utf-8")
        assert not [w for w in ("sara@example.com", "Sara@Example", "1000000000", str(tmp_path)) if w in text]
    assert 'href="fa/04_small.failed.html"' in second.index.read_text("utf-8")
    third = reports(tmp_path, good(), langs=["fa"])
    assert third.exit_code == 0
    assert not list(third.folder.rglob("*failed*"))
    assert sorted(contents(third.folder, ".html")) == sorted(old)


def test_every_way_to_end_early_is_a_failure(tmp_path):
    """papermill calls the first a success, and writes "completed" into the notebook in the other two."""
    endings = {
        "a_exit": ("import sys; sys.exit(0)", "failed", "SystemExit"),
        "b_dies": ("import os; os._exit(3)", "kernel-died", "DeadKernelError"),
        "c_sleeps": ("import time; time.sleep(60)", "timed-out", "CellTimeoutError"),
    }
    paths = [
        save(tmp_path / "notebooks", name, notebook(code("one", "1"), code("end", source), code("after", "2")))
        for name, (source, _, _) in endings.items()
    ]
    plan = make_plan(paths, {}, ["en"])
    batch = make_reports(plan, origin(tmp_path), tmp_path / "reports", 3, progress=False, limits=Limits(cell=2))
    assert [(r.notebook, r.status) for r in batch.results] == [(n, s) for n, (_, s, _) in endings.items()]
    assert [r.error.split(":")[:2] for r in batch.results] == [["end", f" {e}"] for _, _, e in endings.values()]
    assert batch.exit_code == 5
    for result in batch.results:
        assert set(result.paths) == {"failed"}
        assert "<code>end</code>" in result.paths["failed"].read_text("utf-8")


def test_a_study_on_disk_becomes_reports(tmp_path):
    """`run` itself: a study of one table laid there by hand, as of a day that ends at 21:00 UTC in Riyadh."""
    study = tmp_path / "shop"
    (study / "tables").mkdir(parents=True)
    (study / "study.toml").write_text('name = "shop"\ntime_zone = "Asia/Riyadh"\n[title]\nfa = "فروشگاه"\n', "utf-8")
    opened = pd.to_datetime(["2026-06-01", "2026-07-02"]).astype("datetime64[us]")
    pd.DataFrame({"ticket_id": ["a", "b"], "opened_at": opened}).to_parquet(study / "tables" / "tickets.parquet")
    path = save(tmp_path / "notebooks", "04_small", good())
    batch = run(study, [path], {"as_of": "2026-06-30", "minutes": "۴۵"}, "fa", tmp_path / "reports", progress=False)
    assert batch.raise_for_status().folder == tmp_path / "reports" / "shop" / "2026-06-30"
    found = json.loads(batch.results[0].paths["json"].read_text("utf-8"))
    assert found["as_of"] == "2026-06-30T20:59:59.999999Z"
    assert found["study_title"] == "فروشگاه"
    assert found["parameters"] == {"as_of": "2026-06-30", "minutes": 45, "words": ""}
    assert found["provenance"]["tables"]["tickets"]["rows"] == 2
    assert len(found["provenance"]["tables"]["tickets"]["sha256"]) == 64
    assert "csat" in found["provenance"]["definitions"]
    named = run(study, [path], {}, "en", tmp_path / "reports", progress=False, period="../July")
    assert named.folder.parent == tmp_path / "reports" / "shop"
    assert named.folder.name.startswith("July-")


def test_hostile_texts_arrive_in_the_notebook_unchanged(tmp_path):
    """200 of them in one list, and as text: quotes, backslashes, line separators, bidi marks, code."""
    texts = [
        "\"'\\",
        "\u2028\u2029\x85",
        "{x}{x.__class__}",
        "\u202e\u2066",
        '"; import os; os._exit(1) #',
        "سلام‌ها",
        "$1 `x`",
    ]
    texts += ["".join(map(chr, range(n, n + 60))) for n in (*range(1, 8000, 60), *range(0xFDD0, 0xFFFF, 60))]
    made = notebook(
        code("show", "import json; display({'text/plain': '', 'application/json': [texts, words]}, raw=True)"),
        parameters='texts: list[str] = []\nwords: str = ""',
    )
    path = save(tmp_path, "a", made)
    job = make_plan([path], {"texts": texts, "words": texts[4]}, ["en"])[0]
    done = execute(made, job.parameters, tmp_path)
    assert done.status == "ok"
    assert done.notebook["cells"][-1]["outputs"][0]["data"]["application/json"] == [texts, texts[4]]
    assert len(texts) > 140


def test_a_notebook_works_where_it_lies_and_knows_its_study(tmp_path):
    """Its working directory is its own folder, as in JupyterLab, whatever the runner's; `study` is absolute."""
    made = notebook(
        code("where", "import os; display({'text/plain': '', 'application/json': [os.getcwd(), study]}, raw=True)")
    )
    path = save(tmp_path / "deep", "a", made)
    before = Path.cwd()
    done = execute(made, {"study": "/x"}, path.parent)
    assert done.notebook["cells"][-1]["outputs"][0]["data"]["application/json"] == [str(tmp_path / "deep"), "/x"]
    assert Path.cwd() == before


def test_progress_is_one_plain_line_per_report_where_nobody_watches(tmp_path, capfd):
    """On the error stream, without control characters; nothing else is printed, not by kernels either."""
    path = save(tmp_path, "04_small", notebook(prose("a", "b"), code("one", "1")))
    make_reports(make_plan([path], {}, ["en"]), origin(tmp_path), tmp_path / "reports")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("04_small · en · done · ")
    assert err.count("\n") == 1


def test_papermill_is_imported_without_the_tax_of_an_unused_check():
    """The package it would load for a second stays out, and can still be imported by whoever wants it."""
    asks = "import sys; from cxkit.report.execute import papermill; papermill(); print('rfc3987_syntax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


def test_an_error_shows_no_value_of_the_data_unless_it_is_the_kits_own():
    """Libraries quote the value they choke on; words that stand in the notebook's own code are no customer's."""
    made = notebook(code("a", "table['solved_at']"))
    assert mask("KeyError", "'solved_at'", made) == "'solved_at'"
    assert mask("KeyError", "'Sara Example'", made) == "'…'"
    assert mask("ModuleNotFoundError", "No module named 'nltk'", made) == "No module named 'nltk'"
    assert mask("ValueError", 'Unable to parse string "sara@example.com" at position 1', made) == (
        "Unable to parse string '…' at position 1"
    )
    assert mask("ValueError", "call sara@example.com or 09121234567", made) == "call … or …"
    assert mask("StudyError", "tables has no 'x' (12345 rows)", made) == "tables has no 'x' (12345 rows)"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_ends_the_kernels_and_leaves_nothing(tmp_path):
    """SIGINT while a cell sleeps: the run ends within seconds, its kernel is gone, no folder was made."""
    pid = tmp_path / "pid"
    made = notebook(
        code(
            "sleep",
            f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\ntime.sleep(60)",
        )
    )
    path = save(tmp_path / "notebooks", "a", made)
    script = (
        "import pathlib, signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from small_report import origin\nfrom cxkit.report import make_reports\n"
        "from cxkit.report.plan import make_plan\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        f"make_reports(make_plan([{str(path)!r}], {{}}, ['en']), origin(folder), folder / 'reports')\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])}
    runner = subprocess.Popen([sys.executable, "-c", script], env=env, stderr=subprocess.PIPE, text=True)
    kernel = int(wait_for(lambda: pid.exists() and pid.read_text()))
    runner.send_signal(signal.SIGINT)
    _, said = runner.communicate(timeout=20)
    assert runner.returncode not in (0, None)
    assert "KeyboardInterrupt" in said
    wait_for(lambda: not alive(kernel))
    assert not (tmp_path / "reports").exists()


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return (
        not Path(f"/proc/{pid}/stat").exists()
        or Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    )
