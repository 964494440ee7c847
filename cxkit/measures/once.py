"""Questions whose answer stays as it is while a study is open: each is put to the engine once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from cxkit.study import Study

T = TypeVar("T")
_ANSWERS: dict[int, dict[Hashable, Any]] = {}


def once(study: Study, question: Hashable, ask: Callable[[], T]) -> T:
    """The answer of `ask`, kept for as long as the opened study is: its data do not change after `as_of`."""
    if id(study) not in _ANSWERS:
        _ANSWERS[id(study)] = {}
        weakref.finalize(study, _ANSWERS.pop, id(study), None)
    answers = _ANSWERS[id(study)]
    if question not in answers:
        answers[question] = ask()
    found: T = answers[question]
    return found
