"""Did the service change, or only the mix of what came in: the difference of two rates in a mix part and a rate part.

A total can rise because each group did better (rate), or because more came from groups that always did better (mix).
Kitagawa (1955, JASA 50) takes the two apart, per group, with nothing left over::

    found = mix_change(Rows(score_before, channel_before), Rows(score_after, channel_after))
    found.total, found.mix, found.rate  # three Inferences: value, low, high, se, p
    found.groups  # one Part per group, with its shares, rates, mix part and rate part
    found.simpson  # True: every group went one way, and the total the other

`values` are what the mean is taken of: 1 and 0 for a share, -1, 0, 1 for a net score, a score or a number for a mean.
Where only the size and the rate of each group are known, `kitagawa` gives the parts without intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cxkit.errors import ParameterError
from cxkit.stats.contrast import Inference, Labels, contrast
from cxkit.stats.influence import Influenced, mean
from cxkit.stats.inputs import Codes, Floats, away, codes, floats, lines, same_length, summed, together
from cxkit.stats.variance import Vcov


class Parts(NamedTuple):
    """The difference of two rates, in parts per group: together they sum to it.

    `both` is 0 unless it was asked for apart: what mix and rate did together.
    """

    mix: Floats
    rate: Floats
    both: Floats


class Rows(NamedTuple):
    """One side: values and their groups, with counts where a line stands for several rows, and clusters if known."""

    values: ArrayLike
    groups: Labels
    n: ArrayLike | None = None
    clusters: Labels | None = None


@dataclass(frozen=True)
class Part:
    """One group: its share of the rows and its rate on either side, and its parts of the change."""

    group: Any
    share_before: float
    share_after: float
    rate_before: float
    rate_after: float
    mix: float
    rate: float
    rate_change: Inference  # of the group's own rate; NaN where a side has no row of it


@dataclass(frozen=True)
class MixChange:
    """The change of a rate, and how much of it is mix and how much is rate; `simpson` as in `simpson_alarm`."""

    total: Inference
    mix: Inference
    rate: Inference
    groups: tuple[Part, ...]
    simpson: bool


def kitagawa(
    n_before: ArrayLike, rate_before: ArrayLike, n_after: ArrayLike, rate_after: ArrayLike, three_way: bool = False
) -> Parts:
    """Per group: the mix part, the rate part; their sum is the difference of the overall rates, after less before.

    Mix: the change of the group's share times how far its mean rate lies from the overall mean rate. Rate: the change
    of its rate times its mean share. Means are halfway between before and after, so that neither side is the measure
    of the other, and swapping the sides only flips the signs. `three_way` measures mix at the rates before and rate at
    the shares before, and keeps apart what the two did together (`both`): the answer to "what if only one had
    changed", which depends on the side one starts from. A group without rows on one side has its other side's rate:
    coming or going is mix.

    >>> parts = kitagawa([25, 75], [0.9, 0.6], [75, 25], [0.85, 0.55])  # chat, e-mail: both fell, the total rose
    >>> float(parts.mix.sum().round(3)), float(parts.rate.sum().round(3))
    (0.15, -0.05)
    """
    n = [_counts(x) for x in (n_before, n_after)]
    rates = [np.atleast_1d(floats(x)) for x in (rate_before, rate_after)]
    same_length(*n, *rates)
    share_a, share_b = (x / x.sum() for x in n)
    rate_a, rate_b = _filled(n, rates)
    overall_a, overall_b = float((share_a * rate_a).sum()), float((share_b * rate_b).sum())
    d_share, d_rate = share_b - share_a, rate_b - rate_a
    if three_way:
        return Parts(d_share * (rate_a - overall_a), share_a * d_rate, d_share * d_rate)
    middle = (rate_a + rate_b) / 2 - (overall_a + overall_b) / 2
    return Parts(d_share * middle, d_rate * (share_a + share_b) / 2, np.zeros_like(d_share))


def mix_change(before: Rows, after: Rows, *, level: float = 0.95, vcov: Vcov = "CR3") -> MixChange:
    """How the mean changed from `before` to `after`, in mix and rate, with intervals by the delta method.

    Rows whose value is missing are left out; a missing group is a group of its own (`None`). With clusters on both
    sides (agents), intervals allow for them as `contrast` does. Without a row on a side: ParameterError.
    """
    sides, words = _sides(before, after)
    a, b = sides
    parts = kitagawa(a.count, a.rate, b.count, b.rate)
    mixed, rated = _moved(a, b)
    clusters = None if before.clusters is None or after.clusters is None else (before.clusters, after.clusters)

    def judged(total: float, moves: Sequence[Floats]) -> Inference:
        return contrast(
            Influenced(0.0, moves[0], a.n), Influenced(total, moves[1], b.n), clusters=clusters, level=level, vcov=vcov
        )

    def own_change(at: int) -> Inference:
        here = [mean(side.value, side.n * (side.group == at)) for side in sides]
        return contrast(here[0], here[1], clusters=clusters, level=level, vcov=vcov)

    mix, rate = float(parts.mix.sum()), float(parts.rate.sum())
    columns = np.stack([a.share, b.share, a.rate, b.rate, parts.mix, parts.rate], axis=1).tolist()
    changes = map(own_change, range(len(words)))
    return MixChange(
        total=judged(mix + rate, [m + r for m, r in zip(mixed, rated, strict=True)]),
        mix=judged(mix, mixed),
        rate=judged(rate, rated),
        groups=tuple(map(Part, words, *zip(*columns, strict=True), changes)),
        simpson=simpson_alarm(a.count, a.rate, b.count, b.rate),
    )


def simpson_alarm(n_before: ArrayLike, rate_before: ArrayLike, n_after: ArrayLike, rate_after: ArrayLike) -> bool:
    """Whether every group with rows on both sides changed one way (or not at all), and the total the other way.

    Simpson (1951): the total then says the opposite of what happened to everybody.

    >>> simpson_alarm([25, 75], [0.9, 0.6], [75, 25], [0.85, 0.55])
    True
    """
    n = [_counts(x) for x in (n_before, n_after)]
    rates = [np.atleast_1d(floats(x)) for x in (rate_before, rate_after)]
    total = float(sum(part.sum() for part in kitagawa(n[0], rates[0], n[1], rates[1])))
    steps = (rates[1] - rates[0])[(n[0] > 0) & (n[1] > 0)]
    steps = np.where(np.abs(steps) < 1e-12, 0.0, steps)
    if not steps.any() or abs(total) < 1e-12:
        return False
    return bool((steps >= 0).all() and total < 0) or bool((steps <= 0).all() and total > 0)


@dataclass(frozen=True, eq=False)
class _Side:
    """The lines of one side, and size and rate of each group; the rate of a group without rows is NaN."""

    value: Floats
    n: Floats
    group: Codes
    count: Floats
    rate: Floats

    @property
    def share(self) -> Floats:
        return np.asarray(self.count / self.count.sum())


def _sides(before: Rows, after: Rows) -> tuple[tuple[_Side, _Side], list[Any]]:
    """Both sides with one numbering of groups, and the groups' names."""
    counted = [lines(side.values, side.n) for side in (before, after)]
    for side, (value, _) in zip((before, after), counted, strict=True):
        same_length(side.groups, value)
    number, found = codes(together([before.groups, after.groups]))
    lost = bool((number < 0).any())
    number, words = number + lost, [None] * lost + pd.Index(found).tolist()
    sides = []
    for group, (value, n) in zip(np.split(number, [len(counted[0].value)]), counted, strict=True):
        count = summed(group, n, len(words))
        if not count.sum():
            raise ParameterError("stats_no_rows")
        with np.errstate(invalid="ignore"):
            rate = summed(group, n * value, len(words)) / count
        sides.append(_Side(value, n, group, count, rate))
    return (sides[0], sides[1]), words


def _moved(a: _Side, b: _Side) -> tuple[list[Floats], list[Floats]]:
    """How far a row of each side moves the mix part and the rate part; those of `a` with their sign changed.

    They are the derivatives of sum(d_share * mean rate) and sum(d_rate * mean share) by each side's shares and rates. A
    rate borrowed from the other side moves with that side.
    """
    rate_a, rate_b = _filled([a.count, b.count], [a.rate, b.rate])
    middle, d_rate = (rate_a + rate_b) / 2, rate_b - rate_a
    weight, d_share = (a.share + b.share) / 2, b.share - a.share
    known = (a.count > 0) & (b.count > 0)
    mixed, rated = [], []
    for side, rate, sign in ((a, rate_a, -1.0), (b, rate_b, 1.0)):
        off = np.where(side.n > 0, away(side.value, rate[side.group]), 0.0) / np.maximum(side.count, 1e-300)[side.group]
        slide, lean = (
            (away(x, float((side.share * x).sum())) / side.count.sum())[side.group] for x in (middle, d_rate)
        )
        mixed.append(slide + sign * np.where(known, d_share / 2, d_share)[side.group] * off)
        rated.append(sign * lean / 2 + np.where(known, weight, 0.0)[side.group] * off)
    return mixed, rated


def _filled(n: Sequence[Floats], rates: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Rates where there are rows; else those of the other side; 0 where neither has any."""
    here = [np.where(count > 0, rate, 0.0) for count, rate in zip(n, rates, strict=True)]
    return np.where(n[0] > 0, here[0], here[1]), np.where(n[1] > 0, here[1], here[0])


def _counts(x: ArrayLike) -> Floats:
    n = np.atleast_1d(floats(x))
    if not (n >= 0).all() or np.isinf(n).any():
        raise ParameterError("stats_count", count=f"{n.min():g}")
    if not n.sum() > 0:
        raise ParameterError("stats_no_rows")
    return n
