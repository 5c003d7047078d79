"""The pipeline that is served: its table is in the file that the environment names."""

from __future__ import annotations

import os
from collections.abc import Callable

import pyarrow as pa
from stream_handlers import SCHEMA, classify, normalise, score  # type: ignore[import-not-found]  # beside this file

from pdbt.handlers import BaseHandler, HandlerNode, Ingest, PipelineExecutor, TableSink


class Step(BaseHandler):
    """Does one of the steps."""

    def __init__(self, step: Callable[[pa.Table], pa.Table]) -> None:
        """Keep it."""
        self.step = step

    def handle(self, data: pa.Table) -> pa.Table:
        """Do it."""
        return self.step(data)


pipeline = PipelineExecutor(
    [HandlerNode("ingest", Ingest(SCHEMA))],
    [
        HandlerNode("normalise", Step(normalise), ["ingest"]),
        HandlerNode("classify", Step(classify), ["normalise"]),
        HandlerNode("score", Step(score), ["classify"]),
        HandlerNode("store", TableSink(os.environ["STREAM_TARGET"], "scored"), ["score"]),
    ],
)
