"""Whatever numbers come in, as float64 arrays of one length: the gate of every formula that takes lines.

A line is a value that stands for `n` rows. Whole numbers, booleans, nullable and Arrow-backed columns and decimals are
taken alike; a missing value counts for nothing. Products of counts are then exact to 2^53, where 64-bit whole numbers
would run over without a word.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cxkit.errors import ParameterError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Lines(NamedTuple):
    """Values and how many rows each stands for; where the value is missing, both are 0."""

    value: Floats
    n: Floats


def floats(x: Any) -> Floats:
    """`x` as float64, missing as NaN; ParameterError where something is no number.

    >>> from decimal import Decimal
    >>> floats([Decimal("0.5"), None, True]).tolist()
    [0.5, nan, 1.0]
    """
    try:
        if isinstance(x, pd.Series | pd.Index) or hasattr(x, "__arrow_array__"):
            column = pd.Series(x)
            if column.dtype.kind in "mMc" or isinstance(column.dtype, pd.StringDtype):
                raise ParameterError("stats_not_numbers")  # they would turn into numbers without a word
            return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
        raw = np.asarray(x)
        if raw.dtype.kind in "USmMc":
            raise ParameterError("stats_not_numbers")
        return (np.where(pd.isna(raw), np.nan, raw) if raw.dtype.kind == "O" else raw).astype(np.float64)
    except (TypeError, ValueError):
        raise ParameterError("stats_not_numbers") from None


def lines(values: ArrayLike, n: ArrayLike | None = None) -> Lines:
    """Values with their counts (1 each, if none are given), in their order, as they came.

    Infinite values, negative or infinite counts, and lists of unequal length raise ParameterError.
    """
    value = np.atleast_1d(floats(values))
    rows = np.ones_like(value) if n is None else np.atleast_1d(floats(n))
    same_length(value, rows)
    if np.isinf(value).any() or np.isinf(rows).any():
        raise ParameterError("stats_infinite", n=int(np.isinf(value).sum() + np.isinf(rows).sum()))
    if (rows < 0).any():
        raise ParameterError("stats_count", count=f"{rows.min():g}")
    known = ~np.isnan(value) & (rows > 0)
    return Lines(np.where(known, value, 0.0), np.where(known, rows, 0.0))


def summed(group: NDArray[np.integer[Any]], amount: ArrayLike, groups: int = 0) -> Floats:
    """Sum of `amount` in each group 0, 1, ...; at least `groups` of them."""
    return np.bincount(group, weights=np.asarray(amount), minlength=groups).astype(np.float64, copy=False)


def away(value: Floats, middle: Floats | float) -> Floats:
    """How far values lie from the middle; exactly 0 where only rounding parts them: rows all alike stay alike."""
    off = value - middle
    return np.where(np.abs(off) > 1e-13 * np.abs(middle), off, 0.0)


def same_length(*parts: Any) -> int:
    """The common length; ParameterError when lists that belong together differ in it."""
    sizes = [len(part) for part in parts]
    if len(set(sizes)) > 1:
        raise ParameterError("stats_lengths", lengths=", ".join(map(str, sizes)))
    return sizes[0]


def codes(labels: Any) -> tuple[Codes, NDArray[Any]]:
    """A number for each label, -1 where it is missing, and the labels in the order of their first appearance."""
    number, words = pd.factorize(labels if isinstance(labels, np.ndarray) else pd.Series(labels), use_na_sentinel=True)
    return number.astype(np.int64, copy=False), np.asarray(words)


def together(parts: Sequence[Any]) -> Any:
    """Lists of labels as one, in their order, without turning numbers into texts."""
    if all(isinstance(part, np.ndarray) and part.dtype == parts[0].dtype for part in parts):
        return np.concatenate(parts)
    return pd.concat([pd.Series(part).reset_index(drop=True) for part in parts], ignore_index=True)
