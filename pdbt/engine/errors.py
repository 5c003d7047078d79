"""The one error that leaves the engine: what happened, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable

DONE = 0
PIPELINE_FAILED = 1
NEEDS_A_HAND = 2
RUN_IN_PROGRESS = 75  # EX_TEMPFAIL of sysexits.h: try again later


class PdbtError(Exception):
    """A fault told to a person as one sentence and one hint.

    Attributes:
        message: what happened and where (file, line, column, process, port), on one line.
        hint: what to do about it, on one line; empty when the message says it all.
        exit_code: the exit code of the command that it ends.
        passing: whether it may pass by itself, though a person has something to look at.
    """

    passing = False

    def __init__(self, message: str, hint: str = "", exit_code: int = NEEDS_A_HAND) -> None:
        """Keep the three parts; the exception's text is the message with its hint."""
        self.message = " ".join(message.split())
        self.hint = " ".join(hint.split())
        self.exit_code = exit_code
        super().__init__(f"{self.message} {self.hint}".strip())

    def redact(self, mask: Callable[[str], str]) -> None:
        """Mask the secrets in what is told; `mask` returns a text without them."""
        self.message, self.hint = mask(self.message), mask(self.hint)
        self.args = (f"{self.message} {self.hint}".strip(),)


class SettingsError(PdbtError, ValueError):
    """A setting that pdbt.toml, the environment or the command line got wrong.

    Attributes:
        key: the dotted key, as ``source.on_error``.
        received: what was given.
        allowed: what would have been right.
    """

    def __init__(self, message: str, hint: str = "", *, key: str = "", received: object = None, allowed: object = ()) -> None:
        """Keep the data of the fault beside its sentence."""
        super().__init__(message, hint, NEEDS_A_HAND)
        self.key = key
        self.received = received
        self.allowed = allowed


class SourceError(PdbtError, ValueError):
    """A source file, or a row of one, that cannot be read as it is.

    Attributes:
        path: the file.
        line: the physical line where the fault starts, counted from 1; None when it is the whole file.
        column: the name of the column at fault, when it is one.
        text: the text at fault.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        path: str = "",
        line: int | None = None,
        column: str | None = None,
        text: str = "",
    ) -> None:
        """Keep the data of the fault beside its sentence."""
        super().__init__(message, hint, NEEDS_A_HAND)
        self.path = path
        self.line = line
        self.column = column
        self.text = text


class GraphError(PdbtError):
    """Tables that cannot be put in order: a cycle, an unknown table, two definitions of one."""


class BuildError(PdbtError):
    """A table, check or export that failed while the pipeline ran."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Exit with 1: the pipeline failed, the command line was right."""
        super().__init__(message, hint, PIPELINE_FAILED)


class CheckFailed(BuildError):
    """Checks that returned rows; nothing was published."""


class RunInProgress(PdbtError):
    """Another run holds the work database."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Exit with 75, as sysexits.h says for what works when tried again."""
        super().__init__(message, hint, RUN_IN_PROGRESS)


class Unreachable(PdbtError):
    """A server that does not answer now: a person has something to look at, and yet it may answer a moment later."""

    passing = True


def close_words(word: str, choices: Iterable[str]) -> list[str]:
    """Return the choice that a word was probably meant to be, if one is close enough; for the hint of an error."""
    import difflib  # which only a mistake needs

    return difflib.get_close_matches(word, list(choices), n=1)


def may_pass(error: BaseException) -> bool:
    """Return True if what failed may succeed when it is tried again, as it is.

    A failed check would fail again, and what ends with exit code 2 waits for a person, but for a server that does not answer.
    """
    if isinstance(error, PdbtError) and error.exit_code == NEEDS_A_HAND:
        return error.passing
    return not isinstance(error, CheckFailed)


class MissingLibrary(PdbtError, ImportError):
    """A library that this project needs is not installed."""

    def __init__(self, library: str, needed_for: str) -> None:
        """Name the library, what needs it and the command that installs it."""
        super().__init__(f"{needed_for} needs {library}, which is not installed.", f"Run: python3 -m pip install {library}")
        self.library = library
