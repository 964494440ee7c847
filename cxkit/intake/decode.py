"""Bytes of an export into text: which encoding and which separator, and how sure that is."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field

from cxkit.errors import IntakeError
from cxkit.lang import Sentence

SEPARATORS = (",", ";", "\t", "|")
_BOMS = (  # the longer ones first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = ((b"PK\x03\x04", "zip"), (b"\xd0\xcf\x11\xe0", "xls"), (b"\x1f\x8b", "gzip"), (b"%PDF", "pdf"))
_SAMPLE = 1 << 20
_WORDS = re.compile(rb"[A-Za-z]?[\x80-\xff]+[A-Za-z]?")
_UTF8_PAIR = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_FREQUENT = frozenset("الينمرتوبةعدسفهکكیپ")


@dataclass(frozen=True)
class Decoded:
    """The text of a file, the encoding it was read in, and what a careful reader should know about that."""

    text: str
    encoding: str
    notes: tuple[Sentence, ...] = field(default=())


def decode(raw: bytes, file: str = "", encoding: str | None = None) -> Decoded:
    """The text of `raw`, without byte-order mark.

    Order of belief: the `encoding` that the study declares, a byte-order mark, the zero bytes of UTF-16, strict UTF-8
    (a last character that was cut off is dropped with a note), then Arabic Windows (cp1256), ISO-8859-6 or Western
    Windows (cp1252) by the letters that come out. IntakeError for what is no text, and for a file of which most but not
    all is UTF-8: there a guess would garble the rest.

    >>> decode("نام".encode("cp1256")).encoding
    'cp1256'
    """
    for magic, kind in _NOT_TEXT:
        if raw.startswith(magic):
            raise IntakeError("intake_not_text", file=file, kind=kind)
    if encoding:
        return Decoded(_declared(raw, file, encoding), encoding)
    for bom, name in _BOMS:
        if raw.startswith(bom):
            return Decoded(_declared(raw, file, name).removeprefix("\ufeff"), name)
    if (wide := _utf16_without_bom(raw)) is not None:
        return Decoded(_declared(raw, file, wide), wide)
    if b"\x00" in raw[:_SAMPLE]:
        raise IntakeError("intake_not_text", file=file, kind="binary")
    return _utf8_or_single_byte(raw, file)


def _declared(raw: bytes, file: str, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except LookupError:
        raise IntakeError("intake_unknown_encoding", file=file, encoding=encoding) from None
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        raise IntakeError("intake_undecodable", file=file, encoding=encoding, row=row) from None


def _utf16_without_bom(raw: bytes) -> str | None:
    """The byte order of UTF-16 text without a mark: commas, digits and line ends leave their zeros on one side only."""
    sample = raw[:4096]
    low, high = sample[0::2].count(0), sample[1::2].count(0)
    if high >= 8 and low * 20 < high:
        return "utf-16-le"
    if low >= 8 and high * 20 < low:
        return "utf-16-be"
    return None


def _utf8_or_single_byte(raw: bytes, file: str) -> Decoded:
    try:
        return Decoded(raw.decode("utf-8"), "utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.start >= len(raw) - 3 and error.start > 0:
            return Decoded(raw[: error.start].decode("utf-8"), "utf-8", (Sentence("intake.note.cut_off"),))
        good = len(_UTF8_PAIR.findall(raw))
        rest = _UTF8_PAIR.sub(b"", raw)
        bad = len(re.findall(rb"[\x80-\xff]+", rest))
        if good > bad:
            row = raw.count(b"\n", 0, error.start) + 1
            raise IntakeError("intake_mixed_encoding", file=file, row=row) from None
    name = _single_byte(raw)
    return Decoded(_declared(raw, file, name), name, (Sentence("intake.note.guessed_encoding", {"encoding": name}),))


def _single_byte(raw: bytes) -> str:
    """The one-byte encoding of `raw`.

    Western accents stand inside words of plain letters (café), Arabic words stand alone, also where there are few.
    """
    words = _WORDS.findall(raw)
    letters = [w for w in words if any(b >= 0xC0 for b in w)]
    inside = sum(w[0] < 0x80 or w[-1] < 0x80 for w in letters)
    alone = sum(len(w) > 1 and w[0] >= 0x80 and w[-1] >= 0x80 for w in letters)
    if alone <= inside and _readable(raw, "cp1252"):
        return "cp1252"
    arabic = b" ".join(letters[:50_000])
    best = max(("cp1256", "iso-8859-6"), key=lambda name: _arabic_score(arabic, name))
    if _arabic_score(arabic, best) > 0 and _readable(raw, best):
        return best
    return "cp1252" if _readable(raw, "cp1252") else "latin-1"


def _readable(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _arabic_score(raw: bytes, encoding: str) -> float:
    """How Arabic or Persian the text looks: frequent letters count for it, strangers against it."""
    text = raw.decode(encoding, errors="replace")
    odd = sum(c == "\ufffd" or "\u0080" <= c <= "\u00ff" for c in text)
    return sum(1.0 if c in _FREQUENT else 0.2 for c in text if "\u0600" <= c <= "\u06ff") - 2.0 * odd


def sniff_separator(text: str) -> str:
    r"""The separator that cuts the first records into the most equal and most numerous fields; a comma if none does.

    >>> sniff_separator("id;note\n1;a, b\n2;c, d")
    ';'
    """
    head = io.StringIO(text[:200_000], newline="").readlines()[:200]
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        try:
            widths = Counter(len(row) for row in csv.reader(head, delimiter=separator) if row)
        except csv.Error:  # a field longer than any header: not the separator
            continue
        if not widths:
            continue
        width, n = widths.most_common(1)[0]
        score = (round(n / widths.total(), 1), width)
        if width > 1 and score > best_score:
            best, best_score = separator, score
    return best


def split_hint(text: str) -> tuple[str, str | None]:
    """The text without Excel's first line `sep=;`, and the separator that this line named."""
    if text[:4].lower() == "sep=" and len(text) > 4 and text[4] in SEPARATORS:
        return text[5:].lstrip("\r").removeprefix("\n"), text[4]
    return text, None
