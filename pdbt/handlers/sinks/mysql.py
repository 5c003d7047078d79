"""Storing in MySQL and MariaDB, in tables whose engine has transactions, as InnoDB has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ...engine.errors import MissingLibrary
from .stores import Store, StoreFailed, as_json, rows_of, word_for

if TYPE_CHECKING:
    import pyarrow as pa

_PORT = 3306
_WORDS = {
    "boolean": "tinyint(1)",
    "integer": "bigint",
    "unsigned": "bigint unsigned",
    "float": "double",
    "decimal": "decimal({precision},{scale})",
    "timestamp": "datetime(6)",
    "timestamptz": "timestamp(6) NULL",
    "date": "date",
    "time": "time(6)",
    "json": "json",
    "bytes": "longblob",
    "text": "longtext CHARACTER SET utf8mb4",
}


class MySQLStore(Store):
    """A MySQL or MariaDB database."""

    _connection: Any = None

    def begin(self) -> None:
        """Connect if there is no connection, and begin."""
        try:
            import pymysql
        except ModuleNotFoundError:
            raise MissingLibrary("pymysql", f"Storing in {self.target.label}") from None
        try:
            if self._connection is None:
                parts = urlsplit(self.target.url)
                self._connection = pymysql.connect(
                    host=parts.hostname or "127.0.0.1",
                    port=parts.port or _PORT,
                    user=unquote(parts.username or ""),
                    password=unquote(parts.password or ""),
                    database=unquote(parts.path.strip("/")),
                    charset="utf8mb4",
                    # A value that does not fit is an error and not cut; times are UTC, as they are sent.
                    init_command="SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'",
                )
        except pymysql.Error as error:
            raise StoreFailed(f"{self.target.label}: {self.target.redact(str(error.args[-1])).rstrip('.')}.", "Is the server up?") from None
        self._connection.begin()

    def commit(self) -> None:
        """End the transaction."""
        self._connection.commit()

    def close(self) -> None:
        """Undo what is not committed, and disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            connection.close()

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql.replace("%", "%%").replace("?", "%s") if values else sql, tuple(values) or None)
            return list(cursor.fetchall())

    def prepare_ledger(self, ledger: str) -> None:
        """Create the table of batches; as bytes, since MySQL takes texts for equal that differ in case or in space at the end."""
        self.execute(
            f"CREATE TABLE IF NOT EXISTS {ledger} (table_name VARBINARY(300) NOT NULL, node VARBINARY(300) NOT NULL, "
            "batch_id VARBINARY(1200) NOT NULL, stored_rows BIGINT NOT NULL, stored_at VARCHAR(40) NOT NULL, "
            "PRIMARY KEY (table_name, node, batch_id)) ENGINE = InnoDB"
        )

    def held(self, ledger: str, table: str, node: str, ids: Sequence[str]) -> dict[str, int]:
        """Return which of these batches the target holds."""
        marks = ", ".join("?" for _ in ids)
        select = f"SELECT batch_id, stored_rows FROM {ledger} WHERE table_name = ? AND node = ? AND batch_id IN ({marks})"  # noqa: S608
        values = [value.encode() for value in (table, node, *ids)]
        return {bytes(batch_id).decode(): int(rows) for batch_id, rows in self.execute(select, values)}

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns."""
        select = (
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position"
        )
        return [str(name) for (name,) in self.execute(select, (table,))]

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table; this commits what came before in the transaction, and nothing does."""
        lines = ", ".join(f"{self.quoted(field.name)} {word_for(field.type, _WORDS)}" for field in schema)
        self.execute(f"CREATE TABLE {self.quoted(table)} ({lines}) ENGINE = InnoDB")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows, many in one statement."""
        names = ", ".join(self.quoted(name).replace("%", "%%") for name in rows.column_names)
        marks = ", ".join("%s" for _ in rows.column_names)
        insert = f"INSERT INTO {self.quoted(table).replace('%', '%%')} ({names}) VALUES ({marks})"  # noqa: S608
        with self._connection.cursor() as cursor:
            cursor.executemany(insert, list(rows_of(rows, _sent)))

    def quoted(self, name: str) -> str:
        """Return a name in quotes."""
        return "`" + name.replace("`", "``") + "`"


def _sent(kind: pa.DataType) -> Callable[[Any], Any] | None:
    import pyarrow as pa

    types = pa.types
    if types.is_timestamp(kind):
        # As text: PyMySQL sends the hours of a time with a zone as they stand there.
        return lambda value: (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(sep=" ")
    if types.is_decimal(kind):
        return str
    return as_json if types.is_nested(kind) else None
