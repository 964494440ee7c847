"""HTML that a page may hold: a short list of tags and attributes; everything else is shown as the text it is."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from html.parser import HTMLParser

_TEXT = {"a", "b", "bdi", "br", "code", "em", "i", "s", "small", "span", "strong", "sub", "sup"}
_BLOCKS = {"blockquote", "details", "div", "figcaption", "figure", "h3", "h4", "h5", "h6", "hr", "p", "pre", "summary"}
_LISTS = {"dd", "dl", "dt", "li", "ol", "ul"}
_TABLES = {"caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"}
_TAGS = _TEXT | _BLOCKS | _LISTS | _TABLES
LONG_TABLE = 24  # rows beyond which a table waits behind a line that says how long it is
_VOID = frozenset({"br", "col", "hr"})
_ATTRIBUTES = frozenset({"class", "dir", "lang", "scope", "colspan", "rowspan", "title", "role", "open"})


class _Rewriter(HTMLParser):
    """Writes a document again from its tokens, so that nothing the list does not name can pass."""

    def __init__(self, table_label: str, long_label: Callable[[int], str]) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.open: list[str] = []
        self.skipping = 0
        self.table_label = html.escape(table_label)
        self.long_label = long_label
        self.table_at, self.rows = 0, 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag == "style":
            self.skipping += 1
        elif tag not in _TAGS:
            self.out.append(html.escape(self.get_starttag_text() or ""))
        else:
            if tag == "table" and "table" not in self.open:
                self.table_at, self.rows = len(self.out), 0
                # A wide table scrolls inside its own frame, which the keyboard can reach.
                self.out.append(f'<div class="cx-scroll" role="region" tabindex="0" aria-label="{self.table_label}">')
            self.rows += tag == "tr"
            self.out.append(f"<{tag}{''.join(map(_attribute, attrs))}>")
            if tag not in _VOID:
                self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self.skipping = max(0, self.skipping - 1)
        elif tag not in _TAGS:
            self.out.append(html.escape(f"</{tag}>"))
        elif tag in self.open:
            while self.open and self._close() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.out.append(html.escape(data))

    def _close(self) -> str:
        tag = self.open.pop()
        self.out.append(f"</{tag}>")
        if tag == "table" and "table" not in self.open:
            self.out.append("</div>")
            if self.rows > LONG_TABLE + 1:
                label = html.escape(self.long_label(self.rows - 1))
                self.out.insert(self.table_at, f'<details class="long"><summary>{label}</summary>')
                self.out.append("</details>")
        return tag

    def finished(self) -> str:
        self.close()
        while self.open:
            self._close()
        return "".join(self.out)


def _attribute(pair: tuple[str, str | None]) -> str:
    name, value = pair
    if name not in _ATTRIBUTES:
        return ""
    return f' {name}="{html.escape(value)}"' if value is not None else f" {name}"


def safe_html(text: str, table_label: str = "", long_label: Callable[[int], str] = str) -> str:
    """`text` with the tags of tables and prose kept, every other tag shown literally, and style sheets left out.

    A table of more than `LONG_TABLE` rows is folded behind what `long_label` says of the number of its rows.

    >>> safe_html('<p class="x" onclick="f()">1 < 2<script>f()</script>')
    '<p class="x">1 &lt; 2&lt;script&gt;f()&lt;/script&gt;</p>'
    """
    rewriter = _Rewriter(table_label, long_label)
    rewriter.feed(text)
    return rewriter.finished()
