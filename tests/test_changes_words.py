"""Every code that the package can put into a finding has its words, in three languages, and no words are left over."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxkit.changes
from cxkit.lang import LANGS, has, keys

PACKAGE = Path(cxkit.changes.__file__).parent
CATALOGUES = PACKAGE.parent / "lang" / "catalogues"
TREES = [ast.parse(file.read_text("utf-8")) for file in sorted(PACKAGE.glob("*.py"))]
PREFIX = {"Reason": r"changes\.(reason|doubt)\.", "Naive": r"changes\.naive\.", "Method": r"changes\.method\."}


def pattern(node: ast.expr) -> str | None:
    """A text as a regular expression; what an f-string fills in may be any word."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [pattern(p) if isinstance(p, ast.Constant) else r"[\w.]*" for p in node.values]
        return "".join(part for part in parts if part is not None)
    if isinstance(node, ast.IfExp):
        both = [found for side in (node.body, node.orelse) if (found := pattern(side))]
        return f"({'|'.join(both)})"
    return None


def calls() -> Iterator[tuple[str, ast.Call]]:
    for tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node.func.id, node


def patterns_of_codes() -> Iterator[str]:
    for name, call in calls():
        first = pattern(call.args[0]) if call.args else None
        if first is None:
            continue
        if name in PREFIX and first != "none":
            yield PREFIX[name] + first
        elif name == "Check" and isinstance(call.args[1], ast.Constant):
            yield rf"changes\.check\.{first}\.{call.args[1].value}"
        elif name in ("Sentence", "say", "Named", "Section"):
            yield first


def own_keys() -> list[str]:
    def flat(table: dict[str, object], stem: str = "") -> Iterator[str]:
        for name, value in table.items():
            if isinstance(value, dict):
                yield from flat(value, f"{stem}{name}.")
            else:
                yield f"{stem}{name}"

    files = sorted((CATALOGUES / "en").glob("changes*.toml"))
    return [key for file in files for key in flat(tomllib.loads(file.read_text("utf-8"))) if key.startswith("changes.")]


@pytest.mark.parametrize("lang", LANGS)
def test_every_code_has_words(lang: str) -> None:
    """A reason, check, method, verdict or source without words would stop a reader's page."""
    known = keys(lang)
    wanted = set(patterns_of_codes())
    assert len(wanted) > 150
    assert [p for p in sorted(wanted) if not any(re.fullmatch(p, key) for key in known)] == []


def test_every_source_is_spelled_out() -> None:
    """Keys such as newcombe_1998 anywhere in the package."""
    names = {
        node.value
        for tree in TREES
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_]+_\d{4}", node.value)
    }
    assert len(names) > 15
    assert [n for n in sorted(names) for lang in LANGS if not has(f"changes.source.{n}", lang)] == []


def test_no_words_are_left_over() -> None:
    """The last part of each key stands in the package, whole or as the stem to which a unit or a verdict is added."""
    words = set(re.findall(r"\w+", "\n".join(ast.unparse(tree) for tree in TREES)))

    def stands(part: str) -> bool:
        stems = [part[: cut.start() + more] for cut in re.finditer("_", part) for more in (0, 1)]
        return any(stem in words for stem in (part, *stems))

    assert [key for key in own_keys() if not stands(key.rpartition(".")[2])] == []
