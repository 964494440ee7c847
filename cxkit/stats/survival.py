"""How long does it take, when some are still waiting: Kaplan-Meier from rows or from counted rows.

Open tickets are censored, never dropped: they are known to take at least as long as they have waited. At one and the
same time, finished ones count before those still open. A quantile that so many still wait for that it cannot be known
is infinite: "not reached".
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from cxkit.errors import ParameterError
from cxkit.stats.intervals import Interval, wilson, z_of

Floats = NDArray[np.float64]
_DUST = 1e-10  # a survival share this close to a quantile is the quantile, up to rounding of the product


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """The share still waiting after each time at which somebody finished or was last seen (Kaplan and Meier 1958)."""

    times: Floats
    survival: Floats
    at_risk: Floats
    events: Floats
    variance: Floats  # Greenwood's sum of d / (r (r - d)) up to each time; infinite once nobody is left
    n: float
    followed: float  # longest time anybody was watched
    place: NDArray[np.intp]  # of each row, the step at which it finished or was last seen
    done: NDArray[np.bool_]  # of each row, whether it finished
    _bands: dict[float, tuple[Floats, Floats]] = field(default_factory=dict, repr=False)

    @property
    def censored(self) -> float:
        """Number still waiting when we last looked."""
        return self.n - float(self.events.sum())

    @property
    def median(self) -> float:
        """Time by which half have finished; infinite if not reached."""
        return self.quantile(0.5)

    def quantile(self, q: float) -> float:
        """Smallest time by which a share `q` has finished; infinite if not reached, NaN without rows."""
        return self._first_at_most(self.survival, q)

    def quantile_interval(self, q: float, level: float = 0.95) -> Interval:
        """Quantile with the times where the log-log band of the curve crosses it (Brookmeyer and Crowley 1982).

        An infinite upper bound is one the data cannot give; the lower one is at most the longest time watched.
        """
        low_band, high_band = self.band(level)
        low = min(self._first_at_most(low_band, q), self._watched_by_enough(q, level))
        return Interval(self.quantile(q), low, self._first_at_most(high_band, q))

    def within(self, t: float, level: float = 0.95) -> Interval:
        """Share (0-1) finished by `t`, with its log-log interval; all NaN when nobody was watched that long."""
        waiting = self._at(self.survival, t, 1.0)
        if self.n == 0 or (t > self.followed and waiting > 0):
            return Interval(float("nan"), float("nan"), float("nan"))
        low_band, high_band = self.band(level)
        low, high = self._at(low_band, t, 1.0), self._at(high_band, t, 1.0)
        if waiting >= 1:  # nobody finished yet: log-log gives no width, Wilson's interval on those still watched does
            low = 1 - float(wilson(0, self._watched(t), level).high)
        return Interval(1 - waiting, 1 - high, 1 - low)

    def capped_mean(self, horizon: float, level: float = 0.95) -> Interval:
        """Mean time when each is counted up to `horizon` at most (restricted mean, Klein and Moeschberger 4.5).

        All NaN when some still wait and nobody was watched up to the horizon.
        """
        reached = self.times < horizon
        steps = np.concatenate([[0.0], self.times[reached], [horizon]])
        heights = np.concatenate([[1.0], self.survival[reached]])
        if self.n == 0 or (horizon > self.followed and heights[-1] > 0):
            return Interval(float("nan"), float("nan"), float("nan"))
        areas = np.diff(steps) * heights
        rest = areas[::-1].cumsum()[::-1][1:]  # area still to come after each event
        left = self.at_risk[reached] - self.events[reached]
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(left > 0, rest**2 * self.events[reached] / (self.at_risk[reached] * left), 0.0)
        mean, margin = float(areas.sum()), z_of(level) * float(np.sqrt(terms.sum()))
        return Interval(mean, max(mean - margin, 0.0), min(mean + margin, horizon))

    def influence(self, t: float) -> Floats:
        """How far each row moves the share finished by `t`: they sum to 0, their squares to Greenwood's variance.

        In the order of the rows that the curve was made of; a row that stands for several counts as often.
        """
        step = int(np.searchsorted(self.times, t, side="right")) - 1
        waiting = self._at(self.survival, t, 1.0)
        return self._moves(np.where(np.arange(len(self.times)) <= step, waiting, 0.0))

    def capped_influence(self, horizon: float) -> Floats:
        """How far each row moves the capped mean, as `influence` does for the share; their squares sum to its variance.

        The martingale form of Andersen, Hansen and Klein (2004), with the weight that makes ties as in `capped_mean`.
        """
        reached = self.times < horizon
        steps = np.concatenate([[0.0], self.times[reached], [horizon]])
        areas = np.diff(steps) * np.concatenate([[1.0], self.survival[reached]])
        rest: Floats = np.zeros(len(self.times))
        rest[reached] = areas[::-1].cumsum()[::-1][1:]
        return -self._moves(rest)

    def _moves(self, weight: Floats) -> Floats:
        """Of each row: what its own end adds, less what was to be expected of it up to then, in units of `weight`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            tied = np.where(self.at_risk > self.events, 1 / (1 - self.events / self.at_risk), 1.0)
        jump = weight * tied / self.at_risk
        drift = np.cumsum(jump * self.events / self.at_risk)
        moves: Floats = np.where(self.done, jump[self.place], 0.0) - drift[self.place]
        return moves

    def band(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Log-log bounds of the share still waiting, at each time.

        Where nobody is left, log-log gives no width; the bound before the last step times Wilson's for those who made
        that step stands in, so that one who finishes last cannot vouch for all who left unfinished.
        """
        if level not in self._bands:
            self._bands[level] = self._loglog(level)
        return self._bands[level]

    def _loglog(self, level: float) -> tuple[Floats, Floats]:
        with np.errstate(divide="ignore", invalid="ignore"):
            width = z_of(level) * np.sqrt(self.variance) / np.log(self.survival)
            low, high = self.survival ** np.exp(-width), self.survival ** np.exp(width)
        nobody = self.survival <= 0
        if nobody.any():
            before = float(high[-2]) if high.size > 1 else 1.0
            high_end = before * float(wilson(0, self.at_risk[-1], level).high)
            low, high = np.where(nobody, 0.0, low), np.where(nobody, high_end, high)
        return low, high

    def _watched_by_enough(self, q: float, level: float) -> float:
        """How long, before anybody finished, enough were watched to say that fewer than a share `q` may have.

        There log-log gives no width; Wilson's interval on those watched does, as in `within`.
        """
        if self.n == 0:
            return float("nan")
        untouched = int(np.count_nonzero(self.events.cumsum() == 0))
        unseen = np.asarray(wilson(0 * self.at_risk[: untouched + 1], self.at_risk[: untouched + 1], level).high)
        few = np.flatnonzero(unseen >= q)
        if few.size:
            return float(self.times[few[0] - 1]) if few[0] else 0.0
        return self.followed

    def _watched(self, t: float) -> float:
        """Number who were still waiting and watched at `t`."""
        return float(self.at_risk[np.searchsorted(self.times, t)])

    def _first_at_most(self, curve: Floats, q: float) -> float:
        if not 0 < q < 1:
            raise ParameterError("stats_quantile", q=str(q))
        if self.n == 0:
            return float("nan")
        reached = np.flatnonzero(curve <= 1 - q + _DUST)
        return float(self.times[reached[0]]) if reached.size else float("inf")

    def _at(self, curve: Floats, t: float, before: float) -> float:
        """Value of a step curve at `t`; `before` the first step."""
        step = int(np.searchsorted(self.times, t, side="right")) - 1
        return before if step < 0 else float(curve[step])


class LogRank(NamedTuple):
    """The test that two curves are one: chi-squared with 1 degree of freedom, p, and done and expected in the second.

    `done` above `expected`: the second group finished faster.
    """

    chi2: float
    p: float
    done: float
    expected: float


def log_rank(durations: ArrayLike, observed: ArrayLike, second: ArrayLike, n: ArrayLike | None = None) -> LogRank:
    """The log-rank test (Mantel 1966; Peto and Peto 1972) between rows of the `second` group and all others.

    It tells whether, not how far, two curves differ, and is blind to curves that cross. Counts are multiplied as
    floats: as 64-bit whole numbers they run over from some 300,000 rows on. Rows may be counted. NaN where one group
    holds all who were at risk.
    """
    late = np.asarray(second, dtype=bool)
    both = kaplan_meier(durations, observed, n)
    weight = np.ones(len(late)) if n is None else np.asarray(n, dtype=np.float64)
    size = len(both.times)
    leaving = np.bincount(both.place, weights=weight * late, minlength=size)
    done = np.bincount(both.place, weights=weight * (late & both.done), minlength=size)
    at_risk = leaving[::-1].cumsum()[::-1]
    share = at_risk / both.at_risk
    expected = float((both.events * share).sum())
    left = (both.at_risk - both.events) / np.maximum(both.at_risk - 1, 1)
    variance = float((both.events * share * (1 - share) * left).sum())
    chi2 = (float(done.sum()) - expected) ** 2 / variance if variance > 0 else float("nan")
    return LogRank(chi2, float(special.chdtrc(1, chi2)), float(done.sum()), expected)


def kaplan_meier(durations: ArrayLike, observed: ArrayLike, weights: ArrayLike | None = None) -> KaplanMeier:
    """The curve of rows that each stand for `weights` tickets (one, if not given).

    Rows may come in any order, and counted or one by one: the curve is the same. Durations share a unit; a missing or
    negative duration raises ParameterError, because only the caller can know what it means.

    >>> curve = kaplan_meier([6, 6, 6, 6, 7], [True, True, True, False, True])
    >>> curve.median, round(curve.within(6).estimate, 3)
    (6.0, 0.6)
    """
    time, done = np.asarray(durations, dtype=np.float64), np.asarray(observed, dtype=bool)
    weight = np.ones_like(time) if weights is None else np.asarray(weights, dtype=np.float64)
    wrong = ~np.isfinite(time) | (time < 0)
    if wrong.any():
        raise ParameterError("stats_durations", n=int(wrong.sum()))
    order = np.argsort(time)
    time, weight = time[order], weight[order]
    starts = np.r_[True, time[1:] != time[:-1]] if time.size else done
    first, place = np.flatnonzero(starts), np.empty_like(order)
    place[order] = np.cumsum(starts) - 1
    totals = np.add.reduceat(weight, first) if time.size else weight
    events = np.add.reduceat(weight * done[order], first) if time.size else weight
    n = float(totals.sum())
    at_risk = n - np.concatenate([[0.0], np.cumsum(totals)[:-1]]) if totals.size else totals
    with np.errstate(divide="ignore"):
        variance = np.cumsum(events / (at_risk * (at_risk - events)))
    survival: Floats = np.cumprod(1 - events / at_risk).astype(np.float64, copy=False)
    followed = float(time[-1]) if time.size else float("nan")
    return KaplanMeier(time[first], survival, at_risk, events, variance, n, followed, place, done)
