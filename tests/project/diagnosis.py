"""What the tests of `pdbt doctor` share: what it finds of a project, and files as they put them there."""

from __future__ import annotations

from pathlib import Path

from pdbt.project.doctor import Check, diagnose


def checks(project: Path, name: str) -> list[Check]:
    """Return what is found of a project under a name."""
    (diagnosis,) = diagnose([project])
    return [check for check in diagnosis.checks if check.name == name]


def check(project: Path, name: str) -> Check:
    """Return the one thing that is found of a project under a name."""
    (found,) = checks(project, name)
    return found


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, and the folders on the way to it; return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
