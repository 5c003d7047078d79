"""Files that a SELECT or a Python table names by itself: which they are now, from where the process runs, else from the project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..reading.formats import supported


def is_file(name: str, project: Path) -> bool:
    """Return True if a name that FROM reads is that of a file, or a pattern of some, and not of a table."""
    return (supported(Path(name)) or not {"/", "*"}.isdisjoint(name)) and not is_remote(name) and bool(expand(name, project))


def is_remote(pattern: str) -> bool:
    """Return True for a file of another machine, whose content only a download would tell."""
    return "://" in pattern and not pattern.startswith("file://")


def named_files(patterns: Iterable[str], project: Path) -> dict[str, Path]:
    """Return the files that patterns name now, by their path relative to the project, or absolute when they lie elsewhere."""
    found: dict[str, Path] = {}
    for pattern in patterns:
        for path in expand(pattern, project):
            absolute = path.absolute()
            label = absolute.relative_to(project).as_posix() if absolute.is_relative_to(project) else str(absolute)
            found[label] = absolute
    return found


def expand(pattern: str, project: Path) -> list[Path]:
    """Return the files of one pattern, in order; of a folder all that are in it."""
    if "\0" in pattern:
        return []
    name = str(Path(pattern.removeprefix("file://")).expanduser())
    # A name with [ or * in it may be that of one file.
    places = [place for place in (Path(name), project / name) if place.exists()][:1]
    if not places:  # Path.glob takes no absolute pattern
        import glob

        places = [project / found for found in sorted(glob.glob(name, root_dir=project, recursive=True, include_hidden=True))]  # noqa: PTH207
    files: list[Path] = []
    for place in places:
        files += sorted(inner for inner in place.rglob("*") if inner.is_file()) if place.is_dir() else [place]
    return files
