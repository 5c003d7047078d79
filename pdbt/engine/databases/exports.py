"""Tables into files, by DuckDB for every database, so that a CSV means the same whichever made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .names import text
from .reader import count
from .sheets import write_sheet

if TYPE_CHECKING:
    import duckdb

OPTIONS = {
    "csv": "FORMAT csv, HEADER true, COMPRESSION none",
    "parquet": "FORMAT parquet",
    "json": "FORMAT json, ARRAY true, COMPRESSION none",
}
FORMATS = (*OPTIONS, "xlsx")


def export(connection: duckdb.DuckDBPyConnection, table: str, relation: str, path: Path, file_format: str) -> int:
    """Write the rows of a relation to a file, in their order.

    Args:
        connection: the DuckDB connection that knows the relation.
        table: the table's name, for errors and for the name of a sheet.
        relation: the relation as SQL writes it.
        path: the file, which is replaced if it is there.
        file_format: csv, parquet, json (one array) or xlsx.

    Returns:
        The number of rows.
    """
    if file_format == "xlsx":
        return write_sheet(connection, table, relation, path)
    return count(connection, f"COPY (FROM {relation}) TO {text(path)} ({OPTIONS[file_format]}, USE_TMP_FILE false)") or 0
