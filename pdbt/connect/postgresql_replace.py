"""What becomes of a table of PostgreSQL whose rows are replaced: a new one takes its place, or it stays and only its rows go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .adbc import Session
from .base import Table, Writing
from .sql import quoted, table_name

Rows = Callable[..., list[tuple[Any, ...]]]

# A table made LIKE another one has its columns, defaults, checks and indexes. Whatever else there is of the old one would be lost.
_STAYS = """
    SELECT c.relkind <> 'r' OR c.relispartition OR c.relrowsecurity OR pg_get_userbyid(c.relowner) <> current_user
        OR c.relpersistence <> 'p' OR c.reltablespace <> 0 OR c.relreplident <> 'd'
        OR EXISTS (SELECT 1 FROM pg_index WHERE indrelid = c.oid AND indisclustered)
        OR EXISTS (SELECT 1 FROM pg_inherits WHERE c.oid IN (inhparent, inhrelid))
        OR EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f')
        OR EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND (attidentity <> '' OR attacl IS NOT NULL))
        OR EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND (
                d.classid IN ('pg_trigger'::regclass, 'pg_publication_rel'::regclass)
                OR d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass) AND d.deptype = 'n'
                OR d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT oid FROM pg_constraint WHERE conrelid <> c.oid)
                OR d.classid = 'pg_class'::regclass AND d.objid IN (SELECT oid FROM pg_class WHERE relkind = 'S')
            )
        )
    FROM pg_class c WHERE c.oid = to_regclass(%s)
"""
_CASCADES = """
    SELECT conrelid::regclass::text FROM pg_constraint
    WHERE confrelid = to_regclass(%s) AND contype = 'f' AND confdeltype IN ('c', 'n', 'd') AND conrelid <> confrelid ORDER BY 1
"""
# The columns by which rows of other tables refer to a table's; those of the primary key first, as most do.
_REFERRED = """
    SELECT (SELECT array_agg(attname::text ORDER BY place) FROM unnest(k.confkey) WITH ORDINALITY AS u(number, place)
            JOIN pg_attribute ON attrelid = k.confrelid AND attnum = number HAVING bool_and(attnotnull))
    FROM pg_constraint k LEFT JOIN pg_index i ON i.indexrelid = k.conindid
    WHERE k.confrelid = to_regclass(%s) AND k.contype = 'f' AND k.conrelid <> k.confrelid ORDER BY i.indisprimary DESC, k.oid LIMIT 1
"""
_GRANTS = """
    SELECT a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.is_grantable
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass(%s) AND a.grantee <> c.relowner
"""
_OPTIONS = """
    SELECT quote_literal(obj_description(c.oid, 'pg_class')),
        (SELECT string_agg(quote_ident(o.option_name) || ' = ' || quote_literal(o.option_value), ', ')
         FROM pg_options_to_table(c.reloptions) o)
    FROM pg_class c WHERE c.oid = to_regclass(%s)
"""
_INDEXES = """
    SELECT c.relname::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = '{table}'::regclass
    ORDER BY i.indisprimary, i.indisunique, regexp_replace(pg_get_indexdef(i.indexrelid), '^.*? USING ', '')
"""


def stays(rows: Rows, target: Table) -> bool:
    """Whether a table is more than a new one in its place would be: views, keys, triggers, a sequence, another owner belong to it."""
    return bool(rows(_STAYS, table_name(target))[0][0])


def cascading(rows: Rows, target: Table) -> list[str]:
    """Return the tables whose rows would be deleted or changed with those of a table."""
    return [str(name) for (name,) in rows(_CASCADES, table_name(target))]


def referred(rows: Rows, target: Table) -> tuple[str, ...]:
    """Return the columns by which rows of other tables refer to those of a table; none where no table does, or where they may be NULL."""
    found = rows(_REFERRED, table_name(target))
    return tuple(found[0][0] or ()) if found else ()


def reshaping(table: str, writing: Writing) -> list[str]:
    """Return the DDL that gives a table without rows, whose name is quoted, the columns that arrive; a default and a key stay."""
    added = [f"ADD COLUMN {quoted(column.name)} {column.native}" for column in writing.added]
    retyped = [f"ALTER COLUMN {quoted(column.name)} TYPE {column.native} USING CAST(NULL AS {column.native})" for column in writing.widened]
    changes = [*added, *retyped, *(f"DROP COLUMN {quoted(name)}" for name in writing.dropped)]
    return [f"ALTER TABLE {table} {', '.join(changes)}"] if changes else []


def swap(rows: Rows, session: Session, target: Table, staging: Table, indexes: Mapping[str, str]) -> None:
    """Put a copy of a table in its place, with its privileges, comment and storage options, and the names of its indexes.

    Args:
        rows: runs a SELECT outside of the transaction.
        session: the transaction.
        target: the table.
        staging: the copy.
        indexes: the names that the copy's indexes are to have, by those that they have.
    """
    session.execute(f"LOCK TABLE {table_name(target)} IN ACCESS EXCLUSIVE MODE", *_belongings(rows, target, staging))
    text = table_name(staging).replace("'", "''")
    left = [str(row["name"]) for row in session.rows(_INDEXES.format(table=text))]  # those of a column that is gone are gone with it
    kept = [Table(staging.schema, copy) for copy in left if copy in indexes]
    renamed = [f"ALTER INDEX {table_name(copy)} RENAME TO {quoted(indexes[copy.name])}" for copy in kept]
    session.execute(f"DROP TABLE {table_name(target)}", f"ALTER TABLE {table_name(staging)} RENAME TO {quoted(target.name)}", *renamed)


def _belongings(rows: Rows, target: Table, staging: Table) -> list[str]:
    """Return the statements that give a copy what LIKE does not copy."""
    ((comment, options),) = rows(_OPTIONS, table_name(target))
    said = [f"COMMENT ON TABLE {table_name(staging)} IS {comment}"] if comment is not None else []
    stored = [f"ALTER TABLE {table_name(staging)} SET ({options})"] if options else []
    return [*said, *stored, *_grants(rows, target, staging)]


def _grants(rows: Rows, target: Table, staging: Table) -> list[str]:
    return [
        f"GRANT {privilege} ON {table_name(staging)} TO {grantee}{' WITH GRANT OPTION' if option else ''}"
        for privilege, grantee, option in rows(_GRANTS, table_name(target))
    ]


def copied_indexes(session: Session, target: Table, staging: Table) -> dict[str, str]:
    """Return the names of a table's indexes, and with them keys, by the names that those of a fresh copy of it have."""
    texts = [table_name(table).replace("'", "''") for table in (target, staging)]
    old, new = ([str(row["name"]) for row in session.rows(_INDEXES.format(table=text))] for text in texts)
    return dict(zip(new, old, strict=True))
