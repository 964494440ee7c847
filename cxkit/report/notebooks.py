"""Notebooks by number, name or path, and names that every file system takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from cxkit.errors import ParameterError, nearest
from cxkit.lang.prose import notebooks_folder

_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_SAFE = re.compile(r"\w[\w.-]{0,59}")
# Names that Windows keeps for devices, whatever their suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def known_notebooks() -> list[Path]:
    """The kit's own notebooks, in the order of their numbers."""
    return sorted(notebooks_folder().glob("[0-9][0-9]_*.ipynb"))


def find_notebook(name: str | Path) -> Path:
    """The notebook called `name`: a path, "04_measure_kpis", "measure_kpis" or "04"; a refusal names the nearest."""
    text = str(name)
    path = Path(text).expanduser()
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    known = known_notebooks()
    wanted = re.sub(r"\.ipynb$", "", path.name)
    number = wanted.translate(_DIGITS)
    for notebook in known:
        digits, _, words = notebook.stem.partition("_")
        if wanted in (notebook.stem, words) or (number.isdigit() and int(number) == int(digits)):
            return notebook
    near = _nearest_notebook(wanted, known)
    listed = ", ".join(n.stem for n in known) or "–"
    if near:
        raise ParameterError("notebook_near", name=text, near=near, known=listed)
    raise ParameterError("notebook_unknown", name=text, known=listed)


def _nearest_notebook(wanted: str, known: Iterable[Path]) -> str | None:
    stems = [n.stem for n in known]
    words = {stem.partition("_")[2]: stem for stem in stems}
    near = nearest(wanted, [*stems, *words])
    return words.get(near, near) if near else None


def safe_name(text: str) -> str:
    """`text` where it can name a file on every system; else a slug of it with a hash, so that no two names meet.

    >>> safe_name("2026-06-30"), safe_name("../escaped")
    ('2026-06-30', 'escaped-75a9a607')
    """
    if _SAFE.fullmatch(text) and not _DEVICES.match(text) and not text.endswith("."):
        return text
    slug = re.sub(r"[^\w-]+", "-", text).strip("-_")[:40]
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug}-{digest}" if slug else digest
