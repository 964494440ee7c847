"""Claims about the parameters of a notebook; no kernel starts here."""

import ast
import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papermill.translators import PythonTranslator
from small_report import notebook, save

import cxkit as cx
from cxkit.errors import LanguageError, ParameterError
from cxkit.lang import has
from cxkit.report import run
from cxkit.report.notebooks import safe_name
from cxkit.report.params import checked, declared, describe
from cxkit.report.plan import make_plan

CELL = """from typing import Literal
from datetime import date
import datetime as dt

study: str = "data/sample"  # folder of the study
lang: str = "en"
minutes: int = 60  # promised time, in minutes = "60"
share: float = -0.5
deep: bool = True
start: date = "2026-01-01"  # first day
end: dt.date = ""
channel: Literal["email", "phone", 3] = "email"
tiers: list[int] = [1, 2]
names: list[str] = []
limit: int | None = None
note: "str | None" = None
untyped = 5
"""


def one(declaration: str):
    """The only parameter of a cell that holds `declaration`."""
    return next(iter(declared(notebook(parameters=declaration)).values()))


def test_every_kind_of_declaration_is_read_without_running_it():
    """papermill's own reader drops `| None`, Literal, dt.date and any default or comment with a "="."""
    found = {name: (p.type, p.default, p.help) for name, p in declared(notebook(parameters=CELL)).items()}
    assert found == {
        "study": ("str", "data/sample", "folder of the study"),
        "lang": ("str", "en", ""),
        "minutes": ("int", 60, 'promised time, in minutes = "60"'),
        "share": ("float", -0.5, ""),
        "deep": ("bool", True, ""),
        "start": ("date", "2026-01-01", "first day"),
        "end": ("date", "", ""),
        "channel": ("Literal['email', 'phone', 3]", "email", ""),
        "tiers": ("list[int]", [1, 2], ""),
        "names": ("list[str]", [], ""),
        "limit": ("int | None", None, ""),
        "note": ("str | None", None, ""),
        "untyped": ("int", 5, ""),
    }


@pytest.mark.parametrize(
    ("declaration", "text", "value"),
    [
        ('x: str = ""', "007", "007"),
        ('x: str = ""', "no", "no"),
        ('x: str = ""', "", ""),
        ("x: int = 0", "007", 7),
        ("x: int = 0", "١٢", 12),
        ("x: int = 0", "−۱۲", -12),
        ("x: float = 0.0", "۰٫۸", 0.8),
        ("x: float = 0.0", "1e-3", 0.001),
        ("x: float = 0.0", 1, 1.0),
        ("x: float = 0.0", np.float64(0.25), 0.25),
        ("x: int = 0", np.int64(3), 3),
        ("x: bool = False", "Yes", True),
        ("x: bool = True", "false", False),
        ("x: bool = True", False, False),
        ('x: date = ""', "۲۰۲۶-۰۶-۳۰", "2026-06-30"),
        ('x: date = ""', dt.date(2026, 6, 30), "2026-06-30"),
        ('x: date = ""', "", ""),
        ('x: Literal["a", 3] = "a"', "3", 3),
        ("x: list[int] = []", "1, ٢،3", [1, 2, 3]),
        ("x: list[str] = []", '["a, b", "007"]', ["a, b", "007"]),
        ("x: list[str] = []", "", []),
        ("x: int | None = 1", "none", None),
        ("x: str | None = 'a'", "none", "none"),
        ("x: str | None = 'a'", "", None),
        ("x: int | None = 1", "5", 5),
    ],
)
def test_a_value_takes_the_declared_type(declaration, text, value):
    """Never by guess: "007" stays text where text is declared, and ١٢ is twelve where a number is."""
    converted = one(declaration).convert(text)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("declaration", "value"),
    [
        ("x: int = 0", "abc"),
        ("x: int = 0", "1e5"),
        ("x: int = 0", "1_000"),
        ("x: int = 0", "1,000"),
        ("x: int = 0", True),
        ("x: int = 0", 1.5),
        ("x: int = 0", None),
        ("x: int = 0", (1,)),
        ("x: float = 0.0", "nan"),
        ("x: float = 0.0", float("inf")),
        ("x: float = 0.0", "infinity"),
        ("x: bool = False", "1"),
        ("x: bool = False", 1),
        ("x: str = ''", 7),
        ("x: str = ''", ("a", "b")),
        ('x: date = ""', "30/06/2026"),
        ('x: date = ""', "2026-02-30"),
        ('x: date = ""', dt.datetime(2026, 6, 30)),
        ('x: date = ""', "1405-04-09"),
        ('x: Literal["a", "b"] = "a"', "c"),
        ("x: list[int] = []", "1, b"),
        ("x: list[int] = []", "[1, 2"),
        ("x: list[int] = []", 3),
    ],
)
def test_what_is_not_of_the_declared_type_is_refused(declaration, value):
    """Exit code 2, as for every wrong use of the command line."""
    with pytest.raises(ParameterError) as refusal:
        one(declaration).convert(value)
    assert refusal.value.exit_code == 2


def test_the_refusals_say_what_to_change():
    """The whole sentences, in English."""
    sentences = []
    for declaration, value in [
        ("minutes: int = 60", "an hour"),
        ('channel: Literal["email", "phone"] = "email"', "fax"),
        ('start: date = ""', "1405-04-09"),
    ]:
        with pytest.raises(ParameterError) as refusal:
            one(declaration).convert(value)
        sentences.append(refusal.value.text("en"))
    assert sentences == [
        "Parameter “minutes” is declared as int; “an hour” is not that.",
        "Parameter “channel” must be one of: email, phone. “fax” is none of them.",
        "Parameter “start” is a Gregorian date; the year of “1405-04-09” looks like the Jalali or the Hijri calendar. "
        "Write it as a Gregorian date.",
    ]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("x: int = ", "parameter_cell"),
        ("x = open('f')", "parameter_default"),
        ("x: complex = 1j", "parameter_type_unknown"),
        ("x: dict[str, int] = {}", "parameter_type_unknown"),
        ("x: int | str = 1", "parameter_type_unknown"),
        ("x = {}", "parameter_type_unknown"),
        ('api_key: str = ""', "parameter_secret"),
        ('dsn: str = ""', "parameter_secret"),
    ],
)
def test_a_parameters_cell_that_cannot_be_right_is_refused(cell, code):
    """Nothing in the cell is run to find out."""
    with pytest.raises(ParameterError) as refusal:
        declared(notebook(parameters=cell))
    assert refusal.value.code == code


def test_a_parameter_goes_to_the_notebooks_that_declare_it():
    """Two notebooks, one parameter of the first only, one of both."""
    notebooks = {
        "a": declared(notebook(parameters="x: int = 1\ny: int = 2")),
        "b": declared(notebook(parameters="y: int = 3")),
    }
    assert checked({"x": "5", "y": "6"}, notebooks) == {"a": {"x": 5, "y": 6}, "b": {"y": 6}}


@pytest.mark.parametrize("name", ["x=0;__import__('os').system('touch pwned');y", "first-name", "", "día", "print"])
def test_a_name_that_no_notebook_declares_is_refused(name):
    """papermill writes names into the notebook unescaped: the first of these would run."""
    with pytest.raises(ParameterError) as refusal:
        checked({name: 1}, {"a": declared(notebook())})
    assert refusal.value.code in {"parameter_near", "parameter_unknown"}


@pytest.mark.parametrize("name", ["token", "API_KEY", "db_password", "keys", "client_secret", "passwd"])
def test_a_secret_is_refused_by_its_name(name):
    """A report prints its parameters, and papermill stores them twice."""
    with pytest.raises(ParameterError) as refusal:
        checked({name: "x"}, {"a": declared(notebook())})
    assert refusal.value.code == "parameter_secret"


def test_what_the_run_sets_itself_and_what_is_missing_is_refused():
    """`study` and `lang` come from the command; `x` has no default."""
    for given_, code in [
        ({"lang": "fa"}, "parameter_reserved"),
        ({"study": "s"}, "parameter_reserved"),
        ({}, "parameter_missing"),
    ]:
        with pytest.raises(ParameterError) as refusal:
            checked(given_, {"a": declared(notebook(parameters='x: int\nlang: str = "en"\nstudy: str = ""'))})
        assert refusal.value.code == code


def test_a_misspelt_parameter_stops_before_anything_runs(tmp_path, lang):
    """No kernel, no intake (there is no such study), no folder; the nearest name is in the sentence."""
    path = save(tmp_path, "a", notebook())
    cx.use(lang)
    try:
        with pytest.raises(ParameterError) as refusal:
            run("no such study", [path], {"minuts": "5"}, out=tmp_path / "reports")
        assert "minutes" in str(refusal.value)
    finally:
        cx.use("en")
    assert refusal.value.text("en") == (
        "No chosen notebook has a parameter “minuts” (did you mean “minutes”?). There are: as_of, minutes, words."
    )
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]


def test_a_wrong_language_or_notebook_stops_before_anything_runs(tmp_path):
    """Each names the nearest right thing."""
    path = save(tmp_path, "a", notebook())
    with pytest.raises(LanguageError):
        run("no such study", [path], langs="en,tr", out=tmp_path / "reports")
    with pytest.raises(ParameterError) as refusal:
        run("no such study", ["measure_kpi"], out=tmp_path / "reports")
    assert refusal.value.params["near"] == "04_measure_kpis"
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("name", ["4", "04", "۰۴", "measure_kpis", "04_measure_kpis", "04_measure_kpis.ipynb"])
def test_a_notebook_has_several_names(name):
    """By number in any digits, by its words, by its file."""
    assert [job.name for job in make_plan([name, "04"], {}, ["en"])] == ["04_measure_kpis"]


def test_every_setting_of_our_notebooks_is_explained_in_the_language_of_the_report(lang):
    """Catalogue key `parameter.<name>`; `study` and `lang` are set by the run and not shown."""
    names = {name for job in make_plan(None, {}, ["en"]) for name in job.shown}
    assert {name for name in names if not has(f"parameter.{name}", lang)} == set()


def test_two_notebooks_of_one_name_are_refused(tmp_path):
    """Their reports would have one file name."""
    paths = [save(tmp_path / folder, "a", notebook()) for folder in ("x", "y")]
    with pytest.raises(ParameterError) as refusal:
        make_plan(paths, {}, ["en"])
    assert refusal.value.code == "notebook_twice"


def test_a_parameter_describes_itself(tmp_path):
    """One line each, as an analyst would write it."""
    path = save(tmp_path, "a", notebook(parameters="x: int | None = None  # most days\ny: str"))
    assert [str(p) for p in describe(path)] == ["x: int | None = None  # most days", "y: str"]


@given(st.text(st.characters(codec=None), max_size=80))
@settings(max_examples=200)
def test_a_hostile_text_arrives_unchanged_in_the_injected_cell(text):
    """Quotes, backslashes, line ends, bidi marks, lone surrogates: the code papermill writes evaluates to the text."""
    value = one('x: str = ""').convert(text)
    injected = PythonTranslator.codify({"x": value})
    statement = ast.parse(injected).body[0]
    assert ast.literal_eval(statement.value) == text


@pytest.mark.parametrize(
    "text",
    [
        "../x",
        "/etc/passwd",
        "C:\\x",
        "a\0b",
        "a" * 300,
        "trailing.",
        "..",
        "",
        "con",
        "NUL.txt",
        "a\u202eb",
        "a/b",
        "~",
        ".hidden",
    ],
)
def test_a_hostile_name_becomes_a_harmless_one(text):
    """A slug and a hash: no separator, no dot at an end, no device, at most 60 letters."""
    name = safe_name(text)
    assert name == safe_name(name)
    assert not set(name) & set("/\\:\0.~\u202e")
    assert 0 < len(name) <= 60


def test_a_plain_name_stays():
    """In any script."""
    for name in ["2026-06-30", "sample", "فروشگاه", "متجر_2"]:
        assert safe_name(name) == name
