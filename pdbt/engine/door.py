"""The door of errors for the scripts of a project: what they raise becomes one sentence and an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from .errors import PIPELINE_FAILED, PdbtError
from .report import say
from .system_faults import missing_module

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def through_the_door(action: Callable[[], int], *, debug: bool, interrupted: str) -> int:
    """Do what a script is for; return its exit code.

    Args:
        action: does it, and returns the exit code when all went well.
        debug: raise every error as it is.
        interrupted: what a person is told after Ctrl-C, unless the interrupt itself says it.
    """
    try:
        return action()
    except PdbtError as error:
        if debug:
            raise
        return _said(error)
    except ModuleNotFoundError as error:
        if debug or error.name is None:
            raise
        return _said(missing_module(error))
    except KeyboardInterrupt as interrupt:
        if debug:
            raise
        say(str(interrupt) or interrupted, sys.stderr)
        return INTERRUPTED
    except Exception as error:
        # Not foreseen: either the owner's own code in scripts/, or a fault of the engine. No traceback unless it is asked for.
        if debug:
            raise
        say(f"error: {type(error).__name__}: {error}", sys.stderr)
        say("hint: The same command with --debug shows where.", sys.stderr)
        return PIPELINE_FAILED


def _said(error: PdbtError) -> int:
    say(f"error: {error.message}", sys.stderr)
    if error.hint:
        say(f"hint: {error.hint}", sys.stderr)
    return error.exit_code


def seconds(text: str) -> float:
    """Read a number of seconds from a command line."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("a number of seconds, 0 or more")
    return value
