"""What every analysis returns."""

from __future__ import annotations

import json
import math
import warnings

import pandas as pd
import pytest
from matplotlib.axes import Axes

from cxkit import figures, lang
from cxkit.lang import LANGS, Coded, Sentence
from cxkit.result import MIME, Result, not_answerable, span, table_html

HOSTILE = '<script>window.PWN=1</script><img src=x onerror="window.PWN=1">'


class Shares(Result):
    """Two channels and their share."""

    formats = {"channel": "code", "share": "share", "interval": span("low", "high", kind="share")}

    def sentences(self) -> tuple[Sentence, ...]:
        return (Sentence("common.small_n", {"n": 3, "group": Coded("channel", "chat")}),)

    def plot(self, ax: Axes | None = None, lang: str | None = None) -> Axes:
        ax = figures.own_axes(ax, lang)
        ax.barh(["CSAT: $5", "ب"], self.table["share"], label="_hidden")
        ax.set_title("CSAT: رضا (%)")
        figures.legend(ax, lang)
        return figures.finish(ax, lang, "categories", "percent", "x")


@pytest.fixture
def shares() -> Shares:
    """One value missing, one not finite."""
    ends = {"low": [0.4, math.nan], "high": [math.inf, math.nan]}
    table = pd.DataFrame({"channel": ["chat", "email"], "share": [0.5, math.nan], **ends})
    return Shares(table, (Sentence("common.as_of", {"day": HOSTILE}),))


def test_the_three_languages_carry_the_same_numbers(shares: Shares) -> None:
    """Codes and machine values do not depend on the language."""
    bundles = {}
    for code in LANGS:
        lang.use(code)
        bundles[code] = shares._repr_mimebundle_()[MIME]
    lang.use("en")
    words = ("lang", "verdict_text", "notes_text")
    bare = [{k: v for k, v in bundle.items() if k not in words} for bundle in bundles.values()]
    assert bare[0] == bare[1] == bare[2]
    assert len({bundle["verdict_text"][0] for bundle in bundles.values()}) == 3


def test_missing_and_infinite_values_become_null(shares: Shares) -> None:
    """JSON has neither NaN nor infinity (RFC 8259, section 6)."""
    rows = shares.to_dict()["table"]["rows"]
    assert rows == [["chat", 0.5, 0.4, None], ["email", None, None, None]]
    json.dumps(shares.to_dict(), allow_nan=False)


@pytest.mark.parametrize("code", LANGS)
def test_what_a_customer_typed_is_never_markup(shares: Shares, code: str) -> None:
    """The payload stays visible text."""
    page = shares._repr_html_(code)
    assert "<script>" not in page and "<img" not in page and "&lt;script&gt;" in page
    hostile = table_html(pd.DataFrame({HOSTILE: [HOSTILE]}), {HOSTILE: "text"}, code)
    assert "<script>" not in hostile and "<img" not in hostile


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    """Forty rows are shown, the rest is counted."""
    page = table_html(pd.DataFrame({"n": range(43)}), {"n": "count"}, "en")
    assert page.count("<tr>") == 41 and "3 more rows stand in the JSON file" in page


@pytest.mark.parametrize("code", LANGS)
def test_a_figure_is_drawn_without_a_missing_glyph(shares: Shares, code: str) -> None:
    """Matplotlib warns for each letter that none of its fonts has."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph")
        drawn = shares.figure(code)
    assert drawn.png.startswith(b"\x89PNG") and drawn.alt == shares.verdict(code)
    assert drawn.png == shares.figure(code).png


def test_arabic_letters_are_joined_and_ordered_by_matplotlib() -> None:
    """HarfBuzz through matplotlib 3.11: lam-alef is one glyph (uniFEFB in DejaVu Sans)."""
    from matplotlib import font_manager, ft2font

    font = ft2font.FT2Font(font_manager.findfont("DejaVu Sans"))
    assert len(font._layout("لا", ft2font.LoadFlags.DEFAULT)) == 1  # type: ignore[attr-defined]


def test_bars_start_at_the_readers_edge(shares: Shares) -> None:
    """Categorical charts are mirrored for readers from the right, and only those."""
    with figures.style("ar"):
        assert shares.plot(lang="ar").xaxis_inverted()
    assert not shares.plot(lang="en").xaxis_inverted()


def test_the_names_beside_an_axis_run_in_the_readers_direction(shares: Shares) -> None:
    """UAX 9: a name that begins with Latin letters would otherwise set its own direction."""
    with figures.style("fa"):
        names = [label.get_text() for label in shares.plot(lang="fa").get_yticklabels()]
    assert names == ["\u2067CSAT: $5\u2069", "\u2067ب\u2069"]


def test_the_readers_own_settings_come_back(shares: Shares) -> None:
    """A figure must not change the style of the notebook."""
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    shares.figure("fa")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("code", LANGS)
def test_no_data_is_a_printed_answer(code: str) -> None:
    """M018: "no data" is a printed answer, never blank."""
    answer = not_answerable("common.verdict", ("events.case_id", "events.at"))
    assert "events.case_id, events.at" in answer.verdict(code)
    assert answer.to_dict()["verdict"][0]["params"]["question"] == "common.verdict"


def test_ticks_are_told_apart_and_long_names_leave_room_for_the_picture() -> None:
    """Half a day on an axis is not 0, 0.1, 0.1, 0.2, 0.2; a name of 600 letters does not push the bars off the page."""
    axis = figures.own_axes(None, "en")
    axis.set_xlim(0, 0.25)
    figures.finish(axis, "en", unit="number", value_axis="x")
    shown = [axis.xaxis.get_major_formatter()(at) for at in axis.get_xticks()]
    assert len(set(shown)) == len(shown)
    assert figures.axis_name("Wait for the customer") == "Wait for the customer"
    assert len(figures.axis_name("L" * 600)) == 40
