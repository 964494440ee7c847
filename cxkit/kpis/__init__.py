"""The scorecard: every KPI of a study with its interval, target, trend, channels and definition."""

from cxkit.kpis.censoring import Censoring, censoring
from cxkit.kpis.definitions import Definitions, Population, definitions, population
from cxkit.kpis.distribution import Distribution, distribution
from cxkit.kpis.groups import ByGroup, by_group
from cxkit.kpis.overview import Overview, channels, trends
from cxkit.kpis.scorecard import Scorecard, scorecard
from cxkit.kpis.trend import Trend, trend

__all__ = [
    "ByGroup",
    "Censoring",
    "Definitions",
    "Distribution",
    "Overview",
    "Population",
    "Scorecard",
    "Trend",
    "by_group",
    "censoring",
    "channels",
    "definitions",
    "distribution",
    "population",
    "scorecard",
    "trend",
    "trends",
]
