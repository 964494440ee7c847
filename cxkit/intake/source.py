"""The file as it lies there: its records as text columns, and the records that are none."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from cxkit.contract import RowNumbers
from cxkit.errors import IntakeError
from cxkit.intake.account import Rejected
from cxkit.intake.decode import decode, sniff_separator, split_hint
from cxkit.intake.fold import bare, fold, shown
from cxkit.lang import Sentence

Rows = NDArray[np.int64]
_LARGEST_BLOCK = (1 << 31) - 1
_RAGGED_STOPS = 0.05  # share of records with too few or too many fields above which the file is not understood


@dataclass
class Source:
    """A file's records as columns of text, with each record's number as a spreadsheet would show it."""

    file: str
    encoding: str
    separator: str
    headers: tuple[str, ...]  # as written
    cells: pa.Table  # columns named 0, 1, 2 ... in the order of the headers
    rows: Rows
    total: int = 0  # records with any content
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[Sentence] = field(default_factory=list)
    time_zones: tuple[str | None, ...] = ()  # per column, where the file itself states one
    repeats: int = 0  # records that repeat an earlier one in every column
    lines_of: tuple[Rows, Rows] | None = None  # where several lines make a record: the lines, and the record of each

    def find(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Places of the columns called by one of `names`, in the order of `names`."""
        return find_places(self.headers, names)

    def column(self, place: int) -> pa.Array:
        """The texts of one column."""
        chunked = self.cells.column(place)
        return chunked.combine_chunks() if isinstance(chunked, pa.ChunkedArray) else chunked

    def lost(self, rows: Rows) -> Rows:
        """Numbers of the records or lines behind these row numbers."""
        if self.lines_of is None:
            return rows
        lines, record = self.lines_of
        return lines[np.isin(record, rows)]

    def keep(self, mask: NDArray[np.bool_], rule: str) -> None:
        """Leave out the records that are not under `mask`, counted under `rule`."""
        if not mask.all():
            self.rejected.append(Rejected.of(rule, self.rows[~mask]))
            self.cells = self.cells.filter(pa.array(mask)).combine_chunks()
            self.rows = self.rows[mask]


@functools.lru_cache(maxsize=4096)
def find_places(headers: tuple[str, ...], names: tuple[str, ...]) -> tuple[int, ...]:
    """Places of the headers called by one of `names` (compared folded), in the order of `names`, each once."""
    folded = [fold(header) for header in headers]
    exact = {header: i for i, header in reversed(list(enumerate(folded)))}
    loose = {bare(header): i for i, header in reversed(list(enumerate(folded)))}
    wanted = (exact.get(fold(name), loose.get(fold(name))) for name in names)
    return tuple(dict.fromkeys(place for place in wanted if place is not None))


def read_table(
    raw: bytes, file: str, header_rows: int = 1, separator: str | None = None, encoding: str | None = None
) -> Source:
    """The records of a delimited file with one or more header rows.

    Records with too few or too many fields are rejected and counted; IntakeError when they are more than one in twenty,
    when a quote is opened and never closed, or when there is no record at all.
    """
    decoded = decode(raw, file, encoding)
    text, hint = split_hint(decoded.text)
    separator = separator or hint or sniff_separator(text)
    heads, body = split_head(text, header_rows, separator)
    if len(heads) < header_rows or not body.strip("\r\n"):
        raise IntakeError("intake_empty_file", file=file)
    headers = _once_each(heads[0])
    before = header_rows + (hint is not None) + _blank_lines(text)
    cells, misfits = _records(body, len(headers), separator, file, before)
    numbers = np.setdiff1d(np.arange(len(cells) + len(misfits)) + before + 1, [row for row, _ in misfits])
    ragged = [(row, short) for row, short in misfits if short is not None]
    filled = _filled(cells)
    source = Source(file, decoded.encoding, separator, headers, cells.filter(pa.array(filled)), numbers[filled])
    source.notes.extend(decoded.notes)
    source.time_zones = _stated_zones(heads)
    _note_ragged(source, ragged)
    _note_repeats(source, heads[0])
    return source


def _blank_lines(text: str) -> int:
    """Lines before the header."""
    return len(text[: len(text) - len(text.lstrip("\r\n"))].splitlines())


def split_head(text: str, n: int, separator: str) -> tuple[list[list[str]], str]:
    """The first `n` records as lists of fields, and the text behind them; blank lines before them do not count."""
    stream = io.StringIO(text.lstrip("\r\n"), newline="")
    try:
        heads = list(itertools.islice(csv.reader(iter(stream.readline, ""), delimiter=separator), n))
    except csv.Error:  # a field longer than any header
        return [], ""
    return heads, stream.read()


def _once_each(headers: list[str]) -> tuple[str, ...]:
    """Headers as written; a name that comes again gets a number."""
    seen: Counter[str] = Counter()
    out = []
    for header in headers:
        seen[fold(header)] += 1
        out.append(header.strip() if seen[fold(header)] == 1 else f"{header.strip()} ({seen[fold(header)]})")
    return tuple(out)


Ragged = list[tuple[int, bool | None]]  # row number, and whether the record is too short (else too long); None: blank


def _records(body: str, width: int, separator: str, file: str, before: int) -> tuple[pa.Table, Ragged]:
    """The records behind the header as text columns, and those that do not fit it.

    before: rows of the file that stand before the body.
    """
    ragged: Ragged = []

    def note(row: pacsv.InvalidRow) -> str:
        content = any(
            any(fields) for fields in csv.reader(io.StringIO(row.text or "", newline=""), delimiter=separator)
        )
        short = row.actual_columns < row.expected_columns if content else None  # without any content it is no record
        ragged.append(((row.number or 0) + before, short))
        return "skip"

    names = [str(i) for i in range(width)]
    data = (body if body.endswith(("\n", "\r")) else body + "\n").encode()
    size = min(len(data) + 1, _LARGEST_BLOCK)  # one block: only so are rows numbered right
    reading = pacsv.ReadOptions(use_threads=False, column_names=names, block_size=size)
    parsing = pacsv.ParseOptions(
        delimiter=separator, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
    )
    texts = {name: pa.string() for name in names}
    converting = pacsv.ConvertOptions(column_types=texts, strings_can_be_null=False, check_utf8=False)
    try:
        table = pacsv.read_csv(io.BytesIO(data), reading, parsing, converting).combine_chunks()
    except pa.ArrowInvalid:
        raise IntakeError("intake_unparsable", file=file) from None
    _refuse_open_quote(body, table, file, before)
    return table, ragged


def _refuse_open_quote(body: str, table: pa.Table, file: str, before: int) -> None:
    """An opened quote swallows the rest of the file into one cell: the last one, with line ends in it."""
    if body.count('"') % 2 and len(table) and body.rstrip("\r\n")[-1:] != '"':
        last = [table.column(i)[-1].as_py() for i in range(table.num_columns)]
        if any(cell.endswith("\n") for cell in last):
            raise IntakeError("intake_open_quote", file=file, row=len(table) + before)


def _filled(cells: pa.Table) -> NDArray[np.bool_]:
    """Records with any content."""
    found = np.zeros(len(cells), dtype=bool)
    for column in cells.columns:
        if found.all():
            break
        found |= np.asarray(pc.not_equal(column, ""))
    return found


def _note_ragged(source: Source, ragged: list[tuple[int, bool]]) -> None:
    source.total = len(source.rows) + len(ragged)
    for rule, short in (("too_few_fields", True), ("too_many_fields", False)):
        rows = np.array([row for row, is_short in ragged if is_short is short], dtype=np.int64)
        if len(rows):
            source.rejected.append(Rejected.of(rule, rows))
    if not source.total:
        raise IntakeError("intake_empty_file", file=source.file)
    if len(ragged) > _RAGGED_STOPS * source.total:
        counts = {"n": len(ragged), "total": source.total, "width": len(source.headers)}
        first = RowNumbers(tuple(row for row, _ in ragged[:5]))
        raise IntakeError("intake_ragged", file=source.file, **counts, rows=first)


def _note_repeats(source: Source, header: list[str]) -> None:
    """Count exact duplicates, and say so when two columns have one name."""
    distinct = source.cells.group_by(source.cells.column_names).aggregate([])
    source.repeats = len(source.cells) - len(distinct)
    twice = [name for name, n in Counter(fold(name) for name in header).items() if n > 1 and name]
    if twice:
        source.notes.append(Sentence("intake.note.header_twice", {"columns": ", ".join(shown(name) for name in twice)}))


def _stated_zones(heads: list[list[str]]) -> tuple[str | None, ...]:
    """Per column: the zone in Qualtrics' third header row, {"ImportId":"startDate","timeZone":"America/Denver"}."""
    zones: list[str | None] = [None] * len(heads[0])
    for row in heads[1:]:
        for place, cell in enumerate(row[: len(zones)]):
            if (found := re.match(r'\s*\{.*"timeZone"\s*:\s*"([^"]+)"', cell)) is not None:
                zones[place] = "UTC" if found[1] == "Z" else found[1]
    return tuple(zones)
