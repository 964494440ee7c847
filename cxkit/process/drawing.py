"""What the pictures of this topic share: a legend below the chart."""

from __future__ import annotations

from matplotlib.axes import Axes

from cxkit.figures import Entries, legend


def legend_below(ax: Axes, lang: str | None, drop: float, ncols: int = 3, entries: Entries | None = None) -> None:
    """A legend under the axis; `drop` in heights of the axes."""
    legend(ax, lang, ncols=ncols, entries=entries, loc="upper center", bbox_to_anchor=(0.5, -drop), fontsize=9)
