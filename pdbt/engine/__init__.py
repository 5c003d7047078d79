"""The engine of a pdbt project: it imports, builds, checks, publishes and exports the project's tables.

It imports nothing of pdbt: a project carries its own copy of this package as ``scripts/engine``.
"""

from .errors import PdbtError
from .run import Run
from .session import RunOptions, open_run, plan_run, use_run
from .settings import Settings, load_settings

__all__ = ["PdbtError", "Run", "RunOptions", "Settings", "load_settings", "open_run", "plan_run", "use_run"]
