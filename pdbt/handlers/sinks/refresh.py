"""A table that is made anew from others of the same database: a summary of what streams stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from ..nodes import BaseHandler
from .stores import store_of
from .targets import find_target


class RefreshTable(BaseHandler):
    """Replaces a table by the rows of a query, in one transaction, each time that it is triggered."""

    runs_in: ClassVar[str] = "thread"

    def __init__(self, target: str | Path, table: str, query: str, needs: Sequence[str] = (), *, project: str | Path | None = None) -> None:
        """Find the target; nothing is opened.

        Args:
            target: the database, as for TableSink. MySQL ends a transaction where a table is made, so that readers see none for a moment.
            table: the table that is replaced.
            query: a SELECT, in the SQL of that database.
            needs: tables without which nothing is done, such as those that no batch has come to yet.
            project: the project whose connections are meant; by default that of the working folder.

        Raises:
            SettingsError: the target is no database.
        """
        self.target = find_target(target, Path(project) if project is not None else None)
        self.table, self.query, self.needs = table, query, tuple(needs)

    def handle(self) -> None:
        """Replace the table.

        Raises:
            StoreFailed: the target cannot be opened.
        """
        store = store_of(self.target)
        try:
            store.begin()
            if all(store.columns(needed) for needed in self.needs):
                store.execute(f"DROP TABLE IF EXISTS {store.quoted(self.table)}")
                store.execute(f"CREATE TABLE {store.quoted(self.table)} AS {self.query}")
                store.commit()
        finally:
            store.close()
