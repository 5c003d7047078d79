"""The forms of a batch: what a handler's annotation asks for, and what may come back from it.

Between nodes a batch is a pyarrow Table; pandas is loaded only where a handler asks for a DataFrame or returns one.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..engine.errors import BuildError, GraphError, MissingLibrary
from ..engine.python_values import as_frame, as_rows, with_named_index
from .errors import BatchRefused

if TYPE_CHECKING:
    import pyarrow as pa


class Form(Enum):
    """A form of a batch; the value is how an annotation writes it."""

    TABLE = "pyarrow.Table"
    FRAME = "pandas.DataFrame"
    ROWS = "list[dict]"


@dataclass(frozen=True)
class Asked:
    """What a handler wants to be given.

    Attributes:
        form: the form of a batch.
        by_dependency: a dict of these, by the name of the dependency.
        takes_data: False for a producer that makes its data itself.
        needs_data: False also for one that can do without: its parameter has a default.
    """

    form: Form = Form.TABLE
    by_dependency: bool = False
    takes_data: bool = True
    needs_data: bool = True


# How the three are written, or what Python makes of that: a class by its module, a text as it stands.
_WRITTEN = (
    (Form.TABLE, re.compile(r"((pyarrow|pa|pyarrow\.lib)\.)?Table|(typing\.)?Any|object")),
    (Form.FRAME, re.compile(r"((pandas|pd|pandas\.core\.frame)\.)?DataFrame")),
    (Form.ROWS, re.compile(r"(typing\.)?[Ll]ist\[(typing\.|collections\.abc\.)?([Dd]ict|Mapping)(\[.*\])?\]")),
)
_BY_DEPENDENCY = re.compile(r"(typing\.|collections\.abc\.)?(?:[Dd]ict|Mapping)\[str, ?(?P<batch>.+)\]")


def asked_by(handle: Callable[..., object], node: str) -> Asked:
    """Read from a handler's `handle` what it wants.

    Raises:
        GraphError: it takes more than one batch, or an annotation names no form of one.
    """
    parameters = _needed(_signature(handle).parameters)
    if not parameters:
        return Asked(takes_data=False, needs_data=False)
    if len(parameters) > 1:
        raise GraphError(
            f"Node {node}: handle() takes {', '.join(parameter.name for parameter in parameters)}.",
            "It is given one batch: def handle(self, data): …",
        )
    annotation = parameters[0].annotation
    needed = parameters[0].default is inspect.Parameter.empty
    if annotation is inspect.Parameter.empty:
        return Asked(needs_data=needed)
    text = _without_none(annotation if isinstance(annotation, str) else _as_written(annotation))
    by_dependency = _BY_DEPENDENCY.fullmatch(text)
    form = _form(by_dependency["batch"] if by_dependency else text)
    if form is None:
        raise GraphError(
            f"Node {node}: the parameter {parameters[0].name} of handle() is annotated {text}.",
            f"A batch comes as {', '.join(form.value for form in Form)}, or for a node that joins several as dict[str, …] of one of these.",
        )
    return Asked(form, by_dependency=by_dependency is not None, needs_data=needed)


def _signature(handle: Callable[..., object]) -> inspect.Signature:
    try:
        return inspect.signature(handle, eval_str=True)
    except Exception:  # a name that only a type checker imports; any code may stand in an annotation
        return inspect.signature(handle)


def _needed(parameters: Mapping[str, inspect.Parameter]) -> list[inspect.Parameter]:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = list(parameters.values())
    # The first one is the batch also when it has a default; further ones with a default are the owner's own affair.
    return [item for place, item in enumerate(found) if item.kind in positional and (place == 0 or item.default is item.empty)]


def _as_written(annotation: Any) -> str:
    return f"{annotation.__module__}.{annotation.__qualname__}".removeprefix("builtins.") if _is_class(annotation) else str(annotation)


def _without_none(text: str) -> str:
    """Return an annotation without the None that a parameter with a default may be besides."""
    optional = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]", text.strip())
    return optional[1] if optional else re.sub(r"\s*\|\s*None$|^None\s*\|\s*", "", text.strip())


def _is_class(annotation: Any) -> bool:
    return isinstance(annotation, type) and not hasattr(annotation, "__origin__")


def _form(text: str) -> Form | None:
    return next((form for form, written in _WRITTEN if written.fullmatch(text.strip())), None)


# Giving and taking ----------------------------------------------------------------------------------------------------


def given(batch: pa.Table, form: Form, node: str) -> object:
    """Return a batch in the form that a handler asks for.

    Raises:
        MissingLibrary: it asks for a DataFrame, and pandas is not installed.
    """
    if form is Form.TABLE:
        return batch
    if form is Form.ROWS:
        return batch.to_pylist()
    try:
        import pandas  # noqa: F401 - as_frame needs it, and says so less plainly
    except ModuleNotFoundError:
        raise MissingLibrary("pandas", f"The handler of node {node}, which takes a DataFrame,") from None
    return as_frame(batch, f"Node {node}")


def taken(result: object, node: str) -> Iterator[pa.Table]:
    """Yield the batches that a handler returned: none for None, one for a table of any form, several for what it yields.

    Raises:
        BuildError: something else came back.
    """
    if result is None:
        return
    if isinstance(result, Iterator):
        for part in result:
            yield from taken(part, node)
        return
    batch = as_batch(result, node)
    if batch.num_columns:
        yield batch


def as_batch(result: object, node: str) -> pa.Table:
    """Return a table of any form as Arrow.

    Raises:
        BuildError: it is none, or a column of it holds values that no type holds.
    """
    import pyarrow as pa

    pandas = sys.modules.get("pandas")
    try:
        if isinstance(result, pa.Table):
            return result
        if isinstance(result, pa.RecordBatch):
            return pa.Table.from_batches([result])
        if pandas is not None and isinstance(result, pandas.DataFrame):
            # Without pandas' own notes in the schema: they differ from batch to batch, the columns do not.
            return as_rows(with_named_index(result), f"Node {node}", None).replace_schema_metadata(None)
        if isinstance(result, list) and all(isinstance(row, Mapping) for row in result):
            return _from_rows(result)
        if hasattr(result, "__arrow_c_stream__"):  # a DuckDB relation, a polars DataFrame, a reader
            return pa.table(result)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        detail = ". ".join(str(part).rstrip(".") for part in error.args)
        raise BuildError(
            f"Node {node}: the {type(result).__name__} of its handler is no batch: {detail}.", "Give each column one type."
        ) from (error)
    raise BuildError(
        f"Node {node}: its handler gave {type(result).__name__}.",
        "A batch is a pyarrow Table, a pandas DataFrame or a list of dicts; None ends its path.",
    )


def conform(batch: pa.Table, schema: pa.Schema | None, node: str) -> pa.Table:
    """Return a batch with its columns in the order of a schema; any batch will do where there is none.

    Raises:
        BatchRefused: it has other columns, or nulls where none may be.
    """
    if schema is None or batch.schema.equals(schema):
        return batch
    wrong = _differences(batch, schema)
    if wrong:
        columns = ", ".join(f"{field.name} {field.type}" for field in schema)
        raise BatchRefused(f"The batch for {node} {'; '.join(wrong)}.", f"It takes the columns {columns}.")
    batch = batch.select(schema.names)
    return batch if batch.schema.types == schema.types else batch.cast(schema)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return text and bytes as Arrow writes them most often: pandas and polars send them with longer offsets, or as views."""
    import pyarrow as pa

    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    return kind


def _differences(batch: pa.Table, schema: pa.Schema) -> list[str]:
    found = []
    for field in schema:
        places = batch.schema.get_all_field_indices(field.name)
        if len(places) != 1:
            found.append(f"has {'no' if not places else 'more than one'} column {field.name}")
        elif _plain_type(batch.schema.field(places[0]).type) != _plain_type(field.type):
            found.append(f"has {batch.schema.field(places[0]).type} as {field.name} and not {field.type}")
        elif not field.nullable and batch.column(places[0]).null_count:
            found.append(f"has no value in {field.name} in {batch.column(places[0]).null_count} rows")
    more = [name for name in batch.column_names if name not in schema.names]
    if more:
        found.append(f"has columns that it does not take: {', '.join(more)}")
    return found


def _from_rows(rows: list[Mapping[str, Any]]) -> pa.Table:
    """Make a table of rows; pyarrow's own way takes the columns of the first row and drops what only later ones have."""
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
