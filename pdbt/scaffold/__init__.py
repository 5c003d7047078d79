"""Scaffold: templates become a plan, a plan becomes files. `new_project` makes a project, `add_sources` brings data into one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .add import add_sources
    from .addons import add_addon
    from .locate import NotAProject, find_project
    from .names import NameRefused, check_name
    from .new import NewProject, new_project
    from .plan import Plan, PlannedFile, PlannedTable
    from .update import UnresolvedConflicts, update_project
    from .update_plan import FileUpdate, UpdatePlan

__all__ = [
    "FileUpdate",
    "NameRefused",
    "NewProject",
    "NotAProject",
    "Plan",
    "PlannedFile",
    "PlannedTable",
    "UnresolvedConflicts",
    "UpdatePlan",
    "add_addon",
    "add_sources",
    "check_name",
    "find_project",
    "new_project",
    "update_project",
]

_HOMES = {
    "FileUpdate": "update_plan",
    "NameRefused": "names",
    "NewProject": "new",
    "NotAProject": "locate",
    "Plan": "plan",
    "PlannedFile": "plan",
    "PlannedTable": "plan",
    "UnresolvedConflicts": "update",
    "UpdatePlan": "update_plan",
    "add_addon": "addons",
    "add_sources": "add",
    "check_name": "names",
    "find_project": "locate",
    "new_project": "new",
    "update_project": "update",
}


def __getattr__(name: str) -> object:
    """Load a public name where it is first asked for: a project without data pays for no reading of data."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
