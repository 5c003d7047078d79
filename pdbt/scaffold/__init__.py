"""Scaffold: templates become a plan, a plan becomes files. `new_project` makes a project, `add_source` brings data into one."""

from __future__ import annotations

from .add import add_sources
from .locate import NotAProject, find_project
from .names import NameRefused, check_name
from .new import NewProject, new_project
from .plan import Plan, PlannedFile, PlannedTable

__all__ = [
    "NameRefused",
    "NewProject",
    "NotAProject",
    "Plan",
    "PlannedFile",
    "PlannedTable",
    "add_sources",
    "check_name",
    "find_project",
    "new_project",
]
