"""How wide intervals must be when running data are looked at more than once."""

from __future__ import annotations

import numpy as np
from scipy import special

from cxkit.changes.looks import planned_p, planned_shares
from cxkit.changes.parts import Levels, Look
from cxkit.errors import ParameterError
from cxkit.stats import sequence_p, sequence_quantile, spending_bounds
from cxkit.stats.contrast import Inference, from_log, inference
from cxkit.stats.variance import Spread

_FARTHEST = 8.0  # beyond it a level is 1 to all its digits


def as_look(look: Look | int | None, looks: int = 0) -> Look | None:
    """A look as it was given, or by its number among `looks` planned ones; None where the data are whole."""
    found = Look(look, looks) if isinstance(look, int) else look
    if found is None:
        return None
    if found.number < 1 or found.planned < 0 or (found.planned and found.number > found.planned):
        raise ParameterError("changes_look", number=found.number, planned=found.planned)
    if found.shares and len(found.shares) != found.number:
        raise ParameterError("changes_look_shares", number=found.number, n=len(found.shares))
    return found


def levels_of(look: Look | None, alpha: float, rows: float) -> Levels:
    """The levels of the interval that decides, and of the one that is held against a margin."""
    if look is None:
        return 1 - alpha, 1 - 2 * alpha
    if look.planned:
        shares = planned_shares(look)
        bounds = [float(spending_bounds(shares, alpha, sides=sides)[-1]) for sides in (2, 1)]
    else:
        bounds = [float(sequence_quantile(rows, look.tuned_for, a)) for a in (alpha, 2 * alpha)]
    wide, narrow = (1 - 2 * float(special.ndtr(-min(z, _FARTHEST))) for z in bounds)
    return wide, narrow


def at_level(found: Inference, level: float, log: bool = False) -> Inference:
    """The same estimate with its interval at another level; as a relative change if it is in logarithms."""
    again = inference(found.value, Spread(found.se, found.df, found.clusters), level)
    return from_log(again) if log else again


def looked(found: Inference, look: Look | None, alpha: float, rows: float, none: float = 0.0) -> Inference:
    """The effect with the p that may be read at this look: below alpha just where its interval leaves none out."""
    if look is None or not (found.se > 0 and np.isfinite(found.value)):
        return found
    if look.planned:
        return found._replace(p=planned_p(found.p, look))
    return found._replace(p=float(sequence_p(found.value - none, found.se, rows, look.tuned_for, alpha)))
