"""The Parquet file that holds what a script of scripts/source brought: what is known of it, and new rows merged into it by key."""

from __future__ import annotations

import contextlib
import filecmp
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import SettingsError
from .base import TransferRefused
from .cursors import Cursor, highest_expression, plain_kind, read_value, require_order
from .kinds import MAX_DIGITS, wider, with_decimals_of
from .source_script import Script
from .sql import listed, quoted

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "200MB"
_MADE_BY = "pdbt"
_EXACT = 2**53  # up to here a double holds every whole number


@dataclass(frozen=True)
class Arrived:
    """Rows that a script has fetched.

    Attributes:
        path: the Parquet file.
        is_all: whether it is all rows, and not only newer ones.
        optional: whether a column may be missing because no row has a value for it, as a key of an API's rows.
        exact: the least decimals that hold the values of columns whose type sets no limit, by column.
    """

    path: Path
    is_all: bool
    optional: bool
    exact: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def file_reader() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB that reads and writes the files of one fetch: opening one takes longer than most of what is asked."""
    import duckdb

    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_file_cache = false")  # a file is replaced by another one of its name meanwhile
        yield connection


def mark_of(script: Script) -> dict[str, str]:
    """Return what a file says of itself: of which script it is."""
    return {_MADE_BY: script.digest}


def is_of(landed: Path, script: Script) -> bool:
    """Whether there is a file, of this very text of the script."""
    import pyarrow.parquet as pq

    return landed.exists() and (pq.read_metadata(landed).metadata or {}).get(_MADE_BY.encode()) == script.digest.encode()


def highest(connection: duckdb.DuckDBPyConnection, script: Script, landed: Path) -> Cursor | None:
    """Return the highest cursor of the rows that are there; None when there are none."""
    kind = plain_kind(_columns(connection, landed).get(script.cursor, "VARCHAR"))
    ((found,),) = connection.execute(f"SELECT {highest_expression(script.cursor, kind)} FROM {_rows_of(landed)}").fetchall()
    return None if found is None else Cursor(read_value(found, kind), kind)


def require_columns(connection: duckdb.DuckDBPyConnection, script: Script, arrived: Arrived) -> None:
    """Refuse rows without the columns that the script names, or with a cursor that tells no newer rows from older ones.

    Raises:
        SettingsError: there is no such column, or it is of a type without an order.
    """
    columns = _columns(connection, arrived.path)
    wanted = (*script.key, *([script.cursor] if script.cursor else []))
    missing = next((name for name in wanted if name not in columns), None)
    if missing is not None:
        raise SettingsError(f"{script.label}: what it brings has no column {missing}.", f"It has: {', '.join(columns)}.")
    if script.cursor:
        require_order(script, plain_kind(columns[script.cursor]))


def require_schema(connection: duckdb.DuckDBPyConnection, script: Script, landed: Path, arrived: Arrived, *, full: bool) -> None:
    """Hold new rows to the script's rule: `freeze` takes the columns that there were; `evolve` also others, and wider types.

    Args:
        connection: what reads the files.
        script: what brought both.
        landed: the file that is there.
        arrived: what has come.
        full: the person asked for all rows anew, so that they may be of other types.

    Raises:
        TransferRefused: they do not keep it, or newer rows lack a column that there was; names column, old and new type.
    """
    from .duck import kind_of

    before, new = _columns(connection, landed), _kept_columns(connection, landed, arrived)
    if not arrived.is_all:
        gone = _gone(connection, landed, before, new, arrived)
        if gone:
            message = f"{script.label}: the rows have no column {gone} any more, which the rows before them have."
            hint = "If it was renamed or dropped, fetch everything anew with --full; else name it in the script again."
            raise TransferRefused(message, hint, column=gone, kind=before[gone])
    empty = _empty_columns(connection, landed, [name for name, kind in new.items() if before.get(name, kind) != kind])
    told_apart = dict if arrived.optional else list  # keys come in no order
    declared = {
        name: before.get(name, kind) if name in arrived.exact else kind for name, kind in new.items()
    }  # more digits, and no other type
    if script.frozen and told_apart(before.items()) != told_apart(declared.items()):
        raise TransferRefused(f"{script.label}: its columns were {_shown(before)}, and are {_shown(new)}.", "Say -- schema: evolve.")
    for name, kind in new.items():
        was = before.get(name, kind)
        if not full and was != kind and name not in {*empty, *arrived.exact} and wider(kind_of(was), kind_of(kind)) is None:
            hint = "Cast it to what it was, or fetch everything anew with --full."
            raise TransferRefused(f"{script.label}: column {name} was {was}, and is {kind}.", hint, column=name, kind=kind)


def _gone(connection: duckdb.DuckDBPyConnection, landed: Path, before: Mapping[str, str], new: Mapping[str, str], arrived: Arrived) -> str:
    """Return a column that there was and that newer rows lack, so that half of it would be empty; the empty text if there is none.

    Rows of an API lack a key that has no value: there, only what every row had so far is gone.
    """
    names = _columns(connection, arrived.path) if arrived.optional else new
    missing = [name for name in before if name not in names]
    if arrived.optional and missing:
        full = ", ".join(f"count({quoted(name)}) = count(*)" for name in missing)
        (row,) = connection.execute(f"SELECT {full} FROM {_rows_of(landed)}").fetchall()
        missing = [name for name, always in zip(missing, row, strict=True) if always]
    return missing[0] if missing else ""


def merge(connection: duckdb.DuckDBPyConnection, script: Script, landed: Path, arrived: Arrived, merged: Path) -> bool:
    """Bring new rows into those that are there, by key; return whether that changes anything."""
    before, kept = _columns(connection, landed), _kept_columns(connection, landed, arrived)
    there = _columns(connection, arrived.path)
    order = [name for name in before if name in kept] + [name for name in kept if name not in before]
    values = {name: f"{quoted(name) if name in there else 'NULL'}" for name in order}
    shown = ", ".join(f"CAST({values[name]} AS {kept[name]}) AS {quoted(name)}" for name in order)
    new = f"(SELECT {shown} FROM {_rows_of(arrived.path)})"
    empty = _empty_columns(connection, landed, [name for name in order if before.get(name, kept[name]) != kept[name]])
    longer = [name for name in arrived.exact if before.get(name, kept[name]) != kept[name] and name not in empty]
    retyped = ", ".join(
        [
            *(f"CAST(NULL AS {kept[name]}) AS {quoted(name)}" for name in empty),
            *(f"CAST({quoted(name)} AS {kept[name]}) AS {quoted(name)}" for name in longer),
        ]
    )
    old = f"(SELECT *{f' REPLACE ({retyped})' if retyped else ''} FROM {_rows_of(landed)})"
    if [*before] == order and not connection.execute(f"SELECT 1 FROM (FROM {new} EXCEPT FROM {old}) LIMIT 1").fetchall():
        return False
    same = " AND ".join(f"b.{name} IS NOT DISTINCT FROM n.{name}" for name in map(quoted, script.key))
    others = f"SELECT * FROM {old} AS b WHERE NOT EXISTS (SELECT 1 FROM {new} AS n WHERE {same})"
    connection.execute(_copy(script, f"({others}) UNION ALL BY NAME ({_newest(script, new)})", merged))
    return True


def thin_out(connection: duckdb.DuckDBPyConnection, script: Script, fresh: Path, merged: Path) -> bool:
    """Write only the newest row of each key, where there are several; return whether there are."""
    rows = _rows_of(fresh)
    twice = f"SELECT 1 FROM {rows} GROUP BY {listed(script.key)} HAVING count(*) > 1 LIMIT 1"
    if not connection.execute(twice).fetchall():
        return False
    connection.execute(_copy(script, _newest(script, rows), merged))
    return True


def is_same(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    return filecmp.cmp(one, other, shallow=False)


def _newest(script: Script, rows: str) -> str:
    partition = f"PARTITION BY {listed(script.key)} ORDER BY {quoted(script.cursor)} DESC"
    return f"SELECT * FROM {rows} QUALIFY row_number() OVER ({partition}) = 1"


def _copy(script: Script, select: str, path: Path) -> str:
    return f"COPY ({select}) TO {_text(path)} (FORMAT parquet, KV_METADATA {{{_MADE_BY}: '{script.digest}'}})"


def _columns(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    return {str(name): str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE FROM {_rows_of(path)}").fetchall()}


def _kept_columns(connection: duckdb.DuckDBPyConnection, landed: Path, arrived: Arrived) -> dict[str, str]:
    """Return the columns that have come, one in the type that it had where nothing tells that it is another one.

    That is a column without any value and, of an API, whose numbers are of one type, numbers that both types hold; and a column that
    an API's rows lack because it is empty.
    """
    before, new = _columns(connection, landed), _columns(connection, arrived.path)
    for name in [name for name, kind in new.items() if before.get(name, kind) != kind]:
        column, was = quoted(name), before[name]
        if name in arrived.exact:
            new[name] = _longer(connection, landed, name, was, arrived.exact[name])
            continue
        values, fits = f"count({column})", "false"
        if arrived.optional and {was, new[name]} == {"BIGINT", "DOUBLE"}:
            whole = f"{column} BETWEEN -{_EXACT} AND {_EXACT}"
            fits = f"bool_and({whole}{f' AND {column} = trunc({column})' if was == 'BIGINT' else ''})"
        ((count, same),) = connection.execute(f"SELECT {values}, {fits} FROM {_rows_of(arrived.path)}").fetchall()
        if not count or same:
            new[name] = was
    if arrived.optional and not arrived.is_all:
        new |= {name: kind for name, kind in before.items() if name not in new}
    return new


def _longer(connection: duckdb.DuckDBPyConnection, landed: Path, name: str, was: str, exact: str) -> str:
    """Return the decimal that holds what there was in a column and what has come, of a type that sets no limit.

    Raises:
        TransferRefused: there is none, of all the digits that a decimal may have.
    """
    from .duck import kind_of

    kind = wider(kind_of(was), exact)
    if kind is None and (kind := with_decimals_of(was, exact)) is not None:
        select = f"SELECT coalesce(bool_and(TRY_CAST({quoted(name)} AS {kind}) IS NOT NULL OR {quoted(name)} IS NULL), true)"
        ((fits,),) = connection.execute(f"{select} FROM {_rows_of(landed)}").fetchall()
        kind = kind if fits else None
    if kind is None:
        message = f"Column {name} was {was}, and is {exact}: together they have more than {MAX_DIGITS} digits."
        raise TransferRefused(message, "Round it in the query, or fetch everything anew with --full.", column=name, kind=exact)
    return kind


def _empty_columns(connection: duckdb.DuckDBPyConnection, path: Path, names: list[str]) -> list[str]:
    """Return those of the columns of a file in which no row has a value: their type was nothing but a guess."""
    if not names:
        return []
    counts = ", ".join(f"count({quoted(name)})" for name in names)
    (row,) = connection.execute(f"SELECT {counts} FROM {_rows_of(path)}").fetchall()
    return [name for name, count in zip(names, row, strict=True) if not count]


def _shown(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _rows_of(path: Path) -> str:
    return f"read_parquet({_text(path)})"


def _text(value: Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"
