"""The sample study at many seeds: whether its planted changes are found, and what is claimed where none was planted.

Every seed is a new service with other agents, customers and tickets; `compare` is asked as an analyst would ask it,
seasons of the calendar left out. Only the files that these KPIs need are written and read.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from calibration.kinds import ALPHA
from calibration.runs import OURS, Claims, Job
from cxkit.changes import Finding, compare
from cxkit.measures import registry
from cxkit.samples import exports, records, simulate, study_files, voices
from cxkit.samples.helpdesk import seen_at
from cxkit.samples.plan import plan
from cxkit.study import Study, open_study

SEEDS, TICKETS = 200, 20_000
USUAL = "the usual test"
OTHER_WAY, NO_ANSWER = "the other way", "no verdict"
PLANTED, NULL = "planted", "unchanged"
CLAIMS = ("improved", "worsened", "changed")
FILES = ("tickets.csv", "survey.csv", "invitations.csv", "changes.csv")
IDS = {"handle_time": "aht"}  # of the plan, in the registry
# What more of a planted part does to the value of which KPIs.
PARTS: Mapping[str, Mapping[str, int]] = {
    "first_reply_factor": {"first_reply_time": 1},
    "csat_logit": {"csat": 1},
    "ces_logit": {"ces": 1},
    "touch_factor": {"aht": 1},
    "reopening_logit": {"return_rate": 1, "fcr": -1},
}


@cache
def questions() -> Mapping[tuple[str, str], int]:
    """By change and KPI: whether the value rises (1) or falls (-1); 0 where nothing was planted."""
    found = {}
    for change, told in plan()["changes"].items():
        for part, moved in PARTS.items():
            if part in told:
                more = 1 if told[part] > (1 if part.endswith("_factor") else 0) else -1
                found.update({(change, kpi): more * sign for kpi, sign in moved.items()})
        found.update({(change, IDS.get(kpi, kpi)): 0 for kpi in told["unchanged"]})
    return found


def study_of(seed: int, folder: Path, tickets: int = TICKETS) -> Study:
    """The sample study of this seed, with the tables that the questions need."""
    sample, into = simulate(seed, tickets), folder / "exports"
    into.mkdir(parents=True)
    exports.write_tickets(sample, seen_at(sample), exports.customer_names(sample), into)
    voices.write_survey(sample, voices.survey_comments(sample), into)
    voices.write_invitations(sample, into)
    records.write_changes(sample, into)
    study_files.write_study(sample, folder)
    settings = folder / "study.toml"
    head, *files = settings.read_text("utf-8").split("[[export]]")
    kept = [file for file in files if any(f'"exports/{name}"' in file for name in FILES)]
    settings.write_text("[[export]]".join([head, *kept]), "utf-8")
    return open_study(folder)


def findings(study: Study) -> Iterator[tuple[str, str, Finding]]:
    """Change, KPI and finding of every question."""
    known = registry(study)
    for change, kpi in questions():
        yield change, kpi, compare(study, known[kpi], change=change, without="declared")


def one_service(rng: np.random.Generator, tickets: int = TICKETS) -> Claims:
    """All questions put to one service."""
    with tempfile.TemporaryDirectory(prefix="cxkit-") as folder:
        study = study_of(int(rng.integers(2**31)), Path(folder) / "study", tickets)
        return {f"{_kind(c, k)}, {c}: {k}": _flags(found, questions()[c, k]) for c, k, found in findings(study)}


def _kind(change: str, kpi: str) -> str:
    return PLANTED if questions()[change, kpi] else NULL


def _flags(found: Finding, moved: int) -> dict[str, Any]:
    usual = found.naive is not None and found.naive.p < ALPHA
    said = {OURS: found.code in CLAIMS, USUAL: usual, NO_ANSWER: found.code == "invalid"}
    if moved:
        better = {"none": "changed", "higher": "improved", "lower": "worsened"}[found.measure.better]
        wanted = {"improved": "worsened", "worsened": "improved"}.get(better, better) if moved < 0 else better
        right = found.code == wanted and _rose(found) == moved
        said |= {OURS: right, OTHER_WAY: found.code in CLAIMS and not right}
    return said


def _rose(found: Finding) -> float:
    """The sign of the effect; where nothing changed, an order of answers has even chances, all else 0."""
    effect = found.effect
    if effect is None:
        return 0.0
    return float(np.sign(effect.found.value - (0.5 if effect.stat == "relative_effect" else 0.0)))


def jobs(seeds: int = SEEDS) -> list[Job]:
    return [Job("planted changes", seeds, one_service, aim=math.nan, block=10)]
