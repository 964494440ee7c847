"""Which look at running data this is: the looks before it, kept beside the reports, and the p that allows for them.

A test that is read every Monday cries wolf more often than one that is read once: 25% instead of 5% after twenty looks.
So earlier looks are kept in `looks.json`, and `compare(..., look=...)` makes its bounds for all of them::

    key = question_key(measure, at="2026-02-01", where="channel == 'email'")
    look = next_look(folder, key, as_of=study.as_of, planned=12)
    found = compare(study, measure, at="2026-02-01", where="channel == 'email'", look=look)
    keep_look(folder, key, kpi=measure.id, as_of=study.as_of, rows=rows)

A run of the same `as_of` again is the same look, and so is one without a new row.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special

from cxkit.changes.parts import Check, Look
from cxkit.errors import ParameterError
from cxkit.measures import Measure
from cxkit.stats import spending_bounds

FILE = "looks.json"
MANIFEST = "manifest.json"  # what every run of reports leaves in the folder of its period
_SCHEMA = 1
_KEY = 12  # hex digits
_LEAST, _MOST = 1e-15, 0.999  # chances between which a p is looked for


def planned_p(p: float, look: Look) -> float:
    """The p of a planned look, from the one that a single look would have: below alpha just where its bound is passed.

    It is the smallest chance of a false alarm over all planned looks at which the effect would be a change at this one.

    >>> round(planned_p(0.0209, Look(12, 12)), 3)
    0.028
    """
    if not p > 0 or np.isnan(p):
        return p
    z, shares = -float(special.ndtri(p / 2)), planned_shares(look)
    if z <= _bound(shares, _MOST):
        return 1.0
    if z >= _bound(shares, _LEAST):
        return _LEAST
    return float(np.exp(optimize.brentq(lambda x: _bound(shares, float(np.exp(x))) - z, np.log(_LEAST), np.log(_MOST))))


def planned_shares(look: Look) -> tuple[float, ...]:
    """The share of all the information at each planned look up to this one: as told, or even steps."""
    return look.shares or tuple(float(k) / look.planned for k in range(1, look.number + 1))


def look_check(look: Look | None) -> tuple[Check, ...]:
    """How many looks the bounds allow for."""
    if look is None:
        return (Check("one_look", "ok"),)
    if look.planned:
        return (Check("planned_look", "ok", {"number": look.number, "planned": look.planned}),)
    return (Check("free_look", "ok", {"number": look.number}),)


@functools.lru_cache(maxsize=1024)
def _bound(shares: tuple[float, ...], alpha: float) -> float:
    return float(spending_bounds(shares, alpha)[-1])


# --- the ledger ---


def question_key(measure: Measure, **question: object) -> str:
    """Twelve hex digits that tell one question from another: the KPI's definition and what was asked of it."""
    asked = {name: str(value) for name, value in question.items() if value not in (None, "", 0, ())}
    facts = {"kpi": measure.definition_hash, **asked}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:_KEY]


def next_look(
    folder: str | Path,
    key: str,
    *,
    as_of: pd.Timestamp,
    rows: float = 0,
    planned: int = 0,
    planned_rows: float = 0,
    tuned_for: float = 0,
) -> Look:
    """The look that a run up to `as_of` is: one more than the earlier ones that `looks.json` in `folder` tells of.

    `planned` looks in all (0: whenever one likes). `planned_rows` in all and `rows` so far give the share of the
    information; without them looks are taken to be evenly spaced. `tuned_for`: for looks at will, the number of rows at
    which they are sharpest, to be chosen once. ParameterError once all planned looks are over: the last one's verdict
    stands.
    """
    told = _entries(folder).get(key, {})
    before = earlier_looks(folder, key, as_of)
    if rows and before and float(before[-1]["rows"]) >= rows:
        before = [look for look in before if float(look["rows"]) < rows]  # no row came in since: the same look
    seen = [float(look["rows"]) for look in before]
    if planned and len(before) >= planned:
        raise ParameterError("looks_over", planned=planned)
    shares: tuple[float, ...] = ()
    if planned and planned_rows > 0 and rows > 0 and all(seen):
        shares = tuple(n / planned_rows for n in (*seen, rows))
    sharpest = tuned_for or float(told.get("tuned_for") or 0) or Look().tuned_for
    return Look(len(before) + 1, planned, shares, sharpest)


def earlier_looks(folder: str | Path, key: str, as_of: pd.Timestamp) -> list[dict[str, Any]]:
    """Looks at the question before `as_of`, each with new rows: of the ledger, and of the reports below `folder`."""
    kept = _entries(folder).get(key, {}).get("looks", [])
    seen = {look["as_of"]: look for look in (*_reported(folder, key), *kept)}
    return _fresh(list(seen.values()), as_of)


def keep_look(
    folder: str | Path, key: str, *, kpi: str, as_of: pd.Timestamp, rows: float, tuned_for: float = 0
) -> Path:
    """Write a look into `looks.json` in `folder`, whole or not at all; a run of the same `as_of` replaces itself."""
    path, told = Path(folder) / FILE, dict(_entries(folder))
    question = dict(told.get(key, {"kpi": kpi, "looks": []}))
    stamp = pd.Timestamp(as_of).isoformat()
    others = [look for look in question["looks"] if look["as_of"] != stamp]
    question["looks"] = sorted([*others, {"as_of": stamp, "rows": float(rows)}], key=lambda look: str(look["as_of"]))
    if tuned_for:
        question.setdefault("tuned_for", float(tuned_for))
    _write(path, {"schema": _SCHEMA, "questions": {**told, key: question}})
    return path


def _reported(folder: str | Path, key: str) -> list[dict[str, Any]]:
    """The looks at a question that the manifests of reports tell of, one folder a period."""
    found = list[dict[str, Any]]()
    for file in sorted(Path(folder).glob(f"*/{MANIFEST}")):
        try:
            reports = json.loads(file.read_text("utf-8"))["reports"]
            looks = [look for report in reports for look in report.get("looks", []) if look["key"] == key]
            found += [{"as_of": str(look["as_of"]), "rows": float(look["rows"])} for look in looks]
        except (OSError, ValueError, KeyError, TypeError):
            raise ParameterError("looks_unreadable", file=f"{file.parent.name}/{MANIFEST}") from None
    return found


def _fresh(looks: list[dict[str, Any]], as_of: pd.Timestamp) -> list[dict[str, Any]]:
    """Earlier looks in their order, those without a new row left out: they told nothing that was not known."""
    stamp, kept = pd.Timestamp(as_of).isoformat(), list[dict[str, Any]]()
    for look in sorted(looks, key=lambda look: str(look["as_of"])):
        grown = not kept or not look["rows"] or float(look["rows"]) > float(kept[-1]["rows"])
        if look["as_of"] < stamp and grown:
            kept.append(look)
    return kept


def _entries(folder: str | Path) -> Mapping[str, Any]:
    """What the ledger tells; nothing where there is none. A ledger that cannot be read is refused, not started anew."""
    path = Path(folder) / FILE
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
        questions: Mapping[str, Any] = found["questions"]
        if found["schema"] != _SCHEMA or not all(
            isinstance(look["as_of"], str) and float(look["rows"]) >= 0
            for q in questions.values()
            for look in q["looks"]
        ):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        raise ParameterError("looks_unreadable", file=FILE) from None
    return questions


def _write(path: Path, told: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(told, file, indent=1, sort_keys=True)
            file.write("\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
