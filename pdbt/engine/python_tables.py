"""Tables written in Python: a file with a function ``table`` whose parameters are the tables that it reads."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BuildError, GraphError, MissingLibrary
from .settings import Parameter

if TYPE_CHECKING:
    import pyarrow as pa

FUNCTION = "table"
PARAMETERS = "parameters"


def argument_names(text: str, label: str) -> tuple[str, ...]:
    """Return the parameter names of the file's ``table`` function, without running the file.

    Raises:
        GraphError: the file is no Python, or has no such function, or one with parameters that name no tables.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise GraphError(f"{label} line {error.lineno}: {error.msg}.", "Mend the Python of this file.") from None
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == FUNCTION]
    if len(functions) != 1:
        raise GraphError(
            f"{label} has {len(functions) or 'no'} functions called {FUNCTION}; a Python table is one.",
            f"Write: def {FUNCTION}(ORDERS): … where ORDERS is a table that it reads.",
        )
    arguments = functions[0].args
    if arguments.vararg or arguments.kwarg:
        raise GraphError(f"{label}: {FUNCTION}() takes * or ** arguments.", "Name each table that it reads as a parameter.")
    return tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))


def compute(path: Path, label: str, read: Callable[[str], pa.Table], parameters: Mapping[str, Parameter]) -> pa.Table:
    """Run a Python table and return its rows.

    Args:
        path: the file.
        label: the file as a person would name it.
        read: returns a table by name.
        parameters: given to a parameter called ``parameters``.

    Raises:
        BuildError: its code fails, or returns something else than rows; names the line of the file.
    """
    try:
        function = _load_function(path)
        arguments = {
            name: dict(parameters) if name == PARAMETERS else _as_asked(read(name), parameter, label)
            for name, parameter in inspect.signature(function).parameters.items()
        }
        result = function(**arguments)
    except (BuildError, MissingLibrary):
        raise
    except Exception as error:  # The owner's code may raise anything; it becomes one sentence, and --debug shows it all.
        raise BuildError(f"{label}{_line_in(error, path)}: {type(error).__name__}: {error}", "Mend the code of this table.") from error
    return _as_arrow(result, label)


def _load_function(path: Path) -> Callable[..., object]:
    specification = importlib.util.spec_from_file_location(f"python_table_{path.stem}", path)
    if specification is None or specification.loader is None:
        raise BuildError(f"{path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    function: Callable[..., object] = getattr(module, FUNCTION)
    return function


def _as_asked(rows: pa.Table, parameter: inspect.Parameter, label: str) -> object:
    """Give a table as Arrow when the annotation says so, as a pandas DataFrame otherwise."""
    annotation = parameter.annotation
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__qualname__", "")
    if name.rsplit(".", 1)[-1] == "Table":
        return rows
    try:
        import pandas  # noqa: F401 - to_pandas needs it, and says so less plainly
    except ModuleNotFoundError:
        raise MissingLibrary("pandas", f"{label} (its parameter {parameter.name} is a DataFrame)") from None
    return rows.to_pandas()


def _as_arrow(result: Any, label: str) -> pa.Table:
    import pyarrow as pa

    if isinstance(result, pa.Table):
        return result
    if isinstance(result, pa.RecordBatch):
        return pa.Table.from_batches([result])
    if isinstance(result, pa.RecordBatchReader):
        return result.read_all()
    if type(result).__name__ == "DataFrame" and type(result).__module__.startswith("pandas"):
        try:
            return pa.Table.from_pandas(result, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise BuildError(f"{label}: its DataFrame is no table: {error}", "Give each column one type.") from error
    raise BuildError(f"{label}: {FUNCTION}() returned {type(result).__name__}.", "Return a pandas DataFrame or a pyarrow Table.")


def _line_in(error: BaseException, path: Path) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" line {lines[-1]}" if lines else ""
