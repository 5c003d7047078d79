"""Python scripts of scripts/source: a function ``table`` that yields DataFrames, Arrow tables or lists of rows, as an API gives them."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.errors import BuildError, GraphError

if TYPE_CHECKING:
    import pyarrow as pa

FUNCTION, SINCE = "table", "since"


def batches_of(path: Path, label: str, since: object | None) -> Iterator[pa.RecordBatch]:
    """Yield what a script's function ``table`` yields or returns, as Arrow batches.

    Args:
        path: the script.
        label: its name, as a person knows it.
        since: the highest cursor of the rows that are there, given to a function that has a parameter ``since``.

    Raises:
        GraphError: there is no such function.
        BuildError: it failed; says in which line.
    """
    function = _function(path, label)
    arguments = {SINCE: since} if SINCE in inspect.signature(function).parameters else {}
    try:
        made = function(**arguments)
        for frame in made if inspect.isgenerator(made) or type(made).__name__ == "RecordBatchReader" else [made]:
            yield from _batches(frame, label)
    except BuildError:
        raise
    except Exception as error:  # whatever the person's own code may raise
        raise _failed(path, label, error) from error


def _function(path: Path, label: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"pdbt_source_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise GraphError(f"{label} is no Python.", "Its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the person's own code may raise
        raise _failed(path, label, error) from error
    finally:
        sys.dont_write_bytecode = before
    function = getattr(module, FUNCTION, None)
    if not callable(function):
        raise GraphError(f"{label} has no function called {FUNCTION}.", f"Write: def {FUNCTION}(): … yield DataFrames or Arrow tables.")
    return function


def _batches(frame: Any, label: str) -> list[pa.RecordBatch]:
    import pyarrow as pa

    if isinstance(frame, pa.RecordBatch):
        return [frame]
    if isinstance(frame, pa.Table):
        return _of_table(frame)
    if type(frame).__module__.partition(".")[0] == "pandas":
        return _of_table(pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None))
    if isinstance(frame, list) and all(isinstance(row, dict) for row in frame):
        return _of_table(pa.Table.from_pylist(frame)) if frame else []
    if hasattr(frame, "__arrow_c_stream__"):
        return _of_table(pa.table(frame))
    raise BuildError(f"{label}: {FUNCTION} yields {type(frame).__name__}.", "Yield DataFrames, Arrow tables or batches, or lists of dicts.")


def _of_table(table: pa.Table) -> list[pa.RecordBatch]:
    """Return a table's batches, at least one: a table without rows still says which columns there are."""
    import pyarrow as pa

    return table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]


def _failed(path: Path, label: str, error: Exception) -> BuildError:
    """Return the error of a script with the line of it that failed."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = f" line {lines[-1]}" if lines else ""
    return BuildError(f"{label}{line}: {type(error).__name__}: {error}", "Mend the Python of this file.")
