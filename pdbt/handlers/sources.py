"""Producers that are there: batches that are sent, files, queries, and other Arrow Flight servers."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..connect.base import on_one_line
from ..engine.errors import BuildError, PdbtError, SettingsError
from .errors import BatchRefused
from .nodes import BaseHandler
from .tokens import bearing

if TYPE_CHECKING:
    import pyarrow as pa

    from ..connect.base import Column

BATCH_ROWS = 50_000
# The function of DuckDB by which a file is read, by the ending of its name, which may be followed by .gz or .zst.
_READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
    ".parquet": "read_parquet",
}
_PACKED = (".gz", ".zst")


class Ingest(BaseHandler):
    """Takes the batches that clients send, or that `give` is called with, and hands them on as they are."""

    runs_in: ClassVar[str] = "thread"

    def __init__(self, schema: pa.Schema | None = None) -> None:
        """Begin.

        Args:
            schema: the columns that a batch must have, in any order; a batch of other columns is refused. None for any.
        """
        self.schema = schema

    def handle(self, data: pa.Table) -> pa.Table:
        """Hand a batch on."""
        return data


class ReadFiles(BaseHandler):
    """Reads the files whose paths it is given, as a RequestTrigger with a folder gives them."""

    def __init__(self, schema: pa.Schema | None = None, rows: int = BATCH_ROWS) -> None:
        """Keep the values.

        Args:
            schema: the columns that each file is to have, of these types; None for what is found in each file.
            rows: how many rows a batch has at most.
        """
        self.columns = schema
        self.rows = rows

    def handle(self, data: list[dict[str, Any]]) -> Iterator[pa.Table]:
        """Yield the batches of the files in the column path."""
        for row in data:
            if not isinstance(row.get("path"), str):
                raise BatchRefused(f"Node {self.node} reads files, and the batch has no column path.", "Give it paths as text.")
            yield from read_file(Path(row["path"]), self.columns, self.rows)


class FileSource(BaseHandler):
    """Reads the files of a pattern each time that it is triggered, in the order of their names."""

    def __init__(self, pattern: str | Path, schema: pa.Schema | None = None, rows: int = BATCH_ROWS) -> None:
        """Keep the values.

        Args:
            pattern: a path, or a pattern such as ``data/*.csv``.
            schema: as for ReadFiles.
            rows: as for ReadFiles.
        """
        self.pattern = str(Path(pattern).absolute())
        self.columns = schema
        self.rows = rows

    def handle(self) -> Iterator[pa.Table]:
        """Yield the batches of the files."""
        paths = sorted(glob.glob(self.pattern))  # noqa: PTH207 - the pattern may be absolute, which Path.glob refuses
        if not paths:
            raise BuildError(f"Node {self.node}: no file is called {self.pattern}.", "Look at the pattern and at the folder.")
        for path in paths:
            yield from read_file(Path(path), self.columns, self.rows)


class SqlSource(BaseHandler):
    """Sends a query to a connection each time that it is triggered, and hands its rows on."""

    def __init__(self, connection: str, query: str, *, project: str | Path | None = None) -> None:
        """Keep the values.

        Args:
            connection: the name of a connection of the project, a URL, or the path of a database file.
            query: a SELECT, in the SQL of that database. An ORDER BY has it yield the same batches when it is asked again.
            project: the project whose connections are meant; by default that of the working folder.

        Raises:
            SettingsError: there is no such connection.
        """
        from ..connect.connections import resolve_name

        self.address = resolve_name(str(connection), Path(project) if project is not None else None)
        self.query = query

    def handle(self) -> Iterator[pa.Table]:
        """Yield the rows."""
        import pyarrow as pa

        from ..connect.base import Reading, TransferRefused
        from ..connect.engines import open_engine

        with open_engine(self.address) as engine:
            reading = Reading(select=self.query)
            columns = engine.describe(reading)
            self._refuse_mixed(columns)
            try:
                for batch in engine.read(reading, columns):
                    yield pa.Table.from_batches([batch])
            except TransferRefused as refusal:
                raise refusal.of_script(f"Node {self.node}") from refusal

    def _refuse_mixed(self, columns: Sequence[Column]) -> None:
        """Refuse numbers that no type holds: they would come as text."""
        mixed = next((column for column in columns if not column.kind and ", with values " in column.native), None)
        if mixed is not None:
            message = f"Node {self.node}: column {mixed.name} is of type {mixed.native}, which no type of Arrow holds unchanged."
            raise BuildError(message, "Cast it in the query, to text or to a type that holds all of it.")


class FlightSource(BaseHandler):
    """Reads from an Arrow Flight server, by DoGet, each time that it is triggered."""

    def __init__(self, url: str, ticket: str | bytes, *, token: str = "", tls_ca: bytes | None = None) -> None:
        """Keep the values.

        Args:
            url: the server: grpc://host:port, or grpc+tls://host:port.
            ticket: what the server is asked for.
            token: sent as `authorization: Bearer TOKEN`; empty for none.
            tls_ca: the PEM of the certificate that signed the server's; None for those of the system.
        """
        self.url, self.ticket, self._token, self._tls_ca = url, ticket, token, tls_ca

    def handle(self) -> Iterator[pa.Table]:
        """Yield the batches."""
        import pyarrow as pa
        from pyarrow import flight

        headers = [(b"authorization", bearing(self._token).encode())] if self._token else []
        try:
            with flight.connect(self.url, tls_root_certs=self._tls_ca) as client:
                for chunk in client.do_get(flight.Ticket(self.ticket), flight.FlightCallOptions(headers=headers)):
                    yield pa.Table.from_batches([chunk.data])
        except pa.ArrowException as error:
            said = on_one_line(error).partition(". gRPC client debug context")[0].rstrip(".")
            raise BuildError(f"Node {self.node}: {self.url}: {said}.", "Is the server up, and does it know the ticket?") from error


def read_file(path: Path, schema: pa.Schema | None = None, rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """Yield a CSV, JSON or Parquet file in batches.

    Args:
        path: the file; its name says the format, and a CSV or JSON file may be packed (.gz, .zst).
        schema: the columns it must have; its values become of these types. None for what is found.
        rows: how many rows a batch has at most.

    Raises:
        SettingsError: the name tells no format.
        BatchRefused: the file cannot be read as that, or has not these columns.
    """
    import duckdb
    import pyarrow as pa

    reader = _reader(path)
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in schema.names) if schema is not None else "*"
    with duckdb.connect(config={"threads": 1}) as connection:
        try:
            # Escaped, since DuckDB's readers take a pattern.
            relation = connection.sql(f"SELECT {columns} FROM {reader}($path)", params={"path": glob.escape(str(path))})  # noqa: S608
            for batch in relation.to_arrow_reader(rows):
                table = pa.Table.from_batches([batch])
                yield table.cast(schema) if schema is not None else table
        except (duckdb.Error, pa.ArrowInvalid) as error:
            said = on_one_line(error).rstrip(".")
            raise BatchRefused(f"{path} cannot be read: {said}.", "Mend the file, or the schema.") from error


def _reader(path: Path) -> str:
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    found = next((reader for ending, reader in _READERS.items() if name.endswith(ending)), None)
    if found is None:
        raise SettingsError(f"{path}: its name says no format.", f"It ends in {', '.join(_READERS)}.", received=path.suffix)
    if not path.is_file():
        raise PdbtError(f"There is no file {path}.", "It was there when its name was given.")
    return found
