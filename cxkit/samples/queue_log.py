"""How customers called: the queue log of an Asterisk telephone system."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cxkit.samples.calls import OUTCOMES
from cxkit.samples.exports import agent_ids, call_ids
from cxkit.samples.plan import LANGUAGES, stream
from cxkit.samples.service import Sample

_BRIDGES = 10_000_000  # counters of the channels that ring the agents
_LEFT = {  # how a visit to the queue ends without an agent; {first} was the caller's place when they came
    "abandoned": "ABANDON|1|{first}|{wait}",
    "self_service": "EXITWITHKEY|1|1|{first}|{wait}",
    "timed_out": "EXITWITHTIMEOUT|1|{first}|{wait}",
}


def write_queue_log(sample: Sample, folder: Path) -> None:
    """queue_log: what the telephone system notes of every call, in seconds since 1970 (UTC), fields between bars."""
    calls, rng = sample.calls, stream(sample.seed, "queue log")
    offset = 3600 * sample.plan["window"]["utc_offset_hours"]
    lines = _morning(sample, 60 * (sample.start + 450) - offset)
    columns = (
        (calls.arrived - offset).tolist(),
        call_ids(sample),
        [f"support-{LANGUAGES[code]}" for code in sample.customers.language[calls.customer].tolist()],
        agent_ids(calls.agent),
        [f"055{customer:07d}" for customer in calls.customer.tolist()],
        calls.wait.tolist(),
        calls.talk.tolist(),
        calls.wrap.tolist(),
        [OUTCOMES[code] for code in calls.outcome.tolist()],
        calls.rang.tolist(),
        calls.transferred.tolist(),
        rng.random((len(calls.arrived), 3)).tolist(),
    )
    for number, call in enumerate(zip(*columns, strict=True), 1):
        lines += _lines(number, *call)
    lines.sort(key=lambda line: line[0])
    until = 60 * sample.end - offset
    text = "".join(f"{at}|{line}\n" for at, line in lines if at < until)
    (folder / "queue_log").write_bytes(text.encode("ascii"))


def _morning(sample: Sample, at: int) -> list[tuple[int, str]]:
    """The system starts, and the agents of that day log in."""
    live = sample.agents.group == sample.agents.groups.index("Live channels")
    here = agent_ids(np.flatnonzero(live & (sample.agents.started <= 0)))
    members = [(at, f"NONE|support-{lang}|{agent}|ADDMEMBER|") for lang in LANGUAGES for agent in here]
    return [(at, "NONE|NONE|NONE|QUEUESTART|"), *members]


def _lines(
    number: int,
    came: int,
    call: str,
    queue: str,
    agent: str,
    caller: str,
    wait: int,
    talk: int,
    wrap: int,
    outcome: str,
    rang: bool,
    moved: bool,
    draw: list[float],
) -> list[tuple[int, str]]:
    """What is noted of one call, each with its second."""
    first, left, head = 1 + int(4 * draw[0]), came + wait, f"{call}|{queue}"
    lines = [(came, f"{head}|NONE|ENTERQUEUE||{caller}|{first}")]
    if outcome != "answered":
        return [*lines, (left, f"{head}|NONE|{_LEFT[outcome].format(first=first, wait=wait)}")]
    ring = int(min(wait, 15) * draw[1])
    if rang:
        lines.append((left - ring - 1, f"{head}|{agent}|RINGNOANSWER|15000"))
    lines.append((left, f"{head}|{agent}|CONNECT|{wait}|{left - ring}.{_BRIDGES + number}|{ring}"))
    ending = "BLINDTRANSFER|2001|internal" if moved else "COMPLETEAGENT" if draw[2] < 0.4 else "COMPLETECALLER"
    over = left + talk
    lines.append((over, f"{head}|{agent}|{ending}|{wait}|{talk}|{first}"))
    if wrap:  # the agent takes a pause to write down what was said
        lines += [(over + s, f"NONE|{queue}|{agent}|{word}|wrapup") for s, word in ((0, "PAUSE"), (wrap, "UNPAUSE"))]
    return lines
