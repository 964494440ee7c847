"""Which language this session speaks."""

from __future__ import annotations

import os

from cxkit.errors import LanguageError, nearest

LANGS = ("en", "ar", "fa")
# English of the international kind: day before month, a 24-hour clock. Arabic with Latin digits is CLDR's choice.
_NAMES = {"english": "en", "arabic": "ar", "العربية": "ar", "persian": "fa", "farsi": "fa", "فارسی": "fa"}
LOCALES = {"en": "en-GB", "ar": "ar", "fa": "fa"}

_current = os.environ.get("CXKIT_LANG", "en") if os.environ.get("CXKIT_LANG") in LANGS else "en"


def resolve(lang: str | None = None) -> str:
    """`lang` if it is one of ours, the session's language if it is None; else LanguageError."""
    if lang is None:
        return _current
    if lang not in LANGS:
        near = _NAMES.get(str(lang).casefold()) or nearest(str(lang), LANGS) or "none"
        raise LanguageError("unknown_language", lang=str(lang), known=", ".join(LANGS), near=near)
    return lang


def use(lang: str) -> None:
    """Make `lang` the language of every result that is not asked for another."""
    global _current
    _current = resolve(lang)


def current() -> str:
    """The session's language: "en", "ar" or "fa"."""
    return _current
