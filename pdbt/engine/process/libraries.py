"""The libraries that Dagster's files of a project need, beyond what a classic run needs."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
from collections.abc import Iterable

from ..errors import MissingLibrary, PdbtError

# By the module that is imported, what pip installs; pdbt's own dependencies and a project's requirements.txt say the same.
REQUIREMENTS = {"dagster": "dagster>=1.13,<1.14", "dagster_webserver": "dagster-webserver>=1.13,<1.14", "psutil": "psutil>=6"}


class MissingRequirements(MissingLibrary):
    """Libraries of a project's Dagster that are not installed.

    Attributes:
        modules: the modules that cannot be imported.
    """

    def __init__(self, modules: Iterable[str], needed_for: str) -> None:
        """Name what is missing, for which Python, and the one command that installs it."""
        self.modules = tuple(modules)
        self.library = ", ".join(self.modules)
        verb = "is" if len(self.modules) == 1 else "are"
        wanted = shlex.join(REQUIREMENTS[module] for module in self.modules)
        PdbtError.__init__(
            self,
            f"{needed_for} needs {self.library}, which {verb} not installed for {sys.executable}.",
            f"Run: {python_command()} -m pip install {wanted}",
        )


def require(needed_for: str, modules: Iterable[str] = tuple(REQUIREMENTS)) -> None:
    """Make sure that libraries are installed, importing none of them.

    Raises:
        MissingRequirements: some are not.
    """
    missing = [module for module in modules if not is_installed(module)]
    if missing:
        raise MissingRequirements(missing, needed_for)


def is_installed(module: str) -> bool:
    """Return True if a module could be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # the package that it would be in is not there
        return False


def python_command() -> str:
    """Return how this Python is called here."""
    return "python3" if shutil.which("python3") == sys.executable else shlex.quote(sys.executable)
