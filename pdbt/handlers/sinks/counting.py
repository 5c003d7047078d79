"""How many rows the tables of a pipeline's sinks hold, as who opens the database beside them counts."""

from __future__ import annotations

from ..graph import HandlerGraph
from .stores import store_of
from .table import TableSink


def tables(graph: HandlerGraph) -> list[dict[str, object]]:
    """Return for each table its `table`, its `target` without what is secret, and its `rows`; one that is not there yet has none.

    Raises:
        StoreFailed: a target cannot be opened.
    """
    sinks = [node.handler for node in graph.nodes.values() if isinstance(node.handler, TableSink)]
    found = {(sink.target, sink.table): sink for sink in sinks}
    return [{"table": sink.table, "target": sink.target.label, "rows": _rows(sink)} for sink in found.values()]


def _rows(sink: TableSink) -> int:
    store = store_of(sink.target)
    try:
        store.begin()
        if not store.columns(sink.table):
            return 0
        ((rows,),) = store.execute(f"SELECT count(*) FROM {store.quoted(sink.table)}")  # noqa: S608 - quoted
        return int(rows)
    finally:
        store.close()
