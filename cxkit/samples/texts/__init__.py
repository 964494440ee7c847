"""What simulated customers write: comments from templates in three languages, with the themes planted in them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from cxkit.lang.session import resolve
from cxkit.samples.texts.habits import HABITS, Habit, pick

THEMES = (
    "late_delivery",
    "wrong_item",
    "damaged_item",
    "refund_delay",
    "billing_error",
    "agent_kind",
    "agent_rude",
    "slow_reply",
    "app_crash",
    "login_problem",
    "unclear_info",
    "fast_help",
)
TONES = ("neg", "neutral", "pos")
NEAREST = {"neg": TONES, "neutral": ("neutral", "neg", "pos"), "pos": TONES[::-1]}

GAP = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Template:
    """One comment with gaps; `also` is the second theme its text speaks of, or empty."""

    theme: str
    tone: str
    text: str
    also: str = ""

    @property
    def themes(self) -> tuple[str, ...]:
        """Every theme the text speaks of, the main one first."""
        return (self.theme, self.also) if self.also else (self.theme,)

    def filled(self, slots: dict[str, list[str]], draws: Iterator[float]) -> str:
        """The text with a slot's value, or one of the wordings between bars, in every gap.

        >>> Template("late_delivery", "neg", "{So |}{days} late.").filled({"days": ["a week"]}, iter([0.9, 0.1]))
        'A week late.'
        """
        text = self.text
        while "{" in text:  # a wording may hold a slot: inner gaps first
            text = GAP.sub(lambda gap: pick(slots.get(gap[1]) or gap[1].split("|"), next(draws)), text)
        text = text.strip()
        return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Phrasebook:
    """Everything a language's customers have to say; `habits` are the ways they type, each with its share."""

    templates: tuple[Template, ...]
    slots: dict[str, list[str]]
    habits: tuple[tuple[float, Habit], ...]

    def fitting(self, theme: str, tone: str) -> tuple[Template, ...]:
        """The templates of a theme in the asked tone or the nearest one that has any; KeyError for an unknown theme."""
        if theme not in THEMES:
            raise KeyError(theme)
        own = [t for t in self.templates if t.theme == theme]
        return next(found for near in NEAREST[tone] if (found := tuple(t for t in own if t.tone == near)))

    @property
    def draws(self) -> int:
        """How many random numbers one comment may need."""
        return 1 + max(t.text.count("{") for t in self.templates) + len(self.habits)

    def typed(self, text: str, draws: Iterator[float]) -> str:
        """The text as somebody types it: every habit befalls its share of the comments."""
        for share, habit in self.habits:
            draw = next(draws)
            if draw < share:
                text = habit(text, draw / share)  # below its share, a draw is uniform again
        return text


@dataclass(frozen=True)
class Comments:
    """One comment a row: what was written, every theme it carries (the main one first), and its tone."""

    texts: list[str]
    themes: list[tuple[str, ...]]
    tones: list[str]


def themes() -> tuple[str, ...]:
    """The themes that can be planted."""
    return THEMES


@cache
def phrasebook(lang: str) -> Phrasebook:
    """The templates, slots and typing habits of "en", "ar" or "fa"; LanguageError for another language."""
    table = tomllib.loads((Path(__file__).parent / f"{resolve(lang)}.toml").read_text(encoding="utf-8"))
    return Phrasebook(
        templates=tuple(Template(**entry) for entry in table["template"]),
        slots=table["slots"],
        habits=tuple((share, HABITS[name]) for name, share in table["habits"].items()),
    )


def comments(lang: str, theme: Sequence[str], tone: Sequence[str], rng: np.random.Generator) -> Comments:
    """One comment for each theme and tone, typed as people type.

    A comment takes its own row of random numbers, so another theme in one row leaves the other comments as they were.
    A theme without a template in a tone speaks in the nearest tone, which `tones` then says.
    """
    book = phrasebook(lang)
    fitting = {pair: book.fitting(*pair) for pair in set(zip(theme, tone, strict=True))}
    found = Comments([], [], [])
    for pair, row in zip(zip(theme, tone, strict=True), rng.random((len(theme), book.draws)).tolist(), strict=True):
        draws = iter(row)
        template = pick(fitting[pair], next(draws))
        found.texts.append(book.typed(template.filled(book.slots, draws), draws))
        found.themes.append(template.themes)
        found.tones.append(template.tone)
    return found
