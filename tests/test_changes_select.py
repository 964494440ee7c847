"""The table of cases: which method is taken for which facts, why, instead of what, and when none is."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import pytest

import cxkit.changes
from cxkit.changes.parts import Method, Reason
from cxkit.changes.select import Facts, Unit, select
from cxkit.lang import LANGS, has, say

ROWS = (400.0, 400.0)
AGENT, CUSTOMER = Unit("agent_id", (20, 20), 0, 3.0), Unit("customer_id", (300, 300), 0, 1.2)


def facts(kind: str = "share", stat: str = "share", **known: Any) -> Facts:
    return Facts(kind=kind, stat=stat, manner="between", rows=known.pop("rows", ROWS), **known)


def told(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in reasons]


CASES = [
    # kind, statistic, further facts -> method, clusters
    ("share", "share", {}, "newcombe", ()),
    ("score", "relative_effect", {}, "brunner_munzel", ()),
    ("score", "top_share", {}, "newcombe", ()),
    ("score", "mean", {}, "welch", ()),
    ("net", "net", {}, "welch", ()),
    ("duration", "capped_mean", {"hits": (90.0, 80.0)}, "welch", ()),
    ("duration", "within", {"hits": (90.0, 80.0)}, "welch", ()),
    ("duration", "quantile", {"hits": (90.0, 80.0)}, "welch", ()),
    ("ratio", "mean_seconds", {}, "welch", ()),
    ("ratio", "geometric_mean", {}, "welch", ()),
    ("share", "share", {"adjusted": ("strata",)}, "welch", ()),
    ("share", "share", {"adjusted": ("covariate",)}, "welch", ()),
    ("share", "share", {"units": (AGENT,)}, "clusters", ("agent_id",)),
    ("share", "share", {"units": (AGENT, CUSTOMER)}, "clusters", ("agent_id",)),
    ("share", "share", {"units": (dataclasses.replace(AGENT, effect=1.1), CUSTOMER)}, "clusters", ("customer_id",)),
    (
        "share",
        "share",
        {"units": (dataclasses.replace(AGENT, effect=math.nan), CUSTOMER)},
        "clusters",
        ("customer_id",),
    ),
    ("share", "share", {"units": (dataclasses.replace(AGENT, shared=18),)}, "crossed", ("agent_id",)),
    ("share", "share", {"units": (dataclasses.replace(AGENT, largest=0.3),)}, "clusters", ("agent_id",)),
    ("share", "share", {"units": (dataclasses.replace(AGENT, largest=0.4),)}, "reassigned", ("agent_id",)),
    ("share", "share", {"units": (dataclasses.replace(AGENT, largest=0.4, shared=18),)}, "crossed", ("agent_id",)),
    ("share", "share", {"units": (dataclasses.replace(AGENT, largest=0.4),), "looks": True}, "clusters", ("agent_id",)),
    ("share", "share", {"units": (AGENT, CUSTOMER), "asked": ("customer_id",)}, "clusters", ("customer_id",)),
    (
        "share",
        "share",
        {"units": (AGENT, CUSTOMER), "asked": ("agent_id", "customer_id")},
        "two_way",
        ("agent_id", "customer_id"),
    ),
    ("share", "share", {"units": (AGENT,), "asked": ()}, "newcombe", ()),
    ("count", "arrivals", {"days": (14, 30), "dispersion": 2.0}, "quasi_poisson", ()),
    ("count", "arrivals", {"days": (13, 30)}, "exact_counts", ()),
    ("ratio", "rate", {"days": (14, 30), "per": True}, "days", ()),
]


@pytest.mark.parametrize(("kind", "stat", "known", "method", "clusters"), CASES)
def test_each_case_has_its_method(
    kind: str, stat: str, known: dict[str, Any], method: str, clusters: tuple[str, ...]
) -> None:
    """statistics.md, sections 2 and 8."""
    found = select(facts(kind, stat, **known))
    assert found.stop is None
    assert (found.method.id, found.clusters) == (method, clusters)
    assert found.method.because and found.method.sources


STOPS = [
    ({"rows": (4.0, 900.0)}, "few_rows"),
    ({"hits": (0.0, 0.0)}, "none_happened"),
    ({"hits": ROWS}, "all_happened"),
    ({"varies": False}, "constant"),
    ({"kind": "duration", "stat": "capped_mean", "hits": (0.0, 0.0)}, "all_open"),
    ({"units": (dataclasses.replace(AGENT, clusters=(4, 20)),)}, "too_few_clusters"),
    ({"units": (CUSTOMER, dataclasses.replace(AGENT, clusters=(20, 4), effect=0.5))}, "too_few_clusters"),
    ({"units": (dataclasses.replace(AGENT, clusters=(4, 4)), CUSTOMER), "asked": ("agent_id",)}, "too_few_clusters"),
    ({"kind": "ratio", "stat": "rate", "days": (13, 13), "per": True}, "few_days"),
]


@pytest.mark.parametrize(("known", "code"), STOPS)
def test_each_refusal_has_its_reason(known: dict[str, Any], code: str) -> None:
    """statistics.md, section 8: stop if."""
    found = select(facts(**known))
    assert found.stop is not None and found.stop.code == code and found.method.id == "none"


@pytest.mark.parametrize(("hits", "left"), [((0.0, 0.0), "few"), ((0.0, 1.0), "share"), ((1.0, 400.0), "share")])
def test_one_event_is_enough_to_compare(hits: tuple[float, float], left: str) -> None:
    """Only nobody at all, or everybody, on both sides leaves a bound instead of an interval."""
    assert (select(facts(hits=hits)).stop is None) == (left == "share")


def test_a_unit_that_is_named_leaves_the_others_out() -> None:
    """Few agents do not matter to somebody who asks for customers."""
    few = dataclasses.replace(AGENT, clusters=(3, 3))
    assert select(facts(units=(few, CUSTOMER), asked=("customer_id",))).clusters == ("customer_id",)


def test_both_design_effects_are_said() -> None:
    """The one that was taken, and the one that was not."""
    found = select(facts(units=(AGENT, CUSTOMER)))
    assert told(found.method.because) == ["share", "resemble", "other_unit"]
    assert found.method.because[1].params["worth"] == round(800 / 3.0)
    assert found.method.because[2].params["effect"] == 1.2


@pytest.mark.parametrize(
    ("known", "rejected"),
    [
        ({}, {"wald": "wald_small"}),
        ({"units": (AGENT,)}, {"z_test": "rows_alike"}),
        ({"units": (dataclasses.replace(AGENT, effect=0.6, shared=20),)}, {"z_test": "rows_paired"}),
        ({"kind": "score", "stat": "relative_effect"}, {"mann_whitney": "unequal_spread"}),
        ({"kind": "duration", "stat": "capped_mean", "open": (1.0, 9.0)}, {"closed_only": "drops_open"}),
        ({"kind": "duration", "stat": "capped_mean"}, {"closed_only": "few_slowest"}),
        ({"kind": "count", "stat": "arrivals", "days": (20, 20)}, {"poisson_z": "bursts"}),
        ({"kind": "count", "stat": "arrivals", "days": (2, 2)}, {"quasi_poisson": "few_days"}),
    ],
)
def test_what_was_not_taken_is_said_with_its_reason(known: dict[str, Any], rejected: dict[str, str]) -> None:
    """The card prints the branch taken and the usual one that was left."""
    found = select(facts(**known)).method.rejected
    assert {name: reason.code for name, reason in found} == rejected


def test_the_choice_is_the_same_every_time() -> None:
    """A method chosen by what comes out would not be one: equal facts, equal method."""
    for kind, stat, known, _, _ in CASES:
        assert select(facts(kind, stat, **known)) == select(facts(kind, stat, **known))


def test_every_method_reason_and_source_has_its_words_in_three_languages() -> None:
    """A code without words would be printed as it is."""
    seen: list[Method] = [select(facts(kind, stat, **known)).method for kind, stat, known, _, _ in CASES]
    reasons = [reason for method in seen for reason in (*method.because, *(r for _, r in method.rejected))]
    reasons += [stop for known, _ in STOPS if (stop := select(facts(**known)).stop) is not None]
    for lang, method in itertools.product(LANGS, seen):
        keys = [f"changes.method.{method.id}", *(f"changes.source.{key}" for key in method.sources)]
        keys += [f"changes.naive.{name}" for name, _ in method.rejected]
        assert [key for key in keys if not has(key, lang)] == []
        assert say(f"changes.method.{method.id}", lang)
    for lang, reason in itertools.product(LANGS, reasons):
        assert reason.sentence.text(lang)


def test_the_door_leads_to_it() -> None:
    """`cx.changes` is what an analyst imports."""
    assert {"compare", "audit", "sides", "Finding"} <= set(cxkit.changes.__all__)
