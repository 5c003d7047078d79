"""What a reader of the repository may count on: short modules, an engine that stands alone, templates that are Python."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MODULE = 400
PACKAGE = sorted((ROOT / "pdbt").rglob("*.py"))
ENGINE = sorted((ROOT / "pdbt" / "engine").rglob("*.py"))
TEMPLATES = sorted(path for folder in ("templates", "sample") for path in (ROOT / folder).rglob("*.py"))
ENGINE_LIBRARIES = {
    "duckdb",
    # imported only by the function that uses them
    "adbc_driver_manager",
    "adbc_driver_postgresql",
    "adbc_driver_sqlite",
    "numpy",
    "pandas",
    "psycopg",
    "pyarrow",
    "python_calamine",
    "sqlalchemy",
    "xlsxwriter",
}
ALWAYS_LOADED = {"duckdb"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def absolute_imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield the line and the top-level name of every absolute import among the nodes."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", [*PACKAGE, *TEMPLATES], ids=name_of)
def test_a_module_is_shorter_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_MODULE


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_template_python_compiles_as_it_stands(path: Path) -> None:
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


@pytest.mark.parametrize("path", ENGINE, ids=name_of)
def test_the_engine_imports_itself_relatively_and_little_else(path: Path) -> None:
    """It is copied into projects as ``scripts/engine``, where there is no pdbt to import."""
    allowed = sys.stdlib_module_names | ENGINE_LIBRARIES
    imports = absolute_imports(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    assert [(line, name) for line, name in imports if name not in allowed] == []


@pytest.mark.parametrize("path", ENGINE, ids=name_of)
def test_the_engine_loads_heavy_libraries_only_where_they_are_used(path: Path) -> None:
    imports = absolute_imports(ast.parse(path.read_text(encoding="utf-8")).body)
    assert [(line, name) for line, name in imports if name in ENGINE_LIBRARIES - ALWAYS_LOADED] == []
