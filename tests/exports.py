"""Small studies made of export files, for tests of intake."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = Path(__file__).parent / "fixtures" / "exports"
MAPPINGS = {
    "zendesk_tickets.csv": "zendesk_tickets",
    "zendesk_tickets_cp1256.csv": "zendesk_tickets",
    "zendesk_tickets_utf16_arabic_digits.csv": "zendesk_tickets",
    "zendesk_tickets_utf8_bom_persian_digits.csv": "zendesk_tickets",
    "event_log.csv": "event_log",
    "qualtrics_survey.csv": "qualtrics_survey",
    "queue_log": "asterisk_queue_log",
    "customers.csv": "customers",
    "agents.csv": "agents",
    "ticket_comments.csv": "ticket_comments",
    "orders.csv": "orders",
    "qa_reviews.csv": "qa_reviews",
    "help_centre.csv": "help_centre",
    "costs.csv": "costs",
    "priority_changes.csv": "priority_changes",
    "changes.csv": "changes",
}
PROCESS = '[process]\nresolved = ["Solved"]\nclosed = ["Closed"]\n'


def export_study(
    folder: Path, *files: str | tuple[str, bytes, str], time_zone: str = "Asia/Riyadh", more: str = ""
) -> Path:
    """A study of `files`: names of fixtures, or (name, content, mapping)."""
    (folder / "exports").mkdir(parents=True, exist_ok=True)
    text = [f'time_zone = "{time_zone}"' if time_zone else "", more]
    for file in files:
        if isinstance(file, str):
            name, mapping = file, MAPPINGS[file]
            shutil.copy(FOLDER / name, folder / "exports" / name)
        else:
            name, content, mapping = file
            (folder / "exports" / name).write_bytes(content)
        text.append(f'[[export]]\nfile = "exports/{name}"\nmapping = "{mapping}"')
    (folder / "study.toml").write_text("\n".join(text) + "\n", "utf-8")
    return folder
