"""May these data carry these questions? What was read, what breaks the rules, and what can be answered."""

from cxkit.check.columns import columns
from cxkit.check.files import account_lines, files, left_out
from cxkit.check.gate import gate
from cxkit.check.orders import orders
from cxkit.check.provenance import provenance
from cxkit.check.questions import kpis, questions
from cxkit.check.span import span

__all__ = ["account_lines", "columns", "files", "gate", "kpis", "left_out", "orders", "provenance", "questions", "span"]
