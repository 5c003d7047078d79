"""Arrow tables as the databases take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import BuildError, MissingLibrary

if TYPE_CHECKING:
    import pyarrow as pa


def plain_table(table: str, rows: pa.Table) -> pa.Table:
    """Return an Arrow table with one usable name a column and no encodings that would become types of their own.

    A column of nothing but NULL becomes text, as it does in a source file; a dictionary (a pandas category) becomes its
    values; an empty column name becomes column_N. Raises BuildError when there are no columns or two of one name.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingLibrary("pyarrow", f"The Python table {table}") from error
    if rows.num_columns == 0:
        raise BuildError(f"{table} has no columns.", "Return a table with at least one column.")
    names = [name or f"column_{number}" for number, name in enumerate(rows.column_names, 1)]
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise BuildError(f"{table} has two columns named {name}.", "Give each column a name of its own.")
        seen.add(name.casefold())

    def plain(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_null(kind):
            return pa.string()
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    return pa.table([column.cast(plain(column.type)) for column in rows.columns], names=names)
