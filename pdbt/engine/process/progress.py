"""One line of a terminal that says what is waited for; nothing where there is no terminal."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from types import TracebackType


class Progress:
    """Rewrites its line, and leaves it empty."""

    def __init__(self, what: str) -> None:
        """Begin with what is waited for."""
        self._what = what
        self._start = time.monotonic()
        self._shown = sys.stderr.isatty()

    def show(self) -> None:
        """Write the line as it is now."""
        self._rewrite(f"{self._what} ... {time.monotonic() - self._start:.0f} s")

    def __enter__(self) -> Progress:
        """Show nothing yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Leave the line empty."""
        self._rewrite("")

    def _rewrite(self, line: str) -> None:
        if self._shown:
            with contextlib.suppress(OSError, UnicodeEncodeError):  # a terminal that is gone does not stop the work
                sys.stderr.write(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}")
                sys.stderr.flush()
