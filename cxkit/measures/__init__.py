"""The KPIs: kinds, definitions, and their estimates from tallies counted where the data live."""

from cxkit.measures.counting import tally, tally_rows, waterfall
from cxkit.measures.doubts import doubts
from cxkit.measures.estimate import closed_only, estimates, estimates_of
from cxkit.measures.facts import begins_at
from cxkit.measures.kinds import Count, Duration, Measure, Net, Ratio, Score, Share
from cxkit.measures.needs import check_group, columns_of, missing
from cxkit.measures.registry import registry, rivals
from cxkit.measures.targets import Goal, goal

__all__ = [
    "Count",
    "Duration",
    "Goal",
    "Measure",
    "Net",
    "Ratio",
    "Score",
    "Share",
    "begins_at",
    "check_group",
    "closed_only",
    "columns_of",
    "doubts",
    "estimates",
    "estimates_of",
    "goal",
    "missing",
    "registry",
    "rivals",
    "tally",
    "tally_rows",
    "waterfall",
]
