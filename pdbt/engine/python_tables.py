"""Tables written in Python: a file with a function ``table`` whose parameters are the tables that it reads."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .errors import BuildError, GraphError, MissingLibrary
from .organisation import helper_folders
from .python_values import as_frame, as_rows, date_columns, with_named_index
from .settings import Parameter

if TYPE_CHECKING:
    import pyarrow as pa

FUNCTION = "table"
PARAMETERS = "parameters"
# The package that a file and the helpers beside it seem to be in while it runs.
_PACKAGE = "python_table"


def argument_names(text: str, label: str) -> tuple[str, ...]:
    """Return the parameter names of the file's ``table`` function, without running the file.

    Raises:
        GraphError: the file is no Python, or has no such function, or one with parameters that name no tables.
    """
    tree = _parse(text, label)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == FUNCTION]
    if len(functions) != 1:
        raise GraphError(
            f"{label} has {len(functions) or 'no'} functions called {FUNCTION}; a Python table is one.",
            f"Write: def {FUNCTION}(ORDERS): … where ORDERS is a table that it reads. The name of a helper file begins with _.",
        )
    arguments = functions[0].args
    if arguments.vararg or arguments.kwarg:
        raise GraphError(f"{label}: {FUNCTION}() takes * or ** arguments.", "Name each table that it reads as a parameter.")
    return tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))


def with_helpers(path: Path, text: str) -> str:
    """Return the text of a file followed by those of the helpers that it imports.

    They are ``_name.py`` beside it, as ``from ._name import …``, or ``name.py`` in the organisation's ``python/``, as
    ``from .name import …``.
    The table depends on all of them, and is made again when one changes.
    """
    texts, ahead, seen = [text], [text], {path.stem}
    while ahead:
        for name in _relative_imports(ahead.pop()):
            helper = _find_helper(path.parent, name)
            if name not in seen and helper is not None:
                seen.add(name)
                ahead.append(helper.read_text(encoding="utf-8-sig", errors="replace"))
                texts.append(ahead[-1])
    return "\n".join(texts)


def _find_helper(folder: Path, name: str) -> Path | None:
    return next((file for place in helper_folders(folder) if (file := place / f"{name}.py").is_file()), None)


def _parse(text: str, label: str) -> ast.Module:
    try:
        return ast.parse(text, filename=label)
    except SyntaxError as error:
        raise GraphError(f"{label} line {error.lineno}: {error.msg}.", "Mend the Python of this file.") from None
    except (ValueError, RecursionError) as error:  # NUL characters; nesting without end
        raise GraphError(f"{label} is no Python: {error}.", "Mend the Python of this file.") from None


def _relative_imports(text: str) -> list[str]:
    """Return the names of the modules that a text imports from its own folder; none if it is no Python."""
    names: list[str] = []
    with contextlib.suppress(SyntaxError, ValueError, RecursionError):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names += [node.module.partition(".")[0]] if node.module else [alias.name for alias in node.names]
    return names


def compute(path: Path, label: str, read: Callable[[str], pa.Table], parameters: Mapping[str, Parameter]) -> pa.Table:
    """Run a Python table and return its rows.

    Args:
        path: the file.
        label: the file as a person would name it.
        read: returns a table by name.
        parameters: given to a parameter called ``parameters``.

    Raises:
        BuildError: its code fails, or returns something else than rows; names the line of the file.
        MissingLibrary: it takes DataFrames, and pandas is not installed.
    """
    try:
        with _loaded(path) as module:
            signature = inspect.signature(getattr(module, FUNCTION))
            call = signature.bind_partial()
            dates: set[str] = set()
            for name, parameter in signature.parameters.items():
                call.arguments[name] = dict(parameters) if name == PARAMETERS else _as_asked(read(name), parameter, label, dates)
            return _as_arrow(getattr(module, FUNCTION)(*call.args, **call.kwargs), label, dates)
    except (BuildError, MissingLibrary):
        raise
    except (Exception, SystemExit) as error:  # The owner's code may raise anything; it becomes one sentence, and --debug shows it all.
        raise BuildError(f"{label}{_line_in(error, path)}: {_described(error)}", _hint(error, path)) from error


# Loading --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _loaded(path: Path) -> Iterator[ModuleType]:
    """Load a file as a module of a package that is its folder, so that it can import its helpers, and forget it afterwards.

    No bytecode is kept or believed: it knows a file by the second of its last change and its size, and a file mended twice in one
    second would run as it was. Nor do modules stay: in a process that runs twice, the second run reads the files again.
    """
    package = ModuleType(_PACKAGE)
    package.__path__ = []
    finder = _Helpers(path.parent)
    name = f"{_PACKAGE}.{FUNCTION}"
    specification = importlib.util.spec_from_file_location(name, path, loader=_SourceLoader(name, str(path)))
    if specification is None or specification.loader is None:
        raise BuildError(f"{path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(specification)
    sys.modules.update({_PACKAGE: package, name: module})
    sys.meta_path.insert(0, finder)
    try:
        specification.loader.exec_module(module)
        yield module
    finally:
        sys.meta_path.remove(finder)
        for loaded in [loaded for loaded in sys.modules if loaded == _PACKAGE or loaded.startswith(f"{_PACKAGE}.")]:
            del sys.modules[loaded]


class _SourceLoader(SourceFileLoader):
    """Compiles a file each time, and writes no bytecode beside it."""

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Know of no time, by which bytecode could be told to be of this file."""
        raise OSError(path)


class _Helpers:
    """Finds the helpers of the file that is loaded from a folder."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder."""
        self._folder = folder

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """Return how a helper is loaded; None for every other module."""
        package, _, helper = name.partition(".")
        file = _find_helper(self._folder, helper) if package == _PACKAGE else None
        if file is None:
            return None
        return importlib.util.spec_from_file_location(name, file, loader=_SourceLoader(name, str(file)))


# Faults of the owner's code -------------------------------------------------------------------------------------------


def _described(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "the code ended the process"
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _hint(error: BaseException, path: Path) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        if path.with_name(f"{missing}.py").is_file():
            return f"It is a file beside this one: from .{missing} import …"
        if missing != _PACKAGE:
            return f"Run: python3 -m pip install {missing}"
    return "Mend the code of this table."


def _line_in(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f" line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" line {lines[-1]}" if lines else ""


# Rows -----------------------------------------------------------------------------------------------------------------


def _as_asked(rows: pa.Table, parameter: inspect.Parameter, label: str, dates: set[str]) -> object:
    """Give a table as Arrow when the annotation says so, as a pandas DataFrame otherwise, whose dates are then noted by their names."""
    annotation = parameter.annotation
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__qualname__", "")
    if name.rsplit(".", 1)[-1] == "Table":
        return rows
    try:
        import pandas  # noqa: F401 - to_pandas needs it, and says so less plainly
    except ModuleNotFoundError:
        raise MissingLibrary("pandas", f"{label} (its parameter {parameter.name} is a DataFrame)") from None
    dates |= date_columns(rows)
    return as_frame(rows, label)


def _as_arrow(result: Any, label: str, dates: Collection[str]) -> pa.Table:
    import pyarrow as pa

    if isinstance(result, pa.Table):
        return result
    if isinstance(result, pa.RecordBatch):
        return pa.Table.from_batches([result])
    pandas = sys.modules.get("pandas")
    try:
        if pandas is not None and isinstance(result, pandas.Series):  # what a group-by of one column gives
            result = result.to_frame("value" if result.name is None else result.name)
        if pandas is not None and isinstance(result, pandas.DataFrame):
            return as_rows(with_named_index(result), label, dates)
        if hasattr(result, "__arrow_c_stream__"):  # a RecordBatchReader, a DuckDB relation, a polars DataFrame
            return pa.table(result)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        detail = ". ".join(str(part).rstrip(".") for part in error.args)
        raise BuildError(
            f"{label}: the {type(result).__name__} it returned is no table: {detail}.", "Give each column one type."
        ) from error
    raise BuildError(f"{label}: {FUNCTION}() returned {type(result).__name__}.", "Return a pandas DataFrame or a pyarrow Table.")
