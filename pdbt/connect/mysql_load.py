"""Rows into MySQL: one LOAD DATA LOCAL that is sent from memory, or INSERTs of many rows where the server forbids it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import Column, TransferFailed
from .kinds import own
from .sql import listed, quoted
from .values import refuse_not_finite, refused, uuid_texts, with_uuid_texts

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PACKET_BYTES = 1 << 20
INSERTED_ROWS = 1_000
_COM_QUERY = 3
_FORBIDDEN = frozenset({1148, 3948, 4166, 4175, 2068})
_FIRST_SECOND, _LAST_SECOND = "1970-01-01 00:00:01", "2038-01-19 03:14:07"  # of a TIMESTAMP column, whatever the version
_OUTSIDE = "a time that MySQL's TIMESTAMP cannot hold (1970 to 2038)"


@dataclass(frozen=True)
class Load:
    """Where rows go: the table's name, quoted, and the columns that arrive."""

    table: str
    columns: tuple[Column, ...]


def is_bytes(column: Column) -> bool:
    """Return True if the values of a column travel as bytes: also shapes, as the server keeps them."""
    return column.kind == "BLOB" or own(column.kind) is not None


def load_rows(connection: Any, load: Load, batches: Iterator[pa.RecordBatch]) -> int:
    """Append rows to a table, in the transaction of the connection; return how many.

    Raises:
        TransferFailed: the server changed or left out a value.
        pymysql.err.Error: the server refuses.
    """
    from pymysql.err import MySQLError

    execute(connection, "SET autocommit = 0")
    checked = _checked(batches, load.columns)
    try:
        packet = _begin(connection, load)
    except MySQLError as error:
        if error.args and error.args[0] in _FORBIDDEN:
            return _insert(connection, load, checked)
        raise
    del packet
    rows = 0
    with tempfile.TemporaryDirectory(prefix="pdbt-") as folder:
        writer = _Texts(load.columns, Path(folder) / "rows.csv")
        for batch in checked:
            rows += batch.num_rows
            for piece in writer.pieces(batch):
                connection.write_packet(piece)
    connection.write_packet(b"")
    _require_all(connection, rows)
    return rows


def _begin(connection: Any, load: Load) -> Any:
    """Send the LOAD DATA; the server answers that it waits for the rows."""
    from pymysql.err import OperationalError

    made = {number: made for number, column in enumerate(load.columns) if (made := _made_from(column, f"@b{number}"))}
    targets = [f"@b{number}" if number in made else quoted(column.name) for number, column in enumerate(load.columns)]
    sets = [f"{quoted(load.columns[number].name)} = {expression}" for number, expression in made.items()]
    statement = (
        f"LOAD DATA LOCAL INFILE 'pdbt' INTO TABLE {load.table} CHARACTER SET utf8mb4"
        " FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n'"
        f" ({', '.join(targets)})" + (f" SET {', '.join(sets)}" if sets else "")
    ).replace("'\\n'", "'\n'")  # a backslash is a letter in this session
    connection._execute_command(_COM_QUERY, statement)
    packet = connection._read_packet()
    if not packet.is_load_local_packet():
        raise OperationalError(2027, "the server did not ask for the rows")
    return packet


def _made_from(column: Column, variable: str) -> str:
    """Return the expression that makes a value of the text that was sent; the empty text where the server does so by itself."""
    if is_bytes(column):
        return f"UNHEX({variable})"
    return f"CAST({variable} AS UNSIGNED)" if column.native.startswith("bit") else ""  # or the digits' own bits are taken


def _require_all(connection: Any, rows: int) -> None:
    """Refuse what the server would only warn of: with LOCAL, it leaves out or changes what does not fit."""
    from pymysql.connections import MySQLResult

    result = MySQLResult(connection)
    result._read_ok_packet(connection._read_packet())
    if result.warning_count == 0 and result.affected_rows == rows:
        return
    with connection.cursor() as cursor:
        cursor.execute("SHOW WARNINGS")
        found = cursor.fetchone()
    reason = str(found[2]) if found else f"it kept {result.affected_rows:,} of {rows:,} rows"
    raise TransferFailed(f"MySQL did not take all rows as they are: {reason}.", "The target is as it was.")


def _checked(batches: Iterator[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        refuse_not_finite(batch, columns, "MySQL", infinite=True)
        _refuse_other_times(batch, columns)
        yield batch


def _refuse_other_times(batch: pa.RecordBatch, columns: Sequence[Column]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    arrays = [(array, column) for array, column in zip(batch.columns, columns, strict=True) if column.kind == "TIMESTAMPTZ"]
    if not arrays:  # a scalar of Arrow loads pandas, where there is one
        return
    first, last = (pa.scalar(text).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")) for text in (_FIRST_SECOND, _LAST_SECOND))
    for array, column in arrays:
        if pc.any(pc.or_(pc.less(array, first), pc.greater(array, last))).as_py():
            raise refused(column, _OUTSIDE)


def _insert(connection: Any, load: Load, batches: Iterator[pa.RecordBatch]) -> int:
    """Insert rows by statements of many rows each."""
    names = listed(column.name for column in load.columns)
    statement = f"INSERT INTO {load.table} ({names}) VALUES ({', '.join(['%s'] * len(load.columns))})"
    rows = 0
    with connection.cursor() as cursor:
        for batch in batches:
            arrays = [_for_insert(array, column) for array, column in zip(batch.columns, load.columns, strict=True)]
            for start in range(0, batch.num_rows, INSERTED_ROWS):
                some = zip(*(array.slice(start, INSERTED_ROWS).to_pylist() for array in arrays), strict=True)
                cursor.executemany(statement, list(some))
            rows += batch.num_rows
    return rows


def _for_insert(array: pa.Array, column: Column) -> pa.Array:
    import pyarrow as pa

    if column.kind == "UUID":
        return uuid_texts(array)
    return array.cast(pa.timestamp("us")) if column.kind == "TIMESTAMPTZ" else array


class _Texts:
    """Writes batches as the CSV that LOAD DATA reads: NULL is the bare word, bytes are hexadecimal."""

    def __init__(self, columns: Sequence[Column], path: Path) -> None:
        """Prepare to write to a file that holds one batch at a time."""
        import duckdb

        self._connection: duckdb.DuckDBPyConnection = duckdb.connect(config={"memory_limit": "200MB"})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._columns = columns
        self._path = path
        shown = ", ".join(_expression(column, number) for number, column in enumerate(columns))
        texts = ", ".join(f"c{number}" for number, column in enumerate(columns) if column.kind in ("VARCHAR", "JSON") or is_bytes(column))
        forced = f", FORCE_QUOTE ({texts})" if texts else ""
        options = f"FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR 'NULL'{forced}"
        self._statement = f"COPY (SELECT {shown} FROM batch) TO '{path}' ({options})"

    def pieces(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        """Yield a batch's text in pieces that fit a packet."""
        import pyarrow as pa

        arrays = with_uuid_texts(batch, self._columns)
        table = pa.Table.from_arrays(arrays, names=[f"c{number}" for number in range(len(arrays))])
        self._connection.register("batch", table)
        self._connection.execute(self._statement)
        self._connection.unregister("batch")
        with self._path.open("rb") as file:
            while piece := file.read(PACKET_BYTES):
                yield piece


def _expression(column: Column, number: int) -> str:
    name = f"c{number}"
    if is_bytes(column):
        return f"hex({name}) AS {name}"
    if column.kind == "BOOLEAN":
        return f"CAST({name} AS TINYINT) AS {name}"
    if column.kind == "FLOAT":  # the shortest text of the greatest one is above it, and is out of MySQL's range
        return f"CAST({name} AS DOUBLE) AS {name}"
    return f"CAST({name} AS TIMESTAMP) AS {name}" if column.kind == "TIMESTAMPTZ" else name


def execute(connection: Any, statement: str) -> None:
    """Execute a statement whose answer nobody needs."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
