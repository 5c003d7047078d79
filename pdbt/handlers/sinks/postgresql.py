"""Storing in PostgreSQL: rows go in by COPY, which has the server bring each value into its column's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...connect.base import on_one_line
from ...connect.kinds import MAX_DIGITS, UNKNOWN, arrow_type
from ...connect.postgresql_reasons import reason_of
from ...connect.postgresql_types import kind_of
from ...engine.databases.postgres_sequences import Sequences
from ..errors import BatchRefused
from . import fitting
from .fitting import TableColumn, as_json
from .stores import Store, StoreFailed, rows_of, word_for

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from .targets import Target

_WORDS = {
    "boolean": "boolean",
    "integer": "bigint",
    "unsigned": "numeric(20,0)",
    "float": "double precision",
    "decimal": "numeric({precision},{scale})",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "date": "date",
    "time": "time",
    "json": "json",
    "bytes": "bytea",
    "text": "text",
}
_COLUMNS = """
    SELECT a.attname, CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE format_type(a.atttypid, a.atttypmod) END
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_VERSION = """
    SELECT attrelid, count(*), sum(hashtextextended(format('%s %s %s %s', attnum, attname, atttypid, atttypmod), 0)) FROM pg_attribute
    WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped GROUP BY 1
"""
# SQLSTATEs of what a batch holds: data, constraints, triggers that refuse it, limits, types that do not go together, and names.
_OF_BATCHES = ("22", "23", "44", "54", "P0", "0A")
_ALSO_OF_BATCHES = frozenset({"42804", "42846", "428C9", "42701", "42601", "42P16", "42P17", "2BP01"})
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_MOST_DIGITS = 76  # that an Arrow decimal has
_TEXT = re.compile(r"character( varying)?\((\d+)\)")
_FRACTION = re.compile(r"(?:time|timestamp)\((\d)\)")


class PostgreSQLStore(Store):
    """A PostgreSQL database."""

    _connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def __init__(self, target: Target) -> None:
        """Remember the database."""
        super().__init__(target)
        self._sequences: dict[str, Sequences] = {}  # by table, as long as it is connected

    def begin(self) -> None:
        """Connect if there is no connection; the first statement begins the transaction."""
        import psycopg

        if self._connection is None:
            try:
                self._connection = psycopg.connect(self.target.url)
            except psycopg.Error as error:
                said = self.target.redact(on_one_line(error).rstrip("."))
                raise StoreFailed(f"{self.target.label}: {said}.", "Is the server up?") from None

    def commit(self) -> None:
        """End the transaction."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        self._connection.commit()

    def close(self) -> None:
        """Undo what is not committed, and disconnect."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._sequences = {}

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        # psycopg writes parameters as %s; no name in these statements has a question mark or a percent sign but quoted ones.
        cursor = self._connection.execute(sql.replace("%", "%%").replace("?", "%s") if values else sql, values or None)
        return cursor.fetchall() if cursor.description else []

    def prepare_ledger(self, ledger: str) -> None:
        """Create the table of batches if it is not there; one after the other until the transaction ends, also for the table of rows.

        Two that create a table at the same time hinder each other in PostgreSQL, also with IF NOT EXISTS.
        """
        self.execute("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", (ledger,))
        super().prepare_ledger(ledger)

    def columns(self, table: str) -> list[TableColumn]:
        """Return a table's columns; of a domain, the type that is behind it."""
        return [_column(str(name), str(native)) for name, native in self.execute(_COLUMNS, (self.quoted(table),))]

    def version(self, table: str) -> object:
        """Return a number made of the columns' names and types."""
        return self.execute(_VERSION, (self.quoted(table),))

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table."""
        lines = ", ".join(f"{self.quoted_column(field.name)} {word_for(field.type, _WORDS)}" for field in schema)
        self.execute(f"CREATE TABLE {self.quoted(table)} ({lines})")

    def change_type(self, table: str, field: pa.Field) -> None:
        """Change the type of a column without values."""
        native = word_for(field.type, _WORDS)
        self.execute(
            f"ALTER TABLE {self.quoted(table)} ALTER COLUMN {self.quoted_column(field.name)} TYPE {native} USING CAST(NULL AS {native})"
        )

    def check_written(self, table: str, column: TableColumn, texts: pa.ChunkedArray) -> None:
        """Refuse texts that PostgreSQL would write in another way than they came, for a type that only PostgreSQL has."""
        if "text" not in column.takes or texts.null_count == len(texts):
            return
        select = f"SELECT v FROM unnest(?::text[]) v WHERE format('%s', v::{column.native}) IS DISTINCT FROM v LIMIT 1"  # noqa: S608 - the server's word
        if found := self.execute(select, (texts.unique().to_pylist(),)):
            raise BatchRefused(
                f"Column {column.name} of table {table} of {self.target.label} is of type {column.native}, "
                f"which would change {str(found[0][0])!r:.60}.",
                "Send it as PostgreSQL writes it.",
            )

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        if table not in self._sequences:
            self._sequences[table] = Sequences(self.quoted(table), self.execute)
        sequences = self._sequences[table]
        sequences.observe(zip(rows.column_names, (column.combine_chunks() for column in rows.columns), strict=True))
        names = ", ".join(self.quoted_column(name) for name in rows.column_names)
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {self.quoted(table)} ({names}) FROM STDIN") as copy:
            for row in rows_of(rows, _sent):
                copy.write_row(row)
        sequences.advance(self.execute)

    def refused(self, error: Exception) -> str:
        """Return what PostgreSQL refuses of values, constraints and definitions; a right that is missing is not the batch's fault."""
        import psycopg

        if not isinstance(error, psycopg.Error):
            return ""
        state = error.sqlstate or ""
        if not state.startswith(_OF_BATCHES) and state not in _ALSO_OF_BATCHES and not (isinstance(error, psycopg.DataError) and not state):
            return ""
        return reason_of(error)

    def quoted(self, name: str) -> str:
        """Return a table's name in quotes, with its schema where one stands before a dot."""
        return ".".join(self.quoted_column(part) for part in name.split(".", 1))

    def quoted_column(self, name: str) -> str:
        """Return a column's name in quotes; a dot in it is a dot."""
        return super().quoted(name)


def _sent(kind: pa.DataType) -> Callable[[Any], Any] | None:
    import pyarrow as pa

    return as_json if pa.types.is_nested(kind) else None


def _column(name: str, native: str) -> TableColumn:
    """Return a column by its type as format_type() writes it."""
    import pyarrow as pa

    kind = kind_of(native)
    if native == "numeric":
        return TableColumn(name, native, UNKNOWN, None, takes=frozenset({"number"}))
    if (digits := _NUMERIC.fullmatch(native)) is not None and kind == UNKNOWN:
        whole, scale = int(digits[1]), int(digits[2])
        type_ = pa.decimal256(whole, scale) if MAX_DIGITS < whole <= _MOST_DIGITS and 0 <= scale <= whole else None
        return TableColumn(name, native, kind, type_)
    if kind == UNKNOWN or native in ("name", '"char"'):
        return TableColumn(name, native, UNKNOWN, None, takes=frozenset({"duration"} if native.startswith("interval") else {"text"}))
    if kind.endswith("[]"):
        return TableColumn(name, native, kind, None)
    checks = fitting.column_checks(kind)
    if (length := _TEXT.fullmatch(native)) is not None:
        checks += (fitting.at_most(int(length[2])) if length[1] else fitting.of_length(int(length[2])),)
    if (fraction := _FRACTION.match(native)) is not None:
        checks += (fitting.decimals(int(fraction[1])),)
    return TableColumn(name, native, kind, arrow_type(kind), checks)
