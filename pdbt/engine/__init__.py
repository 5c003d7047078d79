"""The engine of a pdbt project: it imports, builds, checks, publishes and exports the project's tables.

It imports nothing of pdbt: a project carries its own copy of this package as ``scripts/engine``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .interrupted import finish_before_use

if TYPE_CHECKING:
    from .errors import PdbtError
    from .run import Run
    from .session import RunOptions, open_run, plan_run, use_run
    from .settings import Settings, load_settings

__all__ = ["PdbtError", "Run", "RunOptions", "Settings", "load_settings", "open_run", "plan_run", "use_run"]

finish_before_use(__name__, __file__)

_HOMES = {
    "PdbtError": "errors",
    "Run": "run",
    "RunOptions": "session",
    "Settings": "settings",
    "load_settings": "settings",
    "open_run": "session",
    "plan_run": "session",
    "use_run": "session",
}


def __getattr__(name: str) -> object:
    """Load a public name where it is first asked for: a command that needs one module does not pay for all."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
