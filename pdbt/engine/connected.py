"""Tables that come from other databases, and results that go there: the part of a run that needs the library pdbt itself.

Only a project with a file in scripts/source, or with a ``-- load:`` in scripts/final, comes here; all others run without pdbt. What a
script of scripts/source brings is kept as a Parquet file beside the work database, and is then a source file like any other.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import GraphError, MissingLibrary, PdbtError, Unreachable
from .files import Discovered, table_name, write_durably
from .graph import Node
from .reading.model import SourceTable
from .report import Report, StepResult
from .settings import Settings
from .state import State, text_hash

FOLDER = "scripts/source"
MODES = ("replace", "append", "upsert")
_LIBRARY = "pdbt.connect"
_SERVERS = {"postgresql": "PostgreSQL", "postgres": "PostgreSQL", "mysql": "MySQL", "mariadb": "MySQL"}  # by the scheme of a URL
_LANDED = "db/.work/landed"
_DELIVERED = "db/.work/delivered.json"


def with_landed(project: Path, discovered: Discovered) -> Discovered:
    """Return the source tables with those that the scripts of scripts/source bring.

    Raises:
        GraphError: a script and a file, or two scripts, would make the same table.
    """
    scripts = _scripts(project)
    if not scripts:
        return discovered
    tables = {table.name: table for table in discovered.tables}
    for script in scripts:
        name, label = table_name(script.stem), script.relative_to(project).as_posix()
        if name in tables:
            raise GraphError(f"{tables[name].label} and {label} would both make the table {name}.", "Rename or move one of them.")
        tables[name] = SourceTable(name=name, files=(_landed(project, name),), label=label)
    return Discovered(tuple(tables[name] for name in sorted(tables)), discovered.ignored)


def fetch(settings: Settings, nodes: Iterable[Node], report: Report, *, full: bool) -> None:
    """Run the scripts of scripts/source behind these tables, and keep what they bring.

    Raises:
        MissingLibrary: pdbt is not installed.
        PdbtError: a script or its connection failed; what was there before stays.
    """
    scripts = {script.relative_to(settings.project).as_posix(): script for script in _scripts(settings.project)}
    for node in nodes:
        if node.label not in scripts:
            continue
        started = time.perf_counter()
        with report.working(f"fetching {node.name}", _unknown):
            rows, changed = _call("landing", "land", node.label, settings.project, scripts[node.label], node.path, full, report.note)
        report.add(StepResult("fetch", node.name, "written" if changed else "reused", rows, time.perf_counter() - started))


@dataclass(frozen=True)
class Load:
    """Where a result is delivered to: connection, table, and how."""

    target: str
    mode: str
    key: tuple[str, ...]
    schema: str


def check_deliveries(settings: Settings, nodes: Iterable[Node]) -> None:
    """Look before anything is done whether every ``-- load:`` says what can be.

    Raises:
        GraphError: one does not; names the file.
    """
    for node in nodes:
        load = _load(node) if node.layer == "final" else None
        if load is None:
            continue
        from .databases.name_limits import too_long

        connection, _, rest = load.target.partition(".")
        product = _SERVERS.get(settings.connections.get(connection, "").partition("://")[0].partition("+")[0].lower(), "")
        schema, _, table = rest.rpartition(".")
        for what, name in (("schema", schema), ("table", table)):
            if said := too_long(product, what, name):
                raise GraphError(f"{node.label}: {said}", "Write a shorter name behind -- load:")


def deliver(settings: Settings, nodes: Iterable[Node], state: State, report: Report) -> None:
    """Deliver the results whose scripts say ``-- load:`` and that are not there yet as they are now published.

    Raises:
        MissingLibrary: pdbt is not installed.
        PdbtError: a delivery failed; its target is as it was, and the next run tries again.
    """
    loads = {node: load for node in nodes if node.layer == "final" and (load := _load(node)) is not None}
    path = settings.project / _DELIVERED
    known = _known(path) if loads else {}
    for node, load in loads.items():
        made = state.tables.get(node.name)
        wanted = f"{made.version if made else ''} {text_hash(repr(load))}"
        if made is None or known.get(node.name) == wanted:
            continue
        started = time.perf_counter()
        with report.working(f"delivering {node.name}", _unknown):
            how = (load.target, load.mode, load.key, load.schema)
            names = tuple(other.name for other in loads)
            rows = _call("delivery", "deliver", node.label, settings.project, _published(settings), node.name, *how, names, report.note)
        report.add(StepResult("deliver", load.target, "written", rows, time.perf_counter() - started, reason=f"{node.name} changed"))
        known[node.name] = wanted
        write_durably(path, json.dumps(known))


def _scripts(project: Path) -> list[Path]:
    folder = project / FOLDER
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in entries if path.suffix.lower() in (".sql", ".py") and not path.name.startswith((".", "_"))]


def _landed(project: Path, table: str) -> Path:
    return project / _LANDED / f"{table}.parquet"


def _load(node: Node) -> Load | None:
    """Read what a script says of its delivery; None when it says nothing."""
    if "load" not in node.text:
        return None
    from .headers import LOAD_WORDS, names_of, read_header

    said = read_header(node.text, LOAD_WORDS, node.label)
    if "load" not in said:
        return None
    mode, key = said.get("mode", "replace"), names_of(said.get("key", ""))
    if mode not in MODES:
        raise GraphError(f"{node.label}: there is no mode {mode!r}.", f"It is one of {', '.join(MODES)}.")
    if mode == "upsert" and not key:
        raise GraphError(f"{node.label}: upsert finds a row by its key, and none is named.", "Write a line: -- key: id")
    if "." not in said["load"]:
        raise GraphError(
            f"{node.label}: load: {said['load']} names no table.", "Write -- load: CONNECTION.table or CONNECTION.schema.table"
        )
    return Load(said["load"], mode, key, said.get("schema", "evolve"))


def _published(settings: Settings) -> str:
    """Return the URL of what readers see."""
    if settings.database_url is not None:
        return settings.database_url
    scheme = "duckdb" if settings.database_type == "duckdb" else "sqlite"
    return f"{scheme}:///{settings.database_path}"


def _unknown() -> float:
    """Return how much of the work is done: nobody knows."""
    return -1.0


def _known(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {str(name): str(wanted) for name, wanted in found.items()}
    return {}


def _call(module: str, function: str, label: str, *arguments: object) -> Any:
    """Call a function of pdbt; its errors are those of another copy of this package, and are told as ours."""
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(f"{_LIBRARY}.{module}"), function)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pdbt":
            raise
        raise MissingLibrary("pdbt", label) from error
    try:
        return found(*arguments)
    except Exception as error:
        message, hint, code = (getattr(error, name, None) for name in ("message", "hint", "exit_code"))
        if not isinstance(message, str) or not isinstance(hint, str) or not isinstance(code, int):
            raise
        kind = Unreachable if getattr(error, "passing", False) else PdbtError
        raise kind(message if message.startswith(label) else f"{label}: {message}", hint, code) from error
