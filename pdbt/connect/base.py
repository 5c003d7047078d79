"""What a kind of database must do for a transfer; the rest of the room knows no more of it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..engine.errors import BuildError, PdbtError

if TYPE_CHECKING:
    import pyarrow as pa

    from .address import Address
    from .receipts import Receipt

BATCH_ROWS = 50_000
_DRAWN = re.compile(
    r"\n+LINE \d+:.*|\nquery( was)?: .*", re.DOTALL
)  # the place that DuckDB shows; the statement that SQLite's driver repeats
MODES = ("replace", "append", "upsert")


class TransferRefused(PdbtError, ValueError):
    """What would not arrive as it left, and is therefore not sent.

    Attributes:
        column: the column at fault; empty when it is not one.
        kind: its kind.
        in_script: the hint for who meets it in a script of a project, which has no options of `pdbt transfer`.
    """

    def __init__(self, message: str, hint: str = "", *, column: str = "", kind: str = "", in_script: str = "") -> None:
        """Keep the column next to the sentence."""
        super().__init__(message, hint)
        self.column = column
        self.kind = kind
        self.in_script = in_script or hint

    def of_script(self, label: str = "") -> TransferRefused:
        """Return the refusal as a script of a project meets it; `label` is the script, if the sentence is to say which."""
        message = self.message if self.message.startswith(label) else f"{label}: {self.message}"
        return TransferRefused(message, self.in_script, column=self.column, kind=self.kind)


class TransferFailed(BuildError):
    """A transfer that a database ended; the target is as it was."""


class ConnectionLost(TransferFailed):
    """A transfer that lost its connection, or met another fault that passes: it is tried again."""


@dataclass(frozen=True)
class Table:
    """A table's name in its database; the schema is empty where the database has a usual one."""

    schema: str
    name: str

    def __str__(self) -> str:
        """Return the name as a person writes it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: its name.
        kind: the kind of its values.
        native: the type in its database's own words.
        filled: whether its database gives it a value where none arrives.
        fills_null: whether it does so also where NULL arrives.
        exact: the least kind that holds its values, where its type sets no limit and the kind was found from them; empty otherwise.
    """

    name: str
    kind: str
    native: str
    filled: bool = False
    fills_null: bool = False
    exact: str = ""


@dataclass(frozen=True)
class Reading:
    """What is read: a table, or the rows of a SELECT.

    Attributes:
        table: the table; None when it is a SELECT.
        select: the SELECT, in the SQL of its database; empty when it is a table.
        where: a condition on the rows, in the same SQL; empty for all.
        parallel: how many connections may read one table at once, where its database has one picture of it for all of them.
    """

    table: Table | None = None
    select: str = ""
    where: str = ""
    parallel: int = 1

    @property
    def label(self) -> str:
        """What a person calls it."""
        return str(self.table) if self.table is not None else "the query"


@dataclass(frozen=True)
class Writing:
    """What is written, and how.

    Attributes:
        table: the target.
        columns: the target's columns that rows arrive for, in the order of the rows, of the kinds that they are stored as.
        mode: ``replace``, ``append`` or ``upsert``.
        key: the columns by which upsert finds a row.
        exists: whether the target is there.
        same: whether a replaced target has columns that hold what arrives, so that it stays as it is.
        added: columns that the target lacks.
        widened: columns of the target whose type becomes wider, or, of one that is replaced, another one.
        dropped: columns of a replaced target that do not arrive.
        types: the DDL of types of its product's own that the target's database lacks.
        receipt: what is written with the rows, so that the target knows that it has them.
    """

    table: Table
    columns: tuple[Column, ...]
    mode: str = "replace"
    key: tuple[str, ...] = ()
    exists: bool = False
    same: bool = False
    added: tuple[Column, ...] = ()
    widened: tuple[Column, ...] = ()
    dropped: tuple[str, ...] = ()
    receipt: Receipt | None = None
    types: tuple[str, ...] = ()


class Engine(Protocol):
    """An open connection to one database."""

    address: Address

    def version(self) -> str:
        """Return product and version."""
        ...

    def tables(self, pattern: str) -> list[Table]:
        """Return the tables and views whose name, with its schema or without, fits a pattern as ``sales.*``."""
        ...

    def may_create(self) -> bool:
        """Whether the user may create a table."""
        ...

    def describe(self, reading: Reading) -> list[Column]:
        """Return the columns that are read, in order. Raises TransferFailed when the database refuses."""
        ...

    def estimate(self, reading: Reading) -> int | None:
        """Return about how many rows there are, from the database's statistics where it has some; None when nobody knows."""
        ...

    def read(self, reading: Reading, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Yield the rows in the Arrow types of the columns' kinds; an unknown kind comes as text."""
        ...

    def undivided(self, reading: Reading) -> str:
        """Return why one connection reads all of it, in half a sentence; empty when several can share the work."""
        ...

    def prepare_to_write(self) -> None:
        """Expect to be written to, perhaps while it is read."""
        ...

    def existing(self, table: Table) -> list[Column] | None:
        """Return the columns of a table that may be written to; None when there is no such table."""
        ...

    def stored(self, kind: str, *, key: bool = False) -> tuple[str, str] | None:
        """Return the type that a column of this kind is given, and the kind in which its rows are sent; None if there is none."""
        ...

    def create_statement(self, table: Table, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        """Return the DDL of a table."""
        ...

    def alter_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that adds and widens columns of a target that is there. Raises TransferRefused where that cannot be."""
        ...

    def missing_types(self, origin: Engine, columns: Sequence[Column]) -> list[str]:
        """Return the DDL of types that these columns need and that this database lacks. Raises TransferRefused where there is none."""
        ...

    def reshape_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that makes a replaced target anew with other columns, and with all that belongs to those that stay."""
        ...

    def write(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        """Write all rows, or none; return how many."""
        ...

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        ...


def matching(tables: Sequence[Table], pattern: str) -> list[Table]:
    """Return the tables that fit a pattern, by their whole name or, for a pattern without a dot, by the name alone."""
    by_name = "." not in pattern
    return [table for table in tables if fnmatch.fnmatchcase(table.name if by_name else str(table), pattern)]


def first_line(error: object) -> str:
    """Return the first line of what a driver said."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def on_one_line(error: object) -> str:
    """Return what a driver said, which may hold a value or a piece of SQL of several lines, on one line and without what it draws."""
    return " ".join(_DRAWN.sub("", str(error)).split()) or "no reason given"


def not_kept(target: Table, error: PdbtError) -> TransferRefused:
    """Return the refusal to make a table anew whose keys, indexes or defaults do not go with the columns that arrive."""
    return TransferRefused(
        f"{target} has other columns, and what belongs to it cannot be kept with them: {error.message}",
        "Drop it first, if that may be lost; or replace it with the columns that it has.",
    )


def refuse_cascades(target: Table, children: Sequence[str]) -> None:
    """Refuse to replace the rows of a table where that would delete or change rows of others."""
    if children:
        raise TransferRefused(
            f"Replacing {target} would delete or change rows of {', '.join(children)}, by ON DELETE of a foreign key.",
            "Use --mode upsert with --key, or drop the foreign key.",
            in_script="Write -- mode: upsert and -- key: id, or drop the foreign key.",
        )
