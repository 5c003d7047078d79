"""The command line: parses, calls one function of the library, prints. Every error of a command leaves through `main`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType

from ..engine.errors import NEEDS_A_HAND, PIPELINE_FAILED, PdbtError

_INTERRUPTED = 128 + 2  # what a shell reports for SIGINT
_DEBUG = "--debug"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code.

    ``--debug`` may stand anywhere; with it every error is raised as it is.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = _DEBUG in words
    if debug:
        words = [_DEBUG, *(word for word in words if word != _DEBUG)]
    elif arguments is None:
        # This process is the command: what nobody foresaw is a sentence too.
        sys.excepthook = _tell_unexpected
    return _dispatch(words, debug)


def _dispatch(words: list[str], debug: bool) -> int:
    import typer

    from .app import COMMANDS, make_app

    command = next((word for word in words if not word.startswith("-")), "")
    app = make_app(command)
    try:
        return int(app(words or ["--help"], prog_name="pdbt", standalone_mode=False) or 0)
    except PdbtError as error:
        if debug:
            raise
        return _tell(error.message, error.hint, error.exit_code)
    except typer.TyperException as error:
        return _tell(error.format_message(), _where_to_look(error, command if command in COMMANDS else ""), NEEDS_A_HAND)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _where_to_look(error: Exception, command: str) -> str:
    """Name the help of the command that was mistyped, as far as the error or the first word tells which it is."""
    context = getattr(error, "ctx", None)
    return f"Try: {f'pdbt {command}'.strip() if context is None else context.command_path} --help"


def _tell(message: str, hint: str, exit_code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return exit_code


def _tell_unexpected(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print what nobody foresaw as one sentence; Python then exits with 1."""
    what = " ".join(f"{kind.__name__}: {error}".split())
    _tell(f"pdbt met something that it did not expect: {what}", "Show where with --debug, and report it please.", PIPELINE_FAILED)
