"""Data that a person brings: which files and folders become which source tables, told by the engine's own rule."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import GraphError, SourceError
from ..engine.files import discover_sources
from ..engine.reading.formats import SUPPORTED
from ..engine.reading.model import SourceTable
from .staging import staging_folder

SOURCE_FOLDER = "data/source"
_TABLE_FOLDERS = ("scripts/processed", "scripts/final")


@dataclass(frozen=True)
class Input:
    """What is brought for one source table.

    Attributes:
        source: the table, its files readable where they lie now.
        files: each file's place in the project, and where it lies now.
    """

    source: SourceTable
    files: tuple[tuple[str, Path], ...]


@contextlib.contextmanager
def gathered_inputs(paths: Sequence[Path], scratch: Path, project: Path | None = None) -> Iterator[tuple[Input, ...]]:
    """Yield what the files and folders bring, in the order of the tables' names.

    The engine's own discovery tells tables from names. It is given a folder of links that looks as data/source/ would afterwards,
    which is there only within the context.

    Args:
        paths: files, and folders of files.
        scratch: a folder for the links.
        project: the project that they are added to, whose own sources and tables must not clash with them.

    Raises:
        SourceError: a path is not there, is not read, or is of no kind that is read.
        GraphError: two of them, or one of them and what the project has, would make the same table.
    """
    brought = _by_name(paths)
    with staging_folder(scratch) as folder:
        links = folder / SOURCE_FOLDER
        links.mkdir(parents=True)
        for name, path in (_existing(project) | brought).items():
            (links / name).symlink_to(path)
        tables = discover_sources(folder).tables
        found = tuple(_input(table, brought, folder) for table in tables if _entry(table) in brought)
        _check_read(brought, found)
        if project is not None:
            _check_against_scripts(found, project)
        yield found


def source_names(project: Path | None) -> tuple[str, ...]:
    """Return the names of the source tables that a project has; none for None."""
    return tuple(table.name for table in discover_sources(project).tables) if project is not None else ()


def _by_name(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the absolute paths by the name that each would have in data/source/; a path given twice counts once."""
    brought: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path} does not exist.", "Give files, or folders of files.", path=str(path))
        if not (path.is_file() or path.is_dir()):
            raise SourceError(f"{path} is neither a file nor a folder.", "Give files, or folders of files.", path=str(path))
        real = path.resolve()
        name = path.name if path.name not in ("", "..") else real.name
        if brought.setdefault(name, real) != real:
            raise GraphError(
                f"{brought[name]} and {real} would both be {SOURCE_FOLDER}/{name}.", "Rename one of them, or put both into one folder."
            )
    return brought


def _existing(project: Path | None) -> dict[str, Path]:
    folder = project / SOURCE_FOLDER if project is not None else None
    return {path.name: path.resolve() for path in folder.iterdir()} if folder is not None and folder.is_dir() else {}


def _entry(table: SourceTable) -> str:
    """Return the name of the table's file or folder in data/source/."""
    return table.label.removeprefix(f"{SOURCE_FOLDER}/")


def _input(table: SourceTable, brought: dict[str, Path], folder: Path) -> Input:
    entry = brought[_entry(table)]
    links = folder / table.label
    files = tuple((path.relative_to(folder).as_posix(), entry / path.relative_to(links)) for path in table.files)
    real = tuple(path for _, path in files)
    return Input(SourceTable(table.name, real, table.label), files)


def _check_read(brought: dict[str, Path], found: tuple[Input, ...]) -> None:
    """Refuse what the discovery passed over."""
    read = {_entry(item.source) for item in found}
    for name, path in brought.items():
        if name not in read:
            what = "holds no file of a kind that is read" if path.is_dir() else "is not of a kind that is read"
            raise SourceError(f"{path} {what}.", f"These are: {' '.join(SUPPORTED)}", path=str(path))


def _check_against_scripts(found: tuple[Input, ...], project: Path) -> None:
    """Refuse a source whose table a script of the project makes already."""
    scripts = {
        path.stem.casefold(): path.relative_to(project)
        for folder in _TABLE_FOLDERS
        for path in sorted((project / folder).glob("*.*"))
        if path.suffix.lower() in (".sql", ".py")
    }
    for item in found:
        script = scripts.get(item.source.name.casefold())
        if script is not None:
            raise GraphError(f"{item.source.label} and {script} would both make the table {item.source.name}.", "Rename one of them.")
