"""What is known of one series beside its change: why this method, what was looked at, what makes it doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxkit.changes.lines import Ground
from cxkit.changes.looks import look_check
from cxkit.changes.naive import naive
from cxkit.changes.parts import CLAIMS, Check, Code, Look, Method, Naive, Reason
from cxkit.changes.sides import Sides
from cxkit.changes.steps import LEAST_CASES, Steps
from cxkit.changes.words import P
from cxkit.lang import Amount, Named, Sentence, Several, Word, has
from cxkit.measures import Count
from cxkit.stats import PlaceboDates, SeriesChange, contrast, mean

Floats = NDArray[np.float64]

ENOUGH = {"day": 56, "week": 12, "row": 12}  # known steps a side below which a series is short
PLACEBOS = 10  # dates without a change below which they say little
MANY_GAPS = 0.2
_AS_FAR = 0.1  # share of dates without a change that look as much like one as the true date
_ALIKE = 0.1  # likeness of neighbours that is worth the name
_FALSE = 0.2  # share of dates without a change that look like one at alpha


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a series is from, and the series of those that did not get the change."""

    sides: Sides | None = None
    control: Steps | None = None
    place: Ground | None = None
    where: str = ""


@dataclass(frozen=True, eq=False)
class SeriesFacts:
    """A series with its change, and what both were made of."""

    steps: Steps
    change: SeriesChange
    placebo: PlaceboDates | None
    alpha: float
    columns: tuple[str, ...]  # that the model has beside trend and change
    hidden: tuple[str, ...]  # that cannot be told from the change
    value: Floats  # what was followed: the difference from the control, where there is one
    log: bool
    origin: Origin
    look: Look | None

    @property
    def named(self) -> tuple[str, ...]:
        """The columns by what they stand for: weekday, month, ramadan, closed, an analyst's own."""
        return _stems(self.columns)


def _stems(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(name.rpartition("_")[0] if name[-1:].isdigit() and "_" in name else name for name in columns)
    )


def _spoken(names: tuple[str, ...]) -> Several:
    return Several(tuple(_word(name) for name in names))


def _word(name: str) -> Word:
    key = f"changes.beside.{name}"
    return Named(key) if has(key) else Amount(name, "text")  # type: ignore[arg-type]


def method_of(facts: SeriesFacts) -> Method:
    """The regression of a series with memory, why it, and what it is taken instead of."""
    because = [Reason("its_apart" if facts.origin.control is not None else "its")]
    because.append(Reason(f"steps_{facts.steps.unit}", {"n": int(facts.steps.known.sum())}))
    rho = float(facts.change.fit.rho)
    because.append(Reason("memory" if rho >= _ALIKE else "memory_none", {"rho": rho}))
    if facts.log:
        because.append(Reason("factors"))
    elif facts.steps.estimand.change == "relative":
        because.append(Reason("zeros"))
    if facts.named:
        because.append(Reason("beside", {"names": _spoken(facts.named)}))
    rejected = (
        ("t_test_steps", Reason("steps_not_witnesses")),
        ("its_ols", Reason("memory_ignored")),
        ("its_hac", Reason("hac_errs")),
    )
    return Method("ar1_reml", tuple(because), rejected, ("turner_2021", "harville_jeske_1992", "linden_2026"))


def naive_of(facts: SeriesFacts) -> Naive | None:
    """The z of two Poisson totals, or Student's t of the steps before and after."""
    found, steps = facts.origin.sides, facts.steps
    if found is not None and isinstance(found.measure, Count) and facts.origin.control is None:
        return naive(found, steps.estimand)
    before, after = facts.value[: steps.at], facts.value[steps.at :]
    told = contrast(mean(before), mean(after))
    return Naive("t_test_steps", told.p, told.value, float(np.isfinite(facts.value).sum()))


def doubts_of(facts: SeriesFacts, code: Code) -> tuple[Reason, ...]:
    """What speaks against a firm verdict: the cautions of the fit, and days on which nothing happened."""
    change, least = facts.change, ENOUGH[facts.steps.unit]
    told: dict[str, dict[str, object]] = {
        "short": {"before": change.before, "after": change.after, "least": least, "unit": facts.steps.unit},
        "sticky": {"rho": float(change.fit.rho)},
        "leftover": {"p": P(change.leftover_p)},
    }
    found = [Reason(name, told[name]) for name in change.cautions]
    if code in CLAIMS and _usual(facts):
        found.append(Reason("placebo", _placebo_told(facts)))
    return tuple(found)


def _usual(facts: SeriesFacts) -> bool:
    """Whether dates without a change look like it as well."""
    placebo = facts.placebo
    if placebo is None or len(placebo.at) < PLACEBOS:
        return False
    return placebo.beyond > _AS_FAR or placebo.alarms > _FALSE


def _placebo_told(facts: SeriesFacts) -> dict[str, object]:
    placebo = facts.placebo
    if placebo is None or not len(placebo.at):
        return {"n": 0}
    farther = round(placebo.beyond * (1 + len(placebo.at))) - 1
    return {"n": len(placebo.at), "farther": farther, "alarms": round(placebo.alarms * len(placebo.at))}


def checks_of(facts: SeriesFacts) -> tuple[Check, ...]:
    """All that was looked at, in the order of the card."""
    return tuple(check for part in (_source(facts), _fit(facts), _dates(facts)) for check in part)


def _source(facts: SeriesFacts) -> Iterator[Check]:
    """What else may have made the difference, and what is not in the series."""
    control = facts.origin.control
    yield Check("one_series", "warn") if control is None else Check("control_series", "ok")
    if facts.hidden:
        yield Check("hidden", "warn", {"names": _spoken(_stems(facts.hidden))})
    gaps = int((~np.isfinite(facts.value)).sum())
    share = gaps / max(len(facts.value), 1)
    yield Check("gaps", "warn" if share > MANY_GAPS else "ok", {"n": gaps, "share": Amount(share, "share")})
    if control is not None:
        missing = int((~control.known).sum())
        yield Check("control_gaps", "warn" if missing > MANY_GAPS * len(control.value) else "ok", {"n": missing})
    yield from _others(facts)
    yield from look_check(facts.look)


def _others(facts: SeriesFacts) -> Iterator[Check]:
    """Other changes of the study's own table within the stretch that is looked at."""
    place, steps = facts.origin.place, facts.steps
    study = None if place is None else place.study
    if study is None or not study.has("changes", "happened_at"):
        return
    when = study.local(study.frame("changes", ["happened_at"])["happened_at"].dropna()).dt.normalize()
    last = steps.table["step"].iloc[-1] + np.timedelta64(steps.days, "D")
    at = steps.label
    n = int(((when >= steps.table["step"].iloc[0]) & (when < last) & (when != at)).sum())
    yield Check("other_changes", "warn" if n else "ok", {"n": n})


def _fit(facts: SeriesFacts) -> Iterator[Check]:
    """How long the series is, how much its steps resemble each other, and what the model leaves over."""
    change, steps = facts.change, facts.steps
    length = {"before": change.before, "after": change.after, "least": ENOUGH[steps.unit], "unit": steps.unit}
    yield Check("length", "warn" if "short" in change.cautions else "ok", length)
    yield Check("memory", "warn" if "sticky" in change.cautions else "ok", {"rho": float(change.fit.rho)})
    lag = int(np.abs(change.lags).argmax()) + 1
    told: dict[str, object] = {"lag": lag, "at_lag": float(change.lags[lag - 1]), "p": P(change.leftover_p)}
    yield Check("leftover", "warn" if "leftover" in change.cautions else "ok", told)


def _dates(facts: SeriesFacts) -> Iterator[Check]:
    """Dates before the change, on which nothing had happened."""
    if facts.placebo is None:
        return
    if len(facts.placebo.at) < PLACEBOS:
        yield Check("placebo_room", "warn", {"n": len(facts.placebo.at)})
    else:
        yield Check("placebo", "warn" if _usual(facts) else "ok", _placebo_told(facts))


def notes_of(facts: SeriesFacts) -> tuple[Sentence, ...]:
    """How steps count, and which are not in the series."""
    steps, notes = facts.steps, [Sentence(f"changes.note.alike_{facts.steps.unit}")]
    if steps.left_out.get("thin"):
        notes.append(Sentence("changes.note.thin_steps", {"n": steps.left_out["thin"], "least": LEAST_CASES}))
    if steps.left_out.get("stragglers"):
        first = Amount(steps.table["step"].iloc[0], "date")
        notes.append(Sentence("changes.note.stragglers", {"n": steps.left_out["stragglers"], "first": first}))
    if steps.settled is not None:
        notes.append(Sentence("changes.note.settled", {"day": Amount(steps.settled, "date")}))  # type: ignore[arg-type]
    return tuple(notes)
