"""A new study from a team's exports: copies of the files, and a study.toml that an analyst can read and mend."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc

from cxkit.calendars import zone
from cxkit.errors import IntakeError, StudyError, nearest
from cxkit.intake import ExportMapping, find_mapping, ready_made, recognise
from cxkit.intake.source import read_table

# Steps whose names say that the customer has a solution, and that the case was put away; and words that take it back.
RESOLVED = re.compile(
    r"\b(re)?solved?\b|\bresolution\b|\bfixed\b|\b(ال|تم\s+)?حل(ت|ها)?\b|\bمحلولة?\b|\bحل\s?شده?\b", re.I
)
CLOSED = re.compile(r"\bclosed?\b|\bclosing\b|\b(ال)?إغلاق(ها)?\b|\b(أ|ا)غلقت\b|\bمغلقة?\b|\bبسته?\b|\bبستن\b", re.I)
NOT_YET = re.compile(
    r"\bnot\b|\bun|\bwait|\bawait|\bpending\b|\bprogress\b|\bre-?open|انتظار|قيد|لم\s|غير\s|نشده|بازگشا|إعادة", re.I
)
_MARKS = re.compile("[\u0640\u064b-\u0652\u0670]")  # vowel signs and the stretching of letters

MOST_STEPS = 200


class Week(NamedTuple):
    """How a country counts its week and its months."""

    start: str
    weekend: tuple[str, ...]
    months: str


MONDAY_WEEK = Week("monday", ("saturday", "sunday"), "gregorian")
# First guesses, from the Unicode CLDR; weekends differ between employers, and have changed.
_FRIDAY_SATURDAY = "Aden Amman Baghdad Bahrain Damascus Kuwait Muscat Qatar Riyadh"
WEEKS = {
    Week("saturday", ("friday",), "jalali"): {"Asia/Tehran", "Iran"},
    Week("sunday", ("friday", "saturday"), "gregorian"): {
        *(f"Asia/{city}" for city in _FRIDAY_SATURDAY.split()),
        *(f"Africa/{city}" for city in ("Algiers", "Cairo", "Khartoum", "Tripoli")),
    },
}


def new_study(
    name: str,
    files: Sequence[str | Path],
    into: str | Path = "data",
    mapping: str | None = None,
    time_zone: str = "UTC",
) -> Path:
    """The folder of a new study called `name` inside `into`, made whole or not at all.

    files: exports to copy; each is matched to a ready-made mapping by its header, unless `mapping` names one for all:
    a ready-made one, or the file of an own one (it ends in .toml), which is copied, too.
    time_zone: of dates that are written without one. For an event log, `[process]` gets a first guess from the names of
    its steps. StudyError if the folder is already there, a file is not, or no mapping fits.
    """
    if not re.fullmatch(r"\w[\w\- ]{0,79}", name):
        raise StudyError("study_name")
    folder = Path(into) / name
    if folder.exists():
        raise StudyError("study_exists", study=name)
    zone("time_zone", time_zone)
    own = Path(mapping) if mapping and mapping.endswith(".toml") and _is_file(Path(mapping)) else None
    mapping = own.stem if own else mapping
    exports = [(place, mapping or _recognised(place)) for place in map(Path, files) if _is_file(place)]
    _refuse_same_names(place for place, _ in exports)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        (aside / "exports").mkdir()
        for place, _ in exports:
            shutil.copyfile(place, aside / "exports" / place.name)
        if own:
            (aside / "mappings").mkdir()
            shutil.copyfile(own, aside / "mappings" / own.name)
        (aside / "study.toml").write_text(settings_text(name, time_zone, exports, aside), encoding="utf-8")
        aside.chmod(0o755)  # mkdtemp makes it readable for its maker alone
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _is_file(place: Path) -> bool:
    if not place.is_file():
        beside = [at.name for at in place.parent.iterdir() if at.is_file()] if place.parent.is_dir() else []
        raise StudyError("study_export_missing", file=place.name, near=nearest(place.name, beside) or "none")
    return True


def _recognised(place: Path) -> str:
    if not place.stat().st_size:
        raise IntakeError("intake_empty_file", file=place.name)
    found = recognise(place)
    if found is None:
        raise StudyError("study_unrecognised", file=place.name, known=", ".join(ready_made()))
    return found


def _refuse_same_names(places: Iterable[Path]) -> None:
    for file, n in Counter(place.name.casefold() for place in places).items():
        if n > 1:
            raise StudyError("study_same_file_name", file=file)


def settings_text(name: str, time_zone: str, exports: Sequence[tuple[Path, str]], study: Path | None = None) -> str:
    """A study.toml with comments, for exports whose mappings are known; own mappings lie in the folder `study`."""
    week = next((week for week, zones in WEEKS.items() if time_zone in zones), MONDAY_WEEK)
    steps = sum((_steps(place, find_mapping(mapping, study)) for place, mapping in exports), Counter[str]())
    resolved = _usual(steps, lambda step: bool(RESOLVED.search(step) and not NOT_YET.search(step)))
    closed = _usual(steps, lambda step: bool(CLOSED.search(step) and not NOT_YET.search(step)) and step not in resolved)
    lines = [
        f"name = {quoted(name)}",
        f"title = {{ en = {quoted(name)}, ar = {quoted(name)}, fa = {quoted(name)} }}",
        'languages = ["en", "ar", "fa"] # of the reports',
        f"time_zone = {quoted(time_zone)} # of every date that is written without one",
        "# as_of = 2026-06-30 # the data count up to the end of this day; without it, up to their newest time",
        "",
        "[calendar] # a guess from the time zone: check it, a wrong weekend changes every business hour",
        f"week_start = {quoted(week.start)}",
        f"weekend = [{', '.join(map(quoted, week.weekend))}]",
        f'months = {quoted(week.months)} # "gregorian", "jalali" or "hijri"',
        '# hours = "09:00-17:00" # on every day outside the weekend; without hours there is no business time',
        '# holidays = "SA" # public holidays of a country are closed',
        "",
        "[targets] # per KPI; shares 0-1, durations in seconds",
        "# csat = 0.80",
        "# first_reply_time = 14400",
        "",
        "[process] # which steps of the event log mean that the customer has a solution, and which put the case away",
        f"resolved = [{', '.join(map(quoted, resolved))}]{' # a guess from the names: check it' if resolved else ''}",
        f"closed = [{', '.join(map(quoted, closed))}]{' # a guess from the names: check it' if closed else ''}",
        "",
        "[process.stages] # where time in a step is spent: touch, queue, customer, vendor or after",
        *(f'# {quoted(step)} = "touch"' for step, _ in steps.most_common(40)),
    ]
    for place, mapping in exports:
        lines += ["", "[[export]]", f"file = {quoted(f'exports/{place.name}')}", f"mapping = {quoted(mapping)}"]
    if not exports:
        lines += ["", "# [[export]]", '# file = "exports/tickets.csv"', '# mapping = "zendesk_tickets" # or your own']
    return "\n".join(lines) + "\n"


def _steps(place: Path, how: ExportMapping) -> Counter[str]:
    """The steps in an event log and how often each was taken; none where there are too many names to be steps."""
    rules = [rule for table in how.tables if table.name == "events" for rule in table.columns]
    sources = next((rule.sources for rule in rules if rule.target.name == "activity"), ())
    if not sources or how.layout != "table":
        return Counter()
    source = read_table(place.read_bytes(), place.name, how.header_rows, how.separator, how.encoding)
    columns = source.find(sources)[:1]
    counted = [pc.value_counts(pc.utf8_trim_whitespace(source.column(column))) for column in columns]
    steps = Counter({row["values"]: row["counts"] for counts in counted for row in counts.to_pylist() if row["values"]})
    return steps if len(steps) <= MOST_STEPS else Counter()


def _usual(steps: Counter[str], chosen: Callable[[str], bool]) -> list[str]:
    """The chosen steps, commonest first, without those that hardly ever happen beside it."""
    found = [(step, n) for step, n in steps.most_common() if chosen(_MARKS.sub("", step))]
    return [step for step, n in found if n * 100 >= found[0][1]]


def quoted(text: str) -> str:
    """`text` as a TOML string."""
    out = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda sign: f"\\u{ord(sign[0]):04x}", out) + '"'
