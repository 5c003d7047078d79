"""A project as its owner handles it: files written, commands typed, results read from the database, the exports and the log."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from tests.conftest import RUN_SCRIPT, Ended, RunProject

KINDS = ("duckdb", "sqlite", "postgresql")
FILES = {"duckdb": "db/database.duckdb", "sqlite": "db/database.sqlite", "commune": "db/database.db"}
URL_VARIABLE = "PDBT_PIPELINE_URL"
DONE_RESULTS = frozenset({"rebuilt", "written", "dropped", "passed", "failed"})

Rows = list[tuple[Any, ...]]
FileIdentity = tuple[int, int, int]

ORDERS = "id,customer,amount\n1,10,100\n2,10,50\n3,20,70\n4,30,5\n"
CUSTOMERS = "id,name,country\n10,Ana,PT\n20,Jürg,CH\n30,Zoé,CH\n"
PRODUCTS = "code,label\n007,lamp\n008,chair\n"
ORDER_LINES = "SELECT o.id, c.name, c.country, o.amount\nFROM ORDERS o JOIN CUSTOMERS c ON c.id = o.customer\n"
REVENUE = "SELECT country, count(*) AS orders, CAST(sum(amount) AS BIGINT) AS amount FROM ORDER_LINES GROUP BY country ORDER BY country\n"
CATALOGUE = "SELECT code, label FROM PRODUCTS ORDER BY code\n"
ORDERS_HAVE_CUSTOMERS = "SELECT o.id FROM ORDERS o LEFT JOIN CUSTOMERS c ON c.id = o.customer WHERE c.id IS NULL\n"
ALL_REVENUE = "SELECT country, orders, amount FROM REVENUE ORDER BY country"
REVENUE_ROWS: Rows = [("CH", 2, 75), ("PT", 2, 150)]
EVERYTHING = {
    "import ORDERS",
    "import CUSTOMERS",
    "import PRODUCTS",
    "build ORDER_LINES",
    "build REVENUE",
    "build CATALOGUE",
    "check ORDERS_HAVE_CUSTOMERS",
    "export data/processed/ORDER_LINES.csv",
    "export data/final/REVENUE.csv",
    "export data/final/CATALOGUE.csv",
}


@dataclass(frozen=True)
class Project:
    """A project on disk.

    Attributes:
        path: its folder.
        kind: duckdb, sqlite, commune (as a file) or postgresql.
        run_project: starts one of its scripts in a process of its own.
        url: the PostgreSQL database; empty for the other kinds.
        environment: what its processes find in their environment.
    """

    path: Path
    kind: str
    run_project: RunProject
    url: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    # What an owner does -----------------------------------------------------------------------------------------------

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project, with the folders that it needs."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def source(self, name: str, text: str) -> Path:
        """Write a file of data/source."""
        return self.write(f"data/source/{name}", text)

    def processed(self, name: str, text: str) -> Path:
        """Write a SELECT of scripts/processed."""
        return self.write(f"scripts/processed/{name}.sql", text)

    def final(self, name: str, text: str) -> Path:
        """Write a SELECT of scripts/final."""
        return self.write(f"scripts/final/{name}.sql", text)

    def check(self, name: str, text: str) -> Path:
        """Write a check."""
        return self.write(f"scripts/checks/{name}.sql", text)

    def setting(self, section: str, line: str) -> None:
        """Write a line under a section of pdbt.toml; a section that is not there is added."""
        path = self.path / "pdbt.toml"
        text = path.read_text(encoding="utf-8")
        heading = re.compile(rf"^\[{re.escape(section)}\]$", re.MULTILINE)
        mended, found = heading.subn(lambda match: f"{match[0]}\n{line}", text, count=1)
        path.write_text(mended if found else f"{text}\n[{section}]\n{line}\n", encoding="utf-8")

    def run(self, *arguments: str, code: int = 0, script: str = RUN_SCRIPT, timeout: float = 60.0) -> Ended:
        """Run the project, or one of its scripts, and require this exit code."""
        ended = self.run_project(self.path, *arguments, script=script, env=self.environment, timeout=timeout)
        assert ended.code == code, f"exit code {ended.code}, not {code}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended

    def plan(self, *arguments: str) -> dict[str, str]:
        """Return what a dry run says: "import ORDERS" and so on, each with its reason, empty when it is up to date."""
        steps = {}
        for line in self.run("--dry-run", *arguments).stdout.splitlines():
            found = re.fullmatch(r"(import|build|check|export|drop) +(\S+) +(.+)", line)
            if found:
                steps[f"{found[1]} {found[2]}"] = "" if found[3].startswith("up to date") else found[3]
        return steps

    def made_by_a_run(self, *arguments: str) -> set[str]:
        """Run; return what was made.

        With DuckDB a dry run is asked first: it has to say the same, and to change nothing. What it says does not depend on the type.
        """
        planned = self.dry_run(*arguments) if self.kind == "duckdb" else None
        self.run(*arguments)
        made = self.made_by_the_last_run()
        assert planned in (made, None)
        return made

    def made_by_the_last_run(self) -> set[str]:
        """Return what the last run made."""
        return {step for step, result in self.outcome().items() if result in DONE_RESULTS}

    def dry_run(self, *arguments: str) -> set[str]:
        """Return what a run would make, and require that asking changes nothing."""
        before = self.identities()
        planned = {step for step, reason in self.plan(*arguments).items() if reason}
        assert self.identities() == before, "a dry run changed something"
        return planned

    # What an owner sees -----------------------------------------------------------------------------------------------

    @property
    def database(self) -> Path:
        """The published file."""
        return self.path / FILES[self.kind]

    def query(self, sql: str) -> Rows:
        """Ask the published database, as any reader would."""
        return ask(self.kind, self.url or str(self.database), sql)

    def exported(self, name: str) -> list[dict[str, str]]:
        """Return the rows of an exported CSV file of data/, as text."""
        with (self.path / "data" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def records(self) -> list[dict[str, Any]]:
        """Return all of runs.jsonl."""
        return [json.loads(line) for line in (self.path / "macro/runs.jsonl").read_text(encoding="utf-8").splitlines()]

    def outcome(self) -> dict[str, str]:
        """Return the results of the last run's steps, by step and name, as runs.jsonl tells them."""
        return {f"{step['step']} {step['name']}": step["result"] for step in self.records()[-1]["steps"]}

    def identities(self) -> dict[str, FileIdentity]:
        """Return what tells the published file and the exports from others: inode, size and modification time."""
        files = [path for path in (self.path / "data").glob("[pf]*/*") if path.name != ".gitkeep"]
        if not self.url and self.database.exists():
            files.append(self.database)
        return {path.relative_to(self.path).as_posix(): _identity(path) for path in files}

    def leftovers(self) -> list[str]:
        """Return what runs have forgotten in the places where people look and where they work."""
        hidden = [path for path in (self.path / "data").rglob(".*") if path.name != ".gitkeep"]
        kept = {"run.lock", "state.json", "schedule.json", ".gitkeep"}
        work = self.path / "db/.work"
        return [
            str(path.relative_to(self.path)) for path in (*hidden, *work.rglob("*")) if path.name not in kept and path.suffix != ".token"
        ]


def shop(project: Project) -> Project:
    """Give a project three sources, three tables and a check."""
    project.source("ORDERS.csv", ORDERS)
    project.source("CUSTOMERS.csv", CUSTOMERS)
    project.source("PRODUCTS.csv", PRODUCTS)
    project.processed("ORDER_LINES", ORDER_LINES)
    project.final("REVENUE", REVENUE)
    project.final("CATALOGUE", CATALOGUE)
    project.check("ORDERS_HAVE_CUSTOMERS", ORDERS_HAVE_CUSTOMERS)
    return project


def ask(kind: str, target: str, sql: str) -> Rows:
    """Run a SELECT over a connection of its own."""
    if kind == "postgresql":
        with psycopg.connect(target, connect_timeout=10) as server:
            return server.execute(sql.encode()).fetchall()
    if kind == "duckdb":
        with duckdb.connect(target, read_only=True) as database:
            return database.execute(sql).fetchall()
    with contextlib.closing(sqlite3.connect(f"{Path(target).as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def touch_later(path: Path) -> None:
    """Give a file a new time of change without writing to it."""
    later = time.time_ns() + 5_000_000_000
    os.utime(path, ns=(later, later))


def _identity(path: Path) -> FileIdentity:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
