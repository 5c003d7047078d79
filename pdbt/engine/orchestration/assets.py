"""What Dagster is told of a project before anything runs: an asset for each table and export, a check for each file of checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster

from ..graph import Graph, Node
from ..plan import exports
from ..process.place import shared_home
from ..settings import Settings

PROJECT_TAG = "pdbt/project"
_FENCES = {"sql": "sql", "python": "python"}
_KINDS_OF_FILES = {"xlsx": "excel", "xls": "excel", "xlsb": "excel", "ods": "excel", "tsv": "csv", "txt": "csv", "ndjson": "json"}
_COMPRESSED = (".gz", ".zst")


@dataclass(frozen=True)
class Described:
    """A project in Dagster's words.

    Attributes:
        assets: tables and exports, each after what it reads.
        checks: the checks by name.
        tables: the tables by their asset's key.
        exports: the exported files, relative to the project, by their asset's key.
        keys: how these are called.
    """

    assets: tuple[dagster.AssetSpec, ...]
    checks: Mapping[str, dagster.AssetCheckSpec]
    tables: Mapping[dagster.AssetKey, Node]
    exports: Mapping[dagster.AssetKey, str]
    keys: Keys

    @property
    def run_tags(self) -> dict[str, str]:
        """What the page shows of each run: whose it is, where several projects share the list of runs."""
        return {PROJECT_TAG: self.keys.prefix[0]} if self.keys.prefix else {}


@dataclass(frozen=True)
class Keys:
    """How the assets of a project are called.

    Attributes:
        prefix: the project's name where several projects share one history, in which a key means one asset; else nothing.
    """

    prefix: tuple[str, ...] = ()

    def table(self, name: str) -> dagster.AssetKey:
        """Return the key of a table's asset."""
        return dagster.AssetKey([*self.prefix, name])

    def export(self, path: str) -> dagster.AssetKey:
        """Return the key of an exported file's asset: its path."""
        return dagster.AssetKey([*self.prefix, *path.split("/")])


def describe(settings: Settings, graph: Graph) -> Described:
    """Describe every table, export and check of a project."""
    files = exports(settings, graph)
    database = _database_kind(settings)
    keys = Keys((settings.project.name,)) if shared_home(settings.project) is not None else Keys()
    tables = {keys.table(node.name): node for node in graph.nodes.values()}
    specs = [_table(keys, node, database) for node in graph.nodes.values()]
    specs += [_export(keys, path, node, settings.export_format) for path, node in files.items()]
    return Described(tuple(specs), _checks(keys, graph), tables, {keys.export(path): path for path in files}, keys)


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each name one that Dagster takes everywhere: letters, digits and underscores, and none twice."""
    plain: dict[str, str] = {}
    for name in names:
        wanted = re.sub(r"[^A-Za-z0-9_]", "_", name)
        candidate, number = wanted, 1
        while candidate in plain.values():
            number += 1
            candidate = f"{wanted}_{number}"
        plain[name] = candidate
    return plain


def _table(keys: Keys, node: Node, database: str) -> dagster.AssetSpec:
    return dagster.AssetSpec(
        keys.table(node.name),
        deps=[keys.table(name) for name in node.inputs],
        description=_description(node),
        group_name=node.layer,
        kinds={node.kind, database} if node.kind != "source" else {*_file_kinds(node), database},
        metadata={"file": node.label},
    )


def _export(keys: Keys, path: str, node: Node, file_format: str) -> dagster.AssetSpec:
    return dagster.AssetSpec(
        keys.export(path),
        deps=[keys.table(node.name)],
        description=f"The rows of {node.name} in {path}, written when the run is published.",
        group_name=node.layer,
        kinds={_KINDS_OF_FILES.get(file_format, file_format)},
        metadata={"file": path},
    )


def _checks(keys: Keys, graph: Graph) -> dict[str, dagster.AssetCheckSpec]:
    """Return a check for each file, upon the last of the tables that it reads; none can be shown where there is no table."""
    order = list(graph.nodes)
    names = plain_names(check.name for check in graph.checks)
    specs = {}
    for check in graph.checks if order else ():
        read = sorted(check.inputs, key=order.index) or order[-1:]
        specs[check.name] = dagster.AssetCheckSpec(
            names[check.name],
            asset=keys.table(read[-1]),
            additional_deps=[keys.table(name) for name in read[:-1]],
            description=f"{check.label}: the rows that it returns are wrong.\n\n{_fenced(check)}",
            blocking=True,
        )
    return specs


def _description(node: Node) -> str:
    if node.source is None:
        return f"{node.label}\n\n{_fenced(node)}"
    return node.label if len(node.source.files) == 1 else f"{node.label}: {len(node.source.files)} files"


def _fenced(node: Node) -> str:
    """Return a file's text as a block of Markdown, whatever it holds."""
    longest = max((len(run) for run in re.findall(r"`+", node.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{_FENCES[node.kind]}\n{node.text.strip()}\n{fence}"


def _file_kinds(node: Node) -> set[str]:
    """Return the kinds of a source's files; two at most, for Dagster shows three with the database's."""
    endings = []
    for path in node.source.files if node.source else ():
        name = path.name.lower()
        for ending in _COMPRESSED:
            name = name.removesuffix(ending)
        endings.append(name.rpartition(".")[2])
    return set(sorted({_KINDS_OF_FILES.get(ending, ending) for ending in endings})[:2])


def _database_kind(settings: Settings) -> str:
    if settings.database_type == "commune":
        return "postgresql" if settings.database_url else "sqlite"
    return settings.database_type
