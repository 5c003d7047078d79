"""The comparisons of commands that end, each built over folders of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import rivals
from benchmarks.agreement import same_bytes, same_sqlite_rows, same_values, sqlite_rows
from benchmarks.contest import MEGABYTE, Bar, Contest, Contestant, Disagreement
from benchmarks.rivals import Interpreter
from benchmarks.workplaces import HERE, Workplace, bare_duckdb, bare_pandas, dbt_orders, new_project, pdbt_command, pdbt_orders

ORDERS, MANY_ORDERS = 2_000_000, 20_000_000
TABLES = 500
PROJECTS = 200
LISTING_SECONDS = 1.0
GENERATION_LIMIT = 600  # seconds
IMPORT_DUCKDB = "import duckdb"
NO_UPDATE_CHECK = {"DAGSTER_DG_UPDATE_CHECK_ENABLED": "0"}


@dataclass(frozen=True)
class Ground:
    """Where the benchmark runs.

    Attributes:
        interpreter: the Python that pdbt and DuckDB are installed for.
        cache: holds the rivals' environments between runs of the benchmark.
        work: an empty folder that this run of the benchmark has for itself.
        installed: the rivals that were needed so far.
    """

    interpreter: Interpreter
    cache: Path
    work: Path
    installed: dict[rivals.Rival, Interpreter] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """Make a folder to work in."""
        folder = self.work / name
        folder.mkdir(parents=True)
        return folder

    def rival(self, rival: rivals.Rival) -> Interpreter:
        """Return a rival's interpreter, installed when it is not yet."""
        self.installed[rival] = rivals.install(rival, self.cache, self.interpreter)
        return self.installed[rival]

    def orders(self, rows: int) -> Path:
        """Return the CSV file of this many orders, written when this run has none yet."""
        path = self.work / f"orders-{rows}.csv"
        if not path.exists():
            command = [str(self.interpreter.python), str(HERE / "generate.py"), str(path), str(rows)]
            subprocess.run(command, check=True, timeout=GENERATION_LIMIT)
        return path

    def import_duckdb(self) -> Contestant:
        """Return the smallest program that has DuckDB at hand."""
        return Contestant(IMPORT_DUCKDB, (str(self.interpreter.python), "-c", IMPORT_DUCKDB), self.work)


def new(ground: Ground) -> Contest:
    """Making a project, against Dagster's generator: as it comes, and with its look-up of newer versions on the network switched off."""
    create_dagster = (str(ground.rival(rivals.dagster()).script("create-dagster")), "project", "shop", "--no-uv-sync")
    ours = _maker("pdbt", (*pdbt_command(ground.interpreter), "new", "shop"), ground.folder("new/pdbt"))
    as_it_comes = _maker("create-dagster", create_dagster, ground.folder("new/dagster"))
    offline = replace(as_it_comes, name="create-dagster, no update check", variables=NO_UPDATE_CHECK)

    def agree() -> None:
        _expect((ours.folder / "shop/pdbt.toml").is_file(), "pdbt made no project")
        _expect((offline.folder / "shop/pyproject.toml").is_file(), "create-dagster made no project")

    title = "pdbt new / create-dagster project --no-uv-sync"
    bars = (Bar(title, ours.name, 0.7, as_it_comes.name), Bar(f"{title}, no update check", ours.name, 0.7, offline.name))
    return Contest("new", (ours, as_it_comes, offline), bars, agree)


def sample(ground: Ground) -> Contest:
    """The sample's classic run from nothing, against importing DuckDB."""
    folder = new_project(ground.interpreter, ground.folder("sample") / "shop") / "sample"
    exports = (folder / "data/processed", folder / "data/final")

    def reset() -> None:
        shutil.rmtree(folder / "db", ignore_errors=True)
        for path in (path for export in exports for path in export.glob("*.csv")):
            path.unlink()

    ours = Contestant("pdbt", (str(ground.interpreter.python), "macro/python-run-process-sample.py"), folder, reset)

    def agree() -> None:
        _expect((folder / "db/database.duckdb").is_file(), "the sample published nothing")
        _expect(all(any(export.glob("*.csv")) for export in exports), "the sample exported nothing")

    bar = Bar("sample's classic run / import duckdb", ours.name, 3.0, IMPORT_DUCKDB)
    return Contest("sample", (ours, ground.import_duckdb()), (bar,), agree)


def orders(ground: Ground) -> Contest:
    """Two million orders imported, transformed, summarised and exported, against a bare DuckDB script and dbt-duckdb."""
    source = ground.orders(ORDERS)
    dbt = ground.rival(rivals.dbt(ground.interpreter.version("duckdb")))
    ours = pdbt_orders(ground.interpreter, ground.folder("orders") / "shop", source)
    bare = bare_duckdb(ground.interpreter, ground.folder("orders/bare"), source)
    theirs = dbt_orders(dbt, ground.folder("orders/dbt"), source)
    name = ours.contestant.name
    bars = (
        Bar("2 million orders / bare DuckDB script", name, 1.05, bare.contestant.name),
        Bar("2 million orders / dbt-duckdb", name, 0.45, theirs.contestant.name),
    )
    contestants = (ours.contestant, bare.contestant, theirs.contestant)
    return Contest("orders", contestants, bars, lambda: _same_results(ours, bare, theirs))


def unchanged(ground: Ground) -> Contest:
    """A second run over two million orders with nothing changed, against importing DuckDB."""
    return _unchanged(ground, "unchanged", "nothing changed, 160 MB / import duckdb", ORDERS)


def unchanged_large(ground: Ground) -> Contest:
    """A second run over 20 million orders with nothing changed, against importing DuckDB."""
    return _unchanged(ground, "unchanged-large", "nothing changed, 1.6 GB / import duckdb", MANY_ORDERS)


def sqlite_import(ground: Ground) -> Contest:
    """Two million orders into SQLite, against pandas."""
    source = ground.orders(ORDERS)
    ours = pdbt_orders(ground.interpreter, ground.folder("sqlite-import") / "shop", source, database="sqlite", transforming=False)
    theirs = bare_pandas(ground.rival(rivals.pandas()), ground.folder("sqlite-import/pandas"), source)
    bar = Bar("import into SQLite / pandas.read_csv + to_sql", ours.contestant.name, 0.5, theirs.contestant.name)

    def agree() -> None:
        same_sqlite_rows(ours.database, theirs.database, "ORDERS")

    return Contest("sqlite-import", (ours.contestant, theirs.contestant), (bar,), agree)


def memory_duckdb(ground: Ground) -> Contest:
    """Peak memory over 20 million orders, against the bare DuckDB script."""
    source = ground.orders(MANY_ORDERS)
    ours = pdbt_orders(ground.interpreter, ground.folder("memory-duckdb") / "shop", source)
    bare = bare_duckdb(ground.interpreter, ground.folder("memory-duckdb/bare"), source)
    bar = Bar("peak memory, 20 million orders / bare DuckDB script", ours.contestant.name, 1.1, bare.contestant.name, "peak")
    return Contest("memory-duckdb", (ours.contestant, bare.contestant), (bar,), lambda: _same_results(ours, bare), large=True)


def memory_sqlite(ground: Ground) -> Contest:
    """Peak memory of the sqlite type over 20 million orders, against one gigabyte."""
    source = ground.orders(MANY_ORDERS)
    ours = pdbt_orders(ground.interpreter, ground.folder("memory-sqlite") / "shop", source, database="sqlite")
    bar = Bar("peak memory, 20 million orders, sqlite type", ours.contestant.name, 1000 * MEGABYTE, quantity="peak")
    return Contest("memory-sqlite", (ours.contestant,), (bar,), lambda: sqlite_rows(ours.database, "ORDERS", MANY_ORDERS), large=True)


def definitions(ground: Ground) -> Contest:
    """Reading the Dagster definitions of 500 generated tables, against three seconds beyond importing Dagster."""
    project = new_project(ground.interpreter, ground.folder("definitions") / "shop")
    (project / "data/source/T0.csv").write_text("id\n1\n", encoding="utf-8")
    for number in range(1, TABLES):
        select = f"SELECT l.id, l.id + {number} AS n FROM T{number - 1} AS l JOIN T{number // 2} AS r USING (id)\n"
        (project / f"scripts/{'final' if number % 10 == 0 else 'processed'}/T{number}.sql").write_text(select, encoding="utf-8")
    read = "runpy.run_path(sys.argv[1])['defs'].get_repository_def().assets_defs_by_key"
    code = f"import runpy, sys; assert len({read}) == {2 * TABLES - 1}"
    python = str(ground.interpreter.python)
    ours = Contestant("pdbt", (python, "-c", code, "macro/dagster-run-process.py"), project)
    theirs = Contestant("import dagster", (python, "-c", "import dagster; import time; time.sleep(3)"), project)
    bar = Bar(f"definitions of {TABLES} tables / import dagster and three seconds", ours.name, 1.0, theirs.name)
    return Contest("definitions", (ours, theirs), (bar,), lambda: None)


def list_projects(ground: Ground) -> Contest:
    """Listing a workspace of 200 projects, each with its settings and a run, against one second."""
    folder = ground.folder("list-projects")
    command = pdbt_command(ground.interpreter)
    for words in (("init-workspace", "."), ("add-project", "model", "--org", "org_0"), ("run", "model")):
        subprocess.run([*command, *words], cwd=folder, env=rivals.environment(), check=True, stdout=subprocess.DEVNULL)
    model = folder / "org_0/model"
    for number in range(1, PROJECTS):  # what the list reads of a project; the rest of its files would only take time to make
        project = folder / f"org_{number % 3}/project_{number}"
        (project / "macro").mkdir(parents=True)
        for name in ("pdbt.toml", "macro/runs.jsonl"):
            shutil.copyfile(model / name, project / name)
    ours = Contestant("pdbt", (*command, "list-projects", "--json"), folder)

    def agree() -> None:
        said = subprocess.run(ours.command, cwd=folder, env=rivals.environment(), check=True, stdout=subprocess.PIPE).stdout
        found = json.loads(said)["projects"]
        _expect(len(found) == PROJECTS, f"{len(found)} projects are listed")
        _expect({one["result"] for one in found} == {"done"}, "not every project's last run is listed")

    bar = Bar(f"pdbt list-projects, {PROJECTS} projects", ours.name, LISTING_SECONDS)
    return Contest("list-projects", (ours,), (bar,), agree)


CONTESTS: dict[str, Callable[[Ground], Contest]] = {
    "new": new,
    "sample": sample,
    "orders": orders,
    "unchanged": unchanged,
    "sqlite-import": sqlite_import,
    "definitions": definitions,
    "list-projects": list_projects,
    "unchanged-large": unchanged_large,
    "memory-duckdb": memory_duckdb,
    "memory-sqlite": memory_sqlite,
}
"""Every comparison by name, in the order of the report; each is built just before it is run."""

LARGE = ("unchanged-large", "memory-duckdb", "memory-sqlite")
"""The comparisons that need the 20 million orders."""


def _maker(name: str, command: tuple[str, ...], folder: Path) -> Contestant:
    return Contestant(name, command, folder, lambda: shutil.rmtree(folder / "shop", ignore_errors=True))


def _unchanged(ground: Ground, name: str, title: str, rows: int) -> Contest:
    """Run a project once, then measure runs that find nothing to do; a database written again is a disagreement."""
    place = pdbt_orders(ground.interpreter, ground.folder(name) / "shop", ground.orders(rows))
    subprocess.run(place.contestant.command, cwd=place.contestant.folder, env=rivals.environment(), check=True, stdout=subprocess.DEVNULL)
    made = _identity(place)
    ours = Contestant("pdbt", place.contestant.command, place.contestant.folder)

    def agree() -> None:
        _expect(_identity(place) == made, "a run with nothing changed wrote its results again")

    return Contest(name, (ours, ground.import_duckdb()), (Bar(title, ours.name, 2.0, IMPORT_DUCKDB),), agree, large=rows == MANY_ORDERS)


def _identity(place: Workplace) -> list[tuple[int, int, int]]:
    """Tell one state of a project's results from any other."""
    status = [path.stat() for path in (place.database, place.clean, place.summary)]
    return [(found.st_ino, found.st_size, found.st_mtime_ns) for found in status]


def _same_results(first: Workplace, *others: Workplace) -> None:
    for other in others:
        same_bytes(first.clean, other.clean)
        same_values(first.summary, other.summary)


def _expect(holds: bool, fault: str) -> None:
    if not holds:
        raise Disagreement(f"{fault[0].upper()}{fault[1:]}.")
