"""Runs on other Dagsters as a test sees them: held until it says so, waited for beside it, compared with runs here."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
import pytest

from pdbt import CloudResult, PdbtError, run_cloud
from pdbt.scaffold import NewProject, new_project
from tests.conftest import processes, running
from tests.process.conftest import end_marked, ports
from tests.process.graphql import assets, runs
from tests.process.instances import Shop, dagster_settings
from tests.project.gate import wait_for

AT_MOST_SECONDS = 5.0
TOKEN = "a-token-that-nobody-may-see"
# Waits for a file to go away, so that a test says when the run may end.
SLOW = """\
import time
from pathlib import Path

import duckdb


def table():
    while Path({hold!r}).exists():
        time.sleep(0.1)
    return duckdb.sql("SELECT 1 AS n").to_arrow_table()
"""
# Goes on after the publication while a file is there, and says so by another.
LINGER = """def linger(run):
    import time

    while Path({linger!r}).exists():
        Path({lingers!r}).touch()
        time.sleep(0.1)


STEPS = [*STEPS, linger]

defs = """


@dataclass(frozen=True)
class Far(Shop):
    """A deployment as a test finds it: runs of the tests before do not count."""

    before: frozenset[str]


@dataclass(frozen=True)
class Fleet:
    """Deployments of one project, for all tests of a module.

    Attributes:
        models: the project as it is here, by its database.
        shops: the deployments, by their names.
        hold: the file that makes their runs wait while it exists.
    """

    models: Mapping[str, Path]
    shops: Mapping[str, Shop]
    hold: Path

    def far(self, name: str) -> Far:
        """Return a deployment, launched again if a test killed it."""
        shop = self.shops[name]
        if not shop.family():
            assert shop.launch().code == 0
        return Far(shop.project, shop.port, shop.run_process, shop.cwd, frozenset(runs(shop.port)))

    @contextlib.contextmanager
    def lingering(self) -> Iterator[Path]:
        """Let runs go on after their publication until the end of the block; yield the file that says that one does."""
        linger, lingers = self.hold.with_name("linger"), self.hold.with_name("lingers")
        linger.touch()
        try:
            yield lingers
        finally:
            linger.unlink()


@contextlib.contextmanager
def fleet(folder: Path, **databases: str) -> Iterator[Fleet]:
    """Launch copies of a project, each of its type of database, in a Dagster of its own that starts nothing by itself."""
    hold = folder / "hold"
    models = {database: _model(folder / "here" / database, database, hold) for database in databases.values()}
    shops = {}
    with processes() as start, ports() as free_port:
        try:
            for name, database in databases.items():
                project = folder / "elsewhere" / name / "shop"
                shutil.copytree(models[database], project)
                shops[name] = Shop(project, free_port(), running(start), folder)
                dagster_settings(project, port=shops[name].port, schedule_status="stopped", sensor_status="stopped")
                launched = shops[name].launch()
                assert launched.code == 0, launched.stdout + launched.stderr
            yield Fleet(models, shops, hold)
        finally:
            end_marked(folder)


def _model(folder: Path, database: str, hold: Path) -> Path:
    """Make the project: a result that depends on a parameter, a check on another, and a table that is made when it may be."""
    folder.mkdir(parents=True)
    orders = folder / "orders.csv"
    orders.write_text("id,amount\n1,10\n2,20\n3,30\n", encoding="utf-8")
    project = new_project(NewProject(str(folder / "shop"), database, data=(orders,))).target
    settings = project / "pdbt.toml"
    text = settings.read_text(encoding="utf-8").replace("[parameters]\n", '[parameters]\nleast = 1\nshare = 1.5\nmost = 1000\nsaid = "x"\n')
    settings.write_text(text, encoding="utf-8")
    (project / "scripts/final/BIG.sql").write_text("SELECT * FROM ORDERS WHERE amount >= $least", encoding="utf-8")
    (project / "scripts/final/SLOW.py").write_text(SLOW.format(hold=str(hold)), encoding="utf-8")
    (project / "scripts/checks/MOST.sql").write_text("SELECT * FROM BIG WHERE amount > $most", encoding="utf-8")
    definitions = project / "macro/dagster-run-process.py"
    text = definitions.read_text(encoding="utf-8")
    linger = LINGER.format(linger=str(hold.with_name("linger")), lingers=str(hold.with_name("lingers")))
    definitions.write_text(text.replace("defs = ", linger), encoding="utf-8")
    return project


@contextlib.contextmanager
def given(scripts: Mapping[str, str], here: Sequence[Path], there: Sequence[Shop]) -> Iterator[None]:
    """Give projects more results, here and on deployments, whose pages know them in the block and no longer after it."""
    names = {Path(name).stem for name in scripts}
    for project in (*here, *(shop.project for shop in there)):
        for name, text in scripts.items():
            (project / "scripts/final" / name).write_text(text, encoding="utf-8")
    wait_for(lambda: all(names <= assets(shop.port) for shop in there))
    try:
        yield
    finally:
        for shop in there:
            for name in scripts:
                (shop.project / "scripts/final" / name).unlink()
        wait_for(lambda: not any(names & assets(shop.port) for shop in there))


def refused(*arguments: object, **more: object) -> PdbtError:
    """Return what `run_cloud` says, which it must within five seconds."""
    start = time.monotonic()
    with pytest.raises(PdbtError) as told:
        run_cloud(*arguments, **more)  # type: ignore[arg-type] # as given
    assert time.monotonic() - start < AT_MOST_SECONDS
    assert told.value.exit_code == 2
    assert TOKEN not in f"{told.value!r} {told.value.__cause__!r} {told.value.__context__!r}"
    return told.value


def results(project: Path) -> dict[str, object]:
    """Return what a reader sees: the rows of every published table, and every export byte for byte."""
    (database,) = (project / "db").glob("database.*")
    tables = _tables_of_sqlite(database) if database.suffix == ".sqlite" else _tables_of_duckdb(database)
    files = {path.name: path.read_bytes() for folder in ("processed", "final") for path in (project / "data" / folder).glob("*.csv")}
    return {**tables, **files}


def _tables_of_duckdb(database: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        return {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY ALL').fetchall() for name in names}


def _tables_of_sqlite(database: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()]
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr) for name in names}


@contextlib.contextmanager
def waited(**more: object) -> Iterator[tuple[list[CloudResult], list[str]]]:
    """Wait for a run in another thread; yield what becomes of it and what is told meanwhile, and see that the wait ends."""
    found: list[CloudResult] = []
    told: list[str] = []

    def wait() -> None:
        found.append(run_cloud("shop", wait=True, tell=told.append, **more))  # type: ignore[arg-type] # as given

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield found, told
    finally:
        thread.join(120)
        assert not thread.is_alive()


def new_runs(far: Far) -> dict[str, str]:
    """Return the runs of this test with their status, the newest first."""
    return {run: status for run, status in runs(far.port).items() if run not in far.before}


def status_of(far: Far) -> list[str]:
    """Return the status of the runs of this test, the newest first."""
    return list(new_runs(far).values())


def stamp(far: Far) -> tuple[int, int] | None:
    """Return what changes with each publication; None when there was none."""
    database = far.project / "db/database.duckdb"
    return (database.stat().st_ino, database.stat().st_mtime_ns) if database.exists() else None


def kill(shop: Shop) -> None:
    """Kill every process of a Dagster at once, by its PID."""
    family = shop.family()
    assert family
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, 10)
