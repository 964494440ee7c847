"""Many draws of one simulation, counted; the counts do not depend on how many processes made them."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from time import process_time
from typing import Any, Literal

import numpy as np
from scipy import stats

SEED = 20_260_101
OURS = "cxkit"
# By case: what ours claimed, and what each other method did, by its name; a flag of one draw, or flags of many.
Claims = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Job:
    """A simulation and how often to draw it: `one` makes a draw, or `many` makes a number of draws at once.

    `aim`: the share of draws in which ours should claim what it claims, .05 for false alarms, .95 for intervals; NaN
    where nothing was promised. `block`: draws that share one generator.
    """

    name: str
    runs: int
    one: Callable[[np.random.Generator], Claims] | None = None
    many: Callable[[np.random.Generator, int], Claims] | None = None
    aim: float = 0.05
    block: int = 250


@dataclass(frozen=True)
class Rate:
    """How many of the runs, where a share `aim` of them was promised."""

    hits: int
    runs: int
    aim: float

    @property
    def share(self) -> float:
        return self.hits / self.runs

    @property
    def place(self) -> Literal["below", "within", "above"]:
        """Where it lies from the band of chance around what was promised."""
        if math.isnan(self.aim):
            return "within"
        low, high = band(self.runs, self.aim)
        return "below" if self.share < low else "above" if self.share > high else "within"


Rates = dict[str, dict[str, Rate]]


@dataclass(frozen=True)
class Counted:
    """The rates of a job and the processor seconds that they took."""

    rates: Rates
    seconds: float


@cache
def band(runs: int, rate: float = 0.05, chance: float = 1e-3) -> tuple[float, float]:
    """The shares that `runs` runs give a method that errs at `rate`, but for one time in a thousand."""
    low, high = stats.binom.ppf([chance / 2, 1 - chance / 2], runs, rate)
    return float(low) / runs, float(high) / runs


def counted(job: Job) -> Rates:
    """The rates of one job, made here and now."""
    return _rates(job, map(partial(_block, job), _blocks(job))).rates


def counted_all(jobs: Sequence[Job], workers: int = 1) -> Iterator[tuple[Job, Counted]]:
    """Each job with its rates, as soon as they are there."""
    with ProcessPoolExecutor(workers) if workers > 1 else nullcontext() as pool:
        each: Callable[..., Iterable[Any]] = pool.map if pool is not None else map
        for job in jobs:
            yield job, _rates(job, each(partial(_block, job), _blocks(job)))


def _blocks(job: Job) -> range:
    return range(-(-job.runs // job.block))


def _block(job: Job, at: int) -> tuple[dict[tuple[str, str], int], float]:
    """The claims of one block, counted, and its seconds; its draws come from a generator of its own."""
    rng = np.random.default_rng([SEED, zlib.crc32(job.name.encode()), at])
    runs, start = min(job.block, job.runs - at * job.block), process_time()
    claims = [job.many(rng, runs)] if job.many else [job.one(rng) for _ in range(runs)] if job.one else []
    found: Counter[tuple[str, str]] = Counter()
    for claim in claims:
        for case, flags in claim.items():
            found.update({(case, method): int(np.sum(flag)) for method, flag in flags.items()})
    return dict(found), process_time() - start


def _rates(job: Job, blocks: Iterable[tuple[dict[tuple[str, str], int], float]]) -> Counted:
    found, seconds = Counter[tuple[str, str]](), 0.0
    for block, took in blocks:
        found.update(block)  # of equal keys in every block, so that their order is kept
        seconds += took
    rates: Rates = {}
    for (case, method), hits in found.items():
        rates.setdefault(case, {})[method] = Rate(hits, job.runs, job.aim)
    return Counted(rates, seconds)
