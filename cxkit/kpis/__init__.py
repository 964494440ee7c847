"""Every KPI of a study: scorecard and cards, families, trends, groups, definitions, and whom they speak for."""

from cxkit.kpis.backlog import Backlog, backlog
from cxkit.kpis.card import Card, card
from cxkit.kpis.censoring import Censoring, censoring
from cxkit.kpis.chooser import Chooser, chooser
from cxkit.kpis.comparison import Compared, DefinitionGap, definition_gap, definitions_compared
from cxkit.kpis.coverage import Coverage, coverage
from cxkit.kpis.definitions import Definitions, Population, definitions, population
from cxkit.kpis.distribution import Distribution, distribution
from cxkit.kpis.groups import ByGroup, by_group
from cxkit.kpis.movement import Movement, movement
from cxkit.kpis.overview import (
    Family,
    GroupTrends,
    Overview,
    channels,
    families,
    family,
    segments,
    trends,
    trends_by_group,
)
from cxkit.kpis.respondents import Respondents, respondents
from cxkit.kpis.scorecard import Scorecard, scorecard
from cxkit.kpis.trend import Trend, trend

__all__ = [
    "Backlog",
    "ByGroup",
    "Card",
    "Censoring",
    "Chooser",
    "Compared",
    "Coverage",
    "DefinitionGap",
    "Definitions",
    "Distribution",
    "Family",
    "GroupTrends",
    "Movement",
    "Overview",
    "Population",
    "Respondents",
    "Scorecard",
    "Trend",
    "backlog",
    "by_group",
    "card",
    "censoring",
    "channels",
    "chooser",
    "coverage",
    "definition_gap",
    "definitions",
    "definitions_compared",
    "distribution",
    "families",
    "family",
    "movement",
    "population",
    "respondents",
    "scorecard",
    "segments",
    "trend",
    "trends",
    "trends_by_group",
]
