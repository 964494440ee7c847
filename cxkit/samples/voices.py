"""What customers said: survey, invitations and ticket comments, as those tools write them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxkit.samples import cells, texts
from cxkit.samples.exports import LANGUAGE_WORDS, Faults, agent_ids, customer_ids, ticket_ids
from cxkit.samples.helpdesk import HelpDesk
from cxkit.samples.plan import CHANNELS, LANGUAGES, Ints, phrases, stream
from cxkit.samples.service import Sample
from cxkit.samples.surveys import NO_ANSWER, TONES
from cxkit.samples.tickets import NEVER

_LETTERS = np.array(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
_WRITTEN = tuple(CHANNELS.index(name) for name in ("email", "web", "chat", "social", "self_service"))


@dataclass(frozen=True, eq=False)
class Comments:
    """The survey comments: text, every theme planted in it, and its tone; empty where nobody commented."""

    text: list[str]
    themes: list[tuple[str, ...]]


def survey_comments(sample: Sample) -> Comments:
    """One entry an invitation."""
    rows = np.flatnonzero(sample.surveys.commented & (sample.surveys.answered < sample.end))
    ticket = sample.surveys.ticket[rows]
    found = Comments([""] * len(sample.surveys.ticket), [()] * len(sample.surveys.ticket))
    for code, lang in enumerate(LANGUAGES):
        here = np.flatnonzero(sample.tickets.language[ticket] == code)
        theme = cells.codes(sample.scores.theme[ticket[here]], sample.scores.themes)
        tone = cells.codes(sample.scores.tone[ticket[here]], TONES)
        said = texts.comments(lang, theme, tone, stream(sample.seed, f"comments {lang}"))
        for row, text, themes in zip(rows[here].tolist(), said.texts, said.themes, strict=True):
            found.text[row], found.themes[row] = text, themes
    return found


def _tokens(rng: np.random.Generator, head: str, size: int) -> list[str]:
    letters = _LETTERS[rng.integers(0, len(_LETTERS), (size, 15))]
    return [head + "".join(row) for row in letters.tolist()]


def write_survey(sample: Sample, comments: Comments, folder: Path) -> Faults:
    """survey.csv: answers as Qualtrics writes them, three header rows, the time zone in the third alone."""
    rng, mess, end = stream(sample.seed, "mess survey"), sample.plan["mess"], sample.end
    all_surveys = sample.surveys
    rows = np.flatnonzero(all_surveys.answered < end)
    rows = rows[np.argsort(all_surveys.answered[rows], kind="stable")]
    found, ticket = all_surveys.rows(rows), all_surveys.ticket[rows]
    n, language = len(rows), sample.tickets.language[all_surveys.ticket[rows]]
    recorded = 60 * found.answered + rng.integers(0, 60, n)
    blank, finished = [""] * n, found.finished.tolist()
    progress = np.where(found.finished, 100, rng.integers(20, 80, n))
    native = rng.random((n, 3)) < mess["native_digits_share"]

    def item(values: Ints, place: int) -> list[str]:
        return cells.in_native_digits(cells.numbers(values, NO_ANSWER), language, native[:, place])

    csat, unreadable = cells.spoiled(item(found.csat, 0), rng, mess["unreadable_cells"]["survey"])
    columns = {
        "StartDate": cells.local_seconds(recorded - found.seconds),
        "EndDate": cells.local_seconds(recorded),
        "Status": ["IP Address"] * n,
        "IPAddress": blank,
        "Progress": cells.numbers(progress),
        "Duration (in seconds)": cells.numbers(found.seconds),
        "Finished": ["True" if done else "False" for done in finished],
        "RecordedDate": cells.local_seconds(recorded + 1),
        "ResponseId": _tokens(rng, "R_", n),
        "RecipientLastName": blank,
        "RecipientFirstName": blank,
        "RecipientEmail": blank,
        "ExternalReference": ticket_ids(ticket),
        "LocationLatitude": blank,
        "LocationLongitude": blank,
        "DistributionChannel": ["email"] * n,
        "UserLanguage": [LANGUAGES[code].upper() for code in language.tolist()],
        "CSAT": csat,
        "NPS_NPS_GROUP": _nps_groups(found.nps),
        "NPS": item(found.nps, 1),
        "CES": item(found.ces, 2),
        "FCR": cells.codes(found.fcr, ("No", "Yes")),
        "Comment": [comments.text[row] for row in rows.tolist()],
        "ticket_id": ticket_ids(ticket),
        "customer_id": customer_ids(sample.tickets.customer[ticket]),
        "agent_id": agent_ids(sample.lives.last_agent[ticket]),
        "sent_at": cells.local_times(found.sent),
        "channel": cells.codes(sample.tickets.channel[ticket], CHANNELS),
    }
    columns = _with_previews(columns, sample)
    cells.write_csv(folder / "survey.csv", columns, "utf-8-sig", _survey_heads(list(columns), sample))
    return {"unreadable_cells": unreadable}


def _nps_groups(nps: Ints) -> list[str]:
    """Qualtrics' own classes: 1 detractor, 2 passive, 3 promoter."""
    return ["" if value == NO_ANSWER else str(1 + (value >= 7) + (value >= 9)) for value in nps.tolist()]


def _with_previews(columns: dict[str, list[str]], sample: Sample) -> dict[str, list[str]]:
    """The answers after two trials of the survey's author, the day before the first customer could be asked."""
    moment = 60 * (sample.start - 1440 + 600)
    times = dict.fromkeys(
        ("StartDate", "EndDate", "RecordedDate"), cells.local_seconds(np.array([moment, moment + 300]))
    )
    trial = {"Status": "Survey Preview", "Progress": "100", "Finished": "True", "UserLanguage": "EN", "CSAT": "3"}
    fresh = {"ResponseId": _tokens(stream(sample.seed, "previews"), "R_", 2), **times}
    return {name: [*fresh.get(name, [trial.get(name, "")] * 2), *column] for name, column in columns.items()}


def _survey_heads(names: list[str], sample: Sample) -> list[list[str]]:
    """Second and third header row: the question's words, and where Qualtrics keeps them."""
    words = {
        "StartDate": ("Start Date", "startDate"),
        "EndDate": ("End Date", "endDate"),
        "Status": ("Response Type", "status"),
        "IPAddress": ("IP Address", "ipAddress"),
        "Progress": ("Progress", "progress"),
        "Duration (in seconds)": ("Duration (in seconds)", "duration"),
        "Finished": ("Finished", "finished"),
        "RecordedDate": ("Recorded Date", "recordedDate"),
        "ResponseId": ("Response ID", "_recordId"),
        "RecipientLastName": ("Recipient Last Name", "recipientLastName"),
        "RecipientFirstName": ("Recipient First Name", "recipientFirstName"),
        "RecipientEmail": ("Recipient Email", "recipientEmail"),
        "ExternalReference": ("External Data Reference", "externalDataReference"),
        "LocationLatitude": ("Location Latitude", "locationLatitude"),
        "LocationLongitude": ("Location Longitude", "locationLongitude"),
        "DistributionChannel": ("Distribution Channel", "distributionChannel"),
        "UserLanguage": ("User Language", "userLanguage"),
    }
    questions = phrases()["questions"]
    ids = {"csat": "QID1", "nps": "QID2", "ces": "QID3", "fcr": "QID5", "comment": "QID4_TEXT"}
    for item, name in (("csat", "CSAT"), ("nps", "NPS"), ("ces", "CES"), ("fcr", "FCR"), ("comment", "Comment")):
        words[name] = (questions[item], ids[item])
    words["NPS_NPS_GROUP"] = (f"{questions['nps']} - Group", "QID2_NPS_GROUP")
    second = [words.get(name, (name, name))[0] for name in names]
    third = []
    for name in names:
        place = {"ImportId": words.get(name, (name, name))[1]}
        if name in ("StartDate", "EndDate", "RecordedDate"):
            place["timeZone"] = sample.plan["window"]["time_zone"]
        third.append(json.dumps(place, separators=(",", ":")))
    return [second, third]


def write_invitations(sample: Sample, folder: Path) -> None:
    """invitations.csv: everybody who was asked, with what became of it, as a distribution history; times in UTC."""
    found = sample.surveys.rows(sample.surveys.sent < sample.end)
    offset = 60 * sample.plan["window"]["utc_offset_hours"]
    answered = found.answered < sample.end
    status = np.where(answered, np.where(found.finished, 2, 1), 0)
    columns = {
        "surveyLink": _tokens(stream(sample.seed, "invitations"), "SL_", len(found.ticket)),
        "status": cells.codes(status, ("Success", "SurveyPartiallyFinished", "SurveyFinished")),
        "sentAt": cells.local_times(found.sent - offset, "T", ":00Z"),
        "openedAt": cells.local_times(np.where(found.viewed < sample.end, found.viewed - offset, NEVER), "T", ":00Z"),
        "responseCompletedAt": cells.local_times(
            np.where(answered & found.finished, found.answered - offset, NEVER), "T", ":00Z"
        ),
        "ticket_id": ticket_ids(found.ticket),
        "customer_id": customer_ids(sample.tickets.customer[found.ticket]),
        "agent_id": agent_ids(sample.lives.last_agent[found.ticket]),
        "channel": cells.codes(sample.tickets.channel[found.ticket], CHANNELS),
        "language": cells.codes(sample.tickets.language[found.ticket], LANGUAGES),
    }
    cells.write_csv(folder / "invitations.csv", columns)


def _phrases_of(kind: str, language: Ints, rng: np.random.Generator) -> list[str]:
    table = [phrases()[kind][lang] for lang in LANGUAGES]
    draws = rng.random(len(language)).tolist()
    return [table[code][int(draw * len(table[code]))] for code, draw in zip(language.tolist(), draws, strict=True)]


def first_messages(sample: Sample, ticket: Ints) -> list[str]:
    """What the customer wrote when opening each of these tickets."""
    found, topics = [""] * len(ticket), tuple(sample.plan["topics"])
    theme_of = [sample.plan["themes"]["of_topic"][name] for name in topics]
    for code, lang in enumerate(LANGUAGES):
        here = np.flatnonzero(sample.tickets.language[ticket] == code)
        rng = stream(sample.seed, f"messages {lang}")
        tone = np.where(rng.random(len(here)) < 0.3, "neutral", "neg").tolist()
        said = texts.comments(lang, cells.codes(sample.tickets.topic[ticket[here]], theme_of), tone, rng)
        for row, text in zip(here.tolist(), said.texts, strict=True):
            found[row] = text
    return found


def write_comments(sample: Sample, desk: HelpDesk, folder: Path) -> None:
    """comments.csv: what was written in the tickets of the written channels, automatic answers and notes included."""
    rng, tickets = stream(sample.seed, "threads"), sample.tickets
    written = np.isin(tickets.channel, _WRITTEN) & sample.of_kind("customer")
    opening = np.flatnonzero(written | sample.of_kind("merged"))
    answered = np.flatnonzero(written & (desk.replied < NEVER))
    noted = answered[rng.random(len(answered)) < sample.plan["messages"]["noted"]]
    thanks = np.flatnonzero(written & (desk.reopened < NEVER) & sample.lives.thanked)
    parts = [
        (opening, tickets.opened, "Customer", "True", first_messages(sample, opening)),
        (opening, tickets.opened, "Bot", "True", _phrases_of("received", tickets.language[opening], rng)),
        (noted, desk.first_assigned, "Agent", "False", _phrases_of("notes", tickets.language[noted], rng)),
        (answered, desk.replied, "Agent", "True", _phrases_of("replies", tickets.language[answered], rng)),
        (thanks, desk.reopened, "Customer", "True", _phrases_of("thanks", tickets.language[thanks], rng)),
    ]
    ticket = np.concatenate([rows for rows, *_ in parts])
    at = np.concatenate([times[rows] for rows, times, *_ in parts])
    order = np.lexsort((np.arange(len(ticket)), at)).tolist()
    columns = {
        "Ticket ID": ticket_ids(ticket),
        "Created at": cells.local_times(at),
        "Author role": [role for rows, _, role, *_ in parts for _ in rows],
        "Public": [public for rows, _, _, public, _ in parts for _ in rows],
        "Language": [LANGUAGE_WORDS[code] for code in tickets.language[ticket].tolist()],
        "Body": [text for *_, said in parts for text in said],
    }
    ordered = {name: [column[i] for i in order] for name, column in columns.items()}
    table = {"Comment ID": [str(500_001 + i) for i in range(len(order))], **ordered}
    cells.write_csv(folder / "comments.csv", table)
