"""The KPIs: kinds, definitions, and their estimates from tallies counted where the data live."""

from cxkit.measures.estimate import closed_only, estimates, estimates_of
from cxkit.measures.kinds import Count, Duration, Measure, Net, Score, Share
from cxkit.measures.needs import missing
from cxkit.measures.registry import registry
from cxkit.measures.counting import waterfall, tally, tally_rows

__all__ = [
    "Count",
    "Duration",
    "Measure",
    "Net",
    "Score",
    "Share",
    "closed_only",
    "estimates",
    "estimates_of",
    "missing",
    "waterfall",
    "registry",
    "tally",
    "tally_rows",
]
