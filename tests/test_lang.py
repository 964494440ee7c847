"""Words, numbers and dates: the three languages are equals."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import jdatetime
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit import lang
from cxkit.errors import LanguageError, ReportError, nearest
from cxkit.lang import LANGS
from cxkit.lang.catalogue import arguments, isolated, pattern, plural_forms

FORMS = {
    # CLDR plural rules, chart "Language Plural Rules": the categories of cardinal numbers.
    "en": {"one", "other"},
    "fa": {"one", "other"},
    "ar": {"zero", "one", "two", "few", "many", "other"},
}
ISOLATES = re.compile("[\u2066\u2067\u2068\u2069\u200e\u200f]")


@pytest.mark.parametrize("other", ["ar", "fa"])
def test_every_sentence_exists_in_all_three_languages(other: str) -> None:
    """Style guide: every sentence exists in all three languages, or in none."""
    assert lang.keys(other) ^ lang.keys("en") == frozenset()


@pytest.mark.parametrize("other", ["ar", "fa"])
def test_a_sentence_takes_the_same_arguments_in_every_language(other: str) -> None:
    """A number that one language drops would be a different report."""
    differing = [k for k in lang.keys("en") if arguments(pattern(k, "en")) != arguments(pattern(k, other))]
    assert differing == []


@pytest.mark.parametrize("code", LANGS)
def test_every_plural_names_all_forms_of_its_language(code: str) -> None:
    """CLDR plural rules: two forms in English and Persian, six in Arabic."""
    gaps = {
        (key, argument): FORMS[code] - named
        for key in lang.keys(code)
        for argument, named in plural_forms(pattern(key, code))
        if not named >= FORMS[code]
    }
    assert gaps == {}


@pytest.mark.parametrize("code", LANGS)
def test_patterns_are_safe_for_icu(code: str) -> None:
    """ICU reads a straight apostrophe as a quote and would swallow the placeholder after it."""
    assert [k for k in lang.keys(code) if "'" in pattern(k, code)] == []
    for key in lang.keys(code):
        filled = lang.say(key, code, **{a: _sample(key, code, a) for a in arguments(pattern(key, code))})
        assert filled and "{" not in filled, key


def _sample(key: str, code: str, argument: str) -> object:
    text = pattern(key, code)
    if re.search(rf"\{{{argument},\s*(number|plural)", text):
        return 3
    return dt.date(2026, 3, 1) if re.search(rf"\{{{argument},\s*date", text) else "x"


@pytest.mark.parametrize("code", ["ar", "fa"])
def test_arabic_and_persian_sentences_are_written_in_their_script(code: str) -> None:
    """A sentence left in English would pass every other test of the catalogue."""
    # A language is listed under its own name, whatever the language of the page.
    said = {
        key: lang.say(key, code, **{a: _sample(key, code, a) for a in arguments(pattern(key, code))})
        for key in lang.keys(code)
        if "report.language." not in key
    }
    latin_only = [key for key, text in said.items() if re.search("[A-Za-z]{4}", text) and not _has_arabic(text)]
    assert latin_only == []


def _has_arabic(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) == "AL" for letter in text)


def test_placeholders_stand_between_isolates() -> None:
    """Unicode UAX 9, section 2.4: isolates keep the order of what is around them."""
    assert isolated("a {x} b {n, number, ::.0}") == "a \u2068{x}\u2069 b \u2066{n, number, ::.0}\u2069"
    plural = isolated("{n, plural, one {# row of {total}} other {# rows of {total}}}")
    assert "{\u2066#\u2069 rows of \u2068{total}\u2069}" in plural
    assert isolated("{s, number, ::percent .0}") == "\u2066{s, number, ::percent scale/100 .0/@r}\u2069"


@pytest.mark.parametrize(
    ("code", "x", "digits", "expected"),
    [
        # CLDR through ICU 78, as ICU4C prints it for the locales en-GB, ar and fa.
        ("en", -1234567.891, 2, "-1,234,567.89"),
        ("ar", -1234567.891, 2, "-1,234,567.89"),
        ("fa", -1234567.891, 2, "−۱٬۲۳۴٬۵۶۷٫۸۹"),
        ("fa", 0.5, 1, "۰٫۵"),
        ("en", -0.01, 1, "0.0"),  # a rounded zero has no sign
        ("en", float("nan"), 1, "–"),
        ("ar", float("inf"), 1, "–"),
        ("fa", None, 1, "–"),
    ],
)
def test_numbers_are_written_as_cldr_says(code: str, x: float | None, digits: int, expected: str) -> None:
    """Digits, separators and signs of CLDR."""
    assert ISOLATES.sub("", lang.number(x, code, digits)) == expected


@pytest.mark.parametrize(("code", "expected"), [("en", "72.6%"), ("ar", "72.6%"), ("fa", "۷۲٫۶٪")])
def test_shares_become_percentages(code: str, expected: str) -> None:
    """CLDR percent patterns; a share is 0-1."""
    assert ISOLATES.sub("", lang.percent(0.7256, code)) == expected


def test_a_rare_thing_is_not_a_thing_that_never_happens() -> None:
    """4 rows of 131,316 are 0.003%, not 0.0% (ICU's relaxed precision)."""
    assert lang.percent(4 / 131_316, "en") == "0.003%"
    assert lang.percent(0.0, "en") == "0.0%"
    assert lang.percent(0.12345, "en") == "12.3%"


def test_points_carry_their_sign() -> None:
    """NPS is told in points of a hundred: 30, not 0.3 and not 30 %."""
    assert lang.points(0.30, "en") == "+30"
    assert lang.points(-0.125, "en", 1) == "-12.5"
    assert lang.points(0.0, "en") == "0"


@given(st.dates(dt.date(1921, 3, 21), dt.date(2099, 3, 19)))
@settings(max_examples=300, deadline=None)
def test_jalali_days_agree_with_jdatetime(day: dt.date) -> None:
    """jdatetime 6.1 as the independent calendar."""
    other = jdatetime.date.fromgregorian(date=day)
    assert lang.jalali(day) == (other.year, other.month, other.day)


def test_dates_follow_the_calendar_of_the_language() -> None:
    """1 May 2024 is 12 Ordibehesht 1403 (official Iranian calendar)."""
    day = dt.date(2024, 5, 1)
    assert lang.date(day, "en") == "1 May 2024"
    assert lang.date(day, "ar") == "1 مايو 2024"
    assert lang.date(day, "fa") == "۱۲ اردیبهشت ۱۴۰۳"
    assert lang.month(pd.Timestamp("2024-04-20"), "fa") == "اردیبهشت ۱۴۰۳"  # 1 Ordibehesht
    assert lang.month(pd.Timestamp("2024-05-01"), "fa") == "مهٔ ۲۰۲۴"  # a Gregorian month stays Gregorian
    assert lang.month(dt.date(2024, 4, 20), "en") == "Ordibehesht 1403"
    assert lang.date(pd.NaT, "en") == "–"


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tehran"])
def test_a_moment_is_not_moved_into_the_machines_zone(zone: str) -> None:
    """The same report must come out in every office."""
    program = "import pandas, cxkit.lang as l; print(l.moment(pandas.Timestamp('2024-05-01 23:30'), 'en'))"
    there = {**os.environ, "TZ": zone}
    there = {**os.environ, "TZ": zone}
    said = subprocess.run([sys.executable, "-c", program], env=there, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "1 May 2024, 23:30"


@pytest.mark.parametrize(
    ("seconds", "code", "expected"),
    [
        (516_672, "en", "5.98 days"),
        (60 * 50, "en", "50 minutes"),
        (1, "en", "1 second"),
        (0, "en", "0 seconds"),
        (86_400 * 2, "ar", "يومان"),  # Arabic dual
        (86_400 * 3, "ar", "3 أيام"),  # three to ten take the plural
        (86_400 * 11, "ar", "11 يومًا"),  # eleven up take the accusative singular
        (86_400 * 5.98, "ar", "5.98 يوم"),
        (5.5 * 3600, "fa", "۵٫۵ ساعت"),
        (float("inf"), "en", "not reached"),
        (float("nan"), "fa", "–"),
    ],
)
def test_durations_speak_in_the_unit_people_use(seconds: float, code: str, expected: str) -> None:
    """Arabic number agreement as in any grammar of the language (Wright, part III, sections 318-325)."""
    assert ISOLATES.sub("", lang.duration(seconds, code)) == expected


def test_unknown_words_are_refused_with_the_nearest_one() -> None:
    """The message is code: it is quoted whole."""
    with pytest.raises(LanguageError) as refusal:
        lang.say("common.as_off", "en")
    assert str(refusal.value) == "The en catalogue has no key “common.as_off” (nearest: “common.as_of”)."
    with pytest.raises(LanguageError, match="needs: day"):
        lang.say("common.as_of", "en")
    with pytest.raises(LanguageError) as refusal:
        lang.use("english")
    assert "did you mean “en”" in str(refusal.value) and refusal.value.exit_code == 2


def test_errors_speak_three_languages() -> None:
    """One refusal, three sentences, no code left in them."""
    refusal = ReportError("old_matplotlib", version="3.10.9", needed="3.11")
    texts = {code: refusal.text(code) for code in LANGS}
    assert len(set(texts.values())) == 3
    assert all("3.10.9" in text for text in texts.values())


def test_an_error_without_words_still_says_its_code() -> None:
    """A refusal must not fail on its own words."""
    assert str(ReportError("no_such_code", rows=3)) == "no_such_code {'rows': 3}"


@pytest.mark.parametrize("value", [np.int64(3), np.float64(3.0), True, pd.Timestamp("2026-01-01")])
def test_sentences_take_numpy_and_pandas_values(value: object) -> None:
    """ICU takes plain Python values only; our tables hold numpy's."""
    assert lang.say("common.as_of", "en", day=value)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_through_a_sentence_unchanged(text: str) -> None:
    """A name with braces, quotes or bidi marks is data, never a pattern."""
    said = lang.say("common.as_of", "fa", day=text)
    assert text.replace("\u061c", "\u200f") in said


@pytest.mark.parametrize(("text", "expected"), [("123 شكرا", "rtl"), ("CSAT رضا", "ltr"), ("…", "ltr"), ("", "ltr")])
def test_the_first_strong_letter_decides_the_direction(text: str, expected: str) -> None:
    """Unicode UAX 9, rules P2 and P3."""
    assert lang.text_direction(text) == expected


def test_drawn_text_is_framed_line_by_line() -> None:
    """Each line is its own paragraph to matplotlib."""
    assert lang.frame_line("CSAT: رضا\nn = 3", "ar") == "\u2067CSAT: رضا\u2069\n\u2067n = 3\u2069"
    assert lang.frame_line("CSAT", "en") == "CSAT"


def test_nearest_finds_the_slip_of_a_finger_and_nothing_else() -> None:
    """difflib's ratio of at least .6."""
    assert nearest("Lagn", ["lang", "study"]) == "lang"
    assert nearest("zzz", ["lang", "study"]) is None


def test_every_refusal_that_the_code_raises_has_its_sentence(root: Path) -> None:
    """A code without words would be shown to the analyst as it is."""
    raised = re.compile(r"""(?:\w+Error|_refuse|self\._refused)\(\s*["']([a-z]+_[a-z_]+|[a-z]{4,})["']\s*[,)]""")
    codes = {code for file in (root / "cxkit").rglob("*.py") for code in raised.findall(file.read_text("utf-8"))}
    assert len(codes) > 100
    assert sorted(code for code in codes if not lang.has(f"error.{code}")) == []
