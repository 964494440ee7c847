"""What simulated customers write: the templates, their planted themes, and the typing."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from cxkit.errors import LanguageError
from cxkit.samples.texts import GAP, THEMES, TONES, Comments, Template, comments, phrasebook, themes
from cxkit.samples.texts.habits import HABITS, ZWNJ

LANGS = ("en", "ar", "fa")
PERSIAN_ONLY = set("پچژگکی")


def some_comments(lang: str, n: int, seed: int = 1) -> Comments:
    """`n` comments, every theme and tone equally often."""
    rng = np.random.default_rng(seed)
    theme = [THEMES[i] for i in rng.integers(len(THEMES), size=n)]
    tone = [TONES[i] for i in rng.integers(len(TONES), size=n)]
    return comments(lang, theme, tone, rng)


def gaps(text: str) -> list[str]:
    """The content of every gap, inner ones first."""
    found = GAP.findall(text)
    return found + gaps(GAP.sub("_", text)) if found else []


def pieces(template: Template) -> set[str]:
    """Three-letter pieces of all its wordings, without marks."""
    letters = re.sub(r"\W+", " ", template.text.lower())
    return {letters[i : i + 3] for i in range(len(letters) - 2)}


@pytest.mark.parametrize("lang", LANGS)
def test_every_theme_has_enough_to_say_in_every_tone(lang: str) -> None:
    templates = phrasebook(lang).templates
    assert set(THEMES) == {t.theme for t in templates} == set(themes())
    assert min(Counter(t.theme for t in templates).values()) >= 12
    assert Counter((t.theme, t.tone) for t in templates).keys() == set(itertools.product(THEMES, TONES))
    tones = Counter(t.tone for t in templates)
    assert min(tones["neg"], tones["neutral"], tones["pos"]) >= 40
    assert sum(bool(t.also) for t in templates) >= 20
    assert all(t.also in {"", *THEMES} and t.also != t.theme for t in templates)


@pytest.mark.parametrize("lang", LANGS)
def test_every_gap_can_be_filled_and_every_slot_is_used(lang: str) -> None:
    book = phrasebook(lang)
    used = set()
    for template in book.templates:
        named = [gap for gap in gaps(template.text) if "|" not in gap]
        assert set(named) <= set(book.slots), template.text
        assert "{" not in GAP.sub("", GAP.sub("", template.text)), template.text  # no brace is left open
        assert max(Counter(named).values(), default=1) == 1, template.text  # two values of one slot would contradict
        used.update(named)
    assert used == set(book.slots)
    for values in book.slots.values():
        assert len(values) == len(set(values)) >= 5
        assert not re.search(r"[{}|]", " ".join(values))


@pytest.mark.parametrize("lang", LANGS)
def test_no_two_templates_say_nearly_the_same(lang: str) -> None:
    """Jaccard similarity of three-letter pieces; the closest pair stands at 0.37."""
    known = [(pieces(t), t.text) for t in phrasebook(lang).templates]
    closest = max((len(a & b) / len(a | b), s, t) for (a, s), (b, t) in itertools.combinations(known, 2))
    assert closest[0] < 0.5, closest


@pytest.mark.parametrize(("lang", "distinct"), [("en", 0.94), ("ar", 0.95), ("fa", 0.92)])
def test_few_comments_are_ever_repeated(lang: str, distinct: float) -> None:
    """Real feedback repeats itself in its short comments only."""
    texts = some_comments(lang, 5_000).texts
    assert len(set(texts)) / 5_000 == pytest.approx(distinct, abs=0.02)
    often = [text for text, n in Counter(texts).items() if n > 12]
    assert not often


def test_the_same_generator_gives_the_same_comments() -> None:
    assert some_comments("fa", 300) == some_comments("fa", 300)
    assert some_comments("fa", 300) != some_comments("fa", 300, seed=2)


def test_another_theme_in_one_row_leaves_the_other_comments_alone() -> None:
    first, second = (
        comments("ar", theme, ["neg"] * 3, np.random.default_rng(3)).texts
        for theme in (["app_crash", "slow_reply", "wrong_item"], ["app_crash", "agent_rude", "wrong_item"])
    )
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, False, True]


@pytest.mark.parametrize("lang", LANGS)
def test_the_truth_names_every_planted_theme(lang: str) -> None:
    """The asked theme comes first; a template with a second one brings it along."""
    asked = list(itertools.product(THEMES, TONES)) * 60
    found = comments(lang, [theme for theme, _ in asked], [tone for _, tone in asked], np.random.default_rng(5))
    assert [planted[0] for planted in found.themes] == [theme for theme, _ in asked]
    assert found.tones == [tone for _, tone in asked]
    planted = {(t.themes, t.tone) for t in phrasebook(lang).templates}
    assert set(zip(found.themes, found.tones, strict=True)) == planted


def test_a_tone_without_a_template_is_the_nearest_one() -> None:
    book = phrasebook("en")
    kind = tuple(t for t in book.templates if t.theme == "agent_kind" and t.tone != "neg")
    assert {t.tone for t in replace(book, templates=kind).fitting("agent_kind", "neg")} == {"neutral"}


def test_an_unknown_theme_or_language_is_refused() -> None:
    with pytest.raises(KeyError, match="late"):
        comments("en", ["late"], ["neg"], np.random.default_rng(1))
    with pytest.raises(LanguageError) as refusal:
        phrasebook("ar-SA")
    assert refusal.value.code == "unknown_language"


def test_no_comment_asked_is_no_comment_written() -> None:
    assert comments("en", [], [], np.random.default_rng(1)) == Comments([], [], [])


@pytest.mark.parametrize("lang", ["ar", "fa"])
def test_each_language_is_written_in_its_own_letters_and_digits(lang: str) -> None:
    """No Latin letter, no digit of another script in what was composed; Persian letters in Persian only."""
    book = phrasebook(lang)
    texts = [t.text for t in book.templates] + [value for values in book.slots.values() for value in values]
    composed = "".join(GAP.sub("", GAP.sub(lambda gap: gap[1] if "|" in gap[1] else "", text)) for text in texts)
    foreign = set("يكىة٠١٢٣٤٥٦٧٨٩") if lang == "fa" else PERSIAN_ONLY | set("۰۱۲۳۴۵۶۷۸۹")
    assert not foreign & set(composed)
    assert not re.search("[A-Za-z0-9]", composed)
    if lang == "fa":
        assert all(PERSIAN_ONLY & set(t.text) for t in book.templates)
        assert ZWNJ in composed


@pytest.mark.parametrize("lang", LANGS)
def test_comments_are_from_one_word_to_a_few_sentences_long(lang: str) -> None:
    """Half of them between nine and sixteen words, some a word, some a story."""
    words = [len(text.split()) for text in some_comments(lang, 3_000).texts]
    assert 1 <= min(words) <= 2
    assert 9 <= np.median(words) <= 17
    assert np.quantile(words, 0.05) <= 7
    assert 24 <= max(words) <= 45


@pytest.mark.parametrize("lang", LANGS)
def test_no_typing_habit_ever_leaves_a_gap_or_an_empty_text(lang: str) -> None:
    """All habits at once (draws of 0), and none (draws near 1)."""
    book = phrasebook(lang)
    for template, draw in itertools.product(book.templates, [0.0, 0.5, 1 - 2**-53]):
        draws = iter([draw] * book.draws)
        text = book.typed(template.filled(book.slots, draws), draws)
        assert len(text.strip()) >= 3
        assert not re.search(r"[{}|]|  ", text), text


@pytest.mark.parametrize("lang", LANGS)
def test_every_declared_habit_shows_at_its_share(lang: str) -> None:
    """Half to nine tenths of the comments are typed with some habit; each habit stays rarer than its share."""
    book = phrasebook(lang)
    rng = np.random.default_rng(6)
    plain = [t.filled(book.slots, iter(rng.random(book.draws).tolist())) for t in book.templates] * 20
    typed = [book.typed(text, iter(rng.random(book.draws).tolist())) for text in plain]
    assert 0.5 < np.mean([a != b for a, b in zip(plain, typed, strict=True)]) < 0.9
    for share, habit in book.habits:
        assert 0 < share <= 0.5
        assert any(habit(text, 0.5) != text for text in plain)


@pytest.mark.parametrize(
    ("habit", "plain", "typed"),
    [
        ("dropped_letter", "Broken", "Brken"),
        ("doubled_letter", "Broken", "Brooken"),
        ("swapped_letters", "Broken", "Brkoen"),
        ("dropped_letter", "so it is", "so it is"),
        ("no_capitals", "Not OK.", "not ok."),
        ("no_first_capital", "Rude. Just rude.", "rude. Just rude."),
        ("no_apostrophes", "I can't. 'OK'", "I cant. 'OK'"),
        ("no_full_stop", "Late. Again.", "Late. Again"),
        ("stretched", "so late", "soooo late"),
        ("stretched", "شكرا جدا", "شكراااا جداااا"),
        ("stretched", "عالی", "عالیییی"),
        ("kashida", "رد سريع", "رد ســـريع"),
        ("tight_comma", "جيد، لكن", "جيد،لكن"),
        ("loose_comma", "جيد، لكن", "جيد ، لكن"),
        ("joined_words", "ما وصل يا جماعة", "ماوصل ياجماعة"),
        ("no_hamza", "أول إرجاع آمن", "اول ارجاع امن"),
        ("ta_as_ha", "خدمة ممتازة", "خدمه ممتازه"),
        ("maqsura_as_ya", "على", "علي"),
        ("ya_as_maqsura", "في", "فى"),
        ("western_digits", "٣٥ / ۳۵", "35 / 35"),
        ("arabic_keyboard", "یک ۴ روز", "يك ٤ روز"),
        ("zwnj_as_space", "می\u200cشود", "می شود"),
        ("zwnj_lost", "می\u200cشود", "میشود"),
    ],
)
def test_people_type_so(habit: str, plain: str, typed: str) -> None:
    assert HABITS[habit](plain, 0.4) == typed


def test_thirty_thousand_comments_take_less_than_two_seconds() -> None:
    """About 0.4 s of one core a language."""
    began = time.process_time()
    some_comments("ar", 30_000)
    assert time.process_time() - began < 2
