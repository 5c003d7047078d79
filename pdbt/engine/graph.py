"""The tables of a project and the order in which they are made: read from the files themselves, written down nowhere else."""

from __future__ import annotations

import graphlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .catalogs import is_catalog
from .errors import GraphError, close_words
from .folders import entries, is_folder
from .organisation import shared_tables
from .outside import CATALOG, NOTHING, Outside, merged
from .outside.in_files import is_file
from .reading.formats import supported
from .reading.model import SourceTable
from .selects import Reader

LAYERS = ("processed", "final")
CHECKS = "checks"
# What an organisation shares is a step on the way, as the tables of this layer are.
SHARED_LAYER = "processed"
_HOME_SCHEMAS = frozenset({"", "main"})
_PUBLISHED_PREFIX = "public."


@dataclass(frozen=True)
class Node:
    """A table of the project.

    Attributes:
        name: the table's name.
        kind: ``source``, ``sql`` or ``python``.
        layer: ``source``, ``processed`` or ``final``; the last two say where it is exported.
        label: its file as a person would name it, relative to the project.
        text: the SELECT, or the Python file's text and that of its helpers; empty for a source.
        inputs: the names of the tables of the project that it reads.
        external: tables of a shared database, made by somebody else, that it reads.
        guessed: `inputs` was found by place, not by a parser.
        parameters: the ``$name`` parameters that it uses; None means it may use any.
        source: what is imported; None for the other kinds.
        path: its file; for a source the first one.
        outside: what it reads besides tables.
    """

    name: str
    kind: str
    layer: str
    label: str
    path: Path
    text: str = ""
    inputs: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    guessed: bool = False
    parameters: tuple[str, ...] | None = ()
    source: SourceTable | None = None
    outside: Outside = NOTHING


@dataclass(frozen=True)
class Graph:
    """All tables in an order in which each comes after what it reads, and the checks."""

    nodes: Mapping[str, Node]
    checks: tuple[Node, ...]

    def sources(self) -> tuple[Node, ...]:
        """Return the tables that are imported."""
        return tuple(node for node in self.nodes.values() if node.kind == "source")

    def built(self) -> tuple[Node, ...]:
        """Return the tables that SQL and Python make, in order."""
        return tuple(node for node in self.nodes.values() if node.kind != "source")


def read_graph(project: Path, sources: Iterable[SourceTable], reader: Reader, is_external: Callable[[str], bool]) -> Graph:
    """Read every file under ``scripts/processed``, ``final`` and ``checks``, and put the tables in order.

    Args:
        project: the project's folder.
        sources: the tables that are imported.
        reader: finds what a SELECT reads.
        is_external: whether a shared database holds a table of this name that somebody else made.

    Raises:
        GraphError: two definitions of a table, an unknown table, a cycle, a file that is no SELECT; names the files.
    """
    found = [Node(source.name, "source", "source", source.label, source.files[0], source=source) for source in sources]
    for layer in LAYERS:
        found += [_read_node(project, path, layer, reader) for path in _script_files(project, layer)]
    checks = [_read_node(project, path, CHECKS, reader) for path in _script_files(project, CHECKS)]
    nodes = _by_name([*found, *_shared_nodes(project, found, checks, reader)])
    resolve = _Resolver(nodes, is_external, project, reader.dialect)
    resolved = {node.name: resolve(node) for node in nodes.values()}
    return Graph(_in_order(resolved), tuple(resolve(check) for check in checks))


def _shared_nodes(project: Path, found: Iterable[Node], checks: Iterable[Node], reader: Reader) -> list[Node]:
    """Return the tables that the project's organisation shares, and that something of the project reads and the project does not make."""
    shared = shared_tables(project)
    own = {node.name.casefold() for node in found}
    nodes: list[Node] = []
    ahead = [*found, *checks] if shared else []
    while ahead:
        node = ahead.pop()
        for name in node.inputs:
            path = shared.get(name.casefold())
            if path is None or name.casefold() in own or (node.guessed and _is_defined_by_with(node, name)):
                continue
            own.add(name.casefold())
            nodes.append(_read_node(project, path, SHARED_LAYER, reader))
            ahead.append(nodes[-1])
    return nodes


def _script_files(project: Path, layer: str) -> list[Path]:
    """Return the files of a folder of scripts that make a table or are a check; refuse those that would seem to and do not."""
    folder = project / "scripts" / layer
    scripts = []
    for entry in entries(folder):
        path = folder / entry.name
        if entry.name.startswith((".", "_")):
            continue
        if not is_folder(entry):
            scripts += [path] if path.suffix.lower() in (".sql", ".py") else []
        elif (inner := next(path.glob("*.sql"), None)) is not None:
            raise GraphError(f"{inner.relative_to(project).as_posix()} is in a sub-folder.", f"Move it to scripts/{layer}/ itself.")
    for path in scripts if layer == CHECKS else ():
        if path.suffix.lower() != ".sql":
            raise GraphError(f"{path.relative_to(project).as_posix()} is no check: a check is one SELECT.", "Write it as a .sql file.")
    return scripts


def _by_name(found: Iterable[Node]) -> dict[str, Node]:
    """Index nodes by name; names that differ only in case are the same table, as in SQL."""
    nodes: dict[str, Node] = {}
    for node in found:
        other = nodes.setdefault(node.name.casefold(), node)
        if other is not node:
            raise GraphError(f"{other.label} and {node.label} both define the table {node.name}.", "Rename one of them.")
    return {node.name: node for node in nodes.values()}


def _read_node(project: Path, path: Path, layer: str, reader: Reader) -> Node:
    label = Path(os.path.relpath(path, project)).as_posix()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise GraphError(f"{label} is not UTF-8 text.", "Save it as UTF-8.") from None
    except OSError as error:
        raise GraphError(f"{label} cannot be read: {error.strerror}.", "Check its permissions.") from None
    return _python_node(path, layer, label, text) if path.suffix.lower() == ".py" else _sql_node(path, layer, label, text, reader)


def _python_node(path: Path, layer: str, label: str, text: str) -> Node:
    from .outside.in_python import find_in_python  # a project of SQL alone does without
    from .python_tables import PARAMETERS, argument_names, with_helpers

    names = argument_names(text, label)
    inputs = tuple(name for name in names if name != PARAMETERS)
    text = with_helpers(path, text)
    parameters = None if PARAMETERS in names else ()
    return Node(path.stem, "python", layer, label, path, text, inputs, parameters=parameters, outside=find_in_python(text))


def _sql_node(path: Path, layer: str, label: str, text: str, reader: Reader) -> Node:
    found = reader.select(text, label)
    inputs = tuple(name if schema.casefold() in _HOME_SCHEMAS else f"{schema}.{name}" for schema, name in found.reads.tables)
    select = text[found.start : found.end]
    return Node(path.stem, "sql", layer, label, path, select, inputs, (), not found.reads.exact, found.parameters, outside=found.outside)


class _Resolver:
    """Turns the names that a file reads into names of nodes."""

    def __init__(self, nodes: Mapping[str, Node], is_external: Callable[[str], bool], project: Path, dialect: str) -> None:
        self._by_name = {name.casefold(): name for name in nodes}
        self._is_external = is_external
        self._project = project
        self._reads_files = dialect == "duckdb"

    def __call__(self, node: Node) -> Node:
        inputs: dict[str, None] = {}
        external: dict[str, None] = {}
        outside = [node.outside]
        for name in node.inputs:
            if name.casefold() in self._by_name:
                inputs[self._by_name[name.casefold()]] = None
            elif name.casefold().startswith(_PUBLISHED_PREFIX) and name.casefold().removeprefix(_PUBLISHED_PREFIX) in self._by_name:
                raise self._published(node, name)
            elif is_catalog(name):
                outside.append(Outside(CATALOG))
            elif self._reads_files and is_file(name, self._project):
                outside.append(Outside(files=(name,)))
            elif self._is_external(name):
                external[name] = None
            elif not node.guessed and not _is_defined_by_with(node, name):
                raise self._unknown(node, name)
        if node.name in inputs and node.layer != CHECKS:
            raise GraphError(f"{node.label} reads {node.name}, the table that it makes.", "Rename the file, or read something else.")
        return replace(node, inputs=tuple(inputs), external=tuple(external), outside=merged(outside))

    def _published(self, node: Node, name: str) -> GraphError:
        own = self._by_name[name.casefold().removeprefix(_PUBLISHED_PREFIX)]
        # It would read what the last run published, not what this one builds.
        return GraphError(f"{node.label} reads {name}, which this run has not published yet.", f"Write {own}, without a schema.")

    def _unknown(self, node: Node, name: str) -> GraphError:
        close = close_words(name.casefold(), self._by_name)
        tables = ", ".join(sorted(self._by_name.values()))
        hint = f"There are: {tables}." if tables else "data/source is empty."
        if close:
            hint = f"Did you mean {self._by_name[close[0]]}?"
        elif supported(Path(name)):
            hint = f"Put the file in data/source, where it becomes a table; {hint[0].lower()}{hint[1:]}"
        return GraphError(f"{node.label} reads {name}, which no file of this project makes.", hint)


def _is_defined_by_with(node: Node, name: str) -> bool:
    """Whether the SELECT itself defines this name: SQLite lets a WITH read itself without the word RECURSIVE, DuckDB's parser not."""
    if node.kind != "sql" or "." in name:
        return False
    from .sql import table_names

    return name.casefold() not in {table.casefold() for schema, table in table_names(node.text, always_recursive=True) if not schema}


def _in_order(nodes: Mapping[str, Node]) -> dict[str, Node]:
    sorter = graphlib.TopologicalSorter({name: node.inputs for name, node in nodes.items()})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        names: list[str] = error.args[1]
        files = " -> ".join(f"{name} ({nodes[name].label})" for name in reversed(names))
        raise GraphError(f"These tables read each other in a circle: {files}.", "Let one of them read something else.") from None
    ordered: dict[str, Node] = {}
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered.update({name: nodes[name] for name in ready})
        sorter.done(*ready)
    return ordered
