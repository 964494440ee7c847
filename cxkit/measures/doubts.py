"""What the data give reason to doubt about a KPI: warnings, where a refusal would go too far."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cxkit.lang import Amount, Coded, Sentence, Several
from cxkit.measures.expressions import column_names, seconds_between
from cxkit.measures.kinds import EXCLUSIONS, Duration, Measure, Net, Score
from cxkit.measures.needs import missing
from cxkit.measures.sources import as_time, seen, source

if TYPE_CHECKING:
    from cxkit.study import Study

_FEW = 30  # below, nothing is told from a pattern
_NO_ZERO_AMONG = 200  # answers without a single 0 that make a scale from 1 likely: one in fifty is usually 0
_BLANK_SHARE = 0.02
_SURE = 3.0  # standard errors between a correlation and none
_MONTH_ANSWERS, _TOP_SHARE = 50, 0.1  # 0.9 ** 50 is half a percent
_ANSWERS_PER_CUSTOMER = 1.5
_INSTANT_SECONDS, _INSTANT_SHARE = 10, 0.1
_LIVE = ("chat", "phone", "in_person")  # there, an answer within seconds is nothing strange
_TIMER_HOURS, _TIMER_SHARE, _MANY = 20, 0.2, 100
_MARKED = ("spam", "test", "merged", "deleted", "agent_created")


def doubts(study: Study, measure: Measure) -> tuple[Sentence, ...]:
    """What speaks against taking `measure` at its word in these data; empty where nothing does, or nothing is counted.

    A question asked from 1 to 10, 0 exported as blank, a reversed or a changed scale, the same people over and over,
    automatic replies and solutions, tickets that should be left out and are not marked, several currencies, records of
    leaving that began late.
    """
    if missing(measure, study):
        return ()
    return tuple(sentence for look in _LOOKS for sentence in look(study, measure))


def _no_zero(study: Study, measure: Measure) -> Iterator[Sentence]:
    """P11: answers of 0 that became empty cells, or were never on the scale."""
    if not isinstance(measure, Score | Net) or not measure.item or measure.scale[0] != 0:
        return
    answers = study.table(measure.of)
    value, asked = answers[measure.value], answers["item"] == measure.item
    facts = {
        "n": (asked & value.notnull()).sum(),
        "zeros": (asked & (value == 0)).sum(),
        "people": answers["response_id"].nunique(where=value.notnull()),
        "least": answers["scale_min"].min(where=asked) if "scale_min" in answers.columns else ibis.null("float64"),
    }
    found = _one(answers, facts)
    n, blank = int(found["n"] or 0), int(found["people"] or 0) - int(found["n"] or 0)
    if not n or found["zeros"]:
        return
    share = blank / (n + blank)
    if n >= _FEW and share >= _BLANK_SHARE:
        yield Sentence("kpi.doubt.zero_blank", {"n": n, "blank": blank, "share": share})
    if isinstance(measure, Net) and (found["least"] == 1 or (n >= _NO_ZERO_AMONG and share < _BLANK_SHARE)):
        yield Sentence("kpi.doubt.nps_from_one", {"n": n})


def _reversed(study: Study, measure: Measure) -> Iterator[Sentence]:
    """P11, K03: whoever is satisfied by one question is seldom unsatisfied by another one of the same survey."""
    if not isinstance(measure, Score | Net) or not measure.item:
        return
    other = "nps" if measure.item == "csat" else "csat"
    answers = study.table(measure.of)
    each = answers.group_by("response_id").agg(
        a=answers[measure.value].max(where=answers["item"] == measure.item),
        b=answers[measure.value].max(where=answers["item"] == other),
    )
    pairs = each.filter(each["a"].notnull() & each["b"].notnull()).group_by(["a", "b"]).agg(n=lambda t: t.count())
    r, n = _correlation(pairs.to_pandas())
    low_is_good = isinstance(measure, Score) and float(np.mean(measure.top)) < sum(measure.scale) / 2
    together = -r if low_is_good else r
    if n > 3 and math.atanh(max(together, -0.999999)) * math.sqrt(n - 3) < -_SURE and n >= _FEW:
        yield Sentence("kpi.doubt.reversed", {"other": Coded("kpi", other), "r": r, "n": n})


def _correlation(pairs: pd.DataFrame) -> tuple[float, int]:
    """Pearson's correlation of `a` and `b`, each pair counted `n` times; 0 where one of them does not vary."""
    a, b, n = (pairs[c].to_numpy(dtype=np.float64) for c in ("a", "b", "n"))
    total = n.sum()
    if total < 2:
        return 0.0, int(total)
    a, b = a - np.average(a, weights=n), b - np.average(b, weights=n)
    spread = math.sqrt(float((n * a * a).sum() * (n * b * b).sum()))
    return (float((n * a * b).sum() / spread) if spread else 0.0), int(total)


def _scale_moved(study: Study, measure: Measure) -> Iterator[Sentence]:
    """P11: a month in which nobody gave the highest answer, though it is common otherwise."""
    if not isinstance(measure, Score | Net) or not measure.dated_by:
        return
    table = source(study, [measure])
    if measure.item:
        table = table.filter(table["item"] == measure.item)
    table = table.filter(table[measure.value].notnull() & table[measure.dated_by].notnull())
    top = measure.scale[1]
    by_month = table.group_by(month=table[measure.dated_by].truncate("M").cast("timestamp(6)")).agg(
        n=table.count(), tops=(table[measure.value] == top).sum()
    )
    found = by_month.order_by("month").to_pandas()
    others = found[found["tops"] > 0]
    share = others["tops"].sum() / max(others["n"].sum(), 1)
    without = found[(found["n"] >= _MONTH_ANSWERS) & (found["tops"] == 0)]
    if len(without) and share >= _TOP_SHARE:
        first = without.iloc[0]
        facts = {"n": int(first["n"]), "top": top, "share": float(share)}
        yield Sentence("kpi.doubt.scale_moved", {"month": Amount(first["month"], "month"), **facts})


def _repeated(study: Study, measure: Measure) -> Iterator[Sentence]:
    """P12: many answers of few customers."""
    if not isinstance(measure, Score | Net) or not study.has("surveys", "customer_id"):
        return
    table = source(study, [measure], ("customer_id",))
    asked = (table["item"] == measure.item) if measure.item else ibis.literal(True)
    known = table.filter(asked & table[measure.value].notnull() & table["customer_id"].notnull())
    found = _one(known, {"n": known.count(), "customers": known["customer_id"].nunique()})
    n, customers = int(found["n"]), int(found["customers"])
    if n >= _FEW and n >= _ANSWERS_PER_CUSTOMER * customers:
        yield Sentence("kpi.doubt.repeated", {"n": n, "customers": customers})


def _instant(study: Study, measure: Measure) -> Iterator[Sentence]:
    """P03: replies within seconds where nobody sits and waits for the question."""
    if not isinstance(measure, Duration) or measure.stop != "first_replied_at":
        return
    tickets = seen(study, "tickets", [c for c in (*_TIMES, "channel") if c in study.columns("tickets")])
    if "channel" in tickets.columns:
        tickets = tickets.filter(~tickets["channel"].isin(_LIVE).fill_null(False))
    waited = seconds_between(tickets["opened_at"], tickets["first_replied_at"])
    found = _one(tickets, {"n": waited.count(), "quick": waited.between(0, _INSTANT_SECONDS).sum()})
    n, quick = int(found["n"] or 0), int(found["quick"] or 0)
    if n >= _MANY and quick >= _INSTANT_SHARE * n:
        yield Sentence("kpi.doubt.instant", {"share": quick / n, "seconds": _INSTANT_SECONDS})


_TIMES = ("opened_at", "first_replied_at")


def _automatic(study: Study, measure: Measure) -> Iterator[Sentence]:
    """P07: a timer that closes tickets makes their times alike."""
    if not isinstance(measure, Duration) or measure.stop not in ("first_solved_at", "solved_at"):
        return
    tickets = seen(study, "tickets", (measure.start, measure.stop))
    hours = (seconds_between(tickets[measure.start], tickets[measure.stop]) / 3600 + 0.5).floor()
    found = tickets.filter(hours.notnull()).group_by(hours=hours).agg(n=lambda t: t.count()).to_pandas()
    n, long = int(found["n"].sum()), found[found["hours"] >= _TIMER_HOURS]
    if n < _MANY or long.empty:
        return
    peak = long.sort_values(["n", "hours"]).iloc[-1]
    if peak["n"] >= _TIMER_SHARE * n:
        yield Sentence("kpi.doubt.automatic", {"share": float(peak["n"] / n), "hours": int(peak["hours"])})


def _unmarked(study: Study, measure: Measure) -> Iterator[Sentence]:
    """P05, P06, P08: what should be left out, but the export does not tell it from the rest."""
    known = set(study.columns(measure.of))
    rules = [rule for rule in measure.rules if rule in _MARKED and not column_names(EXCLUSIONS[rule]) <= known]
    if rules:
        yield Sentence("kpi.doubt.unmarked", {"rules": Several(tuple(Coded("rule", rule) for rule in rules))})


def _currencies(study: Study, measure: Measure) -> Iterator[Sentence]:
    """Amounts of several currencies, added up."""
    if "amount" not in measure.required or not study.has(measure.of, "currency"):
        return
    n = int(study.table(measure.of)["currency"].nunique().to_pandas())
    if n > 1:
        yield Sentence("kpi.doubt.currencies", {"n": n})


def _survivors(study: Study, measure: Measure) -> Iterator[Sentence]:
    """P18: nobody is known to have left in the first year, though customers were there."""
    if not isinstance(measure, Duration) or (measure.start, measure.stop) != ("since_on", "left_on"):
        return
    customers = seen(study, "customers", ("since_on", "left_on"))
    since, left = as_time(customers["since_on"]), as_time(customers["left_on"])
    found = _one(customers, {"since": since.min(), "left": left.min()})
    if found["left"] is None or found["since"] is None:
        return
    first, gone = pd.Timestamp(found["since"]), pd.Timestamp(found["left"])
    early = int(customers.filter(since < ibis.literal(gone.to_pydatetime())).count().to_pandas())
    if gone - first >= pd.Timedelta(days=365) and early >= _FEW:
        yield Sentence("kpi.doubt.survivors", {"since": first.date(), "left": gone.date()})


def _one(table: ir.Table, facts: dict[str, ir.Value]) -> dict[str, Any]:
    """Several aggregates of a table, from one pass."""
    (row,) = table.aggregate(**facts).to_pyarrow().to_pylist()
    found: dict[str, Any] = row
    return found


_LOOKS: tuple[Callable[[Study, Measure], Iterator[Sentence]], ...] = (
    _no_zero,
    _reversed,
    _scale_moved,
    _repeated,
    _instant,
    _automatic,
    _unmarked,
    _currencies,
    _survivors,
)
