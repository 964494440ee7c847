"""cxkit: honest, reproducible reports for customer-service teams, in English, Arabic and Persian.

`import cxkit as cx` is light: each name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# name -> (module, attribute; None for the module itself)
_DOOR: dict[str, tuple[str, str | None]] = {
    "changes": ("cxkit.changes", None),
    "check": ("cxkit.check", None),
    "kpis": ("cxkit.kpis", None),
    "process": ("cxkit.process", None),
    "measures": ("cxkit.measures", None),
    "open_study": ("cxkit.study", "open_study"),
    "Study": ("cxkit.study", "Study"),
    "Share": ("cxkit.measures", "Share"),
    "Score": ("cxkit.measures", "Score"),
    "Net": ("cxkit.measures", "Net"),
    "Duration": ("cxkit.measures", "Duration"),
    "Ratio": ("cxkit.measures", "Ratio"),
    "Count": ("cxkit.measures", "Count"),
    "Result": ("cxkit.result", "Result"),
    "say": ("cxkit.lang", "say"),
    "use": ("cxkit.lang", "use"),
    "CxkitError": ("cxkit.errors", "CxkitError"),
}

if TYPE_CHECKING:
    from cxkit import changes, check, kpis, measures, process
    from cxkit.errors import CxkitError
    from cxkit.lang import say, use
    from cxkit.measures import Count, Duration, Net, Ratio, Score, Share
    from cxkit.result import Result
    from cxkit.study import Study, open_study

__all__ = [
    "Count",
    "CxkitError",
    "Duration",
    "Net",
    "Ratio",
    "Result",
    "Score",
    "Share",
    "Study",
    "__version__",
    "changes",
    "check",
    "kpis",
    "measures",
    "open_study",
    "process",
    "say",
    "use",
]


def __getattr__(name: str) -> object:
    if name not in _DOOR:
        raise AttributeError(f"module 'cxkit' has no attribute {name!r}; it has: {', '.join(sorted(_DOOR))}")
    module, attribute = _DOOR[name]
    loaded = importlib.import_module(module)
    found = loaded if attribute is None else getattr(loaded, attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_DOOR])
