"""Median, P90 and a share with intervals for 50 groups: `python bench_survival.py {cxkit,lifelines} - ROWS`."""

from __future__ import annotations

import sys

import numpy as np
from timing import report

GROUPS, TARGET = 50, 72.0


def durations(rows: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lognormal hours of each group, a tenth of them still open."""
    rng = np.random.default_rng(1)
    time = np.round(np.exp(rng.normal(3.2, 1.5, rows)), 2) + 0.01
    watched = rng.uniform(0, 2000, rows)
    group = rng.integers(0, GROUPS, rows)
    return [(np.minimum(time, watched)[group == g], (time <= watched)[group == g]) for g in range(GROUPS)]


def main(side: str, rows: int) -> None:
    """Time one side on the same numbers."""
    data = durations(rows)
    if side == "cxkit":
        from cxkit.stats import kaplan_meier

        def curves() -> None:
            for time, done in data:
                curve = kaplan_meier(time, done)
                curve.quantile_interval(0.5), curve.quantile_interval(0.9), curve.within(TARGET)

    else:
        from lifelines import KaplanMeierFitter
        from lifelines.utils import qth_survival_times

        def curves() -> None:
            for time, done in data:
                fitted = KaplanMeierFitter().fit(time, done)
                band = fitted.confidence_interval_
                qth_survival_times([0.5, 0.1], fitted.survival_function_), qth_survival_times([0.5, 0.1], band)
                fitted.predict(TARGET), band[band.index <= TARGET].iloc[-1]

    report(curves)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[3]))
