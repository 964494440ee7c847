"""How one kind of export becomes canonical tables: a mapping, declared in TOML, checked when it is read."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from cxkit.contract import Column, load
from cxkit.errors import IntakeError, nearest
from cxkit.intake.config import checked_zone, why_not_toml
from cxkit.intake.dates import CALENDARS, EPOCHS, ORDERS, DateRule, check_format
from cxkit.intake.fold import fold

LAYOUTS = ("table", "queue_log")
UNITS = {"milliseconds": 0.001, "seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86_400.0, "clock": 1.0}
SHARES = ("percent",)
_TOP = {
    "extends",
    "layout",
    "header_rows",
    "separator",
    "encoding",
    "time_zone",
    "recognise",
    "drop",
    "tables",
    "items",
}
_OF_TABLE = ("only_with", "newest_by")
_DROP = {"rule", "column", "values"}
_ITEM = {"column", "scale", "values", "text"}
_ANY = {"column", "join", "glue", "constant", "empty", "equal", "tags", "then", "otherwise", "or"}
_BY_TYPE = {
    "text": set[str](),
    "choice": {"values"},
    "bool": {"values"},
    "timestamp": {"formats", "order", "calendar", "unit", "after", "time_zone"},
    "date": {"formats", "order", "calendar", "unit"},
    "seconds": {"unit", "decimal"},
    "count": {"decimal"},
    "number": {"decimal", "unit"},
}


@dataclass(frozen=True)
class ColumnRule:
    """Where one canonical column comes from, and how its texts are read."""

    target: Column
    sources: tuple[str, ...] = ()  # names of the source column; the first that is there and not empty is taken
    join: tuple[str, ...] = ()  # or these, put together with `glue`
    glue: str = "-"
    equal: tuple[tuple[str, str], ...] = ()  # or: do these two columns hold the same?
    constant: str | None = None
    values: Mapping[str, str] | None = None  # folded source word -> code
    empty: frozenset[str] = frozenset()  # folded words that mean: nothing
    tags: tuple[str, ...] = ()  # patterns; a row whose tags hold one of them gets `then`
    then: str | None = None
    otherwise: str | None = None
    unit: str | None = None
    after: str | None = None  # a canonical timestamp to which the duration is added
    decimal: str | None = None
    time_zone: str | None = None
    dates: DateRule = field(default_factory=DateRule)
    fallback: ColumnRule | None = None  # asked for the rows that this rule leaves empty

    @property
    def names(self) -> tuple[str, ...]:
        """Every source column that the rule looks at."""
        return (*self.sources, *self.join, *(name for pair in self.equal for name in pair))


@dataclass(frozen=True)
class Item:
    """One survey question that stands in a column of its own."""

    name: str
    sources: tuple[str, ...]
    scale: tuple[float, float] | None = None
    values: Mapping[str, str] | None = None
    text: bool = False


@dataclass(frozen=True)
class DropRule:
    """Rows that are no data of the service, left out and counted under the rule's name."""

    rule: str
    sources: tuple[str, ...]
    words: frozenset[str]


@dataclass(frozen=True)
class TableRule:
    """One canonical table that the file feeds."""

    name: str
    columns: tuple[ColumnRule, ...]
    only_with: str | None = None  # rows without a value here do not concern this table
    newest_by: str | None = None  # of rows with one key only the latest by this canonical column is kept


@dataclass(frozen=True)
class ExportMapping:
    """How one kind of export becomes canonical tables."""

    name: str
    tables: tuple[TableRule, ...]
    items: tuple[Item, ...] = ()
    drops: tuple[DropRule, ...] = ()
    recognise: tuple[tuple[str, ...], ...] = ()
    layout: str = "table"
    header_rows: int = 1
    separator: str | None = None
    encoding: str | None = None
    time_zone: str | None = None


def ready_made() -> tuple[str, ...]:
    """Names of the mappings that ship with the kit."""
    folder = resources.files("cxkit.intake") / "mappings"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def find_mapping(name: str, study: Path | None = None) -> ExportMapping:
    """The mapping called `name`: the study's own (in STUDY/mappings) before the ready-made one.

    IntakeError names the nearest mapping when there is none of that name.
    """
    own = _own(study)
    if name not in own and name not in ready_made():
        known = [*own, *ready_made()]
        raise IntakeError(
            "intake_unknown_mapping", mapping=name, near=nearest(name, known) or "none", known=", ".join(known)
        )
    return parse(name, _text(name, own), {other: _ready_text(other) for other in _extended(name, own)})


def own_mappings(study: Path | None) -> tuple[str, ...]:
    """Names of the mappings that a study brings along."""
    return tuple(_own(study))


def _own(study: Path | None) -> dict[str, Path]:
    folder = study / "mappings" if study else None
    return {file.stem: file for file in sorted(folder.glob("*.toml"))} if folder and folder.is_dir() else {}


def _text(name: str, own: Mapping[str, Path]) -> str:
    return own[name].read_text("utf-8-sig") if name in own else _ready_text(name)


@cache
def _ready_text(name: str) -> str:
    return (resources.files("cxkit.intake") / "mappings" / f"{name}.toml").read_text("utf-8")


def _extended(name: str, own: Mapping[str, Path]) -> list[str]:
    """The ready-made mapping that the study's own one builds on, if any."""
    base = _toml(name, _text(name, own)).get("extends")
    if base is None:
        return []
    if base not in ready_made():
        raise IntakeError(
            "intake_unknown_mapping",
            mapping=str(base),
            near=nearest(str(base), ready_made()) or "none",
            known=", ".join(ready_made()),
        )
    return [str(base)]


def _toml(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise IntakeError("intake_bad_toml", file=f"{name}.toml", why=why_not_toml(error)) from None


def parse(name: str, text: str, bases: Mapping[str, str] | None = None) -> ExportMapping:
    """The mapping written in `text`; IntakeError with the nearest right name for every key that is not known."""
    words = _toml(name, text)
    for base, base_text in (bases or {}).items():
        words = _merged(_toml(base, base_text), words)
    try:
        return _mapping(name, words)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # not the shape it must have
        raise IntakeError("intake_bad_mapping", mapping=name, why=f"{type(error).__name__}: {error}") from None


def _mapping(name: str, words: Mapping[str, Any]) -> ExportMapping:
    _known(name, "", words, _TOP)
    _one_of(name, "layout", words.get("layout", "table"), LAYOUTS)
    checked_zone(f"{name}.toml", words.get("time_zone"))
    _shaped(name, words)
    tables = tuple(_table(name, table, spec) for table, spec in words.get("tables", {}).items())
    if not tables or (words.get("items") and "survey_answers" not in words["tables"]):
        raise IntakeError("intake_no_tables", mapping=name, needs="tables.survey_answers" if tables else "tables")
    if words.get("layout", "table") == "table":
        _refuse_gaps(name, tables)
    return ExportMapping(
        name=name,
        tables=tables,
        items=tuple(_item(name, item, spec) for item, spec in words.get("items", {}).items()),
        drops=tuple(_drop(name, spec) for spec in words.get("drop", ())),
        recognise=tuple(_names(one) for one in words.get("recognise", ())),
        **{key: words[key] for key in ("layout", "header_rows", "separator", "encoding", "time_zone") if key in words},
    )


def _shaped(name: str, words: Mapping[str, Any]) -> None:
    """IntakeError for a number of header rows, a separator or a [[drop]] that is none."""
    rows, separator = words.get("header_rows", 1), words.get("separator", ",")
    wrong = {
        "header_rows": type(rows) is not int or rows < 1,
        "separator": not isinstance(separator, str) or len(separator) != 1,
        "[[drop]]": not isinstance(words.get("drop", []), list),
    }
    for key in (key for key, is_wrong in wrong.items() if is_wrong):
        raise IntakeError("intake_bad_mapping", mapping=name, why=key)


def _refuse_gaps(name: str, tables: Iterable[TableRule]) -> None:
    """IntakeError for a table without a source of a column that no row may leave empty."""
    for table in tables:
        fed = {rule.target.name for rule in table.columns}
        fed |= {"item"} if table.name == "survey_answers" else set()
        for column in load().tables[table.name].columns.values():
            if column.required and column.name not in fed:
                raise IntakeError("intake_no_source", mapping=name, table=table.name, column=column.name)


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `own` says instead, table by table and column by column."""
    out = dict(base)
    for key, entry in own.items():
        deeper = key in ("tables", "items") or (isinstance(base.get(key), dict) and "column" not in entry)
        out[key] = _merged(base.get(key, {}), entry) if deeper and isinstance(entry, dict) else entry
    return out


def _table(mapping: str, name: str, spec: Mapping[str, Any]) -> TableRule:
    contract = load().tables
    if name not in contract:
        raise _unknown(mapping, "tables", name, contract)
    columns = contract[name].columns
    rules = []
    for column, words in spec.items():
        if column in _OF_TABLE:
            continue
        if column not in columns:
            raise _unknown(mapping, f"tables.{name}", column, [*columns, *_OF_TABLE])
        rules.append(_column(mapping, name, columns[column], words))
    if "newest_by" in spec:
        _one_of(mapping, f"tables.{name}.newest_by", spec["newest_by"], columns)
    return TableRule(name, tuple(rules), **{key: spec[key] for key in _OF_TABLE if key in spec})


def _column(mapping: str, table: str, target: Column, words: Any) -> ColumnRule:
    spec = words if isinstance(words, dict) else {"column": words}
    where = f"tables.{table}.{target.name}"
    _known(mapping, where, spec, _ANY | _BY_TYPE[target.type])
    unit = spec.get("unit")
    if target.type == "seconds" or "after" in spec:
        _one_of(mapping, f"{where}.unit", unit, UNITS)
        if "after" in spec:
            times = [column.name for column in load().tables[table].of_type("timestamp")]
            _one_of(mapping, f"{where}.after", spec["after"], times)
    elif unit is not None:
        _one_of(mapping, f"{where}.unit", unit, SHARES if target.type == "number" else EPOCHS)
    _check_dates(mapping, where, spec)
    pairs = spec.get("equal", ())
    fallback = _column(mapping, table, target, spec["or"]) if "or" in spec else None
    return ColumnRule(
        target=target,
        sources=_names(spec.get("column", ())),
        join=_names(spec.get("join", ())),
        equal=tuple((str(a), str(b)) for a, b in pairs),
        values=_values(mapping, where, target, spec.get("values")),
        empty=frozenset(fold(word) for word in spec.get("empty", ())),
        tags=_names(spec.get("tags", ())),
        otherwise=_code(mapping, where, target, spec.get("otherwise")),
        then=_code(mapping, where, target, spec.get("then")),
        fallback=fallback,
        dates=DateRule(
            _names(spec.get("formats", ())),
            spec.get("calendar", "gregorian"),
            spec.get("order"),
            unit if unit in EPOCHS else None,
        ),
        **{key: spec[key] for key in ("glue", "constant", "unit", "after", "decimal", "time_zone") if key in spec},
    )


def _check_dates(mapping: str, where: str, spec: Mapping[str, Any]) -> None:
    _one_of(mapping, f"{where}.calendar", spec.get("calendar", "gregorian"), CALENDARS)
    _one_of(mapping, f"{where}.order", spec.get("order", "dmy"), ORDERS)
    checked_zone(f"{mapping}.toml", spec.get("time_zone"))
    for form in _names(spec.get("formats", ())):
        if (sign := check_format(form)) is not None:
            raise IntakeError("intake_unknown_format", mapping=mapping, where=where, sign=sign)


def _item(mapping: str, name: str, spec: Mapping[str, Any]) -> Item:
    _known(mapping, f"items.{name}", spec, _ITEM)
    scale = spec.get("scale")
    values = {fold(word): str(code) for code, words in spec.get("values", {}).items() for word in _names(words)}
    bounds = (float(scale[0]), float(scale[1])) if scale else None
    return Item(name, _names(spec.get("column", name)), bounds, values, bool(spec.get("text", False)))


def _drop(mapping: str, spec: Mapping[str, Any]) -> DropRule:
    _known(mapping, "drop", spec, _DROP)
    return DropRule(str(spec["rule"]), _names(spec["column"]), frozenset(fold(str(word)) for word in spec["values"]))


def _values(mapping: str, where: str, target: Column, spec: Mapping[str, Any] | None) -> Mapping[str, str] | None:
    """Folded word -> code; every code of the contract means itself."""
    known = ("true", "false") if target.type == "bool" else target.choices
    if not known:
        return None
    codes = {fold(code): code for code in known}
    for code, words in (spec or {}).items():
        _one_of(mapping, f"{where}.values", code, known)
        codes |= {fold(word): code for word in _names(words)}
    return codes


def _code(mapping: str, where: str, target: Column, code: Any) -> str | None:
    if code is not None and target.choices:
        _one_of(mapping, where, code, target.choices)
    return None if code is None else str(code)


def _names(words: Any) -> tuple[str, ...]:
    return (str(words),) if isinstance(words, str | int | float) else tuple(str(word) for word in words)


def _known(mapping: str, where: str, words: Iterable[str], known: Iterable[str]) -> None:
    for word in words:
        if word not in known:
            raise _unknown(mapping, where, word, known)


def _unknown(mapping: str, where: str, word: str, known: Iterable[str]) -> IntakeError:
    place = where or "-"
    names = sorted(known)
    return IntakeError(
        "intake_unknown_key",
        mapping=mapping,
        where=place,
        key=word,
        near=nearest(word, names) or "none",
        known=", ".join(names),
    )


def _one_of(mapping: str, where: str, word: Any, known: Iterable[str]) -> None:
    if word not in known:
        raise _unknown(mapping, where, str(word), known)
