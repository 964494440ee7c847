"""The letters a page uses, embedded in it: every reader sees the same words, nothing to install or to fetch."""

from __future__ import annotations

import base64
import functools
import io
from pathlib import Path

FAMILY = "cxkit"
_WEIGHTS = (400, 700)
_LATIN = frozenset(map(chr, range(0x20, 0x7F))) | frozenset("\u00a0–—‘’“”…·×−±≤≥→←€")
_ARABIC = frozenset(
    "ءآأؤإئابةتثجحخدذرزسشصضطظعغـفقكلمنهوىيپچژکگۀی ًٌٍَُِّْٰٔ،؛؟٪٫٬«»٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹"
    "\u200c\u200d\u200e\u200f\u2066\u2067\u2068\u2069"
)


def font_face(text: str) -> str:
    """CSS that embeds the face `FAMILY`, regular and bold, with the glyphs that `text` needs (10 to 40 kB as a rule).

    Vazirmatn where the machine has it (as in the figures), else the DejaVu Sans that comes with matplotlib. Sets of
    letters are rounded up to whole alphabets, so that the pages of a batch share one subset.
    """
    letters = frozenset(text) | _LATIN
    if any("\u0600" <= letter <= "\u06ff" for letter in letters):
        letters |= _ARABIC
    return "".join(
        f"@font-face{{font-family:{FAMILY};font-weight:{weight};font-style:normal;"
        f"src:url(data:font/woff2;base64,{_subset(weight, letters)}) format('woff2')}}"
        for weight in _WEIGHTS
    )


@functools.lru_cache(maxsize=32)
def _subset(weight: int, letters: frozenset[str]) -> str:
    """The woff2 of one weight with the glyphs of `letters` and everything that shapes them, in base 64."""
    from fontTools import subset

    options = subset.Options()
    options.flavor = "woff2"
    options.layout_features = ["*"]  # joining, marks and ligatures of Arabic script
    options.hinting = False
    options.name_IDs = [1, 2]
    options.drop_tables += ["DSIG", "FFTM"]
    options.recalc_timestamp = False  # equal pages, byte for byte
    path, number = font_file(weight)
    options.font_number = number
    font = subset.load_font(str(path), options)
    if "fvar" in font:
        from fontTools.varLib.instancer import instantiateVariableFont

        font = instantiateVariableFont(font, {"wght": weight})
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[ord(letter) for letter in letters])
    subsetter.subset(font)
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


@functools.cache
def font_file(weight: int) -> tuple[Path, int]:
    """The font file of a weight, and its place in the file."""
    from matplotlib import font_manager

    from cxkit.figures import font_families

    family = font_families()[0]
    wanted = font_manager.FontProperties(family=family, weight=weight)
    found = font_manager.findfont(wanted, fallback_to_default=False)
    return Path(found), getattr(found, "face_index", 0)
