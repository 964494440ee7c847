"""The files that make the exports a study: study.toml, its own mapping, truth.toml."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cxkit.errors import ParameterError
from cxkit.samples import cells
from cxkit.samples.business_truth import ANSWER_SECONDS, PROMISES, REPEAT_DAYS, SHORT_SECONDS, WINDOW_DAYS, Block
from cxkit.samples.service import Sample
from cxkit.samples.truth import TARGETS

EXPORTS = {
    "exports/tickets.csv": "zendesk_tickets",
    "exports/events.csv": "event_log",
    "exports/survey.csv": "qualtrics_survey",
    "exports/invitations.csv": "invitations",
    "exports/queue_log": "asterisk_queue_log",
    "exports/customers.csv": "customers",
    "exports/agents.csv": "agents",
    "exports/comments.csv": "ticket_comments",
    "exports/priority_changes.csv": "priority_changes",
    "exports/orders.csv": "orders",
    "exports/qa_reviews.csv": "qa_reviews",
    "exports/help_centre.csv": "help_centre",
    "exports/costs.csv": "costs",
    "exports/changes.csv": "changes",
}
STAGES = {
    "New": "queue",
    "Assigned": "queue",
    "In progress": "touch",
    "Waiting for customer": "customer",
    "On hold": "vendor",
    "Transferred": "queue",
    "Escalated": "queue",
    "Reopened": "queue",
    "Solved": "after",
}
MARK = "# A simulated service with known truth"  # first words of its study.toml
_TITLE = {
    "en": "Sample study: an online shop’s service desk",
    "ar": "دراسة نموذجية: خدمة عملاء متجر إلكتروني",
    "fa": "مطالعهٔ نمونه: خدمات مشتری یک فروشگاه اینترنتی",
}
_INVITATIONS = """\
# Everybody who was asked. Those who answered are in survey.csv; here they would count twice.
recognise = [["surveyLink"], ["sentAt"], ["status"]]

[[drop]]
rule = "answered_elsewhere"
column = "status"
values = ["SurveyFinished", "SurveyPartiallyFinished"]

[tables.surveys]
response_id = "surveyLink"
ticket_id = "ticket_id"
customer_id = "customer_id"
agent_id = "agent_id"
channel = "channel"
language = "language"
sent_at = "sentAt"
viewed_at = "openedAt"
finished = { constant = "false" }
"""


def clear_study(into: Path) -> None:
    """Take away the sample's own study.toml; ParameterError where another study lies in the folder."""
    file = into / "study.toml"
    if file.exists() and not file.read_bytes().startswith(MARK.encode()):
        raise ParameterError("sample_over_study", study=into.name)
    file.unlink(missing_ok=True)


def write_study(sample: Sample, into: Path) -> None:
    """study.toml and mappings/invitations.toml."""
    window = sample.plan["window"]
    as_of = dt.datetime.fromtimestamp(60 * sample.end - 3600 * window["utc_offset_hours"], dt.UTC)
    settings: dict[str, object] = {
        "name": "sample",
        "languages": ["en", "ar", "fa"],
        "time_zone": window["time_zone"],
        "as_of": as_of.replace(tzinfo=None),
        "title": dict(_TITLE),
        "calendar": _calendar(sample),
        "targets": dict(TARGETS),
        "promises": _promises(),
        "calls": {"short_abandon_seconds": SHORT_SECONDS, "answer_within_seconds": ANSWER_SECONDS},
        "retention": {"window_days": WINDOW_DAYS, "inactive_after_days": REPEAT_DAYS},
        "process": {"resolved": ["Solved"], "closed": ["Closed", "Merged", "Marked as spam"], "stages": dict(STAGES)},
        "export": [{"file": file, "mapping": mapping} for file, mapping in EXPORTS.items()],
    }
    (into / "mappings").mkdir(exist_ok=True)
    (into / "mappings" / "invitations.toml").write_bytes(_INVITATIONS.encode())
    head = f"{MARK}; made by `cxkit sample`, so edits are lost when it is made again.\n\n"
    (into / "study.toml").write_bytes((head + cells.toml(settings) + "\n").encode())


def _calendar(sample: Sample) -> dict[str, object]:
    """The opening hours that the simulator keeps."""
    hours = {name: f"{opens:02d}:00-{closes:02d}:00" for name, (opens, closes) in sample.plan["hours"].items()}
    usual, weekend = "sunday-thursday", "friday-saturday"
    fasting = {usual: hours["ramadan"], weekend: hours["ramadan_weekend"]}
    feasts = [{"season": season, "hours": hours["eid"]} for season in ("eid_fitr", "eid_adha")]
    return {
        "week_start": "sunday",
        "weekend": ["friday", "saturday"],
        "months": "gregorian",
        "known_on": sample.plan["window"]["last_on"],
        "hours": {usual: hours["working_day"], weekend: hours["weekend"]},
        "seasons": [{"season": "ramadan", "hours": fasting}, *feasts],
    }


def _promises() -> dict[str, object]:
    """The first reply counts while the desk is open; the solution on the clock, but for the wait for the customer."""
    kinds: dict[str, dict[str, object]] = {
        "first_reply": {"clock": "business"},
        "resolution": {"clock": "wall", "pauses": ["pending_seconds"]},
    }
    names = ("low", "default", "high", "urgent")
    return {
        kind: {**clock, **{name: f"{minutes // 60} h" for name, minutes in zip(names, PROMISES[kind], strict=True)}}
        for kind, clock in kinds.items()
    }


def write_truth(sample: Sample, found: Block, into: Path) -> None:
    """truth.toml: the planted and the complete numbers, for lessons and tests."""
    window = sample.plan["window"]
    head = (
        "# What was planted in this simulated service, and what it would show if every ticket had been watched\n"
        "# to its end and every customer asked. Shares 0-1, times in seconds, money in SAR. The plan:\n"
        "# cxkit/samples/plan.toml.\n\n"
    )
    settings = {"seed": sample.seed, "first_on": window["first_on"], "last_on": window["last_on"], **found}
    (into / "truth.toml").write_bytes((head + cells.toml(settings) + "\n").encode())
