"""Python scripts of scripts/source: a function ``table`` that yields DataFrames, Arrow tables or lists of rows, as an API gives them."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.errors import BuildError, GraphError, PdbtError
from .base import first_line
from .kinds import MAX_DIGITS

if TYPE_CHECKING:
    import pyarrow as pa

FUNCTION, SINCE = "table", "since"
# Types of Python whose values one column may hold together.
_FAMILIES = {int: "number", float: "number", Decimal: "number"}


class Yielded:
    """Rows that a script's function ``table`` yields or returns, as Arrow batches."""

    def __init__(self, path: Path, label: str, since: object | None) -> None:
        """Load the script.

        Args:
            path: the script.
            label: its name, as a person knows it.
            since: the highest cursor of the rows that are there, given to a function that has a parameter ``since``.

        Raises:
            GraphError: there is no such function.
            BuildError: the script failed; says in which line.
        """
        self.as_dicts = False  # of the batch that came last: rows of an API, which lack what is empty
        self._path = path
        self._label = label
        self._function = _function(path, label)
        self._arguments = {SINCE: since} if SINCE in inspect.signature(self._function).parameters else {}

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Call the function. Raises BuildError when it failed; says in which line."""
        try:
            made = self._function(**self._arguments)
            for frame in made if inspect.isgenerator(made) or type(made).__name__ == "RecordBatchReader" else [made]:
                if isinstance(frame, list) and all(isinstance(row, dict) for row in frame):
                    self.as_dicts = self.as_dicts or bool(frame)
                    yield from _of_table(_table_of_rows(frame, self._label)) if frame else []
                else:
                    yield from _batches(frame, self._label)
        except PdbtError:
            raise
        except Exception as error:  # whatever the person's own code may raise
            raise _failed(self._path, self._label, error) from error


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
    if hasattr(frame, "__arrow_c_stream__"):
        return _of_table(pa.table(frame))
    raise BuildError(f"{label}: {FUNCTION} yields {type(frame).__name__}.", "Yield DataFrames, Arrow tables or batches, or lists of dicts.")


def _table_of_rows(rows: list[dict[str, Any]], label: str) -> pa.Table:
    """Return rows as a table with the keys of all of them; pyarrow's own way takes those of the first row and drops what others have."""
    import pyarrow as pa

    names: dict[Any, None] = dict.fromkeys(name for row in rows for name in row)
    known: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str):
            raise BuildError(f"{label}: a row has the key {name!r}, which is no text.", "Give each column a name.")
        if (other := known.setdefault(name.casefold(), name)) != name:
            raise BuildError(
                f"{label}: rows have the keys {other} and {name}, which are one column.", "Give each column a name of its own."
            )
    return pa.table({name: _column_of([row.get(name) for row in rows], name, label) for name in names})


def _column_of(values: list[Any], name: str, label: str) -> pa.Array:
    """Return values as a column. Raises BuildError where they are of several types: Arrow would turn some of these into others."""
    import pyarrow as pa

    families = {_FAMILIES.get(type_, type_.__name__) for type_ in {type(value) for value in values} - {type(None)}}
    if families == {"datetime"} and len({value.tzinfo is None for value in values if value is not None}) > 1:
        families = {"time with zone", "time without zone"}
    if len(families) > 1:
        raise BuildError(f"{label}: {name} is of several types: {', '.join(sorted(families))}.", "Give each key values of one type.")
    try:
        try:
            return pa.array(values)
        except OverflowError:  # whole numbers beyond 64 bits
            return pa.array(values, pa.decimal128(MAX_DIGITS, 0))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise BuildError(f"{label}: {name}: {first_line(error).rstrip('.')}.", "Give each key values of one type.") from error


def _of_table(table: pa.Table) -> list[pa.RecordBatch]:
    """Return a table's batches, at least one: a table without rows still says which columns there are."""
    import pyarrow as pa

    return table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]


def _failed(path: Path, label: str, error: Exception) -> BuildError:
    """Return the error of a script with the line of it that failed."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = f" line {lines[-1]}" if lines else ""
    return BuildError(f"{label}{line}: {type(error).__name__}: {error}", "Mend the Python of this file.")
