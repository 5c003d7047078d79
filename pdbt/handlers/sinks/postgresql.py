"""Storing in PostgreSQL: rows go in by COPY, which has the server bring each value into its column's type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...engine.databases.postgres_sequences import Sequences
from .stores import Store, StoreFailed, as_json, rows_of, word_for

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
                said = self.target.redact(str(error).splitlines()[0].rstrip("."))
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

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns."""
        select = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        return [str(name) for (name,) in self.execute(select, (self.quoted(table),))]

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table."""
        lines = ", ".join(f"{self._name(field.name)} {word_for(field.type, _WORDS)}" for field in schema)
        self.execute(f"CREATE TABLE {self.quoted(table)} ({lines})")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        if table not in self._sequences:
            self._sequences[table] = Sequences(self.quoted(table), self.execute)
        sequences = self._sequences[table]
        sequences.observe(zip(rows.column_names, (column.combine_chunks() for column in rows.columns), strict=True))
        names = ", ".join(self._name(name) for name in rows.column_names)
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {self.quoted(table)} ({names}) FROM STDIN") as copy:
            for row in rows_of(rows, _sent):
                copy.write_row(row)
        sequences.advance(self.execute)

    def quoted(self, name: str) -> str:
        """Return a table's name in quotes, with its schema where one stands before a dot."""
        return ".".join(self._name(part) for part in name.split(".", 1))

    def _name(self, name: str) -> str:
        return super().quoted(name)


def _sent(kind: pa.DataType) -> Callable[[Any], Any] | None:
    import pyarrow as pa

    return as_json if pa.types.is_nested(kind) else None
