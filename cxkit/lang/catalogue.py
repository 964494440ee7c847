"""Sentences by key: ICU messages from the catalogues, with every placeholder isolated."""

from __future__ import annotations

import datetime as dt
import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from icu4py.messageformat import MessageFormat

from cxkit.errors import LanguageError, nearest, speak_with
from cxkit.lang.direction import FSI, LRI, PDI, is_rtl, text_direction
from cxkit.lang.session import LOCALES, resolve

Argument = int | float | str | Decimal | dt.date | dt.datetime
_COMPLEX = {"plural", "select", "selectordinal"}
_PERCENT = re.compile(r"::percent(?!.*scale)")


@functools.cache
def _load(lang: str) -> Mapping[str, str]:
    """All messages of `lang`: dotted key -> ICU pattern as the translator wrote it."""
    found: dict[str, str] = {}
    folder = resources.files("cxkit.lang") / "catalogues" / lang
    for file in sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name):
        for key, text in _flat(tomllib.loads(file.read_text("utf-8"))):
            if key in found:
                raise LanguageError("key_twice", key=key, file=f"{lang}/{file.name}")
            found[key] = text
    return found


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, entry in table.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(entry).strip()


def keys(lang: str | None = None) -> frozenset[str]:
    """Every key of the catalogue of `lang`."""
    return frozenset(_load(resolve(lang)))


_LEARNT: dict[tuple[str, str], str] = {}  # words that no catalogue has: a study's own, by key and language
_HARMLESS = str.maketrans({"'": "’", "{": "(", "}": ")"})  # somebody's words are no pattern


def learn(key: str, words: Mapping[str, str]) -> None:
    """Let `key` be spoken by a study's own words, language by language; catalogues keep the last word."""
    for lang, text in words.items():
        if _LEARNT.get((key, lang)) != text:
            _LEARNT[key, lang] = text
            _message.cache_clear()


def has(key: str, lang: str | None = None) -> bool:
    """Whether there are words for `key`."""
    lang = resolve(lang)
    return key in _load(lang) or (key, lang) in _LEARNT


def pattern(key: str, lang: str | None = None) -> str:
    """The ICU pattern of `key` as written; LanguageError names the nearest key when there is none."""
    lang = resolve(lang)
    messages = _load(lang)
    if key not in messages and (key, lang) in _LEARNT:
        return _LEARNT[key, lang].translate(_HARMLESS)
    if key not in messages:
        raise LanguageError("unknown_key", key=key, lang=lang, near=nearest(key, messages) or "-")
    return messages[key]


def arguments(text: str) -> frozenset[str]:
    """Names of the placeholders in an ICU pattern.

    >>> sorted(arguments("{n, plural, one {# of {total}} other {# of {total}}} in {month}"))
    ['month', 'n', 'total']
    """
    return frozenset(name for name, _, _ in _placeholders(text))


def plural_forms(text: str) -> list[tuple[str, frozenset[str]]]:
    """Each plural of an ICU pattern: its argument and the categories that it names."""
    return [
        (name, frozenset(re.findall(r"(=?\w+)\s*$", head)[0] for head in _heads(body)))
        for name, kind, body in _placeholders(text)
        if kind == "plural"
    ]


def _placeholders(text: str) -> Iterator[tuple[str, str, str]]:
    """Every placeholder, outer ones first: name, kind ("" for plain text), body."""
    for start, end in _braces(text):
        name, kind, body = _split(text[start + 1 : end])
        yield name, kind, body
        if kind in _COMPLEX:
            for inner_start, inner_end in _braces(body):
                yield from _placeholders(body[inner_start + 1 : inner_end])


def _heads(body: str) -> Iterator[str]:
    last = 0
    for start, end in _braces(body):
        yield body[last:start]
        last = end + 1


def _braces(text: str) -> list[tuple[int, int]]:
    """Positions of the outermost brace pairs."""
    pairs, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        if letter == "{":
            start = at if depth == 0 else start
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                pairs.append((start, at))
    return pairs


def _split(inside: str) -> tuple[str, str, str]:
    name, _, rest = inside.partition(",")
    kind, _, body = rest.partition(",")
    return name.strip(), kind.strip(), body


def isolated(text: str) -> str:
    """An ICU pattern in which every placeholder stands between isolates and percentages take shares (0-1).

    Numbers get a left-to-right isolate (a minus sign stays before its number), text and dates the direction of their
    own first letter.
    """
    out, last = [], 0
    for start, end in _braces(text):
        out.append(text[last:start])
        name, kind, body = _split(text[start + 1 : end])
        if kind in _COMPLEX:
            out.append(f"{{{name}, {kind},{_isolated_cases(body, kind)}}}")
        elif kind == "number":
            out.append(f"{LRI}{{{name}, number{',' if body else ''}{_percentage(body)}}}{PDI}")
        elif kind == "date" and body.strip() == "month":
            out.append(
                f"{FSI}{{{name}, date,MMMM y}}{PDI}"
            )  # CLDR's own order, year first, is not what Persian readers write
        else:
            out.append(f"{FSI}{text[start : end + 1]}{PDI}")
        last = end + 1
    return "".join([*out, text[last:]])


def _percentage(body: str) -> str:
    """A percent skeleton that takes a share, and shows 0.003% as such: a rare thing does happen."""
    return re.sub(r"(::percent scale/100 \.0+)$", r"\1/@r", _PERCENT.sub("::percent scale/100", body))


def _isolated_cases(body: str, kind: str) -> str:
    out, last = [], 0
    for start, end in _braces(body):
        inside = isolated(body[start + 1 : end])
        if kind != "select":
            inside = inside.replace("#", f"{LRI}#{PDI}")
        out.append(f"{body[last:start]}{{{inside}}}")
        last = end + 1
    return "".join([*out, body[last:]])


@functools.cache
def _message(key: str, lang: str) -> tuple[MessageFormat, frozenset[str]]:
    text = pattern(key, lang)
    return MessageFormat(isolated(text), LOCALES[lang]), arguments(text)


_ISOLATES = str.maketrans("", "", "\u2066\u2067\u2068\u2069")
_BARE_ALM = str.maketrans({"\u061c": "\u200f"})  # the Arabic letter mark is in hardly any font


def say(key: str, lang: str | None = None, /, **params: object) -> str:
    """The sentence of `key` in `lang`, with numbers, plurals and dates as that language writes them.

    Parameters: numbers, text, dates or pandas timestamps. A missing parameter or an unknown key raises LanguageError.
    In English the isolates are dropped unless a parameter itself is written from right to left.
    """
    lang = resolve(lang)
    message, wanted = _message(key, lang)
    missing = wanted - params.keys()
    if missing:
        raise LanguageError("missing_argument", key=key, names=", ".join(sorted(missing)))
    plain = {name: _plain(params[name]) for name in wanted}
    text = str(message.format(plain)).translate(_BARE_ALM)
    keep = is_rtl(lang) or any(isinstance(v, str) and text_direction(v) == "rtl" for v in plain.values())
    return text if keep else text.translate(_ISOLATES)


def _plain(value: object) -> Argument:
    """A parameter as ICU takes it."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime().replace(tzinfo=None)
    if isinstance(value, int | float | str | Decimal | dt.date | dt.datetime):
        return value
    return str(value)


@dataclass(frozen=True)
class Sentence:
    """A verdict or note as a code with parameters: the same numbers in every language."""

    key: str
    params: Mapping[str, object] = field(default_factory=dict)

    def text(self, lang: str | None = None) -> str:
        """The sentence in `lang`."""
        return say(self.key, lang, **{k: v.text(lang) if isinstance(v, Word) else v for k, v in self.params.items()})

    def to_dict(self) -> dict[str, object]:
        """Code and parameters, ready for JSON."""
        return {"code": self.key, "params": {k: v.code if isinstance(v, Word) else v for k, v in self.params.items()}}


class Word:
    """A parameter that is itself spoken: a coded value, a duration, a KPI's name. Subclasses say how."""

    code: object

    def text(self, lang: str | None = None) -> str:
        """The word in `lang`."""
        return str(self.code)


def _speak_error(code: str, params: Mapping[str, object], lang: str | None) -> str:
    key = f"error.{code}"
    if not has(key, lang):
        return f"{code} {dict(params)}" if params else code
    # A refusal must never fail on its own words: a Word speaks, and what ICU cannot take becomes text.
    return say(key, lang, **{k: v.text(lang) if isinstance(v, Word) else v for k, v in params.items()})


speak_with(_speak_error)
