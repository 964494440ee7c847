"""The page of what was counted: tables in Markdown, what lies outside its band, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from calibration import planted, real
from calibration.kinds import KINDS, SITUATIONS, TEAMS
from calibration.runs import OURS, Counted, Rate, Rates, band

Found = Mapping[str, Counted]
GATE = (0.035, 0.065)  # of real tickets dealt at random
TITLES = {
    "independent": "tickets with nothing in common",
    "clusters": "other agents on the other side",
    "crossed": "the same agents on both sides",
    "two kinds": "the same agents and customers",
    "not yet seen": "later side watched for less time",
    "skewed": "rare, long-tailed, small against large",
}
AT_WILL = "By design: it holds at every look that may still come, not only at these twenty."
LINGER = (
    "Numbers of arrivals that linger: chance of its own lies on top of the level, which a series of the first order "
    "does not know. `trend_change` looks at the residuals and tries days on which nothing happened, and says so."
)
SLOPE = (
    "Probably the slope: few agents make the interval of the share wide over which it is read, and where a curve "
    "flattens it is taken for more than it is. On the safe side, and power is lost."
)
EXACT = "Exact intervals of whole numbers keep what they promise at every size, so they do more on average."
SEGMENTS = (
    "How far twelve segments truly differ is itself estimated from twelve numbers, and what is allowed for that holds "
    "to the first order only."
)
# What lies outside its band, and why: part of the job, part of the case, on which side, the sentence.
CAUSES: Sequence[tuple[str, str, str, str]] = (
    ("looks", "at will", "below", AT_WILL),
    ("looks", "all at once", "above", AT_WILL),
    (
        "margins",
        "",
        "below",
        "By design: “the same” needs both ends of the interval within the margin, which is rarer than one.",
    ),
    ("kinds: ", "P90", "below", SLOPE),
    ("teams: ", "P90", "below", SLOPE),
    ("teams: ", "median", "below", SLOPE),
    ("intervals: ", "P90", "above", SLOPE),
    ("volumes, ", "", "above", LINGER),
    ("series", "factor of volumes", "below", LINGER),
    (
        "intervals: two groups",
        "exact)",
        "above",
        EXACT,
    ),
    ("intervals: one group", "Garwood", "above", EXACT),
    ("many groups", "drawn to their mean", "below", SEGMENTS),
    ("two kinds", "", "below", "Two kinds of clusters: the error is never taken lower than that of either alone."),
)
UNKNOWN = "Not explained."


def page(found: Found, folder: Path | None, missing: Sequence[str] = ()) -> str:
    """The whole page; tables of what was not counted are left out, and it says so."""
    minutes = sum(job.seconds for job in found.values()) / 60
    parts = [
        HEAD.format(minutes=f"{minutes:.0f}", low=_percent(band(10_000)[0]), high=_percent(band(10_000)[1])),
        _kinds(found),
        _teams(found),
        _others(found),
        _intervals(found),
        _real(found, folder),
        _planted(found),
        _outside(found),
        f"Not counted for this page: {'; '.join(missing)}." if missing else "",
        FOOT,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


HEAD = """# How often the kit is wrong

<!-- Written by `make calibrate`: edits are lost. -->

A test at 5 % may cry wolf in one case of twenty, and an interval of 95 % may miss in one of twenty. Whether they keep
to that is counted here: on simulated services whose truth is known, on real tickets dealt to two sides at random, and
on the sample study with its planted changes. Beside each rate of the kit stands, in brackets, that of the test which
is usually made of the same tickets.

Rates are percent. With 10,000 draws a test that errs at 5 % gives {low} to {high}, but for one time in a thousand; what
lies outside its own band is marked ▲ (more than promised) or ▽ (less), and listed at the end with its cause. All draws
are seeded: the same version gives the same numbers. They took {minutes} minutes of one processor core."""
FOOT = """## How to make it again

    make calibrate                      # everything, then this page
    python -m calibration --only looks  # some jobs anew
    python -m calibration --page        # the page of what was counted before

The services are in `calibration/service.py`, the situations in `calibration/kinds.py` and `calibration/series.py`.
Tests run the same functions briefly (`tests/test_stats_calibration.py`, `tests/test_calibration.py`)."""


# --- false alarms of every kind ---


def _kinds(found: Found) -> str:
    jobs = {TITLES[name]: found[f"kinds: {name}"] for name in SITUATIONS if f"kinds: {name}" in found}
    if not jobs:
        return ""
    cases = list(KINDS) + [
        case for case in ("P80", "log-rank", "count a day") if any(case in job.rates for job in jobs.values())
    ]
    return "\n\n".join(
        [
            "## False alarms: two sides between which nothing changed",
            f"60 agents a side with some 17 tickets each, {_runs(jobs)} draws a column. The first number is the kit’s; "
            "in brackets the usual test.",
            _table(
                ["KPI", *jobs],
                [[case, *(_beside(job.rates.get(case)) for job in jobs.values())] for case in cases],
            ),
            "The usual tests, and what is usual instead in the situation in brackets:",
            "\n".join(f"- {case}: {_usual(jobs, case)}" for case in cases),
        ]
    )


def _usual(jobs: Mapping[str, Counted], case: str) -> str:
    named: dict[str, list[str]] = {}
    for title, job in jobs.items():
        for method in job.rates.get(case, {}):
            if method != OURS:
                named.setdefault(method, []).append(title)
    usual, *others = named
    return "; ".join([usual, *(f"{method} ({', '.join(named[method])})" for method in others)])


def _teams(found: Found) -> str:
    columns = {
        f"{agents} agents, {TITLES[design].replace(' on the other side', '').replace(' on both sides', '')}": found[
            f"teams: {design}, {agents} agents"
        ]
        for design in ("clusters", "crossed")
        for agents in TEAMS
        if f"teams: {design}, {agents} agents" in found
    }
    if not columns:
        return ""
    cases = next(iter(columns.values())).rates
    rows = [[case, *(_beside(job.rates.get(case)) for job in columns.values())] for case in cases]
    return "\n\n".join(
        ["### Small teams", f"Agents a side; {_runs(columns)} draws a column.", _table(["KPI", *columns], rows)]
    )


# --- everything else that can cry wolf ---


def _others(found: Found) -> str:
    names = [n for n in found if not n.startswith(("kinds:", "teams:", "intervals:", "real:", "planted"))]
    rows = [
        [case, _shown(rates[OURS]), _also(rates), f"{rates[OURS].runs:,}"]
        for name in names
        for case, rates in found[name].rates.items()
    ]
    if not rows:
        return ""
    return "\n\n".join(
        [
            "## False alarms of series, roll-outs, looks and many questions",
            "Likeness: correlation of neighbouring days. Groups filled by lot are judged at .1 %.",
            _table(["nothing changed in", "kit", "others", "draws"], rows),
        ]
    )


def _intervals(found: Found) -> str:
    designs = {TITLES[{"rows": "independent"}.get(d, d)]: f"intervals: {d}" for d in ("rows", "clusters", "crossed")}
    sides = {title: found[name] for title, name in designs.items() if name in found}
    parts = ["## Intervals of 95 %: how often they hold the truth"]
    if sides:
        cases = next(iter(sides.values())).rates
        parts += [
            f"The difference of two sides whose truth differs, {_runs(sides)} draws a column; in brackets the "
            "interval of tickets taken alone.",
            _table(["KPI", *sides], [[c, *(_beside(job.rates.get(c)) for job in sides.values())] for c in cases]),
        ]
    others = [n for n in found if n.startswith("intervals:") and n not in designs.values()]
    rows = [
        [case, _shown(rates[OURS]), _also(rates), f"{rates[OURS].runs:,}"]
        for name in others
        for case, rates in found[name].rates.items()
    ]
    if rows:
        parts += ["All other intervals:", _table(["interval of", "kit", "others", "draws"], rows)]
    return "\n\n".join(parts) if len(parts) > 1 else ""


# --- real tickets, planted changes ---


def _real(found: Found, folder: Path | None) -> str:
    title = "## Real tickets dealt at random"
    jobs = {name: job for name, job in found.items() if name.startswith("real:")}
    if not jobs:
        return f"{title}\n\nThe real tickets were not there when this page was written (`CXKIT_REAL_DATA`)."
    rows = []
    for name, job in jobs.items():
        for case, rates in job.rates.items():
            others = [f"{_percent(rates[method].share)}" for method in (real.BY_T, real.ROWS)]
            rows.append([name.removeprefix("real: "), case, _gated(rates[OURS]), *others])
    told = [
        "Whole resources (agents, customers, days) are dealt to two sides of like number; nothing but the draw parts "
        f"them: {_runs(jobs)} ways of dealing each. Gate: {_percent(GATE[0])} to {_percent(GATE[1])} %. Student’s t by "
        "resources falls silent where one of them has more than a third of its side (`GIANT`); there the resources are "
        "dealt anew (`reassigned`), as `cx.changes.compare` does.",
        _table(["tickets", "KPI", "kit", "Student’s t by resources, always", "tickets taken alone"], rows),
    ]
    if folder is not None:
        told.append("\n".join(_shape(name, folder) for name in real.SOURCES))
    return "\n\n".join([title, *told])


def _shape(source: str, folder: Path) -> str:
    told = real.shape(source, folder)
    return (
        f"- {source}: {told['rows']:,.0f} rows of {told['resources']:,.0f} resources, the largest with "
        f"{_percent(told['largest'])} % of them"
    )


def _planted(found: Found) -> str:
    if "planted changes" not in found:
        return ""
    rates = found["planted changes"].rates
    nothing = {case: r for case, r in rates.items() if case.startswith(planted.NULL)}
    moved = {case: r for case, r in rates.items() if case.startswith(planted.PLANTED)}
    seeds = next(iter(rates.values()))[OURS].runs
    claims, usual = (_all(nothing, method) for method in (OURS, planted.USUAL))
    return "\n\n".join(
        [
            "## Planted changes of the sample study",
            f"{seeds:,} seeds, each a service of its own with some {planted.TICKETS:,} tickets in a year. `compare` is "
            "asked about each of three changes, before against after, the seasons of the calendar left out. Of "
            f"{claims.runs:,} questions where nothing was planted, {claims.hits:,} were answered with a change: "
            f"**{_percent(claims.share)} %** (the usual tests: {_percent(usual.share)} %). Of {seeds * len(moved):,} "
            f"where something was, {_all(moved, planted.OTHER_WAY).hits:,} were answered the other way. Of agents and "
            "customers the one that asks for more caution is taken, so fewer than 5 % are claimed. The handle time "
            "(aht) is that of tickets; satisfaction and effort rest on the few who answer, and are seldom found.",
            _table(
                ["planted", "found and named right", "the usual test claims a change", "the other way", "no verdict"],
                [[*_question(case), *_four(r)] for case, r in moved.items()],
            ),
            _table(
                ["nothing planted", "change claimed", "the usual test claims one", "no verdict"],
                [
                    [*_question(case), *(_percent(r[m].share) for m in (OURS, planted.USUAL, planted.NO_ANSWER))]
                    for case, r in nothing.items()
                ],
            ),
        ]
    )


def _question(case: str) -> list[str]:
    return [case.split(", ", 1)[1].replace("_", " ")]


def _four(rates: Mapping[str, Rate]) -> list[str]:
    return [_percent(rates[m].share) for m in (OURS, planted.USUAL, planted.OTHER_WAY, planted.NO_ANSWER)]


def _all(cases: Rates, method: str) -> Rate:
    rates = [methods[method] for methods in cases.values()]
    return Rate(sum(rate.hits for rate in rates), sum(rate.runs for rate in rates), 0.05)


# --- what lies outside ---


def _outside(found: Found) -> str:
    by_cause: dict[str, list[str]] = {}
    for name, job in found.items():
        for case, rates in job.rates.items():
            ours, place = rates[OURS], _place(name, rates[OURS])
            if place != "within":
                where = name if case == name else f"{name}: {case}"
                told = f"{where}: {_percent(ours.share)} % (promised {_percent(ours.aim)})"
                by_cause.setdefault(cause(name, case, place), []).append(told)
    lines = [f"- {'; '.join(told)}. {said}" for said, told in by_cause.items()]
    title = "## What lies outside its band"
    return f"{title}\n\n" + ("\n".join(lines) if lines else "Nothing.")


def cause(job: str, case: str, place: str) -> str:
    """Why a rate lies outside its band, as far as it is known."""
    found = (said for in_job, in_case, side, said in CAUSES if in_job in job and in_case in case and side == place)
    return next(found, UNKNOWN)


def _place(name: str, rate: Rate) -> str:
    if not name.startswith("real:"):
        return rate.place
    return "below" if rate.share < GATE[0] else "above" if rate.share > GATE[1] else "within"


# --- cells and tables ---


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share >= 0.002 or share == 0 else f"{100 * share:.2f}"


def _mark(place: str) -> str:
    return {"above": " ▲", "below": " ▽"}.get(place, "")


def _shown(rate: Rate) -> str:
    return _percent(rate.share) + _mark(rate.place)


def _gated(rate: Rate) -> str:
    return _percent(rate.share) + _mark(_place("real:", rate))


def _beside(rates: Mapping[str, Rate] | None) -> str:
    """Ours, and the usual in brackets."""
    if rates is None:
        return "–"
    others = ", ".join(_percent(rate.share) for method, rate in rates.items() if method != OURS)
    return _shown(rates[OURS]) + (f" ({others})" if others else "")


def _also(rates: Mapping[str, Rate]) -> str:
    return "; ".join(f"{method} {_percent(rate.share)}" for method, rate in rates.items() if method != OURS) or "–"


def _runs(jobs: Mapping[str, Counted]) -> str:
    rates = (next(iter(next(iter(job.rates.values())).values())) for job in jobs.values())
    return " or ".join(f"{n:,}" for n in sorted({rate.runs for rate in rates}))


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] + ["---:" if _is_number(i, rows) else "---" for i in range(1, len(titles))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_number(column: int, rows: Iterable[Sequence[str]]) -> bool:
    return all(re.match(r"[\d–]", row[column]) for row in rows)
