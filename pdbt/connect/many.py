"""`pdbt transfer`: one table, one query, or all tables that fit a pattern, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..engine.errors import PdbtError
from ..engine.lexer import dialect_of
from ..engine.statements import statements
from .address import Address
from .base import Reading, Table, TransferFailed, TransferRefused
from .connections import project_settings, resolve
from .engines import open_engine
from .execution import Transfer, Transferred, carry_out
from .kinds import read_kind
from .names import require_table_names
from .telling import telling_of

QUERY_NAME = "query"

Progress = Callable[[Transfer, int, int], None]


def transfer(
    origin: str,
    destination: str,
    *,
    table: str | None = None,
    query: str | None = None,
    target: str | None = None,
    mode: str = "replace",
    key: Sequence[str] = (),
    where: str = "",
    casts: Mapping[str, str] | None = None,
    schema: str = "evolve",
    parallel: int = 1,
    project: Path | None = None,
) -> Transferred:
    """Bring a table, or the rows of a query, from one database to another: all rows, or none.

    Args:
        origin: the name of a connection, a URL, or a DuckDB or SQLite file.
        destination: the same.
        table: the table that is read, with its schema where it needs one.
        query: a SELECT in the origin's SQL, in place of a table.
        target: the name that the rows get; by default the table's.
        mode: ``replace``, ``append`` or ``upsert``.
        key: the columns by which upsert finds a row.
        where: a condition on the rows, in the origin's SQL.
        casts: kinds that columns are sent as, by column.
        schema: ``evolve`` adds and widens columns of a target, ``freeze`` refuses other ones.
        parallel: how many connections read the table at once, where its database permits it.
        project: whose connections are meant; by default that of the working folder, if it is one.

    Raises:
        PdbtError: something would not arrive as it left, or a database ended it; the target is as it was.
    """
    chosen = choose(
        origin,
        destination,
        table=table,
        query=query,
        target=target,
        mode=mode,
        key=key,
        where=where,
        casts=casts or {},
        schema=schema,
        parallel=parallel,
        project=project,
    )
    return carry_out(chosen[0])


def choose(
    origin: str,
    destination: str,
    *,
    table: str | None = None,
    query: str | None = None,
    tables: str | None = None,
    target: str | None = None,
    mode: str = "replace",
    key: Sequence[str] = (),
    where: str = "",
    casts: Mapping[str, str] | None = None,
    schema: str = "evolve",
    parallel: int = 1,
    project: Path | None = None,
) -> list[Transfer]:
    """Return the transfers that are meant, one a table; `tables` is a pattern as ``sales.*``.

    Raises:
        TransferRefused: not exactly one of table, query and tables is given, or no table fits.
        SettingsError: a connection is not known.
    """
    if sum(choice is not None for choice in (table, query, tables)) != 1:
        raise TransferRefused("A transfer reads one thing.", "Name one of --table, --query and --tables.")
    settings = project_settings(project)
    start, end = resolve(origin, settings), resolve(destination, settings)
    telling = telling_of(settings)
    kinds = {name: read_kind(kind) or kind for name, kind in (casts or {}).items()}

    def wanted(reading: Reading, name: Table) -> Transfer:
        return Transfer(start, end, reading, name, mode, tuple(key), kinds, schema, telling)

    if tables is None:
        read = _table(table) if table is not None else None
        name = _table(target) if target else Table("", read.name if read is not None else QUERY_NAME)
        return [wanted(Reading(read, single_statement(query, start) if query is not None else "", where, parallel), name)]
    if target is not None:
        raise TransferRefused("--as names one table, and --tables reads several.", "Leave --as out.")
    with open_engine(start) as engine:
        found = engine.tables(tables)
    if not found:
        raise TransferRefused(f"{start.label} has no table that fits {tables}.", "Try a pattern as '*' or 'sales.*'.")
    _require_names_apart(found, end)
    for one in found:
        require_table_names(Reading(one), start, Table("", one.name), end)
    return [wanted(Reading(one, "", where), Table("", one.name)) for one in found]


def _require_names_apart(tables: Sequence[Table], destination: Address) -> None:
    """Refuse tables that would become one: the last would take the place of the others."""
    fold = str if destination.driver.name == "PostgreSQL" else str.casefold  # others take "Orders" and "orders" for the same
    known: dict[str, Table] = {}
    for table in tables:
        other = known.setdefault(fold(table.name), table)
        if other is not table:
            raise TransferRefused(f"{other} and {table} would both become {table.name}.", "Bring them one by one, with --table and --as.")


def transfer_all(transfers: Sequence[Transfer], parallel: int = 1, progress: Progress | None = None) -> list[Transferred]:
    """Carry out several transfers, some at a time; each is all or nothing by itself.

    Raises:
        TransferFailed: one or more failed; says which, and why. The others are done.
    """

    def carry(wanted: Transfer) -> Transferred | PdbtError:
        try:
            return carry_out(wanted, None if progress is None else lambda rows, size: progress(wanted, rows, size))
        except PdbtError as error:
            if len(transfers) == 1:
                raise
            return error

    with ThreadPoolExecutor(max(1, parallel)) as workers:
        results = list(workers.map(carry, transfers))
    failed = [(wanted, result) for wanted, result in zip(transfers, results, strict=True) if isinstance(result, PdbtError)]
    if failed:
        reasons = " ".join(f"{wanted.table}: {error.message}" for wanted, error in failed)
        raise TransferFailed(f"{len(failed)} of {len(transfers)} tables failed. {reasons}", failed[0][1].hint)
    return [result for result in results if isinstance(result, Transferred)]


def single_statement(query: str, address: Address) -> str:
    """Return the one statement of a query, without the semicolon at its end and the comments behind it.

    Raises:
        TransferRefused: there are several, or there is none.
    """
    found = list(statements(query, dialect_of(address.driver.schemes[0])))
    if len(found) != 1:
        raise TransferRefused(f"The query holds {len(found)} statements; a transfer reads one SELECT.", "Leave the others out.")
    return found[0].text


def _table(text: str) -> Table:
    """Read ``table`` or ``schema.table``; a name that holds a dot is written in double quotes."""
    if text.startswith('"') and text.endswith('"') and '"."' not in text:
        return Table("", text[1:-1].replace('""', '"'))
    if '"."' in text:
        schema, _, name = text.partition('"."')
        return Table(schema.removeprefix('"').replace('""', '"'), name.removesuffix('"').replace('""', '"'))
    schema, _, name = text.rpartition(".")
    return Table(schema, name)
