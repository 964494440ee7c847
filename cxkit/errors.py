"""Every refusal of the kit, in one tree: what was expected, what came, and the nearest right thing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping

Renderer = Callable[[str, Mapping[str, object], str | None], str]


def _plain(code: str, params: Mapping[str, object], lang: str | None) -> str:
    """The refusal without its words, for the moment before `cxkit.lang` is loaded."""
    return f"{code} {dict(params)}" if params else code


# The words live in the catalogues of `cxkit.lang`, which stands above this module and hands its renderer down.
_renderer: Renderer = _plain


def speak_with(renderer: Renderer) -> None:
    """Let `renderer` turn a code and its parameters into a sentence."""
    global _renderer
    _renderer = renderer


class CxkitError(Exception):
    """A refusal with a code, whose sentence is catalogue key `error.<code>` in three languages.

    Parameters are names, counts and rules: never a value that a customer typed.
    """

    exit_code = 1

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params

    def text(self, lang: str | None = None) -> str:
        """The sentence in `lang` (default: the session's language)."""
        return _renderer(self.code, self.params, lang)

    def __str__(self) -> str:
        return self.text()


class LanguageError(CxkitError):
    """A word, a language or a placeholder that the catalogues do not have."""

    exit_code = 2


class ParameterError(CxkitError):
    """A parameter, an option or a name that is not declared, or of the wrong type."""

    exit_code = 2


class ContractError(CxkitError):
    """Tables that break the contract."""

    exit_code = 3


class IntakeError(CxkitError):
    """An export that cannot be read safely."""

    exit_code = 3


class StudyError(CxkitError):
    """A study that is not there, or not declared as it should be."""

    exit_code = 3


class MeasureError(CxkitError):
    """A KPI that is declared wrongly, or asked of data that cannot carry it."""

    exit_code = 3


class ReportError(CxkitError):
    """A report that could not be made whole."""

    exit_code = 1


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None when nothing comes close.

    >>> nearest("first_reply_minuts", ["channel", "first_reply_minutes"])
    'first_reply_minutes'
    """
    folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None
