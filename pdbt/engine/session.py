"""Opening a run: settings, lock, database, plan and report brought together, and put away again however the run ends."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .connected import check_deliveries, with_landed
from .databases import open_database
from .errors import PdbtError, RunInProgress, may_pass
from .files import Discovered, discover_sources
from .graph import Graph, read_graph
from .interrupted import updated_meanwhile
from .lock import run_lock
from .outside.in_files import named_files
from .parameters import check_parameters, resolve_parameters
from .plan import Planner, Step
from .publish import WorkFolder, begin, look
from .report import Report, StepResult
from .run import Run
from .selection import Selection
from .selects import Reader
from .settings import Parameter, Settings, load_settings
from .state import State, load_state
from .system_faults import DiskFull, system_faults_told

if TYPE_CHECKING:
    from .databases.base import Database


DUCKDB_INTERRUPTED = "Query interrupted"
NOTHING_TO_RUN = (
    "There is nothing to run: data/source/ has no file, and scripts/ has no table. "
    "Put a file into data/source/, such as orders.csv, and run again; sample/ shows a pipeline that works."
)


@dataclass(frozen=True)
class RunOptions:
    """What the command line says of a run.

    Attributes:
        full: make everything again.
        parameters: ``name=value`` texts that override pdbt.toml.
        lock_timeout: seconds to wait for another run; None means what pdbt.toml says.
        quiet: print nothing but errors.
        selection: the part of the project that the run is about; None means all of it.
        on_step: is told each step as it is done.
        tried_again: whether a run that fails now is tried again, so that nobody is told yet.
        link: where a person can look at the run; empty means its log.
    """

    full: bool = False
    parameters: Sequence[str] = ()
    lock_timeout: float | None = None
    quiet: bool = False
    selection: Selection | None = None
    on_step: Callable[[StepResult], None] | None = None
    tried_again: bool = False
    link: str = ""


@contextlib.contextmanager
def use_run(project: Path, run: Run | None = None) -> Iterator[Run]:
    """Go on with the run that is given, or open one, so that each step works alone too."""
    if run is not None:
        yield run
        return
    with open_run(project, RunOptions()) as opened:
        yield opened


@contextlib.contextmanager
def open_run(project: Path, options: RunOptions) -> Iterator[Run]:
    """Open a run of the project: nobody else runs it meanwhile, and what happens is reported and logged.

    What was built and not published when the run ends stays in the work database, and the next run goes on from there.

    Raises:
        PdbtError: whatever the person or the pipeline got wrong.
        RunInProgress: another run did not end in time.
    """
    settings = load_settings(project)
    report = Report(settings.project, Path(sys.argv[0]).name, quiet=options.quiet, redact=settings.redact, on_step=options.on_step)
    timeout = settings.lock_timeout if options.lock_timeout is None else options.lock_timeout
    try:
        with run_lock(_folder(settings).lock, timeout, report.note):
            if updated_meanwhile():
                raise RunInProgress("The project was updated while this process had its old engine loaded.", "Start it again.")
            with _run(settings, options, report) as run:
                yield run
    except RunInProgress as error:
        report.finish("refused", error.message)
        raise
    except PdbtError as error:
        error.redact(settings.redact)
        _tell_failure(settings, options, report, error)
        report.finish("failed", str(error))
        raise
    except (KeyboardInterrupt, SystemExit) as error:
        report.finish("interrupted", repr(error))
        raise
    except Exception as error:
        _tell_failure(settings, options, report, error)
        report.finish("failed", repr(error))
        raise
    except BaseException as error:  # what ends a thread or a generator
        report.finish("failed", repr(error))
        raise
    if settings.notification_urls and run.published:
        from .notices.runs import run_published

        run_published(settings, report, run.results())
    report.finish("partial" if run.skipped else "done")


def _tell_failure(settings: Settings, options: RunOptions, report: Report, error: Exception) -> None:
    """Tell whoever the settings name, once for as long as runs fail."""
    if settings.notification_urls:
        from .notices.runs import run_failed

        if not options.tried_again or not may_pass(error):
            run_failed(settings, report, error, options.link)


@contextlib.contextmanager
def _run(settings: Settings, options: RunOptions, report: Report) -> Iterator[Run]:
    """Give a run that keeps its work when it ends in order, or with an error that a person can mend."""
    database = _database(settings)
    try:
        folder = _folder(settings)

        def make_planner(state: State) -> Planner:
            planner, notes = _planner(settings, options, state, database)
            for sentence in notes:
                report.note(sentence)
            return planner

        run = Run(settings, report, folder, database, begin(folder, database), make_planner, options.selection)
        published = None if settings.database_url else settings.database_path
        try:
            with system_faults_told(folder.root, published):
                yield run
        except DiskFull:
            raise  # keeping the work would need more room, and its files would keep the disk full
        except PdbtError:
            with contextlib.suppress(PdbtError):  # what stopped the run is told, not what then hindered keeping its work
                run.keep_work()
            raise
        except RuntimeError as error:
            # DuckDB stops a query at a signal, and says so in its own words before Python can.
            if str(error) == DUCKDB_INTERRUPTED:
                raise KeyboardInterrupt from None
            raise
        else:
            with system_faults_told(folder.root, published):
                run.keep_work()
        finally:
            run.close()
    finally:
        database.close()


def plan_run(project: Path, options: RunOptions) -> list[Step]:
    """Return what a run would do and why, doing nothing.

    Raises:
        PdbtError: whatever would stop the run before it begins.
    """
    settings = load_settings(project)
    database = _database(settings)
    try:
        state = look(_folder(settings), database)
        return _planner(settings, options, state, database)[0].steps()
    finally:
        database.close()


def read_project(project: Path) -> tuple[Settings, Graph]:
    """Return the settings of a project, and its tables and checks as its files make them now.

    Raises:
        PdbtError: whatever would stop a run before it begins.
    """
    settings = load_settings(project)
    database = _database(settings)
    try:
        state = load_state(_folder(settings).published_state) or State()
        return settings, _graph(settings, state, database, settings.parameters)[0]
    finally:
        database.close()


def _folder(settings: Settings) -> WorkFolder:
    return WorkFolder(settings.project / "db" / ".work")


def _database(settings: Settings) -> Database:
    return open_database(
        settings.database_type,
        project=settings.project,
        path=str(settings.database_path),
        url=settings.database_url,
        project_name=settings.name,
        lock_timeout=settings.lock_timeout,
    )


def _planner(settings: Settings, options: RunOptions, state: State, database: Database) -> tuple[Planner, tuple[str, ...]]:
    """Read the project; return its planner, and what a person should be told of it."""
    parameters = resolve_parameters(settings, options.parameters)
    graph, discovered = _graph(settings, state, database, parameters)
    labels = {path.relative_to(settings.project).as_posix() for table in discovered.tables for path in table.files}
    labels.update(*(named_files(node.outside.files, settings.project) for node in (*graph.nodes.values(), *graph.checks)))
    state.stamps = {label: known for label, known in state.stamps.items() if label in labels}
    check_parameters(graph, parameters, options.parameters)
    empty = () if graph.nodes or graph.checks else (NOTHING_TO_RUN,)
    notes = (*empty, *discovered.ignored, *settings.stray_sources(table.name for table in discovered.tables))
    return Planner(settings, graph, state, parameters, options.full), notes


def _graph(settings: Settings, state: State, database: Database, parameters: Mapping[str, Parameter]) -> tuple[Graph, Discovered]:
    """Read the project's files; what the state knows of their SQL is not parsed again."""
    discovered = with_landed(settings.project, discover_sources(settings.project))
    reader = Reader(state.selects, state.references, database.dialect, parameters)
    graph = read_graph(settings.project, discovered.tables, reader, database.external)
    state.selects, state.references = reader.selects, reader.references
    check_deliveries(settings, graph.built())
    if database.dialect == "postgresql":
        from .databases.name_limits import require_names_apart

        require_names_apart((node.name, node.label) for node in graph.nodes.values())
    return graph, discovered
