"""The project's stream: clients, transactions and scores come by Flight and as files, and are stored in the streams' database.

Send by Arrow Flight to the nodes clients, transactions and scores, or put CSV files into data/stream/clients, data/stream/transactions
and data/stream/scores. Scores are also read by SQL each time that the node scores_sql is triggered, when STREAM_SCORES_FROM names a
connection, a URL or a database file with a table SCORES.

The tables STREAM_CLIENTS, STREAM_TRANSACTIONS and STREAM_SCORES are filled, and STREAM_SUMMARY is made of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pdbt.handlers import (
    BaseHandler,
    Classify,
    HandlerNode,
    Ingest,
    NormaliseText,
    PipelineExecutor,
    ReadFiles,
    RefreshTable,
    RequestTrigger,
    Sql,
    SqlSource,
    TableSink,
    TimerTrigger,
    Trigger,
)

PROJECT = Path(__file__).resolve().parents[2]
INBOX = PROJECT / "data" / "stream"
SUMMARY_SECONDS = 2.0

CLIENTS = pa.schema([("client", pa.string()), ("name", pa.string()), ("country", pa.string())])
TRANSACTIONS = pa.schema([("id", pa.int64()), ("client", pa.string()), ("amount", pa.float64()), ("description", pa.string())])
SCORES = pa.schema([("client", pa.string()), ("score", pa.float64())])
SCORES_FROM = os.environ.get("STREAM_SCORES_FROM", "")
SCORES_QUERY = "SELECT client, score FROM SCORES ORDER BY client"

# The risk of a transaction: its amount, and what it is for.
RISK = """
SELECT *, round(least(1.0, amount / 10000 + CASE category WHEN 'gambling' THEN 0.5 WHEN 'transfer' THEN 0.2 ELSE 0.0 END), 4) AS risk
FROM batch
"""
# A line for each client, however often its rows came: what is read twice is stored twice.
SUMMARY = """
SELECT c.client, c.name, c.country, s.score, coalesce(t.transactions, 0) AS transactions, coalesce(t.amount, 0) AS amount, t.highest_risk
FROM (SELECT client, max(name) AS name, max(country) AS country FROM "STREAM_CLIENTS" GROUP BY client) AS c
LEFT JOIN (SELECT client, max(score) AS score FROM "STREAM_SCORES" GROUP BY client) AS s ON s.client = c.client
LEFT JOIN (
    SELECT client, count(*) AS transactions, sum(amount) AS amount, max(risk) AS highest_risk FROM "STREAM_TRANSACTIONS" GROUP BY client
) AS t ON t.client = c.client
"""


class ByWords:
    """Names the category whose word stands in a description; put a model of scikit-learn in its place."""

    WORDS = (("casino", "gambling"), ("bet", "gambling"), ("transfer", "transfer"), ("rent", "housing"), ("grocer", "food"))

    def predict(self, descriptions: Sequence[str | None]) -> list[str]:
        """Return a category for each description."""
        return [next((name for word, name in self.WORDS if word in (text or "")), "other") for text in descriptions]


def producers(name: str, schema: pa.Schema) -> tuple[list[HandlerNode], RequestTrigger]:
    """Return the two nodes that rows of a table enter by, and what reads the files that arrive for it."""
    files = f"{name}_files"
    nodes = [HandlerNode(name, Ingest(schema)), HandlerNode(files, ReadFiles(schema))]
    return nodes, RequestTrigger(files, folder=INBOX / name, ending=".csv")


def steps(name: str, sources: list[HandlerNode], *handlers: tuple[str, BaseHandler]) -> list[HandlerNode]:
    """Return the nodes of a table, each after the one before; the first has what comes from each of its sources."""
    nodes: list[HandlerNode] = []
    for step, handler in handlers:
        nodes.append(HandlerNode(f"{name}_{step}", handler, nodes[-1:] or sources, join="any"))
    return nodes


def pipeline() -> PipelineExecutor:
    """Return the pipeline; `STREAM_EXECUTOR=ray` has it run on Ray."""
    clients, clients_arrive = producers("clients", CLIENTS)
    transactions, transactions_arrive = producers("transactions", TRANSACTIONS)
    scores, scores_arrive = producers("scores", SCORES)
    triggers: list[Trigger] = [clients_arrive, transactions_arrive, scores_arrive, TimerTrigger("summary", SUMMARY_SECONDS)]
    if SCORES_FROM:
        scores.append(HandlerNode("scores_sql", SqlSource(SCORES_FROM, SCORES_QUERY, project=PROJECT)))
        triggers.append(RequestTrigger("scores_sql"))
    tables = ("STREAM_CLIENTS", "STREAM_TRANSACTIONS", "STREAM_SCORES")
    summary = HandlerNode("summary", RefreshTable(PROJECT, "STREAM_SUMMARY", SUMMARY, tables))
    return PipelineExecutor(
        producer_nodes=[*clients, *transactions, *scores, summary],
        consumer_nodes=[
            *steps(
                "clients", clients, ("normalise", NormaliseText(["client", "name", "country"])), ("store", TableSink(PROJECT, tables[0]))
            ),
            *steps(
                "transactions",
                transactions,
                ("normalise", NormaliseText(["client", "description"])),
                ("classify", Classify(ByWords(), "description", output="category")),
                ("risk", Sql(RISK)),
                ("store", TableSink(PROJECT, tables[1])),
            ),
            *steps("scores", scores, ("normalise", NormaliseText(["client"])), ("store", TableSink(PROJECT, tables[2]))),
        ],
        triggers=triggers,
        executor=os.environ.get("STREAM_EXECUTOR", "local"),
        on_error="dead_letter",
        dead_letters=PROJECT / "data" / "stream" / "dead-letters",
    )
