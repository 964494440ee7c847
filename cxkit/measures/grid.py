"""Times cut to a log-linear grid where there are too many of them, so that a tally of a billion rows stays small."""

from __future__ import annotations

import math

import ibis
import ibis.expr.types as ir

_OCTAVES = 40  # 2 ** 40 seconds are 35,000 years


def grid_step(seconds: ir.IntegerValue, precision: float) -> ir.IntegerValue:
    """The step of the grid at each time: 2^(k - bits) between 2^k and 2^(k + 1), a relative error below `precision`.

    Found by comparing whole numbers: a logarithm may differ in its last digit from engine to engine.
    """
    bits = next(b for b in range(64) if 2.0**-b <= precision)
    steps = [(seconds < (1 << octave), 1 << (octave - 1 - bits)) for octave in range(bits + 1, _OCTAVES)]
    widest = 1 << max(_OCTAVES - 1 - bits, 0)
    return ibis.cases(*steps, else_=widest).cast("int64") if steps else ibis.literal(widest, type="int64")


def on_grid(seconds: ir.IntegerValue, step: ir.IntegerValue, target: float | None = None) -> ir.IntegerValue:
    """Whole `seconds` cut down to the grid; no time that misses `target` is cut to one that keeps it.

    The first whole second after the target stands in for those.
    """
    cut = seconds - seconds % step
    if target is None:
        return cut
    return ((seconds > target) & (cut <= target)).ifelse(math.floor(target) + 1, cut).cast("int64")
