"""The parameters a notebook declares, and what an analyst passes turned into the declared types.

A notebook declares its parameters once, as plain annotated assignments in the cell tagged `parameters`; they are read
from the syntax tree, never run. A value is converted by the declared type and never by guess: "007" stays text where
text is declared. Every refusal is a ParameterError, raised before any kernel starts.
"""

from __future__ import annotations

import ast
import datetime as dt
import io
import json
import math
import numbers
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxkit.errors import ParameterError, nearest
from cxkit.report.notebooks import find_notebook

Value = str | int | float | bool | None | list[Any]
# The runner sets these: the study's folder, each language in turn, and where the study's earlier reports are.
RESERVED = ("study", "lang", "reports")
REQUIRED = object()  # the default of a parameter that has none

_TYPES = {"str", "int", "float", "bool", "date"}
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫−", "01234567890123456789.-")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_SECRET = re.compile(r"token|secret|passw|dsn|(^|_)(api)?keys?($|_)", re.IGNORECASE)
_GREGORIAN_FROM = 1700  # an earlier year is a Jalali or Hijri date written in Gregorian form


@dataclass(frozen=True)
class Parameter:
    """One declared parameter: `kind` is str, int, float, bool or date; dates travel as ISO text."""

    name: str
    kind: str
    many: bool = False
    optional: bool = False
    choices: tuple[Value, ...] = ()
    default: Any = REQUIRED
    help: str = ""

    @property
    def required(self) -> bool:
        """Whether a value must be passed."""
        return self.default is REQUIRED

    @property
    def type(self) -> str:
        """The declared type as Python writes it."""
        text = f"Literal[{', '.join(map(repr, self.choices))}]" if self.choices else self.kind
        text = f"list[{text}]" if self.many else text
        return f"{text} | None" if self.optional else text

    def __str__(self) -> str:
        value = "" if self.required else f" = {self.default!r}"
        return f"{self.name}: {self.type}{value}" + (f"  # {self.help}" if self.help else "")

    def convert(self, value: object) -> Value:
        """`value` (text from a command line, or a Python value) as the declared type."""
        if value is None or (self.optional and isinstance(value, str) and self._means_none(value)):
            if not self.optional:
                raise self._wrong(value)
            return None
        if not self.many:
            return self._one(value)
        return [self._one(x) for x in self._items(value)]

    def _means_none(self, text: str) -> bool:
        return not text.strip() or (self.kind != "str" and text.strip().casefold() == "none")

    def _items(self, value: object) -> Sequence[object]:
        """The entries of a list: a Python list, JSON in brackets, or text with commas (Latin or Arabic)."""
        if isinstance(value, list | tuple):
            return list(value)
        if not isinstance(value, str):
            raise self._wrong(value)
        if value.strip().startswith("["):
            try:
                return list(json.loads(value))
            except ValueError:
                raise self._wrong(value) from None
        return [part.strip() for part in re.split("[,،]", value)] if value.strip() else []

    def _one(self, value: object) -> Value:
        if self.choices:
            chosen = next((c for c in self.choices if c == value or str(c) == str(value)), None)
            if chosen is None:
                known = [str(c) for c in self.choices]
                raise ParameterError("parameter_choice", name=self.name, value=_short(value), known=", ".join(known))
            return chosen
        converted = _CONVERT[self.kind](value)
        if converted is None:
            raise self._wrong(value)
        if self.kind == "date" and converted and int(str(converted)[:4]) < _GREGORIAN_FROM:
            raise ParameterError("parameter_calendar", name=self.name, value=_short(value))
        return converted

    def _wrong(self, value: object) -> ParameterError:
        return ParameterError("parameter_type", name=self.name, value=_short(value), type=self.type)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        text = value.strip().translate(_DIGITS)
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return None
    return int(value)


def _real(value: object) -> float | None:
    if isinstance(value, str):
        text = value.strip().translate(_DIGITS)
        value = float(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text) else None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    return float(value) if math.isfinite(value) else None


def _yes_no(value: object) -> bool | None:
    if isinstance(value, str):
        return _YES_NO.get(value.strip().casefold())
    return bool(value) if isinstance(value, bool) or type(value).__name__ in {"bool_", "bool"} else None


def _day(value: object) -> str | None:
    """ISO text of a day; empty text stays empty, which means "not set"."""
    if isinstance(value, dt.datetime):
        return None
    if isinstance(value, dt.date):
        return value.isoformat()
    text = value.strip().translate(_DIGITS) if isinstance(value, str) else None
    if not text:
        return text
    try:
        return dt.date.fromisoformat(text).isoformat() if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


_CONVERT = {"str": _text, "int": _whole, "float": _real, "bool": _yes_no, "date": _day}


def declared(notebook: Path | str | Mapping[str, Any]) -> dict[str, Parameter]:
    """Parameters by name, in the order of the cell tagged `parameters`; empty when the notebook has no such cell.

    Raises ParameterError for a cell that is not Python, a default that is not a literal, a type that is none of str,
    int, float, bool, date, list[...], Literal[...] and their `| None`, and a name that sounds like a secret.
    """
    cells = _load(notebook)["cells"]
    cell = next((c for c in cells if "parameters" in c.get("metadata", {}).get("tags", [])), None)
    if cell is None:
        return {}
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    try:
        tree, comments = ast.parse(source), _comments(source)
    except (SyntaxError, tokenize.TokenError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ParameterError("parameter_cell", line=line) from None
    found = [_parameter(statement, comments) for statement in tree.body]
    return {p.name: p for p in found if p is not None}


def describe(notebook: Path | str) -> list[Parameter]:
    """The parameters of a notebook (by number, name or path), each of which prints as its declaration."""
    return list(declared(find_notebook(notebook)).values())


def checked(
    given: Mapping[str, object], notebooks: Mapping[str, Mapping[str, Parameter]]
) -> dict[str, dict[str, Value]]:
    """What each notebook (name -> its parameters) is to be run with: `given`, converted, where it declares them.

    A name that none of the notebooks declares, one the runner sets itself, or one that sounds like a secret is refused;
    so is a value missing where a notebook has no default.
    """
    known = {name for parameters in notebooks.values() for name in parameters}
    for name in given:
        _refuse_name(str(name), known)
    passed = {
        notebook: {n: p.convert(given[n]) for n, p in parameters.items() if n in given}
        for notebook, parameters in notebooks.items()
    }
    for notebook, parameters in notebooks.items():
        for name, parameter in parameters.items():
            if parameter.required and name not in given and name not in RESERVED:
                raise ParameterError("parameter_missing", name=name, notebook=notebook)
    return passed


def _refuse_name(name: str, known: set[str]) -> None:
    if _SECRET.search(name):
        raise ParameterError("parameter_secret", name=_short(name))
    if name in RESERVED:
        raise ParameterError("parameter_reserved", name=name)
    if name not in known:
        near = nearest(name, known - set(RESERVED))
        listed = ", ".join(sorted(known - set(RESERVED)))
        if near:
            raise ParameterError("parameter_near", name=_short(name), near=near, known=listed)
        raise ParameterError("parameter_unknown", name=_short(name), known=listed)


def _load(notebook: Path | str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(notebook, Mapping):
        return notebook
    loaded: dict[str, Any] = json.loads(Path(notebook).read_text("utf-8"))
    return loaded


def _comments(source: str) -> dict[int, str]:
    """Comment text by line number."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _parameter(statement: ast.stmt, comments: Mapping[int, str]) -> Parameter | None:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        target, annotation, value = statement.target, statement.annotation, statement.value
    elif (
        isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name)
    ):
        target, annotation, value = statement.targets[0], None, statement.value
    else:
        return None
    if _SECRET.search(target.id):
        raise ParameterError("parameter_secret", name=target.id)
    default = REQUIRED if value is None else _literal(target.id, value)
    shape = _shape(target.id, annotation) if annotation is not None else _shape_of(target.id, default)
    return Parameter(target.id, default=default, help=comments.get(statement.end_lineno or 0, ""), **shape)


def _literal(name: str, value: ast.expr) -> Value:
    try:
        found: Value = ast.literal_eval(value)
    except ValueError:
        raise ParameterError("parameter_default", name=name) from None
    return found


def _shape(name: str, annotation: ast.expr) -> dict[str, Any]:
    """Kind, many, optional and choices of an annotation."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _shape(name, ast.parse(annotation.value, mode="eval").body)
    parts = list(_alternatives(annotation))
    kept = [p for p in parts if not (isinstance(p, ast.Constant) and p.value is None)]
    outer = _word(kept[0].value) if len(kept) == 1 and isinstance(kept[0], ast.Subscript) else ""
    inner = kept[0].slice if outer and isinstance(kept[0], ast.Subscript) else None
    optional = {"optional": True} if len(kept) < len(parts) else {}
    if inner is not None and outer == "Optional":
        return {**_shape(name, inner), "optional": True}
    if inner is not None and outer in {"list", "List"}:
        return {**_shape(name, inner), "many": True, **optional}
    if inner is not None and outer == "Literal":
        choices = ast.literal_eval(inner)
        choices = choices if isinstance(choices, tuple) else (choices,)
        return {"kind": type(choices[0]).__name__, "choices": choices, **optional}
    if len(kept) == 1 and _word(kept[0]) in _TYPES:
        return {"kind": _word(kept[0]), **optional}
    raise ParameterError("parameter_type_unknown", name=name, type=ast.unparse(annotation))


def _shape_of(name: str, default: object) -> dict[str, Any]:
    """The shape of a parameter without an annotation: the type of its default."""
    if isinstance(default, list) and default:
        return {**_shape_of(name, default[0]), "many": True}
    kind = "str" if default is None or isinstance(default, list) else type(default).__name__
    if kind not in _TYPES:
        raise ParameterError("parameter_type_unknown", name=name, type=kind)
    return {"kind": kind, "many": isinstance(default, list), "optional": default is None}


def _alternatives(annotation: ast.expr) -> Iterator[ast.expr]:
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        yield from _alternatives(annotation.left)
        yield from _alternatives(annotation.right)
    else:
        yield annotation


def _word(node: ast.expr) -> str:
    """The last part of a dotted name: `dt.date` is `date`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
