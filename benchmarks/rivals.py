"""What pdbt is measured against: each rival in a virtual environment of its own, outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

INSTALL_LIMIT = 900  # seconds for one virtual environment


@dataclass(frozen=True)
class Rival:
    """A tool that pip installs.

    Attributes:
        name: the folder of its virtual environment.
        requirements: what pip is asked for.
        shown: the distributions whose versions are reported.
    """

    name: str
    requirements: tuple[str, ...]
    shown: tuple[str, ...]


def dagster() -> Rival:
    """Return the project generator of Dagster."""
    return Rival("dagster", ("create-dagster",), ("create-dagster",))


def dbt(duckdb_version: str) -> Rival:
    """Return dbt with the same DuckDB that pdbt runs on, so that the tools are compared and not two DuckDBs."""
    return Rival("dbt", ("dbt-core==1.10.*", "dbt-duckdb", f"duckdb=={duckdb_version}"), ("dbt-core", "dbt-duckdb", "duckdb"))


def pandas() -> Rival:
    """Return pandas as people install it."""
    return Rival("pandas", ("pandas>=3",), ("pandas",))


def transfers() -> Rival:
    """Return pandas and dlt with what they need to read and write PostgreSQL, MariaDB and DuckDB."""
    drivers = ("connectorx", "duckdb-engine", "psycopg2-binary", "pymysql", "sqlalchemy>=2")
    wanted = ("dlt[duckdb,postgres,sql_database]>=1", "pandas>=3", "pyarrow", *drivers)
    return Rival("transfers", wanted, ("dlt", "connectorx", "pandas", "duckdb"))


@dataclass(frozen=True)
class Interpreter:
    """A Python and what is installed for it.

    Attributes:
        python: its executable, as a full path.
    """

    python: Path

    def script(self, name: str) -> Path:
        """Return the path of a console script installed beside the interpreter, which may be missing."""
        return self.python.parent / name

    def version(self, distribution: str) -> str:
        """Return the version of an installed distribution."""
        question = f"from importlib.metadata import version; print(version({distribution!r}))"
        return self._answer(question)

    def python_version(self) -> str:
        """Return the version of the interpreter itself."""
        return self._answer("import platform; print(platform.python_version())")

    def _answer(self, code: str) -> str:
        command = [str(self.python), "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def install(rival: Rival, cache: Path, base: Interpreter) -> Interpreter:
    """Return the rival's interpreter, made with `base` and pip if the cache does not hold the same requirements yet.

    Raises:
        subprocess.CalledProcessError: pip could not install it; what pip said is on the terminal.
    """
    folder = cache / "environments" / rival.name
    interpreter = Interpreter(folder / "bin" / "python")
    receipt = folder.with_name(f"{rival.name}.txt")  # written last, so that half an installation is never used
    wanted = "\n".join((*rival.requirements, base.python_version()))
    if receipt.is_file() and receipt.read_text() == wanted and interpreter.python.exists():
        return interpreter
    receipt.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        [str(base.python), "-m", "venv", str(folder)],
        [str(interpreter.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *rival.requirements],
    ):
        subprocess.run(command, check=True, timeout=INSTALL_LIMIT, env=environment())
    receipt.write_text(wanted)
    return interpreter


def environment() -> dict[str, str]:
    """Return the environment that every measured command gets: this one without telemetry, and with Python's bytecode written."""
    changed = {
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
    }
    unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE"}
    return {key: value for key, value in os.environ.items() if key not in unwanted} | changed
