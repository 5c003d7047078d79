"""What commands print: a plan as a short tree, and what to type next."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from pathlib import Path

import typer

from ..scaffold import Plan, PlannedFile, PlannedTable
from .words import counted

# What stands in the tree, in its order; the longer of two names that fit a file is the one that stands for it.
_EXPLAINED = {
    "pdbt.toml": "every setting of the project",
    ".env": "the database's URL with its password; stays out of git",
    "README.md": "",
    "requirements.txt": "what a run needs",
    ".gitignore": "",
    "python-data-build-tool.py": "brings template changes in",
    ".pdbt/": "what the templates made, for pdbt update to compare with",
    "data/": "source files, and exports of what is made of them",
    "db/": "the published database",
    "scripts/": "source.py  transforming.py  results.py",
    "scripts/processed/": "one SQL or Python file is one table",
    "scripts/final/": "the same; these are the results",
    "scripts/checks/": "the rows that a check returns are wrong",
    "scripts/engine/": "the machinery, alike in every project",
    "macro/": "python-run-process.py, the classic run; dagster-run-process…",
    "sample/": "a small pipeline that works",
}
_NEEDED = {
    "duckdb": ("duckdb",),
    "sqlite": ("duckdb", "pyarrow", "adbc_driver_manager", "adbc_driver_sqlite"),
    "commune": ("duckdb", "pyarrow", "adbc_driver_manager", "adbc_driver_sqlite", "adbc_driver_postgresql", "psycopg", "sqlalchemy"),
}
_WIDTH = 28


def show_new_project(plan: Plan, *, dry_run: bool) -> None:
    """Print what was made, or would be, and the next two commands to type."""
    verb = "Would create" if dry_run else "Created"
    typer.echo(f"{verb} {from_here(plan.target)} ({plan.database}, {len(plan.files)} files)")
    for name, files in _grouped(plan.files).items():
        typer.echo(f"  {name:<{_WIDTH}}{_explanation(name, files)}".rstrip())
    _show_tables(plan.tables)
    if not dry_run:
        first, second = _next_commands(plan)
        typer.echo(f"\nNext:\n  {first}\n  {second}")


def show_added_sources(plan: Plan, *, dry_run: bool) -> None:
    """Print each file of the plan with what becomes of it."""
    done = {"create": "created", "extend": "extended"}
    words = {"identical": "identical", "conflict": "conflict", **({verb: f"would {verb}" for verb in done} if dry_run else done)}
    for file in plan.files:
        typer.echo(f"{words[file.action]:<12}  {file.path}")
    _show_tables(plan.tables)


def _show_tables(tables: tuple[PlannedTable, ...]) -> None:
    if tables:
        typer.echo()
    for table in tables:
        made = f", makes {', '.join(table.made)}" if table.made else ""
        typer.echo(f"{table.name}: {counted(table.rows, 'row')}, {counted(table.columns, 'column')} from {table.label}{made}")
        for note in table.notes:
            typer.echo(f"  {note}")


def _grouped(files: tuple[PlannedFile, ...]) -> dict[str, list[PlannedFile]]:
    """Group the files under the name that stands for them in the tree."""
    groups: dict[str, list[PlannedFile]] = {name: [] for name in _EXPLAINED}
    for file in files:
        groups[max((name for name in _EXPLAINED if file.path.startswith(name)), key=len)].append(file)
    return {name: found for name, found in groups.items() if found}


def _explanation(name: str, files: list[PlannedFile]) -> str:
    """Say what a folder is for, or, when it came with files of the person's data, which."""
    kept = [file.path.removeprefix(name) for file in files if not file.path.endswith(".gitkeep")]
    if name == "data/" and kept:
        return _some([path.removeprefix("source/") for path in kept])
    if name in ("scripts/processed/", "scripts/final/", "scripts/checks/") and kept:
        return _some(kept)
    return _EXPLAINED[name]


def _some(names: list[str], shown: int = 4) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return "  ".join(names[:shown]) + more


def _next_commands(plan: Plan) -> tuple[str, str]:
    """Return two commands that work from the working folder: the second one shows results, of the sample while there is no data."""
    what = " --sample" if not plan.tables else ""
    place = shlex.quote(from_here(plan.target))
    missing = [module for module in _NEEDED[plan.database] if importlib.util.find_spec(module) is None]
    if missing:
        requirements = shlex.quote(from_here(plan.target / "requirements.txt"))
        return f"{_python()} -m pip install -r {requirements}", f"pdbt run {place}{what}"
    return f"cd {place}", f"pdbt run{what}"


def _python() -> str:
    """Return how this Python is called here."""
    return "python3" if shutil.which("python3") == sys.executable else shlex.quote(sys.executable)


def from_here(path: Path) -> str:
    """Return the path as short as it can be typed from the working folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.count("..") > 1 else relative
