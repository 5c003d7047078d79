"""Updates of the templates: one that was killed midway, and places that one marked for the owner to decide."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...engine.interrupted import JOURNAL
from ...scaffold.base import BASE_FILE, BaseDamaged, read_base
from ...scaffold.locate import whole_project
from ...scaffold.update import find_unresolved
from ...version import __version__
from .check import ERROR, OK, WARNING, Check, Patient

_NAMED = 3


def examine_update(patient: Patient) -> Iterable[Check]:
    """Check whether the last update came to its end, and whether its conflicts were settled."""
    return [update_check(whole_project(patient.home))]


def update_check(home: Path) -> Check:
    """Say what the last update left.

    Args:
        home: the project's folder.
    """
    if (home / JOURNAL).is_file():
        return Check("update", ERROR, "An update was killed midway.", "Finish it: pdbt update; the next run does so, too.")
    try:
        base = read_base(home)
    except BaseDamaged as error:
        return Check("update", ERROR, error.message, error.hint)
    if base is None:
        return Check("update", WARNING, f"There is no {BASE_FILE}: an early pdbt made the project.", "Make one: pdbt update")
    unresolved = find_unresolved(home, base, {})
    if unresolved:
        more = f" and {len(unresolved) - _NAMED} more" if len(unresolved) > _NAMED else ""
        text = f"The last update left a conflict in {', '.join(unresolved[:_NAMED])}{more}."
        return Check("update", ERROR, text, "Choose the lines that hold, and remove the marks and the files *.pdbt-new.")
    if base.version != __version__:
        return Check("update", OK, f"The templates are those of pdbt {base.version}; this is pdbt {__version__}: pdbt update")
    return Check("update", OK, f"The templates are those of this pdbt, {__version__}.")
