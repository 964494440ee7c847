"""What a finding says: the same numbers in three languages, on a card in the order of a reader's questions."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import cxkit as cx
from cxkit.changes import Finding, Look, compare
from cxkit.changes.parts import Check, Design, Effect, Judgement, Method, Reason, judge, plain
from cxkit.changes.words import Change, Group, Measured, P, Span
from cxkit.lang import say
from cxkit.stats.contrast import inference
from cxkit.stats.variance import Spread

ISOLATES = re.compile("[\u2066-\u2069\u200e\u200f]")
WESTERN = str.maketrans("۰۱۲۳۴۵۶۷۸۹٫٬٪−", "0123456789.,%-")
SOLVED = cx.Share("fcr", where="solved", better="higher")
CSAT = cx.Score("csat", of="tickets", scale=(1, 5), top=(4, 5), value="csat", better="higher")
NPS = cx.Net("nps", of="tickets", value="score", better="higher")
WAIT = cx.Duration("first_reply_time", seconds="seconds", done="done", better="lower", target_seconds=4000)
AHT = cx.Ratio("aht", top="seconds", unit="seconds", better="lower")
COUNT = cx.Count("volume")
MEASURES = {"share": SOLVED, "score": CSAT, "net": NPS, "duration": WAIT, "ratio": AHT}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """600 tickets of 24 agents, who serve one side each; the new way solves more and is faster."""
    rng = np.random.default_rng(8)
    agent = rng.integers(0, 24, 600)
    new = agent % 2 == 1
    seconds = np.exp(8 + 0.4 * rng.normal(size=24)[agent] - 0.4 * new + 0.8 * rng.normal(size=600))
    return pd.DataFrame(
        {
            "agent_id": agent,
            "way": np.where(new, "new", "old"),
            "solved": rng.random(600) < 0.55 + 0.25 * new,
            "csat": np.clip(rng.integers(1, 6, 600) + new, 1, 5),
            "score": np.clip(rng.integers(0, 11, 600) + new, 0, 10),
            "seconds": seconds.round(),
            "done": rng.random(600) < 0.9,
        }
    )


@pytest.fixture(scope="module")
def findings(rows: pd.DataFrame) -> dict[str, Finding]:
    found = {name: compare(rows, measure, by="way") for name, measure in MEASURES.items()}
    days = pd.date_range("2026-01-01", periods=60, freq="D")
    came = pd.DataFrame({"opened_at": np.repeat(days, np.random.default_rng(2).poisson(9, 60))})
    found["count"] = compare(came, COUNT, at="2026-02-01")
    found["invalid"] = compare(rows[rows["agent_id"] < 6], SOLVED, by="way")
    return found


NAMES = [*MEASURES, "count", "invalid"]


def numbers(text: str) -> list[str]:
    """All numbers of a text in European digits, sorted; what is spelled out, such as an Arabic dual, is none."""
    plain_text = ISOLATES.sub("", text).translate(WESTERN)
    return sorted(re.findall(r"\d[\d.,]*\d|\d", plain_text))


class Text(HTMLParser):
    """The texts of an HTML page, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.found.append(data)


def read(html: str) -> list[str]:
    page = Text()
    page.feed(html)
    assert page.open == []
    return page.found


@pytest.mark.parametrize("name", ["share", "score", "net"])
@pytest.mark.parametrize("other", ["ar", "fa"])
def test_the_languages_say_the_same_numbers(findings: dict[str, Finding], name: str, other: str) -> None:
    """Digits of the whole verdict, whatever their script; times may be spelled out, and have a test of their own."""
    found = findings[name]
    assert numbers(found.verdict(other)) == numbers(found.verdict("en"))


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_and_the_card_speak_every_language(findings: dict[str, Finding], name: str, lang: str) -> None:
    """No key, no brace, no code is left in what a reader sees."""
    found = findings[name]
    texts = [found.verdict(lang), *read(found.card(lang)), found.figure(lang).alt]
    assert all(texts)
    joined = " ".join(texts)
    assert not re.search(r"changes\.[a-z_]+\.|\{|\}|\bnan\b", joined)
    letters = re.findall("[؀-ۿ]", joined)
    assert bool(letters) == (lang != "en")


def test_the_card_keeps_the_order_of_a_readers_questions(findings: dict[str, Finding], lang: str) -> None:
    """statistics.md, section 5: question, answer, effect, why this method, checks, what would change it, sources."""
    order = ["question", "answer", "effect", "method", "instead", "checks", "would", "sources"]
    words = read(findings["share"].card(lang))
    places = [words.index(say(f"changes.card.{part}", lang)) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize("name", NAMES)
def test_a_finding_survives_json(findings: dict[str, Finding], name: str) -> None:
    """Written and read again it is the same; what is not a number is null."""
    told = findings[name].to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["code"] == findings[name].code and told["definition"] == MEASURES.get(name, findings[name].measure).definition_hash  # fmt: skip  # noqa: E501
    mime = findings[name]._repr_mimebundle_()
    assert json.loads(json.dumps(mime["application/vnd.cxkit.result+json"], allow_nan=False))


def test_a_finding_made_again_is_the_same(rows: pd.DataFrame) -> None:
    """The mark of its rows, and every number."""
    one, two = (compare(rows.copy(), CSAT, by="way").to_dict() for _ in range(2))
    assert one == two and len(one["provenance"]["rows"]) == 12
    other = compare(rows.assign(csat=6 - rows["csat"]), CSAT, by="way").to_dict()
    assert other["provenance"]["rows"] != one["provenance"]["rows"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_finding_draws_itself(findings: dict[str, Finding], name: str, lang: str) -> None:
    """A picture with the verdict as its alternative text; the same finding gives the same picture."""
    picture = findings[name].figure(lang)
    assert picture.alt == findings[name].verdict(lang)
    assert picture.png[:4] == b"\x89PNG" and len(picture.png) > 5_000
    assert findings[name].figure(lang).png == picture.png


def test_the_naive_test_is_printed_beside(findings: dict[str, Finding]) -> None:
    """The issue of the field: tickets of one agent are no strangers."""
    found = findings["ratio"]
    said = " ".join(read(found.card("en")))
    assert f"The t-test on the rows would have said {P(found.naive.p, exact=True).text('en')}" in said
    assert f"this method says {P(found.p, exact=True).text('en')}" in said
    assert found.naive.p < found.p


def test_a_share_is_told_for_a_thousand_cases(findings: dict[str, Finding]) -> None:
    """.55 and .80 of each: about 250 of 1,000."""
    found = findings["share"]
    value = found.effect.found.value
    assert f"Of 1,000 cases that is {round(1000 * value):d} more" in found.verdict("en")
    assert found.code == "improved"


def test_before_and_after_says_changed_and_never_caused(rows: pd.DataFrame, lang: str) -> None:
    """Without a group that the change did not reach, the verdict speaks of a change and of nothing that made it."""
    dated = rows.assign(
        opened_at=np.where(rows["way"] == "old", pd.Timestamp("2026-01-05"), pd.Timestamp("2026-02-05"))
    )
    dated["opened_at"] = pd.to_datetime(dated["opened_at"]) + pd.to_timedelta(np.arange(600) % 20, unit="D")
    found = compare(dated, SOLVED, at="2026-02-01")
    assert found.design.manner == "since" and found.code == "improved"
    assert found.sentences()[-1].key == "changes.verdict.not_caused"
    assert say("changes.verdict.not_caused", lang) in found.verdict(lang)
    assert "control" in [check.code for check in found.checks if check.level == "warn"]
    assert not re.search("caus|because of the change|led to", found.verdict("en"))


@pytest.mark.parametrize(
    ("value", "se", "better", "margin", "code", "within"),
    [
        (0.10, 0.01, "higher", None, "improved", False),
        (-0.10, 0.01, "higher", None, "worsened", False),
        (-0.10, 0.01, "lower", None, "improved", False),
        (0.10, 0.01, "none", None, "changed", False),
        (0.01, 0.001, "higher", 0.05, "improved", True),
        (0.00, 0.01, "higher", 0.05, "equivalent", True),
        (0.03, 0.02, "higher", 0.05, "not_worse", False),
        (0.00, 0.01, "higher", None, "no_evidence", False),
        (0.00, 0.10, "higher", 0.05, "inconclusive", False),
    ],
)
def test_each_verdict_has_its_sentence(
    value: float, se: float, better: str, margin: float | None, code: str, within: bool, lang: str
) -> None:
    """An effect of known size and error, judged at 5 %; bounds by the normal law."""
    judgement = judge(
        lambda level: inference(value, Spread(se, math.inf, 100.0), level),
        better=better,  # type: ignore[arg-type]
        margin=margin,
        alpha=0.05,
        rows=100,
    )
    assert (judgement.code, judgement.within_margin) == (code, within)
    told = inference(value, Spread(se, math.inf, 100.0), 0.95)
    for manner in ("between", "due", "since", "beyond"):
        found = Finding(
            pd.DataFrame(),
            measure=SOLVED,
            design=Design(manner, ("old", "new"), "way", pd.Timestamp("2026-02-01")),  # type: ignore[arg-type]
            effects=(Effect("share", "share", told, "primary"),),
            judgement=judgement,
            margin=margin,
        )
        said = found.verdict(lang)
        assert "{" not in said and Change(value, "share").text(lang) in said
        assert all(sentence.text(lang) for sentence in (*found.would_change, found.question))
    if code == "inconclusive":  # n (se / wanted)^2 - n, with wanted = margin / (1.96 + 0.84)
        wanted = margin / (1.959964 + 0.8416212)
        assert judgement.more == math.ceil(100 * ((se / wanted) ** 2 - 1))
        assert Group("", "x").text(lang) == "x"


def test_a_planned_look_widens_the_verdict(rows: pd.DataFrame) -> None:
    """At the first of five looks only a change of 4.9 standard errors is one (Lan and DeMets 1983)."""
    part = rows.head(200)
    single, first = compare(part, SOLVED, by="way"), compare(part, SOLVED, by="way", look=Look(1, 5))
    assert single.code == "improved" and first.code == "no_evidence"
    assert [c.code for c in first.checks if "look" in c.code] == ["planned_look"]
    free = compare(part, SOLVED, by="way", look=Look(3))
    assert free.effect.found.high - free.effect.found.low > single.effect.found.high - single.effect.found.low
    assert free.p > single.p and "whenever one liked" in " ".join(read(free.card("en")))


@pytest.mark.parametrize(
    ("word", "en", "fa"),
    [
        (Change(0.0456, "share"), "+4.6 points", "+۴٫۶ واحد درصد"),
        (Change(-0.0004, "points"), "−0.04 points", "−۰٫۰۴ واحد درصد"),
        (Change(-90.0, "seconds"), "−1.5 minutes", "−۱٫۵ دقیقه"),
        (Change(0.08, "relative"), "+8.0%", "+۸٫۰٪"),
        (Change(0.543, "chance"), "54.3%", "۵۴٫۳٪"),
        (Change(0.03, "chance", signed=False), "3.0 points", "۳٫۰ واحد درصد"),
        (Change(0.0, "share"), "0.0 points", "۰٫۰ واحد درصد"),
        (Change(math.inf, "share"), "any size", "هر اندازه"),
        (Change(math.nan, "share"), "–", "–"),
        (Span(-0.01, 0.02, "share"), "−1.0 to +2.0 points", "−۱٫۰ تا +۲٫۰ واحد درصد"),
        (P(0.0451), "p = 0.045", "مقدار پی ۰٫۰۴۵"),
        (P(0.27), "p = 0.27", "مقدار پی ۰٫۲۷"),
        (P(3e-44), "p below 0.001", "مقدار پی کمتر از ۰٫۰۰۱"),
        (P(3e-44, exact=True), "p = 3 × 10⁻⁴⁴", "مقدار پی ۳ × ۱۰⁻⁴⁴"),
        (
            Measured("capped_mean", 14400.0),
            "mean time, each counted up to 4 hours",
            "میانگین زمان، هر مورد حداکثر تا ۴ ساعت",
        ),
        (Group("form", "yes"), "form: yes", "form: بله"),
        (Group("channel", "email"), "e-mail", "ایمیل"),
    ],
)
def test_sizes_are_spoken_in_the_unit_of_the_kpi(word: Change | Span | P, en: str, fa: str) -> None:
    """Points of a share, minutes of a time, percent of a number; signs stand before their numbers."""
    assert ISOLATES.sub("", word.text("en")) == en
    assert ISOLATES.sub("", word.text("fa")) == fa


def test_a_sign_stays_left_of_its_number_between_words_that_run_from_the_right() -> None:
    """Unicode UAX 9, rule W4: a sign before a number in right-to-left text would move behind it without an isolate."""
    assert "\u2066−۱٫۵\u2069" in Change(-90.0, "seconds").text("fa")
    assert "\u2066+4.6\u2069" in Change(0.046, "share").text("ar")
    assert Change(-90.0, "seconds").text("en") == "−1.5 minutes"


def test_parts_become_plain_values() -> None:
    """Words as their codes, parts as mappings, infinite as null."""
    told = plain(Judgement("invalid", stop=Check("twice", "stop", {"n": np.int64(3), "of": Group("", "x")})))
    assert told["rules_out"] is None and told["stop"]["params"] == {"n": 3, "of": "x"}
    assert plain(Method("welch", (Reason("mean"),)))["because"] == [{"code": "mean", "params": {}}]
    assert plain({"at": pd.Timestamp("2026-02-01"), "x": (1.0, math.nan)}) == {
        "at": "2026-02-01T00:00:00",
        "x": [1.0, None],
    }
