"""The doctor: looks at a project from all sides, starts nothing and changes nothing.

Each check is a function that is given the project and returns what it found; a new one is one more entry of `EXAMINATIONS`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ...engine.errors import DONE, NEEDS_A_HAND, PdbtError
from .check import ERROR, OK, WARNING, Check, Examine, Patient
from .dagster import examine_pid_file, examine_port, examine_schedule
from .disk import examine_file_system, examine_space
from .environment import check_python, examine_libraries, examine_settings
from .sources import examine_sources
from .updates import examine_update
from .work import examine_last_run, examine_lock

__all__ = ["ERROR", "OK", "WARNING", "Check", "Diagnosis", "Examine", "Patient", "as_json", "diagnose", "exit_code"]

EXAMINATIONS: tuple[Examine, ...] = (
    lambda patient: [check_python()],
    examine_libraries,
    examine_settings,
    examine_update,
    examine_sources,
    examine_pid_file,
    examine_port,
    examine_schedule,
    examine_lock,
    examine_last_run,
    examine_space,
    examine_file_system,
)
_THREADS = 8


@dataclass(frozen=True)
class Diagnosis:
    """What was found of one project.

    Attributes:
        name: the project's name.
        folder: its folder.
        checks: what was found, in the order of the examinations.
    """

    name: str
    folder: str
    checks: tuple[Check, ...]


def diagnose(homes: Sequence[Path], more: Sequence[Examine] = ()) -> list[Diagnosis]:
    """Look at projects, several at a time.

    Args:
        homes: their folders.
        more: examinations beside those of this package, which it does not know of.
    """
    with ThreadPoolExecutor(max(1, min(_THREADS, len(homes)))) as pool:
        return list(pool.map(lambda home: _diagnose(home, more), homes))


def exit_code(diagnoses: Sequence[Diagnosis]) -> int:
    """Return 2 when something needs a hand, else 0."""
    return NEEDS_A_HAND if any(check.state == ERROR for found in diagnoses for check in found.checks) else DONE


def as_json(diagnoses: Sequence[Diagnosis]) -> str:
    """Return a list with an object for each check: project, name, state, text, hint."""
    found = [{"project": one.name, "folder": one.folder, **vars(check)} for one in diagnoses for check in one.checks]
    return json.dumps(found, indent=2, ensure_ascii=False)


def _diagnose(home: Path, more: Sequence[Examine]) -> Diagnosis:
    patient = Patient(home)
    found: list[Check] = []
    for examine in (*EXAMINATIONS, *more):
        try:
            found += examine(patient)
        except (PdbtError, OSError) as error:  # one that cannot be made keeps none of the others from being made
            name = getattr(examine, "__name__", "check").removeprefix("examine_").replace("_", " ")
            said = f"{error.filename} cannot be read: {error.strerror}." if type(error) is PermissionError else str(error)
            found.append(Check(name, ERROR, patient.redact(said)))
    return Diagnosis(patient.name, str(patient.home), tuple(found))
