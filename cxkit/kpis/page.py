"""A result that shows more than one table: further blocks stand between its table and its notes."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cxkit.lang import resolve, say
from cxkit.result import Result

_NOTES = '<div class="cx-notes">'


@dataclass(frozen=True, eq=False)
class Page(Result):
    """A result with further tables (`more`, by name), in its HTML and in its machine values."""

    folded: ClassVar[bool] = False  # whether the further tables are opened by a click

    @property
    def more(self) -> Mapping[str, Result]:
        """Further results by the key of their heading: what stands below the table."""
        return {}

    def blocks(self, lang: str) -> str:
        """The further results as HTML, each with its heading."""
        return "".join(block(key, part, lang, self.folded) for key, part in self.more.items())

    def to_dict(self) -> dict[str, Any]:
        """Verdict, notes and all tables in machine values."""
        return {**super().to_dict(), "more": {key: part.to_dict()["table"] for key, part in self.more.items()}}

    def _repr_html_(self, lang: str | None = None) -> str:
        lang = resolve(lang)
        head, notes, tail = super()._repr_html_(lang).partition(_NOTES)
        if not notes:
            head, tail = head.removesuffix("</div>"), "</div>"
        return f"{head}{self.blocks(lang)}{notes}{tail}"


def block(key: str, part: Result, lang: str, folded: bool = False) -> str:
    """A further result below its heading."""
    inside, heading = part._repr_html_(lang), html.escape(say(key, lang))
    if folded:
        return f"<details><summary>{heading}</summary>{inside}</details>"
    return f"<p><strong>{heading}</strong></p>{inside}"
