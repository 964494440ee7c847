"""What customers would say of every ticket, and what those who answer the survey do say."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cxkit.samples.changes import effect
from cxkit.samples.plan import CHANNELS, Bools, Floats, Ints, Rows, Table, column, log_normal, pick, shares
from cxkit.samples.tickets import NEVER, Lives
from cxkit.samples.work import FirstContact
from cxkit.samples.world import KINDS, Agents, Customers, Openings

TONES = ("neg", "neutral", "pos")
NO_ANSWER = -1


@dataclass(frozen=True, eq=False)
class Scores:
    """What the customer of every ticket thinks, asked or not; `_without` had the process not been changed."""

    csat: Ints
    csat_without: Ints
    nps: Ints
    ces: Ints
    ces_without: Ints
    tone: Ints  # position in TONES
    theme: Ints  # position in `themes`
    themes: tuple[str, ...]


def _noise(rng: np.random.Generator, size: int) -> Floats:
    u = rng.random(size)
    return np.asarray(np.log((u + 1e-12) / (1 - u)), dtype=np.float64)


def _graded(latent: Floats, cuts: list[float], lowest: int) -> Ints:
    return np.asarray(np.searchsorted(cuts, latent) + lowest, dtype=np.int64)


def make_scores(
    plan: Table,
    tickets: Openings,
    lives: Lives,
    agents: Agents,
    customers: Customers,
    rng: np.random.Generator,
) -> Scores:
    """CSAT, NPS, CES and the theme on the customer's mind, for every ticket."""
    part, n = plan["satisfaction"], len(tickets)
    total = (math.pi**2 / 3) / (1 - part["icc_agent"] - part["icc_customer"])
    phone = tickets.channel == CHANNELS.index("phone")
    causes = (
        column(part["channel"], CHANNELS)[tickets.channel]
        + column(plan["topics"], tuple(plan["topics"]), "satisfaction")[tickets.topic]
        + part["first_reply"] * np.where(phone, 0.0, lives.reply_noise)
        + np.where(lives.contact_solved, part["contact_solved"], part["resolution"] * lives.handling_noise)
        + part["reopened"] * (lives.reopens > 0)
        + part["escalated"] * (lives.escalations > 0)
        + math.sqrt(part["icc_agent"] * total) * agents.satisfaction[lives.last_agent]
        + math.sqrt(part["icc_customer"] * total) * customers.satisfaction[tickets.customer]
    )
    noise = _noise(rng, n)

    def score(item: str, weight: float, kinship: float, lowest: int, logit: Floats | float) -> Ints:
        own = _noise(np.random.Generator(np.random.PCG64(seeds[item])), n)
        mixed = kinship * noise + math.sqrt(1 - kinship**2) * own
        return _graded(weight * causes + mixed + logit, plan[item]["cuts"], lowest)

    seeds = dict(zip(("satisfaction", "nps", "ces"), rng.integers(0, 2**62, 3), strict=True))
    nps, ces = plan["nps"], plan["ces"]
    csat = score("satisfaction", 1.0, 1.0, 1, effect(plan, tickets, "csat_logit"))
    tone = np.digitize(csat, [3, 4]).astype(np.int64)
    themes, theme = _themes(plan, tickets, tone, rng)
    return Scores(
        csat=csat,
        csat_without=score("satisfaction", 1.0, 1.0, 1, 0.0),
        nps=score("nps", nps["weight"], nps["kinship"], 0, 0.0),
        ces=score("ces", ces["weight"], ces["kinship"], 1, effect(plan, tickets, "ces_logit")),
        ces_without=score("ces", ces["weight"], ces["kinship"], 1, 0.0),
        tone=tone,
        theme=theme,
        themes=themes,
    )


def _themes(plan: Table, tickets: Openings, tone: Ints, rng: np.random.Generator) -> tuple[tuple[str, ...], Ints]:
    """The main theme of each customer's comment: the topic of the ticket, or how the desk behaved."""
    table = plan["themes"]
    of_topic = [table["of_topic"][name] for name in plan["topics"]]
    names = tuple(sorted({*of_topic, *(name for t in TONES for name in table[t] if name != "topic")}))
    theme = np.zeros(len(tickets), dtype=np.int64)
    topic = np.array([names.index(name) for name in of_topic])[tickets.topic]
    for position, name in enumerate(TONES):
        here = np.flatnonzero(tone == position)
        keys = tuple(table[name])
        drawn = pick(rng, shares(table[name], keys), len(here))
        code = np.array([NO_ANSWER if key == "topic" else names.index(key) for key in keys])[drawn]
        theme[here] = np.where(code == NO_ANSWER, topic[here], code)
    return names, theme


@dataclass(frozen=True, eq=False)
class Surveys(Rows):
    """One row an invitation, by time of sending; NEVER and NO_ANSWER where nothing came back."""

    ticket: Ints
    sent: Ints  # local minutes since 1970
    answered: Ints
    seconds: Ints  # time taken
    finished: Bools
    csat: Ints
    nps: Ints
    ces: Ints
    commented: Bools
    fcr: Ints  # solved at the first contact: 1 yes, 0 no
    viewed: Ints


def make_surveys(
    plan: Table,
    tickets: Openings,
    lives: Lives,
    scores: Scores,
    first_contact: FirstContact,
    rng: np.random.Generator,
) -> Surveys:
    """Invitations a day after the first solution, and the answers: most from the very unhappy and the very happy."""
    part = plan["survey"]
    eligible = (tickets.kind == KINDS.index("customer")) & (lives.first_solved < NEVER)
    ticket = np.flatnonzero(eligible & (rng.random(len(tickets)) < part["invited"]))
    n = len(ticket)
    sent = lives.first_solved[ticket] + 60 * part["after_hours"]
    csat, nps, ces = scores.csat[ticket], scores.nps[ticket], scores.ces[ticket]
    chance = np.array(part["answered"])[csat - 1] * column(part["channel"], CHANNELS)[tickets.channel[ticket]]
    answers = rng.random(n) < chance
    hours = np.minimum(log_normal(rng, part["answer_hours"], n), 24 * part["answer_days_at_most"] * rng.random(n) + 1)
    answered = np.where(answers, sent + np.ceil(60 * hours).astype(np.int64), NEVER)
    finished = answers & (rng.random(n) >= part["unfinished"])
    skipped = {item: rng.random(n) < share for item, share in part["skipped"].items()}
    wordy = np.array([part["commented"][tone] for tone in TONES])[scores.tone[ticket]]
    seconds = np.ceil(25 + log_normal(rng, {"median": 60.0, "sigma": 0.6}, n)).astype(np.int64)
    seconds = np.minimum(seconds, 60 * (answered - sent))  # nobody begins before being asked
    commented = finished & (rng.random(n) < wordy)
    yes = np.where(rng.random(n) < part["skipped_fcr"], NO_ANSWER, first_contact.customer_says[ticket])
    looks = sent + np.ceil(60 * log_normal(rng, part["view_hours"], n)).astype(np.int64)
    viewed = np.where(rng.random(n) < part["viewed_only"], looks, NEVER)
    found = Surveys(
        ticket=ticket,
        sent=sent,
        answered=answered,
        seconds=seconds,
        finished=finished,
        csat=np.where(answers, csat, NO_ANSWER),
        nps=np.where(finished & ~skipped["nps"], nps, NO_ANSWER),
        ces=np.where(finished & ~skipped["ces"], ces, NO_ANSWER),
        commented=commented,
        fcr=np.where(finished, yes, NO_ANSWER),
        viewed=np.where(answers, answered - -(-seconds // 60), viewed),
    )
    return found.rows(np.argsort(found.sent, kind="stable"))
