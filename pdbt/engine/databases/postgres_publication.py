"""Publishing to PostgreSQL: one transaction, which readers see all of or nothing of.

A table whose columns stay is emptied by DELETE and filled by INSERT: readers go on reading its old rows until the commit, those
in a REPEATABLE READ transaction until they end it, and nobody waits. TRUNCATE, or renaming a new table into place, would lock
readers out and show the others an empty table. Only a table whose columns changed, or that is dropped, needs the table for
itself: that comes last, when all rows are written, and is tried for less time than PostgreSQL takes to look for deadlocks, so
that it is never a reader that fails.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from ..errors import BuildError
from .names import quoted
from .postgres_names import fitted
from .postgres_server import columns_of, sqlstate

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .postgres_registry import Registry

LOCK_MILLISECONDS = 200  # readers wait no longer for us; deadlock_timeout is 1 s unless somebody changed it
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
PASSING = ("55P03", "40P01", "40001")  # lock not available, deadlock, serialization failure
NEXT = "pdbt next "


class Publication:
    """One publication of a project's sealed work schema."""

    def __init__(self, connection: Connection, registry: Registry, lock_timeout: float) -> None:
        """Prepare to publish what the registry's work schema holds, waiting up to `lock_timeout` seconds for others."""
        self._connection = connection
        self._registry = registry
        self._lock_timeout = lock_timeout
        self._deadline = 0.0

    def publish(self, changed: dict[str, str], dropped: Sequence[str]) -> None:
        """Replace the changed tables and remove the dropped ones, all at once.

        Args:
            changed: PostgreSQL's name of each table to the project's.
            dropped: PostgreSQL's names of the tables that are no longer part of the project.

        Raises:
            BuildError: the work is no longer there, a table belongs to somebody else, or one stayed locked.
            sqlalchemy.exc.DBAPIError: anything else that PostgreSQL refuses.
        """
        self._deadline = time.monotonic() + self._lock_timeout
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._run("BEGIN")
            try:
                self._replace(changed, dropped)
                self._run("COMMIT")
                return
            except DBAPIError as error:
                self._roll_back()
                if sqlstate(error) not in PASSING:
                    raise
                self._give_up_at_the_deadline(error)
            except BaseException:
                self._roll_back()
                raise
            pause = _paused(pause)

    def tidy(self, changed: Sequence[str]) -> None:
        """Remove the work schema and the old rows. Readers already have the new ones, so that nothing here may fail the run."""
        with contextlib.suppress(DBAPIError):
            self._run(f"DROP SCHEMA IF EXISTS {quoted(self._registry.work)} CASCADE")
        for table in changed:
            with contextlib.suppress(DBAPIError):  # without TRUNCATE, which would lock readers out for a moment
                self._run(f"VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {self._published(table)}")

    def _replace(self, changed: dict[str, str], dropped: Sequence[str]) -> None:
        """Do all of the transaction but its commit."""
        self._run(f"SET LOCAL lock_timeout = {max(1, int((self._deadline - time.monotonic()) * 1000))}")
        token = self._registry.work_token()
        if token is None:
            raise BuildError("The finished work is no longer in PostgreSQL: the server was restarted after a crash.", "Run again.")
        made = self._registry.tables()
        for table in changed:
            require_ours(self._connection, self._registry, table, made)
        replaced = [table for table in changed if self._filled(table)]
        removed = [table for table in dropped if table in made and self._columns(self._registry.schema, table)]
        if replaced or removed:
            self._swap(replaced, removed)
        kept = {table: name for table, name in made.items() if table not in dropped}
        self._registry.record(token, kept | changed)

    def _filled(self, table: str) -> bool:
        """Write a table's new rows; tells whether they lie in a new table that is to take the old one's place."""
        wanted, published = self._columns(self._registry.work, table), self._columns(self._registry.schema, table)
        if not wanted:
            raise BuildError(f"{table} is to be published and was not built.", "Run with --full.")
        work = f"{quoted(self._registry.work)}.{quoted(table)}"
        if published == wanted:
            names = ", ".join(quoted(name) for name, _ in wanted)
            self._run(f"DELETE FROM {self._published(table)}")
            self._run(f"INSERT INTO {self._published(table)} ({names}) SELECT {names} FROM {work}")
            return False
        target = self._published(_next(table) if published else table)
        self._run(f"CREATE TABLE {target} AS SELECT * FROM {work}")
        return bool(published)

    def _swap(self, replaced: Sequence[str], removed: Sequence[str]) -> None:
        """Lock the tables that go, remove them, and give their names and grants to the new ones."""
        going = [self._published(table) for table in (*replaced, *removed)]
        self._run(f"SET LOCAL lock_timeout = {max(1, LOCK_MILLISECONDS // len(going))}")
        self._lock(going)
        for table in replaced:
            self._copy_grants(table, _next(table))
        self._run(f"DROP TABLE {', '.join(going)}")
        for table in replaced:
            self._run(f"ALTER TABLE {self._published(_next(table))} RENAME TO {quoted(table)}")

    def _lock(self, going: Sequence[str]) -> None:
        """Take tables for ourselves alone; without success let go of them all, so that readers get on, and try again."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._run("SAVEPOINT locking")
            try:
                self._run(f"LOCK TABLE {', '.join(going)} IN ACCESS EXCLUSIVE MODE")
                return
            except DBAPIError as error:
                if sqlstate(error) not in PASSING:
                    raise
                self._run("ROLLBACK TO SAVEPOINT locking")
                self._give_up_at_the_deadline(error)
            pause = _paused(pause)

    def _copy_grants(self, old: str, new: str) -> None:
        """Let those read the new table whom the old one was granted to."""
        select = """
            SELECT privilege_type, CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
            FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass(%s) AND grantee <> relowner
        """
        for privilege, role in self._connection.exec_driver_sql(select, (self._published(old),)).fetchall():
            self._run(f"GRANT {privilege} ON {self._published(new)} TO {role}")

    def _columns(self, schema: str, table: str) -> list[tuple[str, str]]:
        """Return names and types of a table's columns; empty when there is no such table."""
        return columns_of(self._connection, f"{quoted(schema)}.{quoted(table)}")

    def _published(self, table: str) -> str:
        return f"{quoted(self._registry.schema)}.{quoted(table)}"

    def _run(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement)

    def _roll_back(self) -> None:
        with contextlib.suppress(DBAPIError):  # the connection may be what failed; without it the server rolls back
            self._run("ROLLBACK")

    def _give_up_at_the_deadline(self, error: DBAPIError) -> None:
        if time.monotonic() < self._deadline:
            return
        seconds = f"{self._lock_timeout:g} s"
        raise BuildError(
            f"Other sessions of PostgreSQL kept tables of this project locked for {seconds}: {self._others()}.",
            "Nothing was published. End those sessions, or raise [database] lock_timeout, then run again.",
        ) from error

    def _others(self) -> str:
        """Name the sessions that hold locks on tables of the project's schema."""
        select = """
            SELECT DISTINCT pid, usename, application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
            JOIN pg_class ON pg_class.oid = relation JOIN pg_namespace n ON n.oid = relnamespace
            WHERE nspname = %s AND pid <> pg_backend_pid() ORDER BY pid LIMIT 5
        """
        with contextlib.suppress(DBAPIError):
            found = self._connection.exec_driver_sql(select, (self._registry.schema,)).fetchall()
            if found:
                return ", ".join(f"PID {pid} ({' '.join(filter(None, (user, application)))})" for pid, user, application in found)
        return "they have ended by now"


def require_ours(connection: Connection, registry: Registry, table: str, made: Mapping[str, str]) -> None:
    """Refuse to replace what this project did not make.

    Args:
        connection: any connection to the database.
        registry: the project's.
        table: PostgreSQL's name of the table.
        made: the tables that the project has published.

    Raises:
        BuildError: the schema has a table, view or anything else of this name that is not the project's.
    """
    select = "SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)"
    found = connection.exec_driver_sql(select, (f"{quoted(registry.schema)}.{quoted(table)}",)).scalar()
    if found is None or (table in made and found in ("r", b"r")):
        return
    owners = ", ".join(registry.owners(table))
    maker = f"project {owners} made it" if owners and table not in made else "this project did not make it"
    raise BuildError(f"{registry.schema}.{table} exists and {maker}, so it is not replaced.", "Rename one of the two.")


def _next(table: str) -> str:
    """Return the name of a table until it takes the old one's place."""
    return fitted(f"{NEXT}{table}")


def _paused(seconds: float) -> float:
    """Wait, and return how long to wait the next time."""
    time.sleep(seconds)
    return min(2 * seconds, LONGEST_PAUSE_SECONDS)
