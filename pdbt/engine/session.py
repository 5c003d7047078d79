"""Opening a run: settings, lock, database, plan and report brought together, and put away again however the run ends."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .databases import open_database
from .errors import PdbtError, RunInProgress
from .files import discover_sources
from .graph import Reader, read_graph
from .lock import run_lock
from .parameters import check_parameters, resolve_parameters
from .plan import Planner, Step
from .publish import WorkFolder, begin, look
from .report import Report
from .run import Run
from .settings import Settings, load_settings
from .state import State

if TYPE_CHECKING:
    from .databases.base import Database


DUCKDB_INTERRUPTED = "Query interrupted"


@dataclass(frozen=True)
class RunOptions:
    """What the command line says of a run.

    Attributes:
        full: make everything again.
        parameters: ``name=value`` texts that override pdbt.toml.
        lock_timeout: seconds to wait for another run; None means what pdbt.toml says.
        quiet: print nothing but errors.
    """

    full: bool = False
    parameters: Sequence[str] = ()
    lock_timeout: float | None = None
    quiet: bool = False


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
    report = Report(settings.project, Path(sys.argv[0]).name, quiet=options.quiet, redact=settings.redact)
    timeout = settings.lock_timeout if options.lock_timeout is None else options.lock_timeout
    try:
        with run_lock(_folder(settings).lock, timeout, report.note), _run(settings, options, report) as run:
            yield run
    except RunInProgress as error:
        report.finish("refused", error.message)
        raise
    except PdbtError as error:
        error.redact(settings.redact)
        report.finish("failed", str(error))
        raise
    except BaseException as error:
        report.finish("interrupted" if isinstance(error, (KeyboardInterrupt, SystemExit)) else "failed", repr(error))
        raise
    report.finish("partial" if run.skipped else "done")


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

        run = Run(settings, report, folder, database, begin(folder, database), make_planner)
        try:
            yield run
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
    discovered = discover_sources(settings.project)
    reader = Reader(state.references)
    labels = {path.relative_to(settings.project).as_posix() for table in discovered.tables for path in table.files}
    state.stamps = {label: known for label, known in state.stamps.items() if label in labels}
    graph = read_graph(settings.project, discovered.tables, reader, database.external)
    state.references = reader.used
    parameters = resolve_parameters(settings, options.parameters)
    check_parameters(graph, parameters, options.parameters)
    notes = (*discovered.ignored, *settings.stray_sources(table.name for table in discovered.tables))
    return Planner(settings, graph, state, parameters, options.full), notes
