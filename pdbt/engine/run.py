"""A run: import, build, check, publish. Everything is made in a work database; readers see nothing of it before its end."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from .connected import deliver, fetch
from .errors import BuildError, CheckFailed
from .files import Stamping, fresh_folder
from .graph import Graph, Node
from .plan import Planner
from .publish import Beginning, Exports, WorkFolder, differences, publish, put_rejected
from .report import Report, StepResult
from .selection import Selection
from .settings import Parameter, Settings
from .state import State, TableState

if TYPE_CHECKING:
    from .databases.base import Database
    from .reading.model import Column

SHOWN_CHECK_ROWS = 5
UNREADABLE = "its files cannot be read"


class Run:
    """A run in progress; the steps of a project are its methods, in this order.

    Attributes:
        settings: the project's settings.
        report: where it tells what it does.
        skipped: tables that could not be made because a file could not be read (on_error = "reject"), with the reason.
        published: whether readers now see what this run made.
    """

    settings: Settings
    report: Report
    skipped: dict[str, str]
    published: bool

    def __init__(
        self,
        settings: Settings,
        report: Report,
        folder: WorkFolder,
        database: Database,
        beginning: Beginning,
        make_planner: Callable[[State], Planner],
        selection: Selection | None = None,
    ) -> None:
        """Begin where the last run ended; `session.open_run` is the way to get a run.

        Args:
            settings: the project's settings.
            report: where the run tells what it does.
            folder: the project's work folder.
            database: not open yet.
            beginning: what is published, and what an earlier run left.
            make_planner: reads the project's files and compares them with a state.
            selection: the part of the project that the run is about; None means all of it.
        """
        self.settings = settings
        self.report = report
        self.skipped = {}
        self.published = False
        self._folder = folder
        self._database = database
        self._make_planner = make_planner
        self._selection = selection
        self._published = beginning.published
        self._state = beginning.work or beginning.published.copy()
        self._in_work = beginning.work is not None
        self._exports = Exports(settings.project)
        self._mode = ""
        self._checked = False
        self._versions = 0
        self._identifier = os.urandom(6).hex()

    @functools.cached_property
    def _planner(self) -> Planner:
        """The project's files are read when the first step needs them, so that the owner's code may fetch some before."""
        planner = self._make_planner(self._state)
        planner.published = {name: table.version for name, table in self._published.tables.items()}
        return planner

    @property
    def graph(self) -> Graph:
        """The project's tables, in order, and its checks."""
        return self._planner.graph

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The values of ``$name`` in this run."""
        return self._planner.parameters

    # Steps ------------------------------------------------------------------------------------------------------------

    def import_sources(self) -> None:
        """Import what is new or changed in data/source; drop the tables of what is gone.

        Raises:
            SourceError: a row or a file does not fit, and the settings do not say reject.
        """
        self._drop_gone()
        sources = self._selected(self.graph.sources())
        fetch(self.settings, sources, self.report, full=self._planner.full)
        reasons = {node.name: self._planner.table_reason(node) for node in sources}
        with fresh_folder(self._folder.scratch) if any(reasons.values()) else contextlib.nullcontext():
            for node in sources:
                if reasons[node.name]:
                    self._import(node, reasons[node.name])
                else:
                    self._reuse("import", node)

    def build_tables(self) -> None:
        """Build the tables of scripts/processed and scripts/final that are new, or read something that changed.

        Raises:
            BuildError: the SQL or Python of a table failed.
        """
        self._drop_gone()
        for node in self._selected(self.graph.built()):
            missing = next((name for name in node.inputs if name not in self._state.tables), None)
            reason = self._planner.table_reason(node)
            if missing in self.skipped:
                self._skip("build", node, f"it reads {missing}, which was not made")
            elif missing is not None:
                raise BuildError(f"{node.label} reads {missing}, which is not there yet.", "Import first: python3 scripts/source.py")
            elif reason:
                self._build(node, reason)
            else:
                self._reuse("build", node)

    def check(self) -> None:
        """Run the checks whose text or tables changed since they last passed.

        Raises:
            CheckFailed: checks returned rows; nothing is published.
        """
        self._check_all(self.graph.checks if self._selection is None else self._selection.checks_of(self.graph.checks))
        self._checked = self._selection is None

    def _check_all(self, checks: Iterable[Node]) -> None:
        failures = []
        for check in checks:
            missing = next((name for name in check.inputs if name not in self._state.tables), None)
            reason = self._planner.check_reason(check)
            if missing is not None:
                self._skip("check", check, f"it reads {missing}, which was not made")
            elif reason:
                failures += self._check(check, reason)
            else:
                self.report.add(StepResult("check", check.name, "reused"))
        if failures:
            raise CheckFailed(" ".join(failures) + " Nothing was published.", "Mend the data or the SQL, then run again.")

    def publish(self) -> None:
        """Make what was built what readers see, all at once, and write the exports of what changed.

        Raises:
            BuildError: a table is not up to date, as when only some steps ran.
            CheckFailed: a check that had not run yet fails.
        """
        if self._selection is not None and not self._selection.publishes:
            self.report.note("A part of the project was made: it is published when the whole project has been run.")
            return
        if not self._checked:
            self._check_all(self.graph.checks)
        self._refuse_half_a_run()
        self._stage_exports()
        changed, dropped = differences(self._published, self._state)
        before = self._published
        if changed or dropped or self._in_work:
            started = time.perf_counter()
            self._open_for_building()
            publish(self._folder, self._database, before, self._state)
            self._mode, self._in_work = "", False
            self.report.add(StepResult("publish", self._database.name, "published", seconds=time.perf_counter() - started))
        elif self._state != before:
            self._state.save(self._folder.published_state)
        self._exports.put_in_place()
        self._exports.remove_old(before, self._state)
        self._published = self._state.copy()
        self.published = self.report.published = True  # also if a delivery fails now
        deliver(self.settings, self.graph.built(), self._published, self.report)

    # The parts of the steps -------------------------------------------------------------------------------------------

    def _import(self, node: Node, reason: str) -> None:
        from .reading import load_table

        source = node.source
        assert source is not None  # noqa: S101 - what makes a node a source
        self._open_for_building()
        started = time.perf_counter()

        def create(select: str, columns: Sequence[Column]) -> int:
            return self._database.load(node.name, select, columns)

        stamping = Stamping(source.files)
        with self.report.working(f"importing {node.name}", self._percent):
            loaded = load_table(source, self.settings.options_for(node.name), self._database.reader, create, self._folder.scratch)
        for path, why in loaded.unreadable:
            self.report.note(f"{node.name}: {path.name} could not be read and was left out: {why}")
        put_rejected(self.settings.project, node.name, loaded.rejected_file)
        if not loaded.columns:
            self._skip("import", node, UNREADABLE)
            return
        labels = self._planner.file_labels(node)
        stamps = {labels[path]: taken for path, taken in stamping.stamps(leave_out={path for path, _ in loaded.unreadable}).items()}
        self._state.stamps.update(stamps)
        definition = self._planner.source_definition(node, stamps)
        made = TableState(definition, {}, self._version(), loaded.rows, loaded.rejected, list(loaded.notes))
        self._made("import", node, made, time.perf_counter() - started, reason)
        for sentence in loaded.notes:
            self.report.note(f"{node.name}: {sentence}")

    def _build(self, node: Node, reason: str) -> None:
        self._open_for_building()
        definition = self._planner.definition(node)  # of what lies there before: what changes meanwhile is for the next run
        started = time.perf_counter()
        with self.report.working(f"building {node.name}", self._percent):
            try:
                rows = self._build_python(node) if node.kind == "python" else self._database.build(node.name, self._sql(node))
            except BuildError as error:
                self.report.add(StepResult("build", node.name, "failed", seconds=time.perf_counter() - started, reason=reason))
                reason = error.message.removeprefix(f"{node.name}: ").removeprefix(f"{node.label}: ")
                message = error.message if error.message.startswith(f"{node.label} ") else f"{node.label}: {reason}"
                raise type(error)(message, error.hint) from error
        inputs = {name: self._state.tables[name].version for name in node.inputs}
        made = TableState(definition, inputs, self._version(), rows)
        self._made("build", node, made, time.perf_counter() - started, reason)

    def _build_python(self, node: Node) -> int:
        from .python_tables import compute

        names = {name.casefold(): name for name in node.inputs}
        rows = compute(node.path, node.label, lambda name: self._database.read(names[name.casefold()]), self.parameters)
        return self._database.write(node.name, rows)

    def _sql(self, node: Node) -> str:
        from .sql import set_parameters  # a run with nothing to make does without

        return set_parameters(node.text, self.parameters, self._database.dialect)

    def _check(self, check: Node, reason: str) -> list[str]:
        """Run one check; return a sentence if it failed."""
        self._open_for_reading()
        definition = self._planner.check_definition(check)
        started = time.perf_counter()
        try:
            names, rows, count = self._database.query(self._sql(check), SHOWN_CHECK_ROWS)
        except BuildError as error:
            self.report.add(StepResult("check", check.name, "failed", seconds=time.perf_counter() - started, reason=reason))
            return [f"{check.label}: {error.message}"]
        result = "failed" if count else "passed"
        self.report.add(StepResult("check", check.name, result, count or None, time.perf_counter() - started, reason=reason))
        if not count:
            self._state.checks[check.name] = definition
            return []
        self._state.checks.pop(check.name, None)
        shown = "; ".join(", ".join(f"{name} = {value}" for name, value in zip(names, row, strict=True)) for row in rows)
        first = f"the first {len(rows)}: " if count > len(rows) else ""
        return [f"{check.label} found {count:,} row{'s' if count > 1 else ''} that {'are' if count > 1 else 'is'} wrong: {first}{shown}."]

    def _stage_exports(self) -> None:
        wanted = self._planner.exports()
        self._state.exports = {path: made for path, made in self._state.exports.items() if path in wanted}
        for path, node in wanted.items():
            table = self._state.tables.get(node.name)
            reason = self._planner.export_reason(node, path)
            if table is None:
                continue
            if not reason:
                self.report.add(StepResult("export", path, "reused", table.rows))
                continue
            self._open_for_reading()
            started = time.perf_counter()
            with self.report.working(f"exporting {path}", self._percent):
                rows = self._database.export(node.name, self._exports.stage(path), self.settings.export_format)
            self._state.exports[path] = self._exports.record(path, table.version)
            self.report.add(StepResult("export", path, "written", rows, time.perf_counter() - started, reason=reason))

    def _refuse_half_a_run(self) -> None:
        for node in self.graph.nodes.values():
            reason = "" if node.name in self.skipped else self._planner.stale(node)
            if reason:
                hint = "python3 scripts/source.py" if node.kind == "source" else "python3 scripts/transforming.py"
                raise BuildError(f"{node.name} is not up to date ({reason}), so nothing was published.", f"Run first: {hint}")

    def _drop_gone(self) -> None:
        for name in self._planner.dropped():
            self._open_for_building()
            self._database.drop(name)
            self._state.tables.pop(name, None)
            put_rejected(self.settings.project, name, None)
            self.report.add(StepResult("drop", name, "dropped", reason="nothing makes it any more"))

    def _made(self, step: str, node: Node, made: TableState, seconds: float, reason: str) -> None:
        self._state.tables[node.name] = made
        self._planner.settled.add(made.version)
        self.report.add(StepResult(step, node.name, "rebuilt", made.rows, seconds, made.rejected, reason))

    def _reuse(self, step: str, node: Node) -> None:
        made = self._state.tables[node.name]
        self._planner.settled.add(made.version)  # what arrives from now on is for the next run
        self.report.add(StepResult(step, node.name, "reused", made.rows, rejected=made.rejected))

    def _skip(self, step: str, node: Node, reason: str) -> None:
        """Leave a table as it was published, if it was; nothing that reads it is made anew."""
        if step != "check":
            self.skipped[node.name] = reason
        self.report.add(StepResult(step, node.name, "skipped", reason=reason))

    def _selected(self, nodes: Iterable[Node]) -> list[Node]:
        return list(nodes) if self._selection is None else self._selection.tables_of(nodes)

    def _version(self) -> str:
        self._versions += 1
        return f"{self._identifier}.{self._versions}"

    def _percent(self) -> float:
        return self._database.reader.query_progress()

    # Looking on -------------------------------------------------------------------------------------------------------

    def results(self) -> dict[str, int]:
        """Return the rows of each table of scripts/final, as this run knows them."""
        final = (node.name for node in self.graph.built() if node.layer == "final")
        return {name: self._state.tables[name].rows for name in final if name in self._state.tables}

    def version(self, table: str) -> str:
        """Return what tells this content of a table from any other."""
        return self._state.tables[table].version

    def columns(self, table: str) -> list[Column]:
        """Return the columns of a table that this run knows, with the database's own type names."""
        self._open_for_reading()
        return self._database.columns(table)

    def first_rows(self, table: str, limit: int) -> tuple[list[str], list[tuple[object, ...]]]:
        """Return the column names and some rows of a table that this run knows."""
        self._open_for_reading()
        names, rows, _ = self._database.query(f"SELECT * FROM {self._database.relation(table)} LIMIT {int(limit)}", limit)
        return names, rows

    # The database -----------------------------------------------------------------------------------------------------

    def _open_for_building(self) -> None:
        if self._mode == "building":
            return
        self._database.close()
        if self._in_work:
            self._database.open("work")
        else:
            keep = self._kept()
            self._database.open("published" if keep else "empty", keep)
            self._state.base = self._published.token
            self._state.tables = {name: table for name, table in self._state.tables.items() if name in keep}
        self._mode, self._in_work = "building", True

    def _kept(self) -> list[str]:
        """Return the published tables that this run goes on with."""
        known = [name for name in self._state.tables if name in self.graph.nodes]
        if self._selection is not None:
            return known  # what is not up to date and not selected stays, for what reads it
        rebuilt = self._planner.rebuilt()
        if any(self.settings.options_for(node.name).on_error == "reject" for node in self.graph.sources() if node.name in rebuilt):
            return known  # a source may prove unreadable, and it and what reads it then stay as they were
        return [name for name in known if name not in rebuilt]

    def _open_for_reading(self) -> None:
        """Open the database to read from: the work database if there is one, else what is published."""
        if self._in_work:
            self._open_for_building()
        elif not self._mode:
            self._database.open("reading")
            self._mode = "reading"

    def keep_work(self) -> None:
        """Seal what was built and not published, so that the next run goes on from it."""
        self._exports.discard()
        if self._mode == "building":
            self._state.token = self._database.seal()
            self._state.save(self._folder.work_state)
            self._mode = ""

    def close(self) -> None:
        """Close whatever is open."""
        self._exports.discard()
        self._database.close()
