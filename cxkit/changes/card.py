"""The card of a finding as HTML: sections in the order in which a reader asks."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from cxkit.lang import resolve, say


@dataclass(frozen=True)
class Section:
    """A heading by its key, sentences as a paragraph or a list, and HTML that is ready."""

    key: str
    said: tuple[str, ...] = ()
    listed: bool = False
    ready: str = ""
    strong: bool = False


def card_html(sections: Sequence[Section], shell: str, lang: str | None = None) -> str:
    """The sections that say something, in their order, inside the shell of a result's own HTML."""
    lang = resolve(lang)
    head, styled, _ = shell.partition("</style>")
    body = "".join(_section(section, lang) for section in sections if section.said or section.ready)
    return f"{head}{styled}{body}</div>"


def _section(section: Section, lang: str) -> str:
    head = f"<p><strong>{html.escape(say(section.key, lang))}</strong></p>" if section.key else ""
    words = [html.escape(text) for text in section.said]
    if not words:
        said = ""
    elif section.listed:
        said = f"<ul>{''.join(f'<li>{text}</li>' for text in words)}</ul>"
    else:
        css = ' class="cx-verdict"' if section.strong else ""
        said = f"<p{css}>{' '.join(words)}</p>"
    return f"{head}{said}{section.ready}"
