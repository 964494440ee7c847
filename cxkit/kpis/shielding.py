"""Tables of KPIs by groups without what too few cases say, nor what would tell it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxkit.disclosure import HIDDEN, disclose
from cxkit.kpis.judging import THIN

N_HIDDEN, SOLID = "n_hidden", "solid"
_COUNTS = ["n", "open", "missing", "share_open"]


def shield(table: pd.DataFrame, keys: Sequence[str], least: int) -> pd.DataFrame:
    """`table` of one KPI by `keys`, small groups hidden; `solid` marks groups of thirty cases or more.

    A group that is hidden only lest another one be told from the total keeps its times, and loses its number of cases
    (`n_hidden`): medians of groups do not add up to that of all, so nothing follows from them.
    """
    sums = len(table) > 0 and bool(table["kind"].isin(["share", "score"]).all())
    shown = disclose(table, keys, least=least, share="value" if sums else "")
    large = (table["n"] >= least).to_numpy(dtype=bool)
    times = table["kind"].eq("duration").to_numpy(dtype=bool)
    partly = shown[HIDDEN].to_numpy(dtype=bool) & large & times
    for column in [c for c in table if c not in (*keys, *_COUNTS) and partly.any()]:
        shown[column] = shown[column].where(~partly, table[column])
    shown[HIDDEN] = shown[HIDDEN] & ~partly
    solid = table["n"].ge(THIN) | table["kind"].eq("count")
    return shown.assign(**{N_HIDDEN: partly, SOLID: np.asarray(solid) & ~shown[HIDDEN].to_numpy(dtype=bool)})
