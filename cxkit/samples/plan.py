"""The plan of the sample service, and the few ways in which it is drawn from."""

from __future__ import annotations

import functools
import math
import tomllib
import zlib
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Table = dict[str, Any]

LANGUAGES = ("ar", "fa", "en")
CHANNELS = ("email", "web", "phone", "chat", "social", "in_person", "self_service")
MINUTES_A_DAY = 1440


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of equal length."""

    def rows(self, keep: Ints | Bools) -> Self:
        """The chosen rows."""
        return type(self)(*(getattr(self, f.name)[keep] for f in fields(self)))


@functools.cache
def _toml(name: str) -> Table:
    return tomllib.loads((resources.files("cxkit.samples") / name).read_text("utf-8"))


def plan() -> Table:
    """The planted numbers of `plan.toml`."""
    return _toml("plan.toml")


def phrases() -> Table:
    """Invented names and the set phrases of the desk (`phrases.toml`)."""
    return _toml("phrases.toml")


def stream(seed: int, part: str) -> np.random.Generator:
    """The random numbers of one part of the service, independent of every other part."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, zlib.crc32(part.encode())))))


def pick(rng: np.random.Generator, weights: Floats, size: int) -> Ints:
    """`size` positions drawn with probability proportional to `weights`."""
    edges = np.cumsum(weights, dtype=np.float64)
    drawn = np.searchsorted(edges, rng.random(size) * edges[-1], side="right")
    return np.asarray(np.minimum(drawn, len(edges) - 1), dtype=np.int64)


def pick_by(rng: np.random.Generator, weights: Floats, row: Ints) -> Ints:
    """One column per entry of `row`, drawn with probability proportional to that row of `weights`."""
    edges = np.cumsum(weights, axis=1)
    level = rng.random(len(row)) * edges[row, -1]
    chosen = np.zeros(len(row), dtype=np.int64)
    for r in range(len(weights)):
        here = row == r
        chosen[here] = np.searchsorted(edges[r], level[here], side="right")
    return np.asarray(np.minimum(chosen, weights.shape[1] - 1), dtype=np.int64)


def shares(table: Table, keys: tuple[str, ...]) -> Floats:
    """The numbers of `table` in the order of `keys`, scaled to one."""
    values = column(table, keys)
    return np.asarray(values / values.sum(), dtype=np.float64)


def column(table: Table, keys: tuple[str, ...], field: str | None = None) -> Floats:
    """The numbers of `table` (or of `field` in each of its rows) in the order of `keys`."""
    return np.array([float(table[key] if field is None else table[key][field]) for key in keys])


def log_normal(rng: np.random.Generator, shape: Table, size: int) -> Floats:
    """Times with the median and the log standard deviation of `shape`, in the unit of the median."""
    return np.asarray(shape["median"] * np.exp(shape["sigma"] * rng.standard_normal(size)), dtype=np.float64)


def slow_tail(rng: np.random.Generator, part: Table, size: int) -> Floats:
    """Log times around zero: a normal, and a few tickets that get stuck."""
    stuck = rng.random(size) < part["stuck_share"]
    noise = part["sigma"] * rng.standard_normal(size) + np.where(stuck, math.log(part["stuck_factor"]), 0.0)
    return np.asarray(noise, dtype=np.float64)


def slow_tail_variance(part: Table) -> float:
    """Variance of `slow_tail`: sigma^2 + p (1 - p) (log factor)^2."""
    p, shift = part["stuck_share"], math.log(part["stuck_factor"])
    return float(part["sigma"] ** 2 + p * (1 - p) * shift**2)


def cluster_sd(part: Table, noise_variance: float, cluster: str) -> float:
    """Standard deviation of the effect of an `agent` or `customer` that gives the planned ICC beside that noise."""
    total = noise_variance / (1 - part["icc_agent"] - part["icc_customer"])
    return math.sqrt(part[f"icc_{cluster}"] * total)


def standard_effects(rng: np.random.Generator, size: int) -> Floats:
    """Normal effects with mean 0 and standard deviation 1 in this very sample, so that a planted ICC is there."""
    draws = rng.standard_normal(size)
    return np.asarray((draws - draws.mean()) / draws.std(), dtype=np.float64)


def logistic(x: Floats) -> Floats:
    """Probability of a logit."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)
