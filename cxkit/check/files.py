"""What was read from which file, what was left out, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cxkit.contract import RowNumbers
from cxkit.figures import ACCENT, WARN, finish, legend, own_axes
from cxkit.intake import Account
from cxkit.lang import Sentence, has, say
from cxkit.result import Format, Result, not_answerable
from cxkit.study import account_of

if TYPE_CHECKING:
    from cxkit.study import Study

_NAMED = 12  # unmapped columns named in a note
NO_ACCOUNT = ("exports",)


def _short(file: str) -> str:
    """A file's name without the folder in which all of them lie."""
    return file.removeprefix("exports/")


SHORT: Format = ("t", lambda row, lang: _short(row["file"]))


@dataclass(frozen=True, eq=False)
class Files(Result):
    """One row a file: how many records it holds, how many were kept, and how its times were read."""

    span: tuple[pd.Timestamp, ...] = ()  # first and last observed moment, local

    formats: ClassVar = {
        "file": SHORT,
        "records": "count",
        "kept": "count",
        "left_out": "count",
        "time_zone": "text",
        "zone_source": "code",
        "mapping": "text",
    }
    size: ClassVar = (8.0, 3.2)

    def sentences(self) -> tuple[Sentence, ...]:
        """How many records were read and kept, and from when to when they reach."""
        totals = {name: int(self.table[name].sum()) for name in ("records", "kept", "left_out")}
        read = Sentence("check.files.read", {"files": len(self.table), **totals})
        if not self.span:
            return (read,)
        return read, Sentence("check.files.span", {"first": self.span[0], "last": self.span[1]})

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        """Records kept and left out, file by file."""
        ax = own_axes(ax, lang, self.size)
        shown = self.table[::-1]
        place = np.arange(len(shown))
        ax.barh(place, shown["kept"], color=ACCENT, height=0.6, label=say("check.files.kept", lang))
        ax.barh(
            place, shown["left_out"], left=shown["kept"], color=WARN, height=0.6, label=say("check.files.out", lang)
        )
        ax.set_yticks(place, [_short(file) for file in shown["file"]])
        ax.set_xlabel(say("check.files.records", lang))
        legend(ax, lang, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
        return finish(ax, lang, kind="categories", unit="count", value_axis="x")


def files(study: Study) -> Result:
    """The intake account of a study, file by file; its notes say what a careful reader of these files should know."""
    if not study.intake:
        return not_answerable("check.question.files", NO_ACCOUNT)
    account = Account.from_dict(study.intake)
    rows = [
        {
            "file": one.file,
            "mapping": one.mapping,
            "encoding": one.encoding,
            "records": one.rows,
            "kept": one.kept,
            "left_out": one.rows - one.kept,
            "unmapped": len(one.unmapped),
            "time_zone": one.time_zone,
            "zone_source": one.time_zone_source,
        }
        for one in account.files
    ]
    edges = pd.Series(pd.to_datetime(list(account.span or ()), format="ISO8601"))
    span = tuple(study.local(edges)) if account.span else ()
    return Files(pd.DataFrame(rows), (*_notes(account), *account.derived), span=span)


def _notes(account: Account) -> Iterator[Sentence]:
    for one in account.files:
        yield from (_OfFile(note.key, {**note.params, "in_file": one.file}) for note in one.notes)
        if one.unmapped:
            names = ", ".join(one.unmapped[:_NAMED])
            yield Sentence("check.files.unmapped", {"file": _short(one.file), "n": len(one.unmapped), "columns": names})


class _OfFile(Sentence):
    """A note of the intake with the file that it is about."""

    def text(self, lang: str | None = None) -> str:
        note = Sentence(self.key, {name: entry for name, entry in self.params.items() if name != "in_file"})
        return say("check.files.note", lang, file=_short(str(self.params["in_file"])), note=note.text(lang))


@dataclass(frozen=True, eq=False)
class LeftOut(Result):
    """One row a file and rule: records that did not become rows of a table."""

    records: int = 0

    formats: ClassVar = {
        "file": SHORT,
        "drop_rule": ("c", lambda row, lang: rule_words(row["drop_rule"], lang)),
        "n": "count",
        "share": "share",
        "first_rows": ("c", lambda row, lang: RowNumbers(tuple(row["first_rows"])).text(lang)),
    }

    def sentences(self) -> tuple[Sentence, ...]:
        """How many records were left out, of how many."""
        n = int(self.table["n"].sum())
        if not n:
            return (Sentence("check.left_out.none", {"records": self.records}),)
        return (Sentence("check.left_out.some", {"n": n, "records": self.records, "share": n / self.records}),)


def rule_words(rule: str, lang: str | None = None) -> str:
    """Why records were left out; a rule of the study's own mapping is named as it is written there."""
    key = f"intake.rule.{rule}"
    return say(key, lang) if has(key, lang) else rule


def left_out(study: Study) -> Result:
    """Records that were left out, by file and rule, with the numbers of the first ones."""
    if not study.intake:
        return not_answerable("check.question.left_out", NO_ACCOUNT)
    account = Account.from_dict(study.intake)
    rows = [
        (one.file, why.rule, why.rows_n, why.rows_n / max(one.rows, 1), why.first_rows)
        for one in account.files
        for why in one.rejected
    ]
    table = pd.DataFrame(rows, columns=["file", "drop_rule", "n", "share", "first_rows"])
    return LeftOut(table, records=sum(one.rows for one in account.files))


def account_lines(folder: Path) -> list[str]:
    """The account of the study in `folder` in the session's language, line by line, for the command line."""
    kept = account_of(folder)
    if not kept:
        return [say("check.files.none")]
    account = Account.from_dict(kept)
    lines = [
        say("check.files.line", file=one.file, mapping=one.mapping, records=one.rows, kept=one.kept)
        for one in account.files
    ]
    for one in account.files:
        lines += [
            say("check.left_out.line", file=one.file, n=why.rows_n, why=rule_words(why.rule)) for why in one.rejected
        ]
    return [*lines, *(note.text() for note in account.derived), account.gate.text()]
