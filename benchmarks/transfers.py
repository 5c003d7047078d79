"""Transfers of two million rows between servers and files, against pandas and against dlt with its fastest backend.

Ours runs as often as is asked for. A rival runs once, because pandas takes minutes for each: what it did is compared, and its one
time is the figure. The servers are $PDBT_BENCH_POSTGRESQL and $PDBT_BENCH_MYSQL, by default those of this machine; databases called
pdbt_bench_from and pdbt_bench_to are made there and dropped again.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rivals
from benchmarks.contest import MEGABYTE, Bar, Disagreement, Outcome
from benchmarks.contests import Ground
from benchmarks.measure import Cost, measure
from benchmarks.workplaces import HERE, pdbt_command

ROWS = int(os.environ.get("PDBT_BENCH_ROWS", "2000000"))
POSTGRESQL = os.environ.get("PDBT_BENCH_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")
MYSQL = os.environ.get("PDBT_BENCH_MYSQL", "mysql://root@127.0.0.1:3306")
TABLE, FROM, TO = "bench", "pdbt_bench_from", "pdbt_bench_to"
GROUND_LIMIT = 900  # seconds
MOST_MEMORY = 500 * MEGABYTE
DLT_LIMIT = 0.6
SCHEMAS = {"pdbt": "", "pandas": "", "dlt": "bench_dlt."}


@dataclass(frozen=True)
class Way:
    """One pair of databases.

    Attributes:
        title: as the report says it.
        origin: where from, as pdbt writes it.
        destination: where to.
        pandas: the bar beside pandas.
    """

    title: str
    origin: str
    destination: str
    pandas: float


def hold_transfers(ground: Ground, runs: int, environment: Mapping[str, str], say: Callable[[str], None]) -> list[Outcome]:
    """Measure all pairs.

    Raises:
        Disagreement: somebody's target does not hold what the origin holds.
        CommandFailed: somebody failed.
    """
    folder = ground.folder("transfers")
    rival = ground.rival(rivals.transfers())
    python = str(ground.interpreter.python)
    helper = (python, str(HERE / "bare" / "transfer_ground.py"))
    file = folder / "origin.duckdb"
    outcomes = []
    try:
        subprocess.run([*helper, "make", str(ROWS), str(file), POSTGRESQL, MYSQL], check=True, timeout=GROUND_LIMIT)
        wanted = _looked_at(helper, f"duckdb:///{file}", "")
        for way in _ways(file, folder):
            commands = {
                "pdbt": (*pdbt_command(ground.interpreter), "transfer", "--from", way.origin, "--to", way.destination, "--table", TABLE),
                "pandas": (str(rival.python), str(HERE / "bare/transfer_with_pandas.py"), *_for_sqlalchemy(way), TABLE),
                "dlt": (str(rival.python), str(HERE / "bare/transfer_with_dlt.py"), *_for_sqlalchemy(way), TABLE),
            }
            costs: dict[str, list[Cost]] = {name: [] for name in commands}
            for name, command in commands.items():
                for number in range(1, (runs if name == "pdbt" else 1) + 1):
                    os.sync()
                    costs[name].append(measure(command, folder, environment))
                    say(
                        f"transfers {way.title}  {name} {number}: {costs[name][-1].seconds:.2f} s, {costs[name][-1].peak / MEGABYTE:.0f} MB"
                    )
                found = _looked_at(helper, way.destination, SCHEMAS[name])
                if found != wanted:
                    raise Disagreement(f"{way.title}, {name}: {found} arrived, and {wanted} left")
            outcomes += _outcomes(way, costs)
    finally:
        subprocess.run([*helper, "clear", POSTGRESQL, MYSQL], check=True, timeout=GROUND_LIMIT)
    return outcomes


def _ways(file: Path, folder: Path) -> list[Way]:
    postgresql, mysql, target = f"{POSTGRESQL}/{FROM}", f"{MYSQL}/{FROM}", f"{POSTGRESQL}/{TO}"
    return [
        Way("PostgreSQL to DuckDB", postgresql, f"duckdb:///{folder}/target.duckdb", 0.35),
        Way("PostgreSQL to PostgreSQL", postgresql, target, 0.15),
        Way("MariaDB to PostgreSQL", mysql, target, 0.15),
        Way("DuckDB to PostgreSQL", f"duckdb:///{file}", target, 0.15),
    ]


def _for_sqlalchemy(way: Way) -> tuple[str, str]:
    """Return both URLs with the drivers that people install for SQLAlchemy."""

    def named(url: str) -> str:
        return url.replace("postgresql://", "postgresql+psycopg2://").replace("mysql://", "mysql+pymysql://")

    return named(way.origin), named(way.destination)


def _outcomes(way: Way, costs: Mapping[str, list[Cost]]) -> list[Outcome]:
    seconds = {name: tuple(cost.seconds for cost in found) for name, found in costs.items()}
    title = f"{way.title}, {ROWS:,} rows of 7 columns"
    return [
        Outcome(Bar(f"{title} / pandas, which ran once", "pdbt", way.pandas, "pandas"), seconds["pdbt"], seconds["pandas"]),
        Outcome(Bar(f"{title} / dlt sql_database, which ran once", "pdbt", DLT_LIMIT, "dlt"), seconds["pdbt"], seconds["dlt"]),
        Outcome(Bar(f"peak memory, {title}", "pdbt", MOST_MEMORY, quantity="peak"), tuple(float(cost.peak) for cost in costs["pdbt"]), ()),
    ]


def _looked_at(helper: tuple[str, ...], url: str, schema: str) -> str:
    command = [*helper, "count", url, schema]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=GROUND_LIMIT).stdout.strip()
