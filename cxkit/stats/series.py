"""Did one series shift on a known day: interrupted time series, with checks of its noise and of days without a change.

Neighbouring days resemble each other, so days are not so many witnesses (`cxkit.stats.ar1`). A trend that was there
before is not the change's doing, so one is in the model unless it is left out on purpose.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from cxkit.errors import ParameterError
from cxkit.stats.ar1 import Ar1Regression, ar1_regression
from cxkit.stats.contrast import Inference
from cxkit.stats.inputs import Floats, floats
from cxkit.stats.intervals import Interval, z_of

LEAST_POINTS = 12  # Turner et al. 2021 (BMC Medical Research Methodology 21:181) find shorter series unreliable
LEAST_A_SIDE = 4
STICKY = 0.9  # likeness of neighbours from which a series can hardly be told from one that wanders


@dataclass(frozen=True, eq=False)
class SeriesModel:
    """What the series would do anyway: a trend, the columns of `regressors` (weekday, month, holiday, a control).

    `slope`: the change may bend the trend as well as lift the level. `log`: the change is a ratio, as for volumes.
    """

    trend: bool = True
    slope: bool = False
    regressors: ArrayLike | None = None
    log: bool = False


@dataclass(frozen=True, eq=False)
class SeriesChange:
    """What changed at the moment asked about, with its doubts."""

    level: Inference  # lift of the level at the moment of change; in logarithms if the model is in logarithms
    slope: Inference | None  # bend of the trend, per step
    ratio: Interval | None  # lift as a factor, if the model is in logarithms
    before: int  # known points before the change
    after: int
    fitted: Floats  # NaN where the value is not known
    without: Floats  # what the model expects had nothing changed
    lags: Floats  # autocorrelation of what is left over, from lag 1
    lags_bound: float  # beyond it an autocorrelation is unlike chance (95%)
    leftover_p: float  # Ljung and Box 1978: a small p says the noise is not of the assumed kind
    cautions: tuple[str, ...]  # of: short, sticky, leftover
    fit: Ar1Regression


@dataclass(frozen=True, eq=False)
class PlaceboDates:
    """The same question asked of days before the change, when nothing had happened."""

    at: NDArray[np.intp]
    t: Floats
    p: Floats
    alarms: float  # share of them that look like a change at the level asked; NaN if there was no room for any
    beyond: float  # share, the true day counted in, whose t is at least as far out as that of the true day


def indicator_columns(codes: ArrayLike) -> Floats:
    """A column of 0 and 1 for each code but the first: weekdays, months, kinds of holiday.

    >>> indicator_columns(["Mon", "Tue", "Mon", "Wed"]).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    known = np.asarray(codes)
    columns: Floats = (known[:, None] == np.unique(known)[None, 1:]).astype(np.float64)
    return columns


def series_change(
    values: ArrayLike, at: int, model: SeriesModel | None = None, level: float = 0.95, enough: int = 56
) -> SeriesChange:
    """Lift of the level of `values`, one a step, from row `at` on.

    Missing values leave a gap of known length. Fewer than `enough` known points on a side earn the caution "short":
    eight weeks of days unless said otherwise. ParameterError: fewer than 12 known points, fewer than four on a side,
    values not above 0 under a logarithm, columns that say the same.
    """
    model = model or SeriesModel()
    z_of(level)
    y, known = _known(values, model)
    at = min(max(at, 0), len(y))
    before, after = int(known[:at].sum()), int(known[at:].sum())
    if before + after < LEAST_POINTS:
        raise ParameterError("series_short", n=before + after, least=LEAST_POINTS)
    if min(before, after) < LEAST_A_SIDE:
        raise ParameterError("series_side", before=before, after=after, least=LEAST_A_SIDE)
    design = np.column_stack([_base(len(y), model), *_change(len(y), at, model).T])
    wanted = list(range(design.shape[1] - 1 - model.slope, design.shape[1]))
    times = np.flatnonzero(known)
    fit = ar1_regression(y[known], design[known], wanted, times)
    parts = [_inference(fit, place, len(times), level) for place in range(len(wanted))]
    lags, leftover = _leftover(fit.whitened)
    fitted = np.where(known, design @ fit.coefficients, np.nan)
    lift = design[:, wanted] @ fit.coefficients[wanted]
    back = np.exp if model.log else np.asarray
    return SeriesChange(
        level=parts[0],
        slope=parts[1] if model.slope else None,
        ratio=Interval(*(float(np.exp(x)) for x in parts[0].interval)) if model.log else None,
        before=before,
        after=after,
        fitted=back(fitted),
        without=back(fitted - lift),
        lags=lags,
        lags_bound=float(z_of(0.95) / np.sqrt(len(times))),
        leftover_p=leftover,
        cautions=_cautions(min(before, after) < enough, float(fit.rho), leftover),
        fit=fit,
    )


def placebo_dates(
    values: ArrayLike, at: int, model: SeriesModel | None = None, level: float = 0.95, side: int = LEAST_POINTS
) -> PlaceboDates:
    """The change looked for at every row before `at` that has `side` known points on either side within that stretch.

    Only rows before the change are used, so that the true change cannot speak. All rows are fitted at once.
    """
    model = model or SeriesModel()
    real = series_change(values, at, model, level)
    y, known = _known(values, model)
    y, known = y[:at], known[:at]
    base = _base(at, model, rows=slice(0, at))[known]
    base = base[:, independent_columns(base)]
    times = np.flatnonzero(known)
    dates = times[side : len(times) - side + 1]
    steps = np.array([_change(at, date, model)[known] for date in dates])
    nothing = PlaceboDates(np.empty(0, np.intp), np.empty(0), np.empty(0), float("nan"), float("nan"))
    if not dates.size or len(times) < base.shape[1] + steps.shape[2] + 3:
        return nothing
    design = np.concatenate([np.broadcast_to(base, (len(dates), *base.shape)), steps], axis=2)
    told_apart = _told_apart(design)
    if not told_apart.any():
        return nothing
    many = np.broadcast_to(y[known], (int(told_apart.sum()), len(times)))
    fit = ar1_regression(many, design[told_apart], [base.shape[1]], times)
    t, p = fit.t[:, 0], fit.p[:, 0]
    beyond = (1 + np.count_nonzero(np.abs(t) >= abs(real.level.value / real.level.se))) / (1 + len(t))
    return PlaceboDates(dates[told_apart], t, p, float((p < 1 - level).mean()), float(beyond))


def autocorrelation(values: ArrayLike, lags: int) -> Floats:
    """Autocorrelation at lags 1 to `lags` around the mean, as R's acf gives it."""
    x = floats(values)
    x = x - x.mean()
    found: Floats = np.array([x[lag:] @ x[:-lag] for lag in range(1, lags + 1)]) / (x @ x)
    return found


def ljung_box(values: ArrayLike, lags: int, fitted: int = 0) -> tuple[float, float]:
    """Statistic and p of Ljung and Box (1978) for the first `lags` autocorrelations together.

    `fitted` counts the parameters of the noise that were estimated from the same series.
    """
    n = len(floats(values))
    q = n * (n + 2) * float((autocorrelation(values, lags) ** 2 / (n - np.arange(1, lags + 1))).sum())
    return q, float(special.chdtrc(max(lags - fitted, 1), q))


def _inference(fit: Ar1Regression, place: int, points: int, level: float) -> Inference:
    value, low, high = (float(bound[place]) for bound in fit.interval(level))
    return Inference(
        value, low, high, float(fit.se[place]), float(fit.df[place]), float(fit.p[place]), float(points), level
    )


def _leftover(whitened: Floats) -> tuple[Floats, float]:
    """Two weeks of lags, or a fifth of the series if that is shorter."""
    lags = max(2, min(14, len(whitened) // 5))
    return autocorrelation(whitened, lags), ljung_box(whitened, lags, fitted=1)[1]


def _cautions(short: bool, rho: float, leftover: float) -> tuple[str, ...]:
    found = {"short": short, "sticky": rho > STICKY, "leftover": leftover < 0.05}
    return tuple(code for code, holds in found.items() if holds)


def _known(values: ArrayLike, model: SeriesModel) -> tuple[Floats, NDArray[np.bool_]]:
    """The values as the model takes them, and which rows have all it needs."""
    y = floats(values)
    known = np.isfinite(y)
    if model.regressors is not None:
        columns = floats(model.regressors)
        if len(columns) != len(y):
            raise ParameterError("series_rows", rows=len(columns), n=len(y))
        known &= np.isfinite(columns.reshape(len(y), -1)).all(axis=1)
    if not model.log:
        return y, known
    not_above = int((y[known] <= 0).sum())
    if not_above:
        raise ParameterError("stats_positive", n=not_above)
    return np.log(np.where(known, y, 1.0)), known


def _base(n: int, model: SeriesModel, rows: slice = slice(None)) -> Floats:
    """What the series would do anyway; the trend is centred so that no column dwarfs another."""
    columns: list[Floats] = [np.ones(n)]
    if model.trend:
        columns.append(np.linspace(-(n - 1) / 2, (n - 1) / 2, n))
    if model.regressors is not None:
        extra = floats(model.regressors)
        columns.extend(np.nan_to_num(extra.reshape(len(extra), -1)[rows]).T)
    return np.column_stack(columns)


def _change(n: int, at: int, model: SeriesModel) -> Floats:
    """The columns of a change at row `at`: the level, and the bend if asked for."""
    since = np.arange(n) - at
    step = (since >= 0).astype(np.float64)
    return np.column_stack([step, step * since]) if model.slope else step[:, None]


def independent_columns(columns: Floats) -> NDArray[np.bool_]:
    """Columns that those to their left do not already hold: a holiday still to come is all zeros before the change."""
    kept = np.zeros(columns.shape[1], bool)
    basis = np.empty((len(columns), 0))
    for place, column in enumerate(columns.T):
        rest = column - basis @ (basis.T @ column)
        length = float(np.linalg.norm(rest))
        if length > 1e-6 * float(np.linalg.norm(column)) and length > 0:
            kept[place] = True
            basis = np.column_stack([basis, rest / length])
    return kept


def _told_apart(design: Floats) -> NDArray[np.bool_]:
    """Whether the change of each candidate is more than what its other columns already hold."""
    left = np.abs(np.diagonal(np.linalg.qr(design, mode="r"), axis1=1, axis2=2))
    apart: NDArray[np.bool_] = (left > 1e-3 * np.linalg.norm(design, axis=1)).all(axis=1)
    return apart
