"""What a reader of the repository may count on: short modules, an engine that stands alone, templates that are Python."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeProject, RunProcess

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MODULE = 400
PACKAGE = sorted((ROOT / "pdbt").rglob("*.py"))
ENGINE = sorted((ROOT / "pdbt" / "engine").rglob("*.py"))
TEMPLATES = sorted(path for folder in ("templates", "sample") for path in (ROOT / folder).rglob("*.py"))
ENGINE_LIBRARIES = {
    "duckdb",
    # loaded only by a run that uses them
    "adbc_driver_manager",
    "adbc_driver_postgresql",
    "adbc_driver_sqlite",
    "apprise",
    "dagster",
    "dagster_webserver",
    "numpy",
    "pandas",
    "psutil",
    "psycopg",
    "pyarrow",
    "python_calamine",
    "sqlalchemy",
    "uvicorn",
    "xlsxwriter",
}
LIBRARIES_OF_A_RUN = """
import runpy, sys
try:
    runpy.run_path(sys.argv.pop(1), run_name="__main__")
except SystemExit as ended:
    print(*{name.partition(".")[0] for name in sys.modules})
    sys.exit(ended.code)
"""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def absolute_imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield the line and the top-level name of every absolute import among the nodes."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, (node.module or "").split(".")[0]


def test_a_module_is_shorter_than_400_lines() -> None:
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in (*PACKAGE, *TEMPLATES)}
    assert len(lines) > len(PACKAGE) > 0
    assert {name: count for name, count in lines.items() if count >= LONGEST_MODULE} == {}


def test_template_python_compiles_as_it_stands() -> None:
    assert TEMPLATES
    for path in TEMPLATES:
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_the_engine_imports_itself_relatively_and_little_else() -> None:
    """It is copied into projects as ``scripts/engine``, where there is no pdbt to import."""
    allowed = sys.stdlib_module_names | ENGINE_LIBRARIES
    assert ENGINE
    found = [(name_of(path), *one) for path in ENGINE for one in absolute_imports(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))]
    assert [(name, line, module) for name, line, module in found if module not in allowed] == []


@pytest.mark.parametrize(
    ("database", "used"),
    [
        ("duckdb", {"duckdb"}),
        ("sqlite", {"adbc_driver_manager", "adbc_driver_sqlite", "duckdb", "pyarrow", "numpy"}),
    ],  # numpy comes with pyarrow
)
def test_a_run_loads_no_library_that_its_database_does_not_need(
    make_project: MakeProject, run_process: RunProcess, database: str, used: set[str]
) -> None:
    project = make_project(database=database)
    result = run_process([sys.executable, "-c", LIBRARIES_OF_A_RUN, project / "sample" / "macro" / "python-run-process-sample.py"])
    assert result.code == 0, result.stderr
    loaded = set(result.stdout.splitlines()[-1].split())
    assert loaded & ENGINE_LIBRARIES <= used
