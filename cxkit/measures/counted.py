"""What was counted of one measure, from which its estimates are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cxkit.measures.amounts import Amounts, Floats, Lines, Moves, amounts_of, summed
from cxkit.measures.groups import Groups, coded
from cxkit.measures.kinds import Duration, Measure
from cxkit.measures.waits import waits
from cxkit.stats import Interval


@dataclass(frozen=True, eq=False)
class Counted:
    """Sums by line; per group how many rows are open and how many unknown; of times, what their curves say."""

    lines: Lines
    open: Floats
    missing: Floats
    amounts: Amounts | None = None
    times: dict[str, Interval] = field(default_factory=dict)
    moves: Mapping[str, Moves] = field(default_factory=dict)  # statistic of a time -> how far the lines move it


def from_tally(measure: Measure, tally: pd.DataFrame, groups: Groups, level: float, clustered: bool = True) -> Counted:
    """From a tally, or rows, in the columns of `tally`, whose index is the place of each line in `groups`."""
    n, value = (tally[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in ("n", "value"))
    observed, known = tally["observed"].to_numpy(dtype=bool), ~np.isnan(value)
    number = groups.number[tally.index.to_numpy()]
    opened, unknown = (summed(number[left], n[left], len(groups)) for left in (~observed, ~known & observed))
    if not known.all():
        tally, number, value, observed, n = tally[known], number[known], value[known], observed[known], n[known]
    cluster, stratum = (coded(tally[c])[0] if clustered and c in tally else None for c in ("cluster", "stratum"))
    lines = Lines(number, n, len(groups), cluster, stratum)
    if isinstance(measure, Duration):
        found = waits(measure, number, value, observed, n, len(groups), level)
        moves = {stat: Moves(move * n, move**2 * n) for stat, move in found.moves.items()}
        return Counted(lines, opened, unknown, times=found.stats, moves=moves)
    below = tally["bottom"].to_numpy(dtype=np.float64) if "bottom" in tally else None
    return Counted(lines, opened, unknown, amounts=amounts_of(measure, lines, value, below))
