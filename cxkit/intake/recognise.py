"""Which ready-made mapping fits a file, by its header."""

from __future__ import annotations

from pathlib import Path

from cxkit.intake.decode import decode, sniff_separator, split_hint
from cxkit.intake.mapping import ExportMapping, find_mapping, own_mappings, ready_made
from cxkit.intake.queue_log import looks_like_queue_log
from cxkit.intake.source import find_places, split_head

_HEAD = 1 << 18  # bytes that surely hold the header


def recognise(path: Path | str, study: Path | None = None) -> str | None:
    """Name of the mapping whose signature the header of `path` has; None when none has it.

    The study's own mappings are asked before the ready-made ones; of several the one that knows most of the columns.
    """
    path = Path(path)
    with path.open("rb") as stream:
        text, hint = split_hint(decode(stream.read(_HEAD), path.name).text)
    if looks_like_queue_log(text):
        return "asterisk_queue_log"
    for names in (own_mappings(study), ready_made()):
        fitting = {name: score for name in names if (score := _score(text, hint, find_mapping(name, study)))}
        if fitting:
            return max(fitting, key=lambda name: fitting[name])
    return None


def _score(text: str, hint: str | None, mapping: ExportMapping) -> int:
    """How many columns of the mapping the header has; zero when one that makes it recognisable is missing."""
    heads, _ = split_head(text, 1, mapping.separator or hint or sniff_separator(text))
    if not heads or not mapping.recognise:
        return 0
    headers = tuple(heads[0])
    if not all(find_places(headers, names) for names in mapping.recognise):
        return 0
    return sum(bool(find_places(headers, rule.names)) for table in mapping.tables for rule in table.columns)
