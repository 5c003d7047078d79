"""What a run would do, and why: decided from the files, the settings and the state of the last run, before anything is done."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .errors import SourceError
from .files import Stamp, file_stat, file_token, stamp
from .graph import Graph, Node
from .outside.in_files import named_files
from .reading.model import RULES_VERSION
from .settings import Parameter, Settings
from .state import State, TableState, text_hash

ALWAYS = "--full"


@dataclass(frozen=True)
class Step:
    """One thing that a run would do.

    Attributes:
        action: ``import``, ``build``, ``check``, ``export`` or ``drop``.
        name: the table, check or file.
        reason: why; empty when it is up to date and would be reused.
    """

    action: str
    name: str
    reason: str


@dataclass
class Planner:
    """Compares the project as it is with the state that a database is in.

    Attributes:
        settings: the project's settings.
        graph: its tables and checks.
        state: the state of the database that the run begins with.
        parameters: the values of ``$name``, overrides included.
        full: whether everything is made again.
        published: the tables that readers see, with their versions.
        settled: the versions that this run has made, or found to be right.
        moment: now, for all of the run.
        options: settings by which sources are read, as texts, by the identity of what the settings hold of them.
    """

    settings: Settings
    graph: Graph
    state: State
    parameters: Mapping[str, Parameter]
    full: bool = False
    published: Mapping[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    moment: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    options: dict[int, str] = field(default_factory=dict)

    def steps(self) -> list[Step]:
        """Return every step of a whole run, in order."""
        rebuilt = self.rebuilt()
        actions = {"source": "import", "sql": "build", "python": "build"}
        steps = [Step(actions[node.kind], node.name, rebuilt.get(node.name, "")) for node in self.graph.nodes.values()]
        steps += [Step("drop", name, "nothing makes it any more") for name in self.dropped()]
        steps += [Step("check", check.name, self._check_reason(check, rebuilt)) for check in self.graph.checks]
        return steps + [Step("export", path, self._export_reason(node, path, rebuilt)) for path, node in self.exports().items()]

    def rebuilt(self) -> dict[str, str]:
        """Return the tables that a whole run would make again, each with the reason."""
        rebuilt: dict[str, str] = {}
        for node in self.graph.nodes.values():
            reason = self.table_reason(node)
            changed = next((name for name in node.inputs if name in rebuilt), None)
            if not reason and changed:
                reason = f"{changed} is made again"
            if reason:
                rebuilt[node.name] = reason
        return rebuilt

    def dropped(self) -> list[str]:
        """Return the tables of the state that no file makes any more."""
        known = {name.casefold() for name in self.graph.nodes}
        return [name for name in self.state.tables if name.casefold() not in known]

    def exports(self) -> dict[str, Node]:
        """Return the files that the project exports, relative to the project, with their tables."""
        return exports(self.settings, self.graph)

    # Reasons ----------------------------------------------------------------------------------------------------------

    def table_reason(self, node: Node) -> str:
        """Return why this table must be made again as things stand; empty when it need not be."""
        made = self.state.tables.get(node.name)
        if self.full and (made is None or made.version not in self.settled):
            return ALWAYS
        reason = self.stale(node)
        if not reason and made is not None and made.version not in self.settled:
            return node.outside.always
        return reason

    def stale(self, node: Node) -> str:
        """Return in what this table is not what its files and settings would make; empty when it is up to date."""
        made = self.state.tables.get(node.name)
        if made is None:
            return "new" if node.name not in self.published else "it was not made again yet"
        if node.external and made.version == self.published.get(node.name):
            return f"reads {node.external[0]}, which this project does not make"
        if node.source is not None:
            return "" if made.version in self.settled else self._source_reason(node, made)
        # What arrives in a file once the table was made is for the next run.
        changed = "" if made.version in self.settled else _difference(made.definition, self.definition(node))
        return changed or self._input_reason(node, made)

    def definition(self, node: Node) -> dict[str, str]:
        """Return what a built table or a check is made from, by aspect."""
        names = sorted(self.parameters) if node.parameters is None else node.parameters
        # A parameter may hold a secret of the environment, and the state is a file: only its hash is kept.
        used = {f"parameter ${name}": text_hash(repr(self.parameters[name])) for name in names}
        return {"its text": text_hash(node.text), **used, **self._outside(node)}

    def _outside(self, node: Node) -> dict[str, str]:
        """Return what a table or a check reads besides tables, by aspect: the date, files, the environment."""
        outside = node.outside
        aspects = {"reads the clock: the date": self._dates(node)} if outside.day else {}
        for name in outside.environment:  # it may be a secret: only its hash is kept
            aspects[f"environment variable {name}"] = text_hash(repr(os.environ.get(name)))
        for pattern in outside.files:
            files = named_files([pattern], self.settings.project)
            aspects.update({label: self._content(path, label) for label, path in files.items()} or {pattern: "missing"})
        return aspects

    def _dates(self, node: Node) -> str:
        """Return the date in the project's time zone, and where the table's code computes: SQL in UTC, Python in the machine's zone."""
        from zoneinfo import ZoneInfo  # which loads much that a run without dates does without

        here = self.moment.astimezone(ZoneInfo(self.settings.dagster.timezone))
        computed = self.moment.astimezone() if node.kind == "python" else self.moment
        return f"{here.date()} {computed.date()}"

    def _content(self, path: Path, label: str) -> str:
        """Return the hash of a file that a SELECT or Python code names, read only where its stat leaves a doubt."""
        try:
            known = self._known_stamp(path, label) or stamp(path)
        except SourceError:
            return "unreadable"
        self.state.stamps[label] = known
        return known.sha256

    def source_definition(self, node: Node, stamps: Mapping[str, Stamp]) -> dict[str, str]:
        """Return what an imported table is made from, by aspect; `stamps` holds the files that could be read."""
        options = self._options(node.name)
        files = {label: stamps[label].sha256 for label in self.file_labels(node).values() if label in stamps}
        return {**files, "its settings": options, "the reading rules": RULES_VERSION}

    def _options(self, table: str) -> str:
        """Return the settings by which the source of a table is read, as a text; most tables share those of all."""
        options = self.settings.options_for(table)
        if id(options) not in self.options:
            self.options[id(options)] = json.dumps(asdict(options), sort_keys=True, default=dict)
        return self.options[id(options)]

    def file_labels(self, node: Node) -> dict[Path, str]:
        """Return the files of a source with their names relative to the project."""
        files = node.source.files if node.source else ()
        return {path: path.relative_to(self.settings.project).as_posix() for path in files}

    def check_definition(self, check: Node) -> dict[str, str]:
        """Return what a check's result depends on: its own text and the versions of what it reads."""
        versions = {name: self.state.tables[name].version for name in check.inputs if name in self.state.tables}
        return {**self.definition(check), **versions}

    def _source_reason(self, node: Node, made: TableState) -> str:
        stamps = {}
        for path, label in self.file_labels(node).items():
            known = self._known_stamp(path, label)
            if known is None:
                return f"{label} is new" if label not in made.definition else f"{label} changed"
            stamps[label] = known
        return _difference(made.definition, self.source_definition(node, stamps))

    def _known_stamp(self, path: Path, label: str) -> Stamp | None:
        """Return the stamp of a file whose content is that of the last run, reading it only where its stat leaves a doubt."""
        known = self.state.stamps.get(label)
        try:
            stat = file_stat(path)
            if known is None or known.stat[0] != stat[0]:
                return None
            if known.certain(stat):
                return known
            fresh = stamp(path)
        except SourceError:
            return None  # the import tells what is wrong with it, or sets it aside
        if fresh.sha256 != known.sha256:
            return None
        self.state.stamps[label] = fresh
        return fresh

    def _input_reason(self, node: Node, made: TableState) -> str:
        for name in node.inputs:
            if name not in self.state.tables or made.inputs.get(name) != self.state.tables[name].version:
                return f"{name} changed"
        return ""

    def check_reason(self, check: Node) -> str:
        """Return why this check must run as things stand; empty when its last result still holds."""
        if self.full:
            return ALWAYS
        if check.name not in self.state.checks:
            return "new"
        if check.external:
            return f"reads {check.external[0]}, which this project does not make"
        if check.outside.always:
            return check.outside.always
        return _difference(self.state.checks[check.name], self.check_definition(check))

    def _check_reason(self, check: Node, rebuilt: Mapping[str, str]) -> str:
        changed = next((name for name in check.inputs if name in rebuilt), None)
        return self.check_reason(check) or (f"{changed} is made again" if changed else "")

    def export_reason(self, node: Node, path: str) -> str:
        """Return why this file must be written as things stand; empty when it is right."""
        made = self.state.exports.get(path)
        if made is None:
            return "new"
        table = self.state.tables.get(node.name)
        if table is None or table.version != made.version:
            return f"{node.name} changed"
        token = file_token(self.settings.project / path)
        return "" if token == made.token else "it is missing" if token is None else "it was changed by something else"

    def _export_reason(self, node: Node, path: str, rebuilt: Mapping[str, str]) -> str:
        return f"{node.name} is made again" if node.name in rebuilt else self.export_reason(node, path)


def exports(settings: Settings, graph: Graph) -> dict[str, Node]:
    """Return the files that a project exports, relative to it, with their tables."""
    return {f"data/{node.layer}/{node.name}.{settings.export_format}": node for node in graph.built()}


def _difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Name the first aspect in which two definitions differ."""
    for aspect in (*now, *before):
        if aspect not in before:
            return f"{aspect} is new"
        if aspect not in now:
            return f"{aspect} is gone"
        if before[aspect] != now[aspect]:
            return f"{aspect} changed"
    return ""
