"""Markdown cells as HTML: headings kept for the contents list, raw HTML shown as text, nothing loaded from outside."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from cxkit.lang import direction
from cxkit.lang.prose import unframed


@dataclass(frozen=True)
class Heading:
    """A heading of the page: its level in the contents list (2 or 3), its anchor, its text."""

    level: int
    anchor: str
    text: str


@dataclass(eq=False)
class Prose:
    """Turns the markdown cells of one notebook into HTML, cell by cell; `title` and `headings` fill as it goes."""

    lang: str
    title: str = ""
    headings: list[Heading] = field(default_factory=list)

    def __call__(self, source: str, cell_id: str) -> Markup:
        """HTML of one markdown cell; a cell left in another language than the page says so."""
        text, lang = unframed(source)
        renderer = _Renderer(self, cell_id)
        body = MarkdownWithMath(renderer=renderer).render(text)
        if lang and lang != self.lang:
            body = f'<div lang="{lang}" dir="{direction(lang)}">{body}</div>'
        return Markup(body)  # noqa: S704 - mistune escapes every text and every raw tag


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, made to escape raw HTML, to keep headings, and to load nothing."""

    def __init__(self, prose: Prose, cell_id: str) -> None:
        super().__init__(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
        self.prose = prose
        self.cell_id = cell_id
        self.seen = 0

    def heading(self, text: str, level: int, **_: Any) -> str:
        plain = html.unescape(re.sub("<[^>]+>", "", text)).strip()
        if level == 1 and not self.prose.title:
            self.prose.title = plain
            return ""
        self.seen += 1
        anchor = self.cell_id if self.seen == 1 else f"{self.cell_id}-{self.seen}"
        level = max(2, level)
        if level <= 3:
            self.prose.headings.append(Heading(level, anchor, plain))
        return f'<h{level} id="{html.escape(anchor)}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link inside the reports; an outside address is printed, since a reader may not want to be sent there."""
        if re.match(r"[\w%.-]+\.ipynb(#.*)?$", url):
            url = url.replace(".ipynb", ".html")
        elif not url.startswith("#"):
            address = f'<bdi class="url" dir="ltr">{html.escape(html.unescape(url))}</bdi>'
            return address if html.unescape(url) in html.unescape(text) else f"{text} ({address})"
        return f'<a href="{html.escape(html.unescape(url))}">{text}</a>'

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture that lies in the notebook itself; any other is named, not loaded."""
        if re.match(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[\w+/=]+$", url):
            return f'<img alt="{html.escape(html.unescape(text))}" src="{url}">'
        return f"<em>{text}</em>"

    def block_code(self, code: str, info: str | None = None) -> str:
        return f"<pre><code>{html.escape(code)}</code></pre>\n"
