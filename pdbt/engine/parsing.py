"""Parsing of SELECTs: where the one of a file is in it, the tables that it reads, its parameters, and what else it reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import GraphError
from .outside import Outside, merged
from .outside.in_sql import find_in_sql
from .settings import Parameter
from .sql import parameter_names, single_select, table_names
from .state import References, Select, text_hash

if TYPE_CHECKING:
    import duckdb

# An expression that is evaluated downloads nothing, and takes no variable of this program for a table: as a run's own DuckDB.
_CLOSED = dict.fromkeys(("autoinstall_known_extensions", "autoload_known_extensions", "python_enable_replacements"), "false")
_PARTS = re.compile(r'"(?:[^"]|"")+"|[^.]+')


class Parser:
    """Finds what a SELECT reads; the tables that were found in former runs are not looked for again.

    Attributes:
        used: the answers that the next run needs, by the text's hash.
        dialect: ``duckdb``, ``sqlite`` or ``postgresql``.
    """

    def __init__(self, known: Mapping[str, References], dialect: str = "duckdb", parameters: Mapping[str, Parameter] | None = None) -> None:
        """Begin with the answers of former runs, and the values of ``$name``, as far as they are known."""
        self._known = known
        self.dialect = dialect
        self._parameters = parameters or {}
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._evaluated = False
        self._asked: dict[str, References] = {}
        self.used: dict[str, References] = {}

    def select(self, text: str, label: str) -> tuple[Select, bool]:
        """Return the SELECT of a file, and whether the same text and parameters will always give the same one.

        Raises:
            GraphError: the file is not one SELECT, or it is not known which table it reads.
        """
        self._evaluated, self._asked = False, {}
        select = single_select(text, label)
        references, outside = self.reads(select)
        if outside.unclear:
            message = f"{label}: {outside.unclear}() is given an expression, so that it is not known which table it reads."
            raise GraphError(message, "Write the name as a text, or with a $parameter that has a value.")
        start = text.index(select)
        others = Outside(outside.always, outside.day, outside.files, environment=outside.environment)
        found = Select(start, start + len(select), references, parameter_names(select), others)
        if self._evaluated:  # an expression may read the clock: another run looks again, and only the parser's answers hold
            self.used.update(self._asked)
        return found, not self._evaluated

    def references(self, select: str) -> References:
        """Return the tables that this SELECT names itself."""
        digest = text_hash(select)
        if digest not in self._asked:
            self._asked[digest] = (
                self._known.get(digest) or self._parse(select) or References(exact=False, tables=list(table_names(select)))
            )
        return self._asked[digest]

    def reads(self, select: str) -> tuple[References, Outside]:
        """Return the tables that this SELECT reads, those that it names by a text included, and what else it reads."""
        references = self.references(select)
        outside = find_in_sql(select, self.dialect, self._parameters, self._evaluate)
        tables = [*references.tables, *(_schema_and_name(name) for name in outside.tables)]
        for text in outside.queries:
            inner, others = self.reads(text)
            tables += inner.tables
            outside = merged((outside, others))
        return References(references.exact, tables), outside

    def _evaluate(self, expression: str) -> object:
        """Return the value of an expression that needs no table; None when it has none."""
        import duckdb

        self._evaluated = True
        try:
            row = self._duckdb().execute(f"SELECT {expression}").fetchone()
        except duckdb.Error:  # it reads columns, or what only the run has
            return None
        return row[0] if row else None

    def _duckdb(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            self._connection = duckdb.connect(config=dict(_CLOSED))
        return self._connection

    def _parse(self, select: str) -> References | None:
        """Ask DuckDB's parser, which binds nothing, so that the tables need not exist; None when it does not take the text."""
        row = self._duckdb().execute("SELECT json_serialize_sql(?::VARCHAR)", [select]).fetchone()
        try:
            document = json.loads(row[0]) if row else {"error": True}
        except RecursionError:
            return None
        return None if document["error"] else References(exact=True, tables=list(_collect(document["statements"])))


def _schema_and_name(name: str) -> tuple[str, str]:
    """Return schema and name of a table that a text names: with dots between, and quotes where a part has a dot of its own."""
    parts = [part[1:-1].replace('""', '"') if part[0] == '"' else part for part in _PARTS.findall(name)] or [name]
    return (parts[-2] if len(parts) > 1 else "", parts[-1])


def _collect(statements: Any) -> dict[tuple[str, str], None]:
    """Collect the tables of a parsed SELECT, leaving out the names that WITH defines where they are in scope.

    Without recursion: a SELECT of a thousand UNIONs is a tree of a thousand levels.
    """
    found: dict[tuple[str, str], None] = {}
    ahead: list[tuple[Any, frozenset[str]]] = [(statements, frozenset())]
    while ahead:
        part, local = ahead.pop()
        if isinstance(part, list):
            ahead += [(item, local) for item in reversed(part)]
        elif isinstance(part, dict):
            if part.get("type") == "BASE_TABLE" and (part.get("schema_name") or part["table_name"].casefold() not in local):
                found[(part.get("schema_name", ""), part["table_name"])] = None
            ahead += reversed(_parts_in_scope(part, local))
    return found


def _parts_in_scope(part: Mapping[str, Any], local: frozenset[str]) -> list[tuple[Any, frozenset[str]]]:
    """Return what a node of the tree consists of, each part with the names that WITH has defined for it."""
    parts: list[tuple[Any, frozenset[str]]] = []
    if part.get("type") == "RECURSIVE_CTE_NODE":
        local |= {part["cte_name"].casefold()}
    for definition in part.get("cte_map", {}).get("map", []):
        # WITH ORDERS AS (SELECT … FROM ORDERS) reads the real ORDERS: a name is in scope only after its definition.
        parts.append((definition["value"], local))
        local |= {definition["key"].casefold()}
    return parts + [(value, local) for key, value in part.items() if key != "cte_map"]
