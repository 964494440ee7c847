"""Which way a text runs, and how a piece of another direction stands in it unharmed."""

from __future__ import annotations

import unicodedata

from cxkit.lang.session import resolve

LRI, RLI, FSI, PDI = "\u2066", "\u2067", "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"ar", "fa"})


def is_rtl(lang: str | None = None) -> bool:
    """Whether `lang` is written from right to left."""
    return resolve(lang) in _RIGHT_TO_LEFT


def direction(lang: str | None = None) -> str:
    """The `dir` of a page in `lang`: "rtl" or "ltr"."""
    return "rtl" if is_rtl(lang) else "ltr"


def text_direction(text: str) -> str:
    """The direction of the first strong letter of `text` ("ltr" if it has none).

    For customers' words: some renderers ignore `dir="auto"`, so the direction is written out.

    >>> text_direction("123 شكرا"), text_direction("CSAT رضا")
    ('rtl', 'ltr')
    """
    for letter in text:
        kind = unicodedata.bidirectional(letter)
        if kind in {"R", "AL"}:
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def isolate(text: str) -> str:
    """`text` between isolates, so that its direction and its neighbours' leave each other alone."""
    return f"{FSI}{text}{PDI}"


def frame_line(text: str, lang: str | None = None) -> str:
    """`text` as a figure must draw it: right-to-left base direction for Arabic and Persian, line by line.

    Matplotlib takes the base direction of each line from its first strong letter; there is no other way to tell it.
    """
    if not is_rtl(lang) or not text:
        return text
    return "\n".join(line if line.startswith(RLI) or not line else f"{RLI}{line}{PDI}" for line in text.split("\n"))
