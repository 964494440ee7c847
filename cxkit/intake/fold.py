"""Words as they are compared: headers and codes that look the same to a reader are the same."""

from __future__ import annotations

import re
import unicodedata

from cxkit.intake.numerals import BIDI_MARKS, PLAIN_DIGITS

_LETTERS = str.maketrans("يىئكأإآٱةۀؤ", "یییکااااههو", "ـ")  # as readers of Arabic and of Persian type them
_HARAKAT = re.compile("[\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]")
_GAPS = re.compile(r"[\s_\-]+")
_SUFFIX = re.compile(r"\s*\[(?:list|int|txt|flag|date|dec|multi)\]$")
_SECRET = re.compile(r"@|\d{5,}|://")


def fold(text: str) -> str:
    r"""`text` without case, invisible marks, vowel signs and kinds of space, and with letter variants as one.

    >>> fold("\ufeffCreated_At ") == fold("created at"), fold("کتابي") == fold("كتابی")
    (True, True)
    """
    plain = unicodedata.normalize("NFKC", text).translate(PLAIN_DIGITS).translate(_LETTERS)
    return _GAPS.sub(" ", _HARAKAT.sub("", plain)).strip().casefold()


def bare(folded: str) -> str:
    """A folded header without the type that Zendesk writes behind custom fields: `topic [list]` is `topic`."""
    return _SUFFIX.sub("", folded)


def shown(header: str) -> str:
    """A header or code as a message may show it; what looks like an address or a number of a person is hidden.

    A file without a header has a customer's data in its first row.
    """
    plain = " ".join(header.translate(dict.fromkeys(map(ord, BIDI_MARKS))).split())
    if _SECRET.search(plain.translate(PLAIN_DIGITS)):
        return "(…)"
    return plain if len(plain) <= 60 else f"{plain[:59]}…"
