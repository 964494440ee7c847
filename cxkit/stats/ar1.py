"""What a regression says when each value resembles the one before it: least squares with AR(1) noise, by REML.

Two things differ from `gls` of R's nlme, whose numbers are kept beside ours. The likeness of neighbours is estimated,
so the standard error is widened for that (Harville and Jeske 1992), and the degrees of freedom are those of
Satterthwaite, not rows minus columns: a short or sticky series says less than its length promises.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cxkit.errors import ParameterError
from cxkit.stats.inputs import Floats, floats
from cxkit.stats.intervals import Interval

_FURTHEST = 0.999  # of the likeness: beyond it a series is a walk, and its level means nothing
_SURE_OF = 0.98  # beyond it the curvature of the likelihood is no guide any more
_COLLINEAR = 1e-8
_EXACT = 1e-11


@dataclass(frozen=True, eq=False)
class Ar1Regression:
    """Coefficients of one series, or of many at once (then every array has a first axis of that length)."""

    estimate: Floats  # of the columns asked for
    se: Floats  # widened for the likeness being estimated
    df: Floats
    gls_se: Floats  # as R's gls prints it
    coefficients: Floats  # of all columns
    rho: Floats  # likeness of neighbours
    sigma: Floats  # standard deviation of the noise
    loglik: Floats  # restricted
    whitened: Floats  # residuals with the likeness taken out, in units of their standard deviation

    @property
    def t(self) -> Floats:
        """Estimates in standard errors."""
        return self.estimate / self.se

    @property
    def p(self) -> Floats:
        """Two-sided p of each estimate."""
        tail: Floats = 2 * special.stdtr(self.df, -np.abs(self.t))
        return tail

    def interval(self, level: float = 0.95) -> Interval:
        """Each estimate with its interval."""
        margin = special.stdtrit(self.df, (1 + level) / 2) * self.se
        return Interval(self.estimate, self.estimate - margin, self.estimate + margin)


def ar1_regression(
    values: ArrayLike, design: ArrayLike, of: ArrayLike, times: ArrayLike | None = None
) -> Ar1Regression:
    """Regression of `values` (n, or many x n) on the columns of `design` (n x p, or many x n x p).

    `of` names the columns wanted, by number; `times` are whole and rising where rows are not one step apart. Values
    are whole or broken numbers alike and none may be missing. ParameterError: a column that the others already hold,
    fewer than three rows more than columns, values that the columns fit exactly.
    """
    y, x = floats(values), floats(design)
    one = y.ndim == 1 and x.ndim == 2
    y, x = np.atleast_2d(y), x if x.ndim == 3 else x[None]
    rows, columns = x.shape[1:]
    if rows < columns + 3:
        raise ParameterError("series_columns", n=rows, columns=columns)
    basis, upper = np.linalg.qr(x)
    _refuse_collinear(upper, x)
    plain = y @ basis[0] if len(basis) == 1 else np.einsum("bn,bnp->bp", y, basis)
    rest = y - (plain @ basis[0].T if len(basis) == 1 else np.einsum("bnp,bp->bn", basis, plain))
    scale = np.linalg.norm(rest, axis=1)
    if np.any(scale <= _EXACT * np.maximum(np.linalg.norm(y, axis=1), np.finfo(float).tiny)):
        raise ParameterError("series_exact", n=rows)
    gaps = np.ones(rows - 1) if times is None else np.diff(floats(times))
    kernel = _Kernel(basis, rest / scale[:, None], gaps)
    chosen = np.linalg.solve(upper.swapaxes(-1, -2), np.eye(columns)[:, np.atleast_1d(np.asarray(of, dtype=np.intp))])
    fit = _fitted(kernel, plain, scale, upper, chosen)
    if not one:
        return fit
    return Ar1Regression(*(getattr(fit, name)[0] for name in Ar1Regression.__dataclass_fields__))


def _refuse_collinear(upper: Floats, design: Floats) -> None:
    left = np.abs(np.diagonal(upper, axis1=-2, axis2=-1))
    held = left <= _COLLINEAR * np.linalg.norm(design, axis=-2)
    if held.any():
        raise ParameterError("series_collinear", column=int(np.flatnonzero(held.any(axis=0))[0]) + 1)


class _Kernel:
    """Sums of squares and products of the whitened columns for any likeness, from sums taken once.

    The columns are an orthonormal basis and the residuals of plain least squares, so that nothing is lost to rounding
    however large the level of the series.
    """

    def __init__(self, basis: Floats, rest: Floats, gaps: Floats) -> None:
        many = max(len(basis), len(rest))
        self.z = np.concatenate(
            [np.broadcast_to(basis, (many, *basis.shape[1:])), np.broadcast_to(rest, (many, rest.shape[1]))[..., None]],
            axis=-1,
        )
        self.gaps, self.columns, self.rows = gaps, basis.shape[-1], basis.shape[1]
        first = self.z[:, :1]
        self._first = _squares(first, first)
        self._steps = []
        for gap in np.unique(gaps):
            now, before = self.z[:, 1:][:, gaps == gap], self.z[:, :-1][:, gaps == gap]
            cross = _squares(now, before)
            both = cross + cross.swapaxes(-1, -2)
            self._steps.append((float(gap), _squares(now, now), both, _squares(before, before)))

    def products(self, rho: Floats) -> Floats:
        """Products of the whitened columns, for many x guesses of the likeness."""
        r = rho[..., None, None]
        grown = rho.ndim - 1
        total: Floats = (1 - r**2) * _spread(self._first, grown)
        for gap, now, cross, before in self._steps:
            reach = r**gap
            step = _spread(now, grown) - reach * _spread(cross, grown) + reach**2 * _spread(before, grown)
            total = total + (1 - r**2) / (1 - reach**2) * step
        return total

    def logdet(self, rho: Floats) -> Floats:
        """Logarithm of the determinant of the noise's covariance, in units of the innovations."""
        total: Floats = -np.log1p(-(rho**2))
        for gap, count in zip(*np.unique(self.gaps, return_counts=True), strict=True):
            total = total + count * (np.log1p(-(rho ** (2 * gap))) - np.log1p(-(rho**2)))
        return total

    def criterion(self, rho: Floats) -> Floats:
        """Twice the restricted log-likelihood with the innovations' variance at its best, up to a constant."""
        diagonal = np.diagonal(np.linalg.cholesky(self.products(rho)), axis1=-2, axis2=-1)
        free = self.rows - self.columns
        spread, determinant = np.log(diagonal[..., -1]), np.log(diagonal[..., :-1]).sum(axis=-1)
        return np.asarray(-2 * (free * spread + determinant) - self.logdet(rho), dtype=np.float64)

    def likeness(self) -> Floats:
        """The likeness that the restricted likelihood likes best: a grid that is drawn ever finer."""
        many = np.arange(len(self.z))
        low, high = np.full(len(self.z), -_FURTHEST), np.full(len(self.z), _FURTHEST)
        best: Floats = low
        for points in (41, 13, 13, 13, 13, 13, 13, 13):
            grid = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, points)
            best = grid[many, self.criterion(grid).argmax(axis=1)]
            step = (high - low) / (points - 1)
            low, high = np.maximum(best - step, -_FURTHEST), np.minimum(best + step, _FURTHEST)
        return best

    def weights(self, rho: Floats, direction: Floats) -> Floats:
        """What each value weighs in the estimates: V^-1 Q times `direction` (many x p x k), as many x n x k."""
        moved: Floats = np.einsum("bnp,bpk->bnk", self.z[..., :-1], direction)
        reach = np.power(rho[:, None], self.gaps)
        inner = (1 - rho[:, None] ** 2) / (1 - reach**2)
        new = moved[:, 1:] - reach[..., None] * moved[:, :-1]
        out = np.empty_like(moved)
        out[:, 0] = (1 - rho[:, None] ** 2) * moved[:, 0]
        out[:, 1:] = inner[..., None] * new
        out[:, :-1] -= (inner * reach)[..., None] * new
        return out

    def variance(self, rho: Floats, weights: Floats) -> Floats:
        """Variance of weighted sums of the noise, in units of the innovations' variance."""
        reach = np.power(rho[:, None], self.gaps)
        after = np.zeros_like(weights)  # what stands behind each value, carried back to it
        for at in range(self.rows - 2, -1, -1):
            after[:, at] = reach[:, at, None] * (weights[:, at + 1] + after[:, at + 1])
        total: Floats = (weights * (weights + 2 * after)).sum(axis=1) / (1 - rho[:, None] ** 2)
        return total


def _squares(a: Floats, b: Floats) -> Floats:
    product: Floats = a.swapaxes(-1, -2) @ b
    return product


def _spread(sums: Floats, grown: int) -> Floats:
    """The sums of each series beside each of its guesses."""
    return sums[:, None] if grown else sums


def _fitted(kernel: _Kernel, plain: Floats, scale: Floats, upper: Floats, chosen: Floats) -> Ar1Regression:
    """The fit at the best likeness; `chosen` (many x p x k) picks coefficients in the orthonormal basis."""
    rho = kernel.likeness()
    free = kernel.rows - kernel.columns
    direction = np.broadcast_to(chosen, (len(rho), *chosen.shape[1:]))
    best, spread, variance = _solution(kernel, rho, direction)
    innovation = spread / free
    gls_variance = innovation[:, None] * variance
    widened, df = _small_sample(kernel, rho, direction, innovation)
    all_of_them = plain + best * scale[:, None]
    beta = np.asarray(np.linalg.solve(upper, all_of_them[..., None])[..., 0], dtype=np.float64)
    loglik = 0.5 * (kernel.criterion(rho[:, None])[:, 0] - free * (np.log(2 * np.pi / free) + 1 + 2 * np.log(scale)))
    loglik = loglik - np.log(np.abs(np.diagonal(upper, axis1=-2, axis2=-1))).sum(axis=-1)
    residual = kernel.z[..., -1] - np.einsum("bnp,bp->bn", kernel.z[..., :-1], best)
    return Ar1Regression(
        estimate=np.einsum("bpk,bp->bk", direction, all_of_them),
        se=np.sqrt(gls_variance + widened) * scale[:, None],
        df=df,
        gls_se=np.sqrt(gls_variance) * scale[:, None],
        coefficients=beta,
        rho=rho,
        sigma=np.sqrt(innovation / (1 - rho**2)) * scale,
        loglik=loglik,
        whitened=_whitened(kernel, rho, residual) / np.sqrt(innovation)[:, None],
    )


def _solution(kernel: _Kernel, rho: Floats, direction: Floats) -> tuple[Floats, Floats, Floats]:
    """At a given likeness: coefficients in the basis, residual sum of squares, variance factor of each direction."""
    products = kernel.products(rho)
    square, cross, total = products[:, :-1, :-1], products[:, :-1, -1:], products[:, -1, -1]
    solved = np.linalg.solve(square, np.concatenate([cross, direction], axis=-1))
    best = solved[..., 0]
    variance = np.einsum("bpk,bpk->bk", direction, solved[..., 1:])
    return best, total - (cross[..., 0] * best).sum(axis=-1), variance


def _small_sample(kernel: _Kernel, rho: Floats, direction: Floats, innovation: Floats) -> tuple[Floats, Floats]:
    """What is added to the variance because the likeness is estimated, and Satterthwaite's degrees of freedom.

    Derivatives are taken by central differences; the information is the observed one of likeness and log variance.
    """
    free, h = kernel.rows - kernel.columns, np.minimum(1e-3, (1 - np.abs(rho)) / 4)
    (_, below, less), (_, spread, here), (_, above, more) = (
        _solution(kernel, rho + shift, direction) for shift in (-h, 0 * h, h)
    )
    flat = [-kernel.criterion((rho + shift)[:, None])[:, 0] for shift in (-h, 0 * h, h)]
    # the criterion holds the variance at its best; what it says of the likeness alone is the curvature we want
    curvature = (flat[0] - 2 * flat[1] + flat[2]) / h**2 / 2
    sure = (np.abs(rho) < _SURE_OF) & (curvature > 0)
    of_rho = np.where(sure, 1 / np.where(sure, curvature, 1.0), (1 - rho**2) / free)
    tilt = np.where(sure, (above - below) / (2 * h) / spread, 0.0)  # best log variance moves with the likeness so much
    slope = (more - less) / (2 * h)[:, None] / here + tilt[:, None]
    relative = 2 / free + slope**2 * of_rho[:, None]  # variance of the log of the estimated variance
    df = np.clip(2 / relative, 1.0, float(free))
    moved: Floats = (_weights_at(kernel, rho + h, direction) - _weights_at(kernel, rho - h, direction)) / (2 * h)[
        :, None, None
    ]
    return 2 * innovation[:, None] * kernel.variance(rho, moved) * of_rho[:, None], df


def _weights_at(kernel: _Kernel, rho: Floats, direction: Floats) -> Floats:
    square = kernel.products(rho)[:, :-1, :-1]
    return kernel.weights(rho, np.asarray(np.linalg.solve(square, direction), dtype=np.float64))


def _whitened(kernel: _Kernel, rho: Floats, residual: Floats) -> Floats:
    reach = np.power(rho[:, None], kernel.gaps)
    out = np.empty_like(residual)
    out[:, 0] = np.sqrt(1 - rho**2) * residual[:, 0]
    out[:, 1:] = (residual[:, 1:] - reach * residual[:, :-1]) * np.sqrt((1 - rho[:, None] ** 2) / (1 - reach**2))
    return out
