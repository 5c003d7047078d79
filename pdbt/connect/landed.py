"""The Parquet file that holds what a script of scripts/source brought: what is known of it, and new rows merged into it by key."""

from __future__ import annotations

import datetime
import decimal
import filecmp
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import SettingsError
from .base import TransferRefused
from .kinds import wider
from .source_script import Script
from .sql import listed, quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MEMORY_LIMIT = "200MB"
_MADE_BY = "pdbt"


def marked(schema: pa.Schema, script: Script) -> pa.Schema:
    """Return a schema whose file says of which script it is."""
    return schema.with_metadata({_MADE_BY: script.digest})


def is_of(landed: Path, script: Script) -> bool:
    """Whether there is a file, of this very text of the script."""
    import pyarrow.parquet as pq

    return landed.exists() and (pq.read_metadata(landed).metadata or {}).get(_MADE_BY.encode()) == script.digest.encode()


def highest(script: Script, landed: Path) -> object | None:
    """Return the highest cursor of the rows that are there; None when there are none."""
    with _duckdb() as connection:
        column = f"max({quoted(script.cursor)})"
        select = f"SELECT {column}::VARCHAR, typeof({column}) FROM {_rows_of(landed)}"
        ((found, declared),) = connection.execute(select).fetchall()
    return None if found is None else _value(found, declared)


def _value(text: str, declared: str) -> object:
    if declared == "TIMESTAMP WITH TIME ZONE":
        return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    if declared == "TIMESTAMP":
        return datetime.datetime.fromisoformat(text)
    if declared == "DATE":
        return datetime.date.fromisoformat(text)
    if declared.startswith("DECIMAL"):
        return decimal.Decimal(text)
    if declared in ("DOUBLE", "FLOAT"):
        return float(text)
    return int(text) if declared.endswith("INT") or declared == "INTEGER" else text


def require_columns(script: Script, fresh: Path) -> None:
    """Refuse rows without the columns that the script names, or with a cursor from which nothing can be subtracted for its lookback.

    Raises:
        SettingsError: there is no such column, or it is text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(fresh)
    names = schema.names
    wanted = (*script.key, *([script.cursor] if script.cursor else []))
    missing = next((name for name in wanted if name not in names), None)
    if missing is not None:
        raise SettingsError(f"{script.label}: what it brings has no column {missing}.", f"It has: {', '.join(names)}.")
    if script.cursor and script.lookback and pa.types.is_string(schema.field(script.cursor).type):
        raise SettingsError(
            f"{script.label}: the cursor {script.cursor} is text, which no lookback can be counted from.", "Cast it in the query."
        )


def require_schema(script: Script, landed: Path, fresh: Path, *, full: bool) -> None:
    """Hold new rows to the script's rule: `freeze` takes the columns that there were; `evolve` also others, and wider types.

    Args:
        script: what brought both.
        landed: the file that is there.
        fresh: what has come.
        full: the person asked for all rows anew, so that they may be of other types.

    Raises:
        TransferRefused: they do not keep it; names column, old and new type.
    """
    from .duck import kind_of

    with _duckdb() as connection:
        before, new = _columns(connection, landed), _kept_columns(connection, landed, fresh)
    if script.frozen and [*before.items()] != [*new.items()]:
        raise TransferRefused(f"{script.label}: its columns were {_shown(before)}, and are {_shown(new)}.", "Say -- schema: evolve.")
    for name, kind in new.items():
        was = before.get(name, kind)
        if not full and was != kind and wider(kind_of(was), kind_of(kind)) is None:
            hint = "Cast it to what it was, or fetch everything anew with --full."
            raise TransferRefused(f"{script.label}: column {name} was {was}, and is {kind}.", hint, column=name, kind=kind)


def merge(script: Script, landed: Path, fresh: Path, merged: Path) -> bool:
    """Bring new rows into those that are there, by key; return whether that changes anything."""
    with _duckdb() as connection:
        before, kept = _columns(connection, landed), _kept_columns(connection, landed, fresh)
        shown = ", ".join(f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}" for name, kind in kept.items())
        new = f"(SELECT {shown} FROM {_rows_of(fresh)})"
        old = _rows_of(landed)
        if [*before] == [*kept] and not connection.execute(f"SELECT 1 FROM (FROM {new} EXCEPT FROM {old}) LIMIT 1").fetchall():
            return False
        same = " AND ".join(f"b.{name} IS NOT DISTINCT FROM n.{name}" for name in map(quoted, script.key))
        others = f"SELECT * FROM {old} AS b WHERE NOT EXISTS (SELECT 1 FROM {new} AS n WHERE {same})"
        connection.execute(_copy(script, f"({others}) UNION ALL BY NAME ({_newest(script, new)})", merged))
    return True


def thin_out(script: Script, fresh: Path, merged: Path) -> bool:
    """Write only the newest row of each key, where there are several; return whether there are."""
    rows = _rows_of(fresh)
    with _duckdb() as connection:
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


def _kept_columns(connection: duckdb.DuckDBPyConnection, landed: Path, fresh: Path) -> dict[str, str]:
    """Return the columns that have come, one without any value in the type that it had: nothing tells that it is another one."""
    before, new = _columns(connection, landed), _columns(connection, fresh)
    for name in [name for name, kind in new.items() if before.get(name, kind) != kind]:
        ((values,),) = connection.execute(f"SELECT count({quoted(name)}) FROM {_rows_of(fresh)}").fetchall()
        if not values:
            new[name] = before[name]
    return new


def _shown(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _duckdb() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _rows_of(path: Path) -> str:
    return f"read_parquet({_text(path)})"


def _text(value: Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"
