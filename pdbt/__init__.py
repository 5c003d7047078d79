"""pdbt, the Python data build tool: files and databases into a pipeline that runs, is watched and can be queried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .engine.errors import PdbtError
    from .project.backfill import BackfillResult, backfill
    from .project.cloud import CloudResult, run_cloud
    from .project.local import RunResult, run_local

__all__ = ["BackfillResult", "CloudResult", "PdbtError", "RunResult", "__version__", "backfill", "run_cloud", "run_local"]

_HOMES = {
    "BackfillResult": ".project.backfill",
    "CloudResult": ".project.cloud",
    "PdbtError": ".engine.errors",
    "RunResult": ".project.local",
    "backfill": ".project.backfill",
    "run_cloud": ".project.cloud",
    "run_local": ".project.local",
}


def __getattr__(name: str) -> object:
    """Load a public name where it is first asked for: `import pdbt` itself loads nothing."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)
