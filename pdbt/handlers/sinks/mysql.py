"""Storing in MySQL and MariaDB, in tables whose engine has transactions, as InnoDB has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ...connect.kinds import UNKNOWN, arrow_type
from ...connect.mysql_types import kind_of
from ...engine.errors import MissingLibrary
from . import fitting
from .fitting import TableColumn, as_json
from .stores import Store, StoreFailed, rows_of, word_for

if TYPE_CHECKING:
    import pyarrow as pa

_PORT = 3306
_LOCK_SECONDS = 60
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
# What a batch has done wrong, where PyMySQL does not say so by the class: no default, not a date, a text that cannot be written, the
# numbers of JSON, checks and triggers that refuse, generated columns, names, rows and packets that are too long.
_OF_BATCHES = frozenset({1059, 1060, 1062, 1075, 1103, 1117, 1118, 1153, 1166, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1441, 1525})
_OF_BATCHES |= {1526, 1644, 1690, 1901, 1906, 3105, *range(3140, 3160), 3819, 4025, 4078}
# MariaDB's types that are written in another way than they came, and MySQL's whose values are not what a number says.
_NOT_AS_THEY_ARE = ("bit", "set", "inet4", "inet6", "vector")
_JSON_CHECKS = """
    SELECT constraint_name FROM information_schema.check_constraints
    WHERE constraint_schema = database() AND table_name = ? AND check_clause LIKE 'json_valid(%'
"""
_LENGTH = re.compile(r"(varchar|char|binary)\((\d+)\)")
_FRACTION = re.compile(r"(?:time|timestamp|datetime)(?:\((\d)\))?")
_ROUNDED = re.compile(r"(?:float|double)\((\d+),(\d+)\)")
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_TRUTHS = frozenset({"boolean", "number"})
_INTEGERS = frozenset("BOOLEAN SMALLINT INTEGER BIGINT UBIGINT".split())


class MySQLStore(Store):
    """A MySQL or MariaDB database."""

    _connection: Any = None
    _locked = ""  # the name of the lock that is held until the transaction ends

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
        except (pymysql.Error, RuntimeError, OSError) as error:  # RuntimeError: a login that needs the library cryptography
            raise StoreFailed(f"{self.target.label}: {self.target.redact(str(error.args[-1])).rstrip('.')}.", "Is the server up?") from None
        self._connection.begin()

    def commit(self) -> None:
        """End the transaction."""
        self._connection.commit()
        if self._locked:
            self.execute("SELECT RELEASE_LOCK(?)", (self._locked,))
            self._locked = ""

    def close(self) -> None:
        """Undo what is not committed, and disconnect."""
        connection, self._connection, self._locked = self._connection, None, ""
        if connection is not None and connection.open:
            connection.close()

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql.replace("%", "%%").replace("?", "%s") if values else sql, tuple(values) or None)
            return list(cursor.fetchall())

    def prepare_ledger(self, ledger: str) -> None:
        """Create the table of batches; as bytes, since MySQL takes texts for equal that differ in case or in space at the end.

        One after the other until the transaction ends, also for the table of rows.
        """
        if not self._locked:
            name = f"pdbt {hashlib.sha256(unquote(urlsplit(self.target.url).path).encode()).hexdigest()[:40]}"
            if self.execute("SELECT GET_LOCK(?, ?)", (name, _LOCK_SECONDS)) != [(1,)]:
                raise StoreFailed(f"{self.target.label}: another sink is preparing its table.", "Try again when it is done.")
            self._locked = name
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

    def prepare_marks(self, marks: str) -> None:
        """Create the table of columns whose type is not known yet; names as bytes, for the same reason."""
        self.execute(
            f"CREATE TABLE IF NOT EXISTS {marks} (table_name VARBINARY(300) NOT NULL, column_name VARBINARY(300) NOT NULL) ENGINE = InnoDB"
        )

    def columns(self, table: str) -> list[TableColumn]:
        """Return a table's columns."""
        select = (
            "SELECT column_name, column_type FROM information_schema.columns "
            "WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position"
        )
        found = self.execute(select, (table,))
        # MariaDB's JSON is a text with a check.
        as_json_too = any(native == "longtext" for _, native in found) and "mariadb" in str(self._connection.get_server_info()).casefold()
        checked = {str(name) for (name,) in self.execute(_JSON_CHECKS, (table,))} if as_json_too else set()
        return [_column(str(name), "json" if name in checked else str(native)) for name, native in found]

    def version(self, table: str) -> object:
        """Return the columns as the server describes them with no row of the table."""
        import pymysql

        with self._connection.cursor() as cursor:
            try:
                cursor.execute(f"SELECT * FROM {self.quoted(table)} LIMIT 0")  # noqa: S608 - quoted
            except pymysql.err.ProgrammingError:  # there is no such table
                return None
            return [(field.name, field.type_code, field.length, field.scale, field.flags) for field in cursor._result.fields]

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table; this commits what came before in the transaction, and nothing does."""
        lines = ", ".join(f"{self.quoted(field.name)} {word_for(field.type, _WORDS)}" for field in schema)
        self.execute(f"CREATE TABLE {self.quoted(table)} ({lines}) ENGINE = InnoDB")

    def change_type(self, table: str, field: pa.Field) -> None:
        """Change the type of a column without values; this commits what came before in the transaction, and nothing does."""
        native = f"{word_for(field.type, _WORDS).removesuffix(' NULL')} NULL"
        self.execute(f"ALTER TABLE {self.quoted(table)} MODIFY COLUMN {self.quoted(field.name)} {native}")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows, many in one statement."""
        names = ", ".join(self.quoted(name).replace("%", "%%") for name in rows.column_names)
        marks = ", ".join("%s" for _ in rows.column_names)
        insert = f"INSERT INTO {self.quoted(table).replace('%', '%%')} ({names}) VALUES ({marks})"  # noqa: S608
        with self._connection.cursor() as cursor:
            cursor.executemany(insert, list(rows_of(rows, _sent)))

    def refused(self, error: Exception) -> str:
        """Return what the server refuses of values, constraints and names."""
        import pymysql

        if not isinstance(error, pymysql.Error):
            return ""
        code = error.args[0] if error.args else 0
        of_values = isinstance(error, (pymysql.err.DataError, pymysql.err.IntegrityError, pymysql.err.NotSupportedError))
        return str(error.args[-1]) if of_values or code in _OF_BATCHES else ""

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


def _column(name: str, native: str) -> TableColumn:
    """Return a column by its type in the server's words."""
    import pyarrow as pa

    kind, word = kind_of(native), re.split(r"[( ]", native, maxsplit=1)[0]
    if word in _NOT_AS_THEY_ARE:
        return TableColumn(name, native, UNKNOWN, None)
    if (digits := _DECIMAL.match(native)) is not None and kind == UNKNOWN:
        return TableColumn(name, native, kind, pa.decimal256(int(digits[1]), int(digits[2])))
    if kind == UNKNOWN:
        return TableColumn(name, native, kind, None)
    checks = fitting.column_checks(kind, fitting.finite)
    if (length := _LENGTH.match(native)) is not None:
        kinds = {"varchar": (fitting.at_most,), "char": (fitting.at_most,), "binary": (fitting.of_length,)}
        checks += tuple(check(int(length[2])) for check in kinds[length[1]])
        checks += (fitting.no_spaces_at_the_end,) if word == "char" else ()
    if word == "enum":
        checks += (fitting.one_of(_words(native)),)
    if word == "year":
        checks += (fitting.between(1901, 2155),)
    if (fraction := _FRACTION.match(native)) is not None:
        checks += (fitting.decimals(int(fraction[1] or 0)),)
    if (rounded := _ROUNDED.match(native)) is not None:
        checks += (fitting.as_decimal(int(rounded[1]), int(rounded[2])),)
    return TableColumn(name, native, kind, arrow_type(kind), checks, _TRUTHS if kind in _INTEGERS else frozenset())


def _words(native: str) -> list[str]:
    """Return the words of an ENUM, which the server writes as texts of SQL."""
    return [found.replace("''", "'") for found in re.findall(r"'((?:[^']|'')*)'", native)]
