"""Staged rows brought into a table of MySQL by key; texts compare by their bytes, whatever the collation of their column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pymysql

from . import sql
from .base import TransferRefused, Writing, on_one_line

if TYPE_CHECKING:
    from pymysql.connections import Connection

AS_BYTES = "CAST({} AS BINARY)"
# Of these collations, which compare texts by their bytes, a server has one. To utf8mb4_bin spaces at the end of a text are nothing.
BYTEWISE = """
    SELECT collation_name FROM information_schema.collations
    WHERE collation_name IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') ORDER BY collation_name DESC LIMIT 1
"""
_DUPLICATE = 1062
_DELETE_OTHERS = "DELETE t FROM {target} AS t LEFT JOIN {staging} AS s ON {on} WHERE s.{first} IS NULL"
_UPDATE = "UPDATE {target} AS t JOIN {staging} AS s ON {on} SET {set}"
_FORGET = "DELETE s FROM {staging} AS s JOIN {target} AS t ON {on}"  # MariaDB joins by hash only where it is set to


def require_keys(connection: Connection[Any], writing: Writing, staging: str) -> None:
    """Refuse staged rows without a key, or with one that another row has too. MySQL reads a temporary table only once in a query."""
    texts = sql.texts_of(writing, AS_BYTES)
    keys = ", ".join(texts.get(name, "{}").format(sql.quoted(name)) for name in writing.key)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(sum({sql.nulls_of(writing.key)}), 0), count(*) - count(DISTINCT {keys}) FROM {staging}")
        missing, twice = cursor.fetchone() or (0, 0)
    sql.refuse_bad_keys(writing, int(missing), int(twice) - int(missing))


def merge(connection: Connection[Any], writing: Writing, staging: str) -> None:
    """Update the rows of the target whose key is staged, and add the others.

    Raises:
        TransferRefused: a key of the target takes two texts for one.
    """
    target, texts = sql.table_name(writing.table), sql.texts_of(writing, AS_BYTES)
    on = sql.same_key(writing.key, texts)
    statements = sql.merge_statements(target, staging, writing.columns, writing.key, _UPDATE, changes="t.", forget=_FORGET, on=on)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except pymysql.IntegrityError as error:
        if error.args[0] != _DUPLICATE or not texts:
            raise
        raise TransferRefused(
            f"{writing.table}: {on_one_line(error.args[1]).rstrip('.')}.",
            "If its collation takes texts for the same that differ in case, accents or spaces at the end, give it a binary one.",
            column=next(iter(texts)),
        ) from error


def exchange_rows(connection: Connection[Any], writing: Writing, staging: str, referred: Sequence[str]) -> None:
    """Replace the rows of a table that stays, because foreign keys or triggers belong to it.

    Args:
        connection: in a transaction.
        writing: what is written.
        staging: the table of the new rows, quoted.
        referred: the columns by which rows of other tables refer to those of the target: what arrives under the same key stays a row.
    """
    target, names = sql.table_name(writing.table), sql.listed(column.name for column in writing.columns)
    keyed = sql.keyed(writing, referred)
    if keyed is None:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {target}")
            cursor.execute(f"INSERT INTO {target} ({names}) SELECT {names} FROM {staging}")
        return
    require_keys(connection, keyed, staging)
    on, first = sql.same_key(keyed.key, sql.texts_of(keyed, AS_BYTES)), sql.quoted(keyed.key[0])
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_OTHERS.format(target=target, staging=staging, on=on, first=first))
    merge(connection, keyed, staging)
