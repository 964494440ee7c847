"""The KPIs: kinds, definitions, and their estimates from tallies counted where the data live."""

from cxkit.measures.counting import tally, tally_rows, waterfall
from cxkit.measures.estimate import closed_only, estimates, estimates_of
from cxkit.measures.kinds import Count, Duration, Measure, Net, Score, Share
from cxkit.measures.needs import missing
from cxkit.measures.registry import registry

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
    "registry",
    "tally",
    "tally_rows",
    "waterfall",
]
