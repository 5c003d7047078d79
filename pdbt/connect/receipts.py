"""Receipts in a target of the rows that a project has appended to it: a table next to it, written with the rows or not at all.

So rows that are there are not appended again when a project forgot that they are: after ``--full``, after its work folder was
removed, or when a script has another name. A receipt holds how many rows came last and a sum over all their values, whatever their order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import sql
from .address import Address
from .base import Column, Engine, Reading, Table
from .engines import open_engine

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "pdbt_deliveries"
_LONGEST = 255
_COLUMNS = ("target", "project", "script", "row_count", "digest")
_MASK = (1 << 128) - 1


@dataclass(frozen=True)
class Delivery:
    """A delivery that is to leave a receipt.

    Attributes:
        target: the table that is appended to.
        project: the project's name.
        script: the name of the script's table.
        forgotten: scripts whose receipts this one takes the place of: they are no more.
    """

    target: Table
    project: str
    script: str
    forgotten: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        """The table of receipts, beside the target."""
        return Table(self.target.schema, NAME)


class Digest:
    """Counts rows, and sums up what they hold."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Prepare for rows of these columns."""
        import duckdb

        self.rows = 0
        self._sum = 0
        self._names = [column.name for column in columns]
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        texts = [f"CAST(c{place} AS VARCHAR)" for place in range(len(columns))]
        row = " || ".join(f"coalesce(length({text}) || ':' || {text}, 'n')" for text in texts)
        self._select = f"SELECT sum(md5_number_lower({row}))::VARCHAR FROM batch"

    def read(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches as they are."""
        import pyarrow as pa

        for batch in batches:
            if batch.num_rows:
                renamed = pa.Table.from_arrays(batch.columns, names=[f"c{place}" for place in range(batch.num_columns)])
                self._connection.register("batch", renamed)
                ((found,),) = self._connection.execute(self._select).fetchall()
                self._connection.unregister("batch")
                self.rows += batch.num_rows
                self._sum = (self._sum + int(found)) & _MASK
            yield batch

    def __str__(self) -> str:
        """Return it as text, which also holds the columns' names."""
        ((names,),) = self._connection.execute("SELECT md5(?)", ["\n".join(self._names)]).fetchall()
        return f"{self._sum:032x}{names}"


class Receipt:
    """The statements that write a receipt, once all rows have been read."""

    def __init__(self, delivery: Delivery, digest: Digest) -> None:
        """Keep what will be known of the rows."""
        self._delivery = delivery
        self._digest = digest

    @property
    def create(self) -> str:
        """The statement that makes the table of receipts where there is none."""
        kinds = [f"VARCHAR({_LONGEST})"] * 3 + ["BIGINT", "VARCHAR(64)"]
        columns = ", ".join(f"{sql.quoted(name)} {kind}" for name, kind in zip(_COLUMNS, kinds, strict=True))
        return f"CREATE TABLE IF NOT EXISTS {sql.table_name(self._delivery.table)} ({columns})"

    def statements(self) -> list[str]:
        """Return the statements that put this receipt in the place of the last one."""
        table, own = sql.table_name(self._delivery.table), self._delivery
        scripts = ", ".join(_text(name) for name in (own.script, *own.forgotten))
        where = f"{sql.quoted('target')} = {_text(own.target.name)} AND {sql.quoted('project')} = {_text(own.project)}"
        values = f"{_text(own.target.name)}, {_text(own.project)}, {_text(own.script)}, {self._digest.rows}, {_text(str(self._digest))}"
        return [
            f"DELETE FROM {table} WHERE {where} AND {sql.quoted('script')} IN ({scripts})",
            f"INSERT INTO {table} ({sql.listed(_COLUMNS)}) VALUES ({values})",
        ]


def with_forgotten(delivery: Delivery, scripts: Collection[str], destination: Address) -> Delivery:
    """Return a delivery that knows the scripts which its target has receipts of and which are no more: one may be this one, renamed."""
    with open_engine(destination) as engine:
        found = [script for script, _, _ in _receipts(engine, delivery) if script != delivery.script and script not in scripts]
    return replace(delivery, forgotten=tuple(dict.fromkeys(found)))


def has_already(origin: Address, reading: Reading, destination: Address, delivery: Delivery) -> bool:
    """Return True if a target holds the rows that are to be appended, by the receipt of the last delivery that this one goes on with."""
    with open_engine(destination) as engine:
        if engine.existing(delivery.target) is None:
            return False
        own = (delivery.script, *delivery.forgotten)
        known = {(rows, digest) for script, rows, digest in _receipts(engine, delivery) if script in own}
        if not known or _is_empty(engine, delivery.target):
            return False
    with open_engine(origin) as engine:
        columns = engine.describe(reading)
        digest = Digest(columns)
        for _ in digest.read(engine.read(reading, columns)):
            pass
    return (digest.rows, str(digest)) in known


def _receipts(engine: Engine, delivery: Delivery) -> list[tuple[str, int, str]]:
    """Return script, rows and digest of each receipt of a project that a target has."""
    columns = engine.existing(delivery.table)
    if columns is None:
        return []
    batches = engine.read(Reading(delivery.table), columns)
    own = (delivery.target.name[:_LONGEST], delivery.project[:_LONGEST])
    rows = [row for batch in batches for row in batch.to_pylist()]
    return [(str(row["script"]), int(row["row_count"]), str(row["digest"])) for row in rows if (row["target"], row["project"]) == own]


def _is_empty(engine: Engine, target: Table) -> bool:
    """Return True if a target has no row: whoever emptied it wants its rows again."""
    mark = "`" if engine.address.driver.name == "MySQL" else '"'
    reading = Reading(select=f"SELECT count(*) AS n FROM {sql.table_name(target, mark)}")
    return all(batch.column(0)[0].as_py() == 0 for batch in engine.read(reading, engine.describe(reading)))


def _text(value: str) -> str:
    return "'" + value[:_LONGEST].replace("'", "''") + "'"
