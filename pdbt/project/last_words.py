"""What a process that was started in the background said before it ended."""

from __future__ import annotations

from pathlib import Path

from ..engine.errors import PIPELINE_FAILED, PdbtError

SHOWN_LINES = 5
_ERROR, _HINT = "error: ", "hint: "


def ended_while_starting(what: str, log: Path) -> PdbtError:
    """Return the error for a process that ended while it was starting: its own sentence and hint, or else the last lines of its log.

    Args:
        what: the process, as a person knows it.
        log: what it printed.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = next((number for number in reversed(range(len(lines))) if lines[number].startswith(_ERROR)), None)
    if said is None:
        return PdbtError(f"{what} ended while it was starting: {' '.join(lines[-SHOWN_LINES:])}", f"Look at {log}.", PIPELINE_FAILED)
    hint = next((line.removeprefix(_HINT) for line in lines[said + 1 :] if line.startswith(_HINT)), f"Look at {log}.")
    return PdbtError(f"{what} ended while it was starting: {lines[said].removeprefix(_ERROR)}", hint, PIPELINE_FAILED)
