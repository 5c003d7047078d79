"""What becomes of a table of PostgreSQL whose rows are replaced: a new one takes its place, or it stays and only its rows go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .adbc import Session
from .base import Table
from .sql import quoted, table_name

Rows = Callable[..., list[tuple[Any, ...]]]

# A table made LIKE another one has its columns, defaults, checks and indexes. Whatever else there is of the old one would be lost.
_STAYS = """
    SELECT c.relkind <> 'r' OR c.relispartition OR c.relrowsecurity OR pg_get_userbyid(c.relowner) <> current_user
        OR EXISTS (SELECT 1 FROM pg_inherits WHERE c.oid IN (inhparent, inhrelid))
        OR EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f')
        OR EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND (attidentity <> '' OR attacl IS NOT NULL))
        OR EXISTS (
            SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND (
                d.classid IN ('pg_trigger'::regclass, 'pg_publication_rel'::regclass)
                OR d.classid IN ('pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass)
                    AND d.deptype = 'n'
                OR d.classid = 'pg_class'::regclass AND d.objid IN (SELECT oid FROM pg_class WHERE relkind = 'S')
            )
        )
    FROM pg_class c WHERE c.oid = to_regclass(%s)
"""
_CASCADES = """
    SELECT conrelid::regclass::text FROM pg_constraint
    WHERE confrelid = to_regclass(%s) AND contype = 'f' AND confdeltype IN ('c', 'n', 'd') AND conrelid <> confrelid ORDER BY 1
"""
_GRANTS = """
    SELECT a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.is_grantable
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass(%s) AND a.grantee <> c.relowner
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


def swap(rows: Rows, session: Session, target: Table, staging: Table, *, copied: bool) -> None:
    """Put a table in the place of another one, whose privileges it takes over and, as a copy of it, the names of its indexes."""
    session.execute(f"LOCK TABLE {table_name(target)} IN ACCESS EXCLUSIVE MODE", *_grants(rows, target, staging))
    renamed = _renamed_indexes(session, target, staging) if copied else []
    session.execute(f"DROP TABLE {table_name(target)}", f"ALTER TABLE {table_name(staging)} RENAME TO {quoted(target.name)}", *renamed)


def _grants(rows: Rows, target: Table, staging: Table) -> list[str]:
    return [
        f"GRANT {privilege} ON {table_name(staging)} TO {grantee}{' WITH GRANT OPTION' if option else ''}"
        for privilege, grantee, option in rows(_GRANTS, table_name(target))
    ]


def _renamed_indexes(session: Session, target: Table, staging: Table) -> list[str]:
    """Return the statements that give copied indexes, and with them keys, the names of their originals."""
    texts = [table_name(table).replace("'", "''") for table in (target, staging)]
    old, new = ([str(row["name"]) for row in session.rows(_INDEXES.format(table=text))] for text in texts)
    return [f"ALTER INDEX {table_name(Table(staging.schema, copy))} RENAME TO {quoted(name)}" for name, copy in zip(old, new, strict=True)]
