"""How people really type: each habit is a text and a draw in [0, 1) in, the text with the habit in it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

Habit = Callable[[str, float], str]
Item = TypeVar("Item")

LONG_WORD = re.compile(r"[^\W\d_]{5,}")
PARTICLE = re.compile(r"\b(ما|لا|يا) ")  # words that Arabic typists glue to the next one
STRETCHED = re.compile(
    r"\b(?:so|too|very|way|no|please|شكرا|جدا|كفو|كتير|أوي|والله|عالی|خیلی|ممنون|مرسی|افتضاح|اصلا)\b", re.IGNORECASE
)
LAST_VOWEL = re.compile(r"[aeiouاويی](?=[^aeiouاويی]*$)", re.IGNORECASE)
JOINS_ON = re.compile(r"(?<=[بتثجحخسشصضطظعغفقكلمنهي])(?=[^\W\d_])")  # letters that tie themselves to the next
WESTERN = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "0123456789" * 2)
ARABIC_KEYBOARD = str.maketrans("یک۰۱۲۳۴۵۶۷۸۹", "يك٠١٢٣٤٥٦٧٨٩")
BARE_ALEF = str.maketrans("أإآ", "ااا")
ZWNJ = "\N{ZERO WIDTH NON-JOINER}"


def pick(items: Sequence[Item], draw: float) -> Item:
    """The item a draw in [0, 1] falls on."""
    return items[min(int(draw * len(items)), len(items) - 1)]


def slip(mistake: Callable[[str], str]) -> Habit:
    """A habit that puts two letters inside a long word through `mistake`; the word's first letter stays."""

    def habit(text: str, draw: float) -> str:
        places = [at for word in LONG_WORD.finditer(text) for at in range(word.start() + 1, word.end() - 1)]
        if not places:
            return text
        at = pick(places, draw)
        return text[:at] + mistake(text[at : at + 2]) + text[at + 2 :]

    return habit


def swap(pattern: str, by: str) -> Habit:
    """A habit that writes `by` for every match."""
    found = re.compile(pattern)
    return lambda text, draw: found.sub(by, text)


def stretched(text: str, draw: float) -> str:
    """Long vowels where the voice would stretch: "sooo", «شكراااا», «عالییی»."""
    more = 3 + int(3 * draw)
    return STRETCHED.sub(lambda word: LAST_VOWEL.sub(lambda vowel: vowel[0] * more, word[0]), text)


def kashida(text: str, draw: float) -> str:
    """One Arabic word drawn out by its line."""
    places = [found.start() for found in JOINS_ON.finditer(text)]
    at = pick(places, draw) if places else 0
    return text[:at] + "ـ" * (2 + int(3 * draw)) + text[at:] if places else text


HABITS: dict[str, Habit] = {
    "dropped_letter": slip(lambda two: two[1]),
    "doubled_letter": slip(lambda two: two[0] + two),
    "swapped_letters": slip(lambda two: two[::-1]),
    "stretched": stretched,
    "kashida": kashida,
    "no_full_stop": swap(r"\.$", ""),
    "tight_comma": swap(r"(?<=[,،]) ", ""),
    "loose_comma": swap(r" ?،", " ،"),
    "no_capitals": lambda text, draw: text.lower(),
    "no_first_capital": lambda text, draw: text[0].lower() + text[1:],
    "no_apostrophes": swap(r"(?<=\w)'(?=\w)", ""),
    "western_digits": lambda text, draw: text.translate(WESTERN),
    "no_hamza": lambda text, draw: text.translate(BARE_ALEF),
    "ta_as_ha": swap(r"ة\b", "ه"),
    "maqsura_as_ya": swap(r"ى\b", "ي"),
    "ya_as_maqsura": swap(r"ي\b", "ى"),
    "joined_words": lambda text, draw: PARTICLE.sub(r"\1", text),
    "arabic_keyboard": lambda text, draw: text.translate(ARABIC_KEYBOARD),
    "zwnj_as_space": lambda text, draw: text.replace(ZWNJ, " "),
    "zwnj_lost": lambda text, draw: text.replace(ZWNJ, ""),
}
