"""The truth of a sample: every ticket watched to its end, every customer asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from cxkit.samples.business import Business
from cxkit.samples.business_truth import ANSWER_SECONDS, FCR_DAYS, SHORT_SECONDS, Block, business_truth
from cxkit.samples.calls import OUTCOMES, abandoned_share
from cxkit.samples.exports import Faults
from cxkit.samples.helpdesk import STATUSES, HelpDesk
from cxkit.samples.plan import CHANNELS, LANGUAGES, MINUTES_A_DAY, Bools, Ints, logistic
from cxkit.samples.service import Sample
from cxkit.samples.tickets import NEVER
from cxkit.samples.voices import Comments
from cxkit.samples.world import KINDS, day_number

Measured = Callable[[Sample, str, Bools], Block]
Figure = Callable[[Ints], float]
Effect = Callable[[Sample, float, Bools], Block]
TARGETS = {
    "csat": 0.75,
    "nps": 0.30,
    "ces": 0.70,
    "first_reply_time": 4 * 3600.0,
    "resolution_time": 3 * 86_400.0,
    "fcr": 0.88,
    "return_rate": 0.10,
    "escalation": 0.12,
    "reply_sla": 0.85,
    "resolution_sla": 0.75,
    "qa_score": 0.80,
    "retention": 0.90,
}
RETURN_DAYS = 30


def truth(
    sample: Sample, desk: HelpDesk, business: Business, comments: Comments, faults: Mapping[str, Faults]
) -> Block:
    """Everything planted and everything hidden, as plain numbers: shares 0-1, seconds, counts.

    `[kpi.<id>.<window>.<group>]`: complete data of customers' tickets opened in the window (year, last_month), by
    channel and for all; `open` of them were unfinished at as_of, `closed_only_*` is what the finished ones alone say.
    """
    return {
        "counts": _counts(sample, desk),
        "kpi": _kpis(sample),
        **business_truth(sample, desk, business),
        "changes": {name: _change(sample, name) for name in sample.plan["changes"]},
        "clusters": _clusters(sample),
        "closing": {"after_hours": sample.plan["closing"]["after_hours"], "by": "System"},
        "surveys": _surveys(sample),
        "calls": _calls(sample),
        "themes": _themes(sample, comments),
        "faults": {file: dict(kinds) for file, kinds in faults.items()},
    }


def _counts(sample: Sample, desk: HelpDesk) -> Block:
    tickets = sample.tickets
    follow_ups = sample.of_kind("customer") & (tickets.follows >= 0)
    return {
        "tickets": len(tickets),
        **{f"{kind}_tickets": int(sample.of_kind(kind).sum()) for kind in KINDS},
        "follow_ups": int(follow_ups.sum()),
        "customers": len(sample.customers.language),
        "agents": len(sample.agents.name),
        "events": len(desk.steps.at),
        "calls": len(sample.calls.arrived),
        "status": {name: int((desk.status == code).sum()) for code, name in enumerate(STATUSES)},
    }


# --- KPIs of the complete data ---


def _kpis(sample: Sample) -> Block:
    last_month = sample.tickets.opened >= MINUTES_A_DAY * day_number(sample.plan["window"]["last_on"].replace(day=1))
    windows = {"year": np.ones(len(last_month), dtype=bool), "last_month": last_month}
    found: Block = {}
    for kpi, of in _OF.items():
        found[kpi] = {window: _groups(sample, kpi, of, rows) for window, rows in windows.items()}
    return {**found, "volume": {window: _volume(sample, rows) for window, rows in windows.items()}}


def _groups(sample: Sample, kpi: str, of: Measured, window: Bools) -> Block:
    """The KPI for all channels together and for each."""
    rows = window & sample.of_kind("customer")
    if kpi == "first_reply_time":  # nobody is promised an answer in self-service
        rows &= sample.tickets.channel != CHANNELS.index("self_service")
    found = {"all": of(sample, kpi, rows)}
    for code, name in enumerate(CHANNELS):
        here = rows & (sample.tickets.channel == code)
        if here.any():
            found[name] = of(sample, kpi, here)
    return dict(found)


def _duration(sample: Sample, kpi: str, rows: Bools) -> Block:
    stop = {"first_reply_time": sample.lives.replied, "resolution_time": sample.lives.first_solved}[kpi][rows]
    seconds, finished = 60 * (stop - sample.tickets.opened[rows]), stop < sample.end
    found: Block = {"n": int(rows.sum()), "open": int((~finished).sum()), **_quantiles(seconds, TARGETS[kpi])}
    if finished.any():
        naive = _quantiles(seconds[finished], TARGETS[kpi])
        found |= {f"closed_only_{name}": value for name, value in naive.items()}
    return found


def _quantiles(seconds: Ints, target: float) -> Block:
    median, p90 = np.quantile(seconds, [0.5, 0.9], method="inverted_cdf")
    return {"median": int(median), "p90": int(p90), "within": float((seconds <= target).mean())}


def _outcome(sample: Sample, kpi: str, rows: Bools) -> Block:
    lives = sample.lives
    until = np.where(lives.reopened < NEVER, lives.reopened - lives.first_solved, NEVER)
    yes = {
        "fcr": until > MINUTES_A_DAY * FCR_DAYS,
        "return_rate": until <= MINUTES_A_DAY * RETURN_DAYS,
        "escalation": lives.escalations > 0,
    }[kpi][rows]
    return {"n": int(rows.sum()), "share": float(yes.mean())}


def _score(sample: Sample, kpi: str, rows: Bools) -> Block:
    low, high, top = {"csat": (1, 5, 4), "ces": (1, 7, 5)}[kpi]
    values = getattr(sample.scores, kpi)[rows]
    counts = np.bincount(values, minlength=high + 1)[low:]
    return {
        "n": int(rows.sum()),
        "top_share": float((values >= top).mean()),
        "mean": float(values.mean()),
        "distribution": [float(c) for c in counts / counts.sum()],
        **_among_answers(sample, kpi, rows, lambda told: float((told >= top).mean())),
    }


def _net(sample: Sample, kpi: str, rows: Bools) -> Block:
    def net(values: Ints) -> float:
        return float((values >= 9).mean() - (values <= 6).mean())

    values = sample.scores.nps[rows]
    return {"n": int(rows.sum()), "net": net(values), **_among_answers(sample, kpi, rows, net)}


def _among_answers(sample: Sample, kpi: str, rows: Bools, figure: Figure) -> Block:
    """The same figure among those who answered: what the survey says."""
    found = sample.surveys
    told = rows[found.ticket] & (found.answered < sample.end) & (getattr(found, kpi) >= 0)
    values = getattr(found, kpi)[told]
    return {"answers": len(values), **({"among_answers": figure(values)} if len(values) else {})}


def _volume(sample: Sample, window: Bools) -> Block:
    rows = window & sample.of_kind("customer")
    by_channel = np.bincount(sample.tickets.channel[rows], minlength=len(CHANNELS))
    return {"all": int(rows.sum()), **{name: int(by_channel[code]) for code, name in enumerate(CHANNELS)}}


# --- what was planted ---


def _change(sample: Sample, name: str) -> Block:
    """The effect of a change on the very tickets that it touched: as it was, and had it not been."""
    plan, rows = sample.plan["changes"][name], sample.under(name)
    found: Block = {"on": plan["on"], "channel": plan["channel"], "tickets": int(rows.sum())}
    found["unchanged"] = plan["unchanged"]
    planted = {part: of for part, of in _EFFECTS.items() if part in plan}
    return {**found, **{kpi: of(sample, plan[part], rows) for part, (kpi, of) in planted.items() if rows.any()}}


def _sooner(sample: Sample, factor: float, rows: Bools) -> Block:
    opened, target = sample.tickets.opened[rows], TARGETS["first_reply_time"]
    return {
        "working_time_factor": factor,
        "with": _quantiles(60 * (sample.lives.replied[rows] - opened), target),
        "without": _quantiles(60 * (sample.lives.replied_without[rows] - opened), target),
    }


def _shifted(item: str, top: int) -> Effect:
    def of(sample: Sample, logit: float, rows: Bools) -> Block:
        told = {"with": getattr(sample.scores, item), "without": getattr(sample.scores, f"{item}_without")}
        return {"logit": logit, **{f"top_share_{name}": float((v[rows] >= top).mean()) for name, v in told.items()}}

    return of


def _returning(sample: Sample, logit: float, rows: Bools) -> Block:
    """Probabilities of a reopening, as each ticket had it."""
    lives = sample.lives
    told = {"with": lives.back_logit, "without": lives.back_logit_without}
    return {"logit": logit, **{f"share_{name}": float(logistic(v[rows]).mean()) for name, v in told.items()}}


def _lighter(sample: Sample, factor: float, rows: Bools) -> Block:
    mean = float(sample.work[rows[sample.steps.ticket]].sum() / rows.sum())
    return {"factor": factor, "mean_with": mean, "mean_without": mean / factor}


_EFFECTS: dict[str, tuple[str, Effect]] = {
    "first_reply_factor": ("first_reply_time", _sooner),
    "csat_logit": ("csat", _shifted("csat", 4)),
    "ces_logit": ("ces", _shifted("ces", 5)),
    "reopening_logit": ("return_rate", _returning),
    "touch_factor": ("handle_time", _lighter),
}


def _clusters(sample: Sample) -> Block:
    """Planted intraclass correlations: of log times given channel, priority and topic; of the latent score."""
    return {
        part: {"icc_agent": sample.plan[part]["icc_agent"], "icc_customer": sample.plan[part]["icc_customer"]}
        for part in ("first_reply", "handling", "satisfaction")
    }


def _surveys(sample: Sample) -> Block:
    found, part = sample.surveys, sample.plan["survey"]
    sent, answered = found.sent < sample.end, found.answered < sample.end
    return {
        "invitations": int(sent.sum()),
        "answers": int(answered.sum()),
        "finished": int((answered & found.finished).sum()),
        "comments": int((answered & found.commented).sum()),
        "answered_by_csat": part["answered"],
    }


def _calls(sample: Sample) -> Block:
    calls = sample.calls
    known, gone = (calls.outcome == OUTCOMES.index(name) for name in ("answered", "abandoned"))
    return {
        **{name: int((calls.outcome == code).sum()) for code, name in enumerate(OUTCOMES)},
        "mean_wait_of_answered": float(calls.wait[known].mean()) if known.any() else 0.0,
        "answered_in_time": int((known & (calls.wait <= ANSWER_SECONDS)).sum()),
        "abandoned_in_time": int((gone & (calls.wait <= ANSWER_SECONDS)).sum()),
        "abandoned_shortly": int((gone & (calls.wait < SHORT_SECONDS)).sum()),
        "patience_mean": sample.plan["calls"]["patience_mean"],
        "abandoned_share_at_peak": abandoned_share(sample.plan, True),
        "abandoned_share_off_peak": abandoned_share(sample.plan, False),
    }


def _themes(sample: Sample, comments: Comments) -> Block:
    """Shares of the survey comments of each language that speak of a theme; a comment may speak of two."""
    found: Block = {}
    language = sample.tickets.language[sample.surveys.ticket].tolist()
    for code, lang in enumerate(LANGUAGES):
        rows = [themes for of, themes in zip(language, comments.themes, strict=True) if of == code and themes]
        spoken = Counter(theme for themes in rows for theme in set(themes))
        main = Counter(themes[0] for themes in rows)
        found[lang] = {
            "comments": len(rows),
            "share": {theme: spoken[theme] / len(rows) for theme in sorted(spoken)},
            "main_share": {theme: main[theme] / len(rows) for theme in sorted(main)},
        }
    return found


_OF: dict[str, Measured] = {
    "first_reply_time": _duration,
    "resolution_time": _duration,
    "fcr": _outcome,
    "return_rate": _outcome,
    "escalation": _outcome,
    "csat": _score,
    "ces": _score,
    "nps": _net,
}
