"""Watching folders: a file arrives, and the task groups of its tags run."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .alias import PyPelineWatcher
    from .background import Launched, launch, stop
    from .inspection import Overview, find_ledger, history, overview, retry
    from .settings import WatchSettings, find_settings_file, load_watch_settings
    from .watcher import Watcher

__all__ = [
    "Launched",
    "Overview",
    "PyPelineWatcher",
    "WatchSettings",
    "Watcher",
    "find_ledger",
    "find_settings_file",
    "history",
    "launch",
    "load_watch_settings",
    "overview",
    "retry",
    "stop",
]

_HOMES = {
    "Launched": "background",
    "Overview": "inspection",
    "PyPelineWatcher": "alias",
    "WatchSettings": "settings",
    "Watcher": "watcher",
    "find_ledger": "inspection",
    "find_settings_file": "settings",
    "history": "inspection",
    "launch": "background",
    "load_watch_settings": "settings",
    "overview": "inspection",
    "retry": "inspection",
    "stop": "background",
}


def __getattr__(name: str) -> object:
    """Load a public name where it is first asked for: a command that needs one module does not pay for all."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
