"""Folders in which the contestants run: a pdbt project, a dbt project and a bare script, all over the same orders."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contest import Contestant
from benchmarks.rivals import Interpreter, environment

HERE = Path(__file__).resolve().parent
SQL = HERE / "sql"
CLEAN, SUMMARY = "ORDERS_CLEAN", "ORDERS_SUMMARY"
PREPARATION_LIMIT = 120  # seconds for one unmeasured command

DBT_PROJECT = """\
name: orders
version: "1.0"
profile: orders
flags: {send_anonymous_usage_stats: false}
models: {+materialized: table}
"""
DBT_PROFILE = """\
orders:
  target: benchmark
  outputs: {benchmark: {type: duckdb, path: orders.duckdb}}
"""


@dataclass(frozen=True)
class Workplace:
    """A contestant with the results that its run leaves.

    Attributes:
        contestant: what runs, where, and how its results are taken away.
        database: the database that it makes.
        clean: the CSV file of ORDERS_CLEAN.
        summary: the CSV file of ORDERS_SUMMARY.
    """

    contestant: Contestant
    database: Path
    clean: Path
    summary: Path


def pdbt_command(interpreter: Interpreter) -> tuple[str, ...]:
    """Return how a person calls pdbt: the installed command, or the module where it was not installed."""
    installed = interpreter.script("pdbt")
    return (str(installed),) if installed.exists() else (str(interpreter.python), "-m", "pdbt")


def new_project(interpreter: Interpreter, folder: Path, *options: str) -> Path:
    """Make a project with ``pdbt new`` and return its folder."""
    subprocess.run(
        [*pdbt_command(interpreter), "new", folder.name, *options],
        cwd=folder.parent,
        env=environment(),
        check=True,
        timeout=PREPARATION_LIMIT,
        stdout=subprocess.DEVNULL,
    )
    return folder


def pdbt_orders(interpreter: Interpreter, folder: Path, orders: Path, *, database: str = "duckdb", transforming: bool = True) -> Workplace:
    """Return a pdbt project over the orders, started by its own classic run.

    Args:
        interpreter: the Python that pdbt is installed for.
        folder: where the project is made.
        orders: the CSV file; on the same file system, because it is linked and not copied.
        database: the database type.
        transforming: whether the project has the two SQL files, or only imports.
    """
    project = new_project(interpreter, folder, "--db", database)
    os.link(orders, project / "data/source/ORDERS.csv")
    if transforming:
        shutil.copy(SQL / f"{CLEAN}.sql", project / "scripts/processed")
        shutil.copy(SQL / f"{SUMMARY}.sql", project / "scripts/final")
    command = (str(interpreter.python), "macro/python-run-process.py")
    results = (project / "data/processed", project / "data/final")

    def reset() -> None:
        shutil.rmtree(project / "db", ignore_errors=True)
        for export in (export for results_folder in results for export in results_folder.glob("*.csv")):
            export.unlink()

    return Workplace(
        Contestant(f"pdbt ({database})", command, project, reset),
        project / f"db/database.{database}",
        results[0] / f"{CLEAN}.csv",
        results[1] / f"{SUMMARY}.csv",
    )


def bare_duckdb(interpreter: Interpreter, folder: Path, orders: Path) -> Workplace:
    """Return the bare DuckDB script over the orders."""
    command = (str(interpreter.python), str(HERE / "bare/with_duckdb.py"), str(orders), str(SQL), str(folder))
    return _rival("bare DuckDB", command, folder, "orders.duckdb")


def bare_pandas(interpreter: Interpreter, folder: Path, orders: Path) -> Workplace:
    """Return the bare pandas script that imports the orders into SQLite."""
    command = (str(interpreter.python), str(HERE / "bare/with_pandas.py"), str(orders), str(folder))
    return _rival("pandas to_sql", command, folder, "orders.sqlite")


def dbt_orders(interpreter: Interpreter, folder: Path, orders: Path) -> Workplace:
    """Return a dbt project over the orders: three models, each a table, two of them copied to CSV files by a post-hook."""
    models = {
        "ORDERS": f"SELECT * FROM read_csv('{orders}')",
        CLEAN: _dbt_model(CLEAN, "ORDERS", folder),
        SUMMARY: _dbt_model(SUMMARY, CLEAN, folder),
    }
    (folder / "models").mkdir(parents=True)
    for name, text in models.items():
        (folder / f"models/{name}.sql").write_text(text)
    (folder / "dbt_project.yml").write_text(DBT_PROJECT)
    (folder / "profiles.yml").write_text(DBT_PROFILE)
    command = (str(interpreter.script("dbt")), "--quiet", "--no-version-check", "run", "--profiles-dir", ".")
    return _rival("dbt-duckdb", command, folder, "orders.duckdb")


def _dbt_model(table: str, reads: str, folder: Path) -> str:
    select = (SQL / f"{table}.sql").read_text().replace(f"FROM {reads}\n", f'FROM {{{{ ref("{reads}") }}}}\n')
    copy = f"COPY {{{{ this }}}} TO '{folder / table}.csv' (FORMAT csv, HEADER)"
    return f'{{{{ config(post_hook="{copy}") }}}}\n{select}'


def _rival(name: str, command: tuple[str, ...], folder: Path, database: str) -> Workplace:
    """Return a rival whose results all lie in its own folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = (folder / database, folder / f"{CLEAN}.csv", folder / f"{SUMMARY}.csv")

    def reset() -> None:
        for path in made:
            path.unlink(missing_ok=True)

    return Workplace(Contestant(name, command, folder, reset), *made)
