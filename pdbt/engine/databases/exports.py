"""Tables into files, by DuckDB for every database, so that a CSV means the same whichever made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .carried import in_csv, in_json, in_parquet, selected
from .names import quoted, text
from .reader import count, refusals_told

if TYPE_CHECKING:
    import duckdb

OPTIONS = {
    "csv": "FORMAT csv, HEADER true, COMPRESSION none",
    "parquet": "FORMAT parquet",
    "json": "FORMAT json, ARRAY true, COMPRESSION none",
}
OTHER_FORMAT = "Set another [export] format in pdbt.toml, or give the column another value or type in its SQL."
FORMATS = (*OPTIONS, "xlsx")
_CARRIED = {"csv": in_csv, "parquet": in_parquet, "json": in_json}


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

    Raises:
        BuildError: the format cannot hold a value unchanged; names the column.
        duckdb.Error: anything else.
    """
    with refusals_told(f"The export of {table}", OTHER_FORMAT):
        if file_format == "xlsx":
            from .sheets import write_sheet

            return write_sheet(connection, table, relation, path)
        columns, select = selected(connection, relation, _CARRIED[file_format])
        if file_format == "csv" and len(columns) == 1:  # an empty line is not a row to those who read the file, "" is one
            name = quoted(columns[0].name)
            select = f"SELECT coalesce(CAST({name} AS VARCHAR), '') AS {name} FROM ({select})"
        return count(connection, f"COPY ({select}) TO {text(path)} ({OPTIONS[file_format]}, USE_TMP_FILE false)") or 0
