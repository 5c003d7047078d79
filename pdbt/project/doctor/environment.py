"""The Python and the libraries that a project needs, wanted beside found; and its settings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ...engine.errors import PdbtError
from ...engine.files import discover_sources
from ...engine.process.libraries import REQUIREMENTS, python_command
from ...engine.session import read_project
from ...engine.settings import FILE_NAME
from .check import ERROR, OK, WARNING, Check, Patient

WANTED_PYTHON = (3, 11)
_FILE = "requirements.txt"
_NAME = "libraries"


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """Check this Python's version."""
    wanted, text = ".".join(map(str, WANTED_PYTHON)), ".".join(map(str, found))
    if found[:2] < WANTED_PYTHON:
        return Check("python", ERROR, f"{text} at {sys.executable}; {wanted} or later is wanted.", f"Install Python {wanted} or later.")
    return Check("python", OK, f"{text} at {sys.executable}; {wanted} or later is wanted.")


def examine_libraries(patient: Patient) -> Iterator[Check]:
    """Check what the project's requirements.txt asks for, and what Dagster needs."""
    file = _requirements_of(patient.home)
    if file is None:
        yield Check(_NAME, WARNING, f"There is no {_FILE}, so it is not known what the project needs.", "Write one, or bring it back.")
        return
    wanted = _lines(file)
    faults = [fault for line in wanted if (fault := library_fault(line))]
    for fault in faults:
        yield Check(_NAME, ERROR, fault, f"Run: {python_command()} -m pip install -r {file}")
    missing = [] if faults else [line for line in REQUIREMENTS.values() if line not in wanted and library_fault(line)]
    if missing:
        words = " ".join(f"'{line}'" for line in missing)
        yield Check(
            _NAME, WARNING, f"Dagster cannot run here: {library_fault(missing[0])}", f"Run: {python_command()} -m pip install {words}"
        )
    elif not faults:
        yield Check(_NAME, OK, ", ".join(map(_found, wanted)) or "None is wanted.")


def library_fault(requirement: str) -> str:
    """Return what is wrong with a library of this Python; empty when it is as wanted.

    Args:
        requirement: as in requirements.txt, as ``duckdb>=1.5,<3``.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return f"{_FILE} has a line that is no requirement: {requirement}"
    if wanted.marker is not None and not wanted.marker.evaluate():
        return ""
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is not installed; {requirement} is wanted."
    return "" if wanted.specifier.contains(found, prereleases=True) else f"{wanted.name} is {found}; {requirement} is wanted."


def _requirements_of(home: Path) -> Path | None:
    """Return the file of the project; a sample has that of the project around it."""
    return next((folder / _FILE for folder in (home, home.parent) if (folder / _FILE).is_file()), None)


def _lines(file: Path) -> list[str]:
    words = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines())
    return [line for line in words if line and not line.startswith("-")]


def _found(requirement: str) -> str:
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    try:
        return f"{wanted.name} {version(wanted.name)}"
    except PackageNotFoundError:  # its marker says that it is for another system
        return f"{wanted.name} not needed here"


def examine_settings(patient: Patient) -> Iterable[Check]:
    """Check the settings, and that the scripts can be read and put in order."""
    if patient.settings is None:
        fault = patient.fault
        return [Check("settings", ERROR, fault.message, fault.hint)] if fault is not None else []
    found = []
    try:
        tables = [table.name for table in discover_sources(patient.home).tables]
        found = [Check("settings", WARNING, sentence) for sentence in patient.settings.stray_sources(tables)]
    except PdbtError:  # the check of the sources tells
        pass
    found = found or [Check("settings", OK, f"{FILE_NAME} is valid: {patient.settings.database_type}, {patient.home}.")]
    return [*found, *_scripts(patient)]


def _scripts(patient: Patient) -> Iterable[Check]:
    if patient.settings is not None and patient.settings.database_url is not None:
        return []  # they are put in order with what the server has, whose own check tells whether it answers
    try:
        _, graph = read_project(patient.home)
    except PdbtError as error:
        return [Check("scripts", ERROR, patient.redact(error.message), patient.redact(error.hint))]
    return [Check("scripts", OK, f"{len(graph.nodes)} tables and {len(graph.checks)} checks, in order.")]
