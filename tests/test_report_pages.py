"""Claims about the pages: self-contained, inert, in the reader's direction, with the letters they use."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import nbformat.v4 as v4
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from small_report import DOT, RESULT, code, notebook, one_job, origin, prose, save

from cxkit.lang import LANGS, direction
from cxkit.report import document, fonts
from cxkit.report.html import POLICY, report_page
from cxkit.report.safe import safe_html
from cxkit.result import MIME

HOSTILE = (
    "<script>window.PWN=1</script>",
    "<img src=x onerror='window.PWN=1'>",
    "<img src=https://example.org/pixel.png>",
    "<svg onload='window.PWN=1'></svg>",
    "<style>@import url(https://example.org/x.css)</style>",
    "<iframe src='javascript:window.PWN=1'></iframe>",
    "</pre></code></title><script>window.PWN=1</script>",
    "[click](javascript:window.PWN=1) ![x](https://example.org/p.png)",
)
PAGE_TAGS = set(
    re.findall(
        r"\w+",
        """html head meta title style body a header p h1 h2 nav span ol li div main section table thead tbody tr th td
        details summary pre code figure figcaption img b blockquote footer bdi em br strong""",
    )
)
# Whatever a browser would go and get: `href` of a link is a click of the reader, and ours lead to other reports only.
OUTSIDE = re.compile(
    r"(?:src|href|action|poster|data)\s*=\s*[\"']?\s*(?:https?:|//)|url\(\s*[\"']?(?!data:)|@import", re.I
)


def shown(cell_id, source, *outputs):
    return v4.new_code_cell(source, id=cell_id, execution_count=1, outputs=list(outputs))


def output(data, **metadata):
    return v4.new_output("display_data", data=data, metadata=metadata)


def executed(*cells):
    return notebook(*cells, code("injected", 'words = "x"', "injected-parameters"))


@pytest.fixture
def page(tmp_path):
    """The page that a notebook with `cells` becomes in `lang`."""

    def make(*cells, lang="en", **given):
        job = one_job(save(tmp_path, "04_small", notebook()), lang, **given)
        source = origin(tmp_path)
        return report_page(document.published(executed(*cells), job, source), job, source, LANGS)[0]

    return make


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def everything(text):
    """`text` in each place where a customer's words could come to stand."""
    return (
        prose("words", f"## Heading {text}\n\n{text}\n\n> {text}\n\n`{text}`"),
        shown("a", f"# {text}", v4.new_output("stream", name="stdout", text=text)),
        shown("b", "b", output({"text/plain": text}), output({"text/markdown": text, "text/plain": text})),
        shown("c", "c", output({"text/html": f"<table><tr><td>{text}</td></tr></table>", "text/plain": text})),
        shown("d", "d", output({"image/png": DOT, "text/plain": text}, **{"image/png": {"alt": text}})),
        shown("e", "e", output({"application/javascript": text, "text/plain": text}), output({"image/svg+xml": text})),
        shown("f", "f", output({"text/html": text, MIME: {"verdict_text": []}, "text/plain": text})),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_wherever_it_stands(page, text):
    """No script, no handler, no frame, nothing to fetch; the policy stands before anything that could load."""
    made = page(*everything(text), words=text)
    tags = Tags(made).found
    assert {tag for tag, _ in tags} <= PAGE_TAGS
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on") or name in {"style", "srcdoc"}]
    assert all(attrs["src"].startswith("data:image/") for _, attrs in tags if "src" in attrs)
    assert not [value for _, attrs in tags for value in attrs.values() if re.match("https?:|//", value or "")]
    assert not any(OUTSIDE.search(style) for style in re.findall("(?s)<style>(.*?)</style>", made))
    assert [a for t, a in tags if t == "meta"][1] == {"http-equiv": "Content-Security-Policy", "content": POLICY}
    assert "default-src 'none'" in POLICY and "script-src" not in POLICY


def test_an_ordinary_page_names_no_outside_address_at_all(page, lang):
    """Not one `src`, `href`, `url()` or `@import` of a page leads out of it or its folder."""
    assert not OUTSIDE.search(page(prose("why", "## Why"), shown("d", "d", output({"image/png": DOT})), lang=lang))


def test_hostile_text_is_still_there_to_read(page):
    """Shown literally, not swallowed: a customer's words are data."""
    made = page(*everything(HOSTILE[0]))
    assert made.count("&lt;script&gt;window.PWN=1&lt;/script&gt;") >= 6


def test_a_page_has_its_language_its_direction_and_a_way_to_its_siblings(page, lang):
    """`lang` and `dir` on the root; the other two languages one link away; a link past the contents to the report."""
    tags = Tags(page(prose("why", "## Why\n\n### More"), lang=lang)).found
    assert dict(tags)["html"] == {"lang": lang, "dir": direction(lang)}
    links = [a["href"] for t, a in tags if t == "a"]
    assert links[0] == "#main"
    assert {f"../{g}/04_small.html" for g in LANGS if g != lang} < set(links)
    assert {"#why", "#why-2", "../index.html"} < set(links)
    assert [a["id"] for _, a in tags if "id" in a] == ["contents", "main", "why", "why-2"]


def test_code_is_hidden_but_reachable_and_never_follows_the_page(page):
    """In `details`, left to right, with the parameters as a table in the place of their cell."""
    made = page(shown("a", "kpis(data)  # note"), lang="fa", minutes=45)
    tags = Tags(made).found
    assert ("pre", {"dir": "ltr"}) in tags
    assert "<details" in made and "<details open" not in made
    assert 'study: str = "data/sample"' not in made
    assert re.search(r"<code>minutes</code></th><td dir=\"ltr\">۴۵</td>", made)


def test_a_customers_words_take_the_direction_of_their_first_letter(page):
    """Written out, because some renderers ignore dir="auto"."""
    made = page(shown("a", "a", v4.new_output("stream", name="stdout", text="پاسخ خوب CSAT")))
    assert '<pre class="printed" dir="rtl">' in made


def test_a_picture_has_words_for_those_who_do_not_see_it(page):
    """The alternative text of the picture; its caption repeats no verdict that stands on the page."""
    picture = output({"image/png": DOT, "text/plain": "p"}, **{"image/png": {"alt": "All is well.", "width": 800}})
    verdict = output({"text/html": "<p>All is well.</p>", MIME: {"verdict_text": ["All is well."]}, "text/plain": "v"})
    alone, beside = page(shown("a", "a", picture)), page(shown("v", "v", verdict), shown("a", "a", picture))
    image = {"src": f"data:image/png;base64,{DOT}", "alt": "All is well.", "width": "800"}
    assert ("img", image) in Tags(alone).found
    assert "<figcaption><b>Figure 1</b> All is well.</figcaption>" in alone
    assert "<figcaption><b>Figure 1</b></figcaption>" in beside


def test_warnings_and_logs_of_a_cell_stay_in_the_notebook(page):
    """They name files of the machine and say nothing to a service manager."""
    made = page(shown("a", "a", v4.new_output("stream", name="stderr", text="FutureWarning: x")))
    assert "FutureWarning" not in made


def test_a_long_table_waits_behind_a_line_that_says_how_long_it_is(page):
    """40 rows under a heading are folded, 24 are not."""
    made = {}
    for n in (24, 40):
        rows = "<tr><th>x</th></tr>" + "<tr><td>1</td></tr>" * n
        made[n] = page(shown("a", "a", output({"text/html": f"<table>{rows}</table>", "text/plain": "t"})), lang="en")
    assert '<details class="long"><summary>Table of 40 rows</summary><div class="cx-scroll"' in made[40]
    assert 'details class="long"' not in made[24]


def test_a_link_to_a_notebook_leads_to_its_report_and_an_outside_one_is_printed(page):
    """A report can be passed on: it sends nobody anywhere by itself."""
    made = page(prose("see", "See [the process](01_assess_process.ipynb#stages) and [a book](https://example.org/b)."))
    assert '<a href="01_assess_process.html#stages">the process</a>' in made
    assert 'a book (<bdi class="url" dir="ltr">https://example.org/b</bdi>)' in made


def test_a_cell_left_in_english_says_so_in_a_persian_page(page):
    """Its own language and direction, inside the page's."""
    made = page(prose("why", '<div dir="ltr" lang="en">\n\nNot translated.\n\n</div>'), lang="fa")
    assert '<div lang="en" dir="ltr"><p>Not translated.</p>' in made


def test_no_trace_of_the_machine_leaves_it(tmp_path):
    """Folders of the study, the kit, the user and Python; the injected cell; papermill's own record of paths."""
    job = one_job(save(tmp_path, "04_small", notebook()), "fa", words="سلام")
    source = origin(tmp_path)
    private = f"{source.path}/tables/x.parquet {tmp_path}/04_small.ipynb {tmp_path}/ipykernel_12/345.py:1"
    made = executed(shown("a", "a", v4.new_output("stream", name="stderr", text=private)))
    made["metadata"]["papermill"] = {"input_path": str(tmp_path), "parameters": {"study": str(source.path)}}
    out = document.published(made, job, source)
    assert str(tmp_path) not in json.dumps(out)
    assert out["cells"][2]["outputs"][0]["text"] == "small/tables/x.parquet notebooks/04_small.ipynb cell:1"
    assert out["cells"][-1]["source"] == "study = 'small'\nlang = 'fa'\nwords = 'سلام'"
    assert "papermill" not in out["metadata"]


def test_missing_and_endless_numbers_are_null_in_json():
    """JSON has no NaN; Persian and Arabic stay readable; keys are sorted; a flat list stands on one line."""
    text = document.to_json({"b": [float("nan"), 1.5, float("inf")], "a": {"سلام": None}})
    assert json.loads(text) == {"a": {"سلام": None}, "b": [None, 1.5, None]}
    assert text == '{\n "a": {\n  "سلام": null\n },\n "b": [null, 1.5, null]\n}\n'


@given(st.text(max_size=60))
def test_json_survives_any_text(text):
    """Brackets, quotes and line ends in a text are not taken for structure."""
    value = {"rows": [[text, 1], [f"[{text}\n ", None]]}
    assert json.loads(document.to_json(value)) == value


@given(st.text(alphabet=st.sampled_from("<>/abscriptle =\"'&;!-x\n"), max_size=120))
def test_no_text_makes_a_tag_that_is_not_on_the_list(text):
    """Whatever the pieces, the result holds listed tags only, all of them closed."""
    tags = [t for t, _ in Tags(safe_html(f"<p>{text}")).found]
    assert not {"script", "style", "img", "iframe", "svg"} & set(tags)
    assert safe_html(f"<p>{text}").endswith("</p>") or "</p>" in safe_html(f"<p>{text}")


def test_the_embedded_letters_are_those_of_the_page_and_join():
    """Glyphs of the letters in both weights, the features that join Arabic, equal bytes for equal letters."""
    css = fonts.font_face("CSAT پاسخ‌گویی ۷۲٫۵٪ لا")
    faces = re.findall(r"font-weight:(\d+).*?base64,([^)]+)\)", css)
    assert [weight for weight, _ in faces] == ["400", "700"]
    for _, data in faces:
        font = TTFont(io.BytesIO(base64.b64decode(data)))
        assert set(map(ord, "پاسخ‌گویی۷۲٫۵٪لاCSAT")) <= set(font.getBestCmap())
        assert {"init", "medi", "fina"} <= {f.FeatureTag for f in font["GSUB"].table.FeatureList.FeatureRecord}
        assert len(font.getGlyphOrder()) < 1000
    assert css == fonts.font_face("CSAT پاسخ‌گویی ۷۲٫۵٪ لا")
    assert len(css) < 90_000


@pytest.mark.lab
def test_a_browser_asks_for_nothing_and_runs_nothing(page, tmp_path, chromium, lang):
    """Chromium opens a page with every hostile text in it: no request but the file, no global set, direction right."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    cells = [c for n, text in enumerate(HOSTILE) for c in everything(text) if not c.update(id=f"{c['id']}{n}")]
    file = tmp_path / "page.html"
    file.write_text(page(*cells, lang=lang), encoding="utf-8")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        asked, said = [], []
        tab.on("request", lambda r: asked.append(r.url) if not r.url.startswith("data:") else None)
        tab.on("console", lambda m: said.append(m.text))
        tab.goto(file.as_uri())
        assert tab.evaluate("window.PWN") is None
        assert tab.evaluate("getComputedStyle(document.body).direction") == direction(lang)
        assert tab.evaluate("getComputedStyle(document.querySelector('pre[dir=ltr]')).direction") == "ltr"
        assert tab.evaluate("document.fonts.check('1rem cxkit', 'CSAT سلام')")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.close()
    assert asked == [file.as_uri()]
    assert not said


@pytest.mark.lab
def test_the_policy_holds_even_if_a_script_came_into_the_page(page, tmp_path, chromium):
    """The second wall: raw script, handler, picture, frame and style sheet put into a finished page do nothing."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    file = tmp_path / "page.html"
    file.write_text(page(prose("why", "## Why")).replace("</main>", f"{''.join(HOSTILE[:6])}</main>"), encoding="utf-8")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        answered = []
        tab.on("response", lambda r: answered.append(r.url) if not r.url.startswith("data:") else None)
        tab.goto(file.as_uri())
        assert tab.evaluate("window.PWN") is None
        browser.close()
    assert answered == [file.as_uri()]


def test_the_small_result_is_what_the_kit_displays():
    """The fake of these tests has the keys of a real result, so that the claims above hold for real ones."""
    from cxkit.result import not_answerable

    real = not_answerable("common.unknown", ("tickets.solved_at",))._repr_mimebundle_()[MIME]
    assert set(re.findall(r'"(\w+)":', RESULT.split("found = ")[1].split("\ndisplay")[0])) - {
        "code",
        "params",
        "n",
    } >= {"result", "verdict", "verdict_text", "notes", "notes_text", "table", "columns", "rows"}
    assert {"result", "lang", "verdict", "verdict_text", "notes", "notes_text", "table"} <= real.keys()
