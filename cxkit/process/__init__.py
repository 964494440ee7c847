"""The process, stage by stage: what the event log of a service says about where its time goes.

Every function takes a study and returns a Result; a study without events gets the answer "not answerable: needs ...".
Which activities mean resolved and closed, and what kind of stage each is, stands in `[process]` of study.toml.
"""

from cxkit.process.card import moves, stages
from cxkit.process.clocks import timers
from cxkit.process.hands import handoffs
from cxkit.process.paths import follows, variants
from cxkit.process.quality import audit
from cxkit.process.rework import reopens
from cxkit.process.solving import resolution
from cxkit.process.spending import focus, shares

__all__ = [
    "audit",
    "focus",
    "follows",
    "handoffs",
    "moves",
    "reopens",
    "resolution",
    "shares",
    "stages",
    "timers",
    "variants",
]
