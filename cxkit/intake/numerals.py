"""Numbers as people write them in Latin, Arabic and Persian script, into floats."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# Marks that steer the direction of text, and other invisible signs; they carry no value.
BIDI_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_INVISIBLE = BIDI_MARKS + "\u200b\u200c\u200d\u2060\u00ad"
PLAIN_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹０１２３４５６７８９", "012345678901234567890123456789", _INVISIBLE)
_SIGNS = str.maketrans("٫٬٪％−﹣–،", ".'%%---,")
EMPTY_WORDS = frozenset({"", "-", "–", "—", "n/a", "na", "n.a.", "null", "none", "nan", "nat", "#n/a"})
_CLOCK = re.compile(r"(-?)(\d+):([0-5]?\d)(?::([0-5]?\d(?:\.\d+)?))?")


def clean(text: str) -> str:
    r"""`text` with Latin digits, without invisible marks, with plain single spaces, trimmed.

    >>> clean("\u200f۱۴۰۳/۰۲/۱۲ ")
    '1403/02/12'
    """
    return " ".join(text.translate(PLAIN_DIGITS).split())


def cleaned(values: pa.StringArray) -> pa.StringArray:
    """Distinct values cleaned; missing where nothing but a dash or a word for "nothing" is left."""
    plain = values if _all_ascii(values) else pa.array([clean(v) for v in values.to_pylist()], pa.string())
    plain = pc.utf8_trim_whitespace(plain)
    empty = pc.is_in(pc.utf8_lower(plain), pa.array(sorted(EMPTY_WORDS)))
    return pc.if_else(empty, pa.scalar(None, pa.string()), plain)


def _all_ascii(values: pa.StringArray) -> bool:
    return bool(pc.all(pc.string_is_ascii(values), min_count=0).as_py())


def to_numbers(values: pa.StringArray, decimal: str | None = None) -> NDArray[np.float64]:
    """Distinct texts as floats; NaN where empty or no number (compare with `cleaned` to tell the two apart).

    Grouping and decimal signs of the three scripts, a percent sign (divides by 100), a minus sign on either side,
    accounting brackets. A lone comma is a decimal sign when `decimal` says so, or when some value of the column has
    other than three digits after it; else it groups thousands.
    """
    text = cleaned(values)
    words = text.to_pylist()
    numbers = np.array(pd.to_numeric(pd.Series(words, dtype=object), errors="coerce"), dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    left = {i: _signs(w) for i, w in enumerate(words) if w is not None and np.isnan(numbers[i])}
    lone = any(re.fullmatch(r"[-+(]?\d+,(\d{1,2}|\d{4,})[%)-]?", w) for w in left.values())
    mark = decimal or ("," if lone else ".")
    if mark == ",":  # then a point may group thousands: 1.234 must not be read as one and a bit
        left |= {i: w for i, w in enumerate(words) if w is not None and "." in w}
    for i, word in left.items():
        numbers[i] = _careful(word, mark)
    return numbers


def _signs(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(PLAIN_DIGITS).translate(_SIGNS).replace(" ", "")


def _careful(text: str, mark: str) -> float:
    """One number with signs already plain; NaN when it is none."""
    negative = text.startswith("-") or text.endswith("-") or (text.startswith("(") and text.endswith(")"))
    body = text.strip("()").strip("-").removeprefix("+")
    share = body.startswith("%") or body.endswith("%")
    body = body.strip("%").strip("-").replace("'", "").replace("’", "")
    body = _one_point(body, mark)
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", body):
        return np.nan
    number = float(body) / (100 if share else 1)
    return -number if negative else number


def _one_point(body: str, mark: str) -> str:
    """The number with a point for its decimal sign and no grouping; unchanged where the two cannot be told apart."""
    if "," in body and "." in body:
        mark = max(",", ".", key=body.rfind)
    group = "." if mark == "," else ","
    if group in body and not re.fullmatch(rf"\d{{1,3}}(\{group}\d{{2,3}})*\{group}\d{{3}}(\{mark}\d*)?", body):
        return body if group == "," or body.count(".") > 1 else body.replace(mark, ".")
    return body.replace(group, "").replace(mark, ".")


def to_seconds(values: pa.StringArray) -> NDArray[np.float64]:
    """Distinct texts such as 26:05:10 (with seconds) or 05:10 (hours:minutes) as seconds; NaN where unreadable."""
    return np.array([_clock(v) for v in cleaned(values).to_pylist()], dtype=np.float64)


def _clock(text: str | None) -> float:
    match = _CLOCK.fullmatch(text or "")
    if not match:
        return np.nan
    sign, hours, minutes, seconds = match.groups()
    total = int(hours) * 3600 + int(minutes) * 60 + float(seconds or 0)
    return -total if sign else total
