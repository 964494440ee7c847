"""Did it work: whether a change moved a KPI, by how much, and how sure one can be."""

from cxkit.changes.audit import Audit, audit
from cxkit.changes.compare import compare
from cxkit.changes.decompose import Decomposition, decompose
from cxkit.changes.did import did, staggered
from cxkit.changes.did_finding import DidFinding
from cxkit.changes.finding import Finding
from cxkit.changes.looks import keep_look, next_look, question_key
from cxkit.changes.many import Findings, scorecard
from cxkit.changes.parts import Check, Design, Effect, Judgement, Look, Method, Naive, Reason
from cxkit.changes.planning import Plan, plan
from cxkit.changes.question import Question, question
from cxkit.changes.segments import Segments, segments
from cxkit.changes.sides import Side, Sides, sides
from cxkit.changes.trend import trend_change
from cxkit.changes.trend_finding import TrendFinding

__all__ = [
    "Audit",
    "Check",
    "Decomposition",
    "Design",
    "DidFinding",
    "Effect",
    "Finding",
    "Findings",
    "Judgement",
    "Look",
    "Method",
    "Naive",
    "Plan",
    "Question",
    "Reason",
    "Segments",
    "Side",
    "Sides",
    "TrendFinding",
    "audit",
    "compare",
    "decompose",
    "did",
    "keep_look",
    "next_look",
    "plan",
    "question",
    "question_key",
    "scorecard",
    "segments",
    "sides",
    "staggered",
    "trend_change",
]
