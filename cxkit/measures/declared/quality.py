"""How good the answers are, as reviewers see them."""

from __future__ import annotations

from typing import Any

from cxkit.measures.declared.given import Given, Rivals, default_first
from cxkit.measures.kinds import Ratio


def quality(given: Given) -> tuple[Rivals, ...]:
    """The mean review score, each review weighted by the tickets that it stands for."""
    shared: dict[str, Any] = {"of": "qa_reviews", "unit": "share", "better": "higher", "family": "quality"}
    rivals = (
        Ratio(
            "qa_score",
            top="score_share * sampling_weight",
            bottom="sampling_weight",
            variant="weighted",
            caveats=("reviewers_differ",),
            **shared,
        ),
        Ratio("qa_score", top="score_share", variant="plain", caveats=("reviewers_differ", "reviews_chosen"), **shared),
    )
    plain = not given.offers("qa_reviews", "sampling_weight") and given.offers("qa_reviews", "score_share")
    return (default_first(rivals, "plain" if plain else "weighted"),)
