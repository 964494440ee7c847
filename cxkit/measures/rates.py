"""Ratios over the rows of another table, such as tickets per order: what is counted underneath, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxkit.contract import load
from cxkit.measures.amounts import Floats
from cxkit.measures.groups import Groups
from cxkit.measures.kinds import Ratio
from cxkit.measures.needs import columns_of, home_of
from cxkit.measures.sources import PERIODS
from cxkit.stats import Interval, count_interval

if TYPE_CHECKING:
    from cxkit.study import Study

_ROWS = "1"  # on top: the rows themselves


def shared_keys(study: Study, measure: Ratio, by: Sequence[str]) -> tuple[str, ...]:
    """Those of `by` that the table underneath knows as well: periods, and columns that mean the same in both.

    A column of the contract means the same where it has the same type and choices; a shop's channels are none of the
    service's, though the column has the same name.
    """
    known, dated = columns_of(study, measure.per), measure.denominator is not None and measure.denominator.dated_by
    return tuple(key for key in by if (dated if key in PERIODS else key in known and _alike(study, measure, key)))


def _alike(study: Study, measure: Ratio, key: str) -> bool:
    tables = load().tables
    mine, theirs = (tables[home_of(study, of, key)].columns.get(key) for of in (measure.of, measure.per))
    return (mine and (mine.type, mine.choices)) == (theirs and (theirs.type, theirs.choices))


def rate(measure: Ratio, groups: Groups, n: Floats, top: Floats, under: pd.DataFrame, level: float) -> Interval:
    """Per group the sum on top over the rows underneath (columns of keys and `value`); NaN where there are none.

    A count on top has its own exact Poisson interval, over a denominator that is taken as given. Amounts of money have
    none: a ledger is complete, and so is the table underneath; nothing was drawn.
    """
    keys = [key for key in under.columns if key != "value"]
    if keys:
        below = groups.keys[keys].merge(under, how="left", on=keys)["value"].to_numpy(dtype=np.float64)
    else:
        below = np.full(len(groups), float(under["value"].sum()))
    below = np.where(below > 0, below, np.nan)
    if measure.top.strip() != _ROWS:
        return Interval(top / below, *np.full((2, len(below)), np.nan))
    counted = count_interval(n, level)
    return Interval(*(np.asarray(end) / below for end in counted))
