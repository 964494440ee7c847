"""The house style of pictures: one palette, the reader's digits, mirrored where reading direction matters."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager, ticker
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.category import StrCategoryLocator
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cxkit.errors import ReportError
from cxkit.lang import count, duration, frame_line, is_rtl, number, percent, points, resolve

# Okabe-Ito hues darkened until white paper gives them contrast; told apart by colour-blind readers too.
INK, MUTED, LINE, PAPER = "#1d2430", "#5b6675", "#d8dee6", "#ffffff"
ACCENT, GOOD, BAD, WARN = "#0b5cad", "#00765a", "#b8400e", "#b07800"
CATEGORIES = (ACCENT, "#c8661b", GOOD, "#8a4f8d", "#b07800", "#3c89b8", "#6b6b6b")

Kind = Literal["categories", "series"]
Unit = Literal["number", "count", "percent", "points", "seconds", "none"]
_LONGEST_NAME = 40
_WRITERS: dict[str, Callable[[float, str], str]] = {
    "count": count,
    "points": points,
    "seconds": lambda x, g: duration(x, g) if x else count(0, g),
}


def _require_shaping() -> None:
    """Refuse a matplotlib that draws Arabic script reversed and unjoined without a warning."""
    if not hasattr(mpl.ft2font, "__libraqm_version__"):
        raise ReportError("old_matplotlib", version=mpl.__version__, needed="3.11")


def font_families() -> list[str]:
    """Families to draw with: Vazirmatn where the machine has it, then the DejaVu Sans that comes with matplotlib."""
    have = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in ("Vazirmatn", "DejaVu Sans") if name in have]


@contextmanager
def style(lang: str | None = None) -> Iterator[None]:
    """Draw inside this block in the house style of `lang`; the reader's own settings come back afterwards."""
    _require_shaping()
    rtl = is_rtl(lang)
    with mpl.rc_context(
        {
            "font.family": font_families(),
            "font.size": 10,
            "text.parse_math": False,  # "$5 and $6" in a label is money, not a formula
            "text.color": INK,
            "text.language": resolve(lang),
            "axes.labelcolor": MUTED,
            "axes.edgecolor": LINE,
            "axes.titlelocation": "right" if rtl else "left",
            "axes.titleweight": "bold",
            "axes.titlesize": 11,
            "axes.spines.top": False,
            "axes.spines.right": rtl,
            "axes.spines.left": not rtl,
            "axes.axisbelow": True,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "legend.frameon": False,
            "figure.dpi": 100,
            "savefig.facecolor": PAPER,
            "pdf.fonttype": 42,
            "svg.fonttype": "path",
        }
    ):
        yield


def own_axes(ax: Axes | None, lang: str | None = None, size: tuple[float, float] = (8.0, 4.0)) -> Axes:
    """`ax`, or the axes of a new figure of `size` inches."""
    if ax is not None:
        return ax
    _require_shaping()
    import matplotlib.pyplot as plt  # only for a reader who draws without axes of their own

    with style(lang):
        _, new = plt.subplots(figsize=size, layout="constrained")
    return new


_STEPS = (1, 2, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_DAY_STEPS = (1, 2, 5, 7, 14, 30, 60, 90, 180, 365)


class DurationLocator(ticker.Locator):
    """Ticks at round seconds, minutes, hours or days: a quarter of an hour, not a thousand seconds."""

    def __call__(self) -> Sequence[float]:
        """Ticks for the present limits of the axis."""
        low, high = self.axis.get_view_interval()  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """At most six ticks between two durations in seconds."""
        low, high = sorted((vmin, vmax))
        steps = (*_STEPS, *(86_400 * days for days in _DAY_STEPS))
        step = next((s for s in steps if (high - low) / s <= 5), 86_400 * 365 * math.ceil((high - low) / 86_400 / 1825))
        first = max(0, math.ceil(low / step))
        return [k * step for k in range(first, math.floor(high / step) + 1)]


def value_formatter(unit: Unit, lang: str | None = None) -> ticker.Formatter:
    """Axis labels of `unit` in the digits of `lang`, with a decimal only where the ticks need one."""
    lang = resolve(lang)
    if unit == "percent":
        return _PercentFormatter(lang)
    if unit == "number":
        return _NumberFormatter(lang)
    write = _WRITERS[unit]
    return ticker.FuncFormatter(lambda x, _: frame_line(write(x, lang), lang))


class _PercentFormatter(ticker.Formatter):
    """Percentages with as many decimals as tell two ticks apart."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, x: float, pos: int | None = None) -> str:
        whole = all(abs(at * 100 - round(at * 100)) < 1e-6 for at in self.axis.get_majorticklocs())  # type: ignore[union-attr]
        return frame_line(percent(x, self.lang, 0 if whole else 1), self.lang)


class _NumberFormatter(ticker.Formatter):
    """Numbers with as many decimals, up to three, as tell two ticks apart."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, x: float, pos: int | None = None) -> str:
        ticks = np.asarray(self.axis.get_majorticklocs())  # type: ignore[union-attr]
        enough = (d for d in range(3) if np.allclose(ticks * 10**d, np.round(ticks * 10**d), rtol=0, atol=1e-6))
        return frame_line(number(x, self.lang, 0 if float(x).is_integer() else next(enough, 3)), self.lang)


def axis_name(name: str) -> str:
    """A name beside an axis, cut where it would push the picture off its page; the table beside it has it whole."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def finish(
    ax: Axes, lang: str | None = None, kind: Kind = "series", unit: Unit = "number", value_axis: Literal["x", "y"] = "y"
) -> Axes:
    """Bring a drawn chart into the reading direction of `lang`, with its numbers in that language.

    "categories": bars start at the reader's edge, so the value axis is mirrored for Arabic and Persian. "series": time
    runs left to right for everyone, but the value axis stands on the right in Arabic and Persian. Call it last.
    """
    lang = resolve(lang)
    rtl = is_rtl(lang)
    if unit != "none":
        axis = ax.xaxis if value_axis == "x" else ax.yaxis
        axis.set_major_locator(
            DurationLocator() if unit == "seconds" else ticker.MaxNLocator(5, integer=unit == "count")
        )
        axis.set_major_formatter(value_formatter(unit, lang))
    if rtl:
        ax.yaxis.tick_right()
        ax.yaxis.set_label_position("right")
        if kind == "categories":
            ax.invert_xaxis()
    ax.grid(True, axis=value_axis, color=LINE, linewidth=0.7)
    ax.tick_params(length=0)
    _isolate_strings(ax, lang)
    return ax


def _isolate_strings(ax: Axes, lang: str) -> None:
    titles = [ax.title, ax._left_title, ax._right_title]  # type: ignore[attr-defined]
    legend = ax.get_legend()
    texts = [*titles, ax.xaxis.label, ax.yaxis.label, *ax.texts, *(legend.get_texts() if legend else [])]
    for text in texts:
        text.set_text(frame_line(text.get_text(), lang))
        text.set_parse_math(False)
    for axis in (ax.xaxis, ax.yaxis):
        if isinstance(axis.get_major_locator(), ticker.FixedLocator | StrCategoryLocator):  # names, one a tick
            names = [frame_line(name.get_text(), lang) for name in axis.get_ticklabels()]
            axis.set_ticks(axis.get_ticklocs(), names, parse_math=False)
    if legend and is_rtl(lang):
        for text in legend.get_texts():
            text.set_horizontalalignment("right")


Entries = tuple[Sequence[Artist], Sequence[str]]


def legend(
    ax: Axes, lang: str | None = None, *, ncols: int = 1, entries: Entries | None = None, **options: Any
) -> None:
    """The legend of `ax` (or of `entries`: handles and labels), row by row from the reader's first side."""
    handles, labels = entries or ax.get_legend_handles_labels()
    if not handles:
        return
    # Matplotlib hides a label that starts with an underscore; a zero-width mark keeps it.
    words = [frame_line(f"\u200b{label}" if label.startswith("_") else label, lang) for label in labels]
    order = _row_by_row(list(zip(handles, words, strict=True)), min(ncols, len(words)), is_rtl(lang))
    if is_rtl(lang):
        options = {"markerfirst": False, "alignment": "right", **options}
    ax.legend([h for h, _ in order], [w for _, w in order], ncols=min(ncols, len(words)), **options)


def _row_by_row(entries: list[tuple[Artist, str]], ncols: int, rtl: bool) -> list[tuple[Artist, str]]:
    """`entries` in the order in which matplotlib, which fills columns from the left, makes rows of them."""
    rows = -(-len(entries) // ncols)
    filled = [*entries, *[(Patch(visible=False), "")] * (rows * ncols - len(entries))]
    columns = range(ncols - 1, -1, -1) if rtl else range(ncols)
    return [filled[row * ncols + column] for column in columns for row in range(rows)]


@dataclass(frozen=True, repr=False)
class Picture:
    """A finished figure: PNG bytes with the words a reader who cannot see it needs."""

    png: bytes
    alt: str
    width: int

    def __repr__(self) -> str:
        return f"Picture({self.alt})"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, str], dict[str, dict[str, object]]]:
        data = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt, "width": self.width}}


def picture(figure: Figure, alt: str, dpi: int = 144) -> Picture:
    """`figure` as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return Picture(buffer.getvalue(), alt, round(figure.get_figwidth() * 100))


def axis_unit(unit: str) -> Unit:
    """The axis formatter's name for a unit in which a table's cells are written."""
    known: dict[str, Unit] = {
        "share": "percent",
        "share0": "percent",
        "points": "points",
        "seconds": "seconds",
        "count": "count",
    }
    return known.get(unit, "number")


def steps_of(ax: Axes, names: Sequence[str], amounts: Sequence[float]) -> None:
    """From the first amount to the last one, each part between them as a bar from where the one above ends.

    The two ends are dots and not bars: the axis need not begin at zero.
    """
    first, *parts, last = amounts
    at, places = first, range(len(amounts) - 1, -1, -1)
    top, *middle, bottom = places
    ax.plot([first], [top], "o", color=INK, markersize=8)
    for place, part in zip(middle, parts, strict=True):
        ax.plot([at, at], [place + 0.35, place + 1 - 0.35], color=MUTED, linewidth=0.8)
        ax.barh(place, part, left=at, height=0.5, color=ACCENT if part >= 0 else WARN)
        at += part
    ax.plot([at, at], [bottom + 0.35, bottom + 1 - 0.35], color=MUTED, linewidth=0.8)
    ax.plot([last], [bottom], "o", color=INK, markersize=8)
    ax.set_yticks(list(places), list(names))
    ax.set_ylim(-0.7, len(amounts) - 0.3)
    ax.use_sticky_edges = False  # a bar may end at the edge of what is drawn, but not be cut there
    ax.margins(x=0.08)
