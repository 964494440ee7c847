"""What the pictures of this topic share: a legend below the chart that reads in the reader's direction."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from cxkit.lang import frame_line, is_rtl


def legend_below(
    ax: Axes,
    lang: str | None,
    drop: float,
    ncols: int = 3,
    entries: tuple[Sequence[Artist], Sequence[str]] | None = None,
) -> None:
    """A legend under the axis, row by row from the reader's first side; `drop` in heights of the axes.

    Matplotlib fills a legend column by column from the left, so the entries are laid out here first.
    """
    handles, labels = entries or ax.get_legend_handles_labels()
    if not handles:
        return
    ncols = min(ncols, len(handles))
    rows = -(-len(handles) // ncols)
    filled = [*zip(handles, labels, strict=True), *[(Patch(visible=False), "")] * (rows * ncols - len(handles))]
    columns = range(ncols - 1, -1, -1) if is_rtl(lang) else range(ncols)
    order = [filled[row * ncols + column] for column in columns for row in range(rows)]
    turned = {"markerfirst": False, "alignment": "right"} if is_rtl(lang) else {}
    ax.legend(
        [handle for handle, _ in order],
        [frame_line(label, lang) if label else "" for _, label in order],
        loc="upper center",
        bbox_to_anchor=(0.5, -drop),
        ncols=ncols,
        fontsize=9,
        **turned,
    )
