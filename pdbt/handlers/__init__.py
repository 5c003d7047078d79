"""Handlers: Python code that processes batches of records as they come, as a graph of nodes between producers and consumers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import BatchRefused, Overloaded, PipelineFailed, PipelineStopped, UnknownNode
    from .executor import PipelineExecutor
    from .figures import NodeFigures
    from .flight.client import Ack, Client, ServerRefused, ServerUnavailable
    from .flight.server import FlightServer, Limits
    from .graph import HandlerGraph
    from .loading import load_pipeline
    from .nodes import BaseHandler, BaseSink, Batch, HandlerNode
    from .rounds import Receipt
    from .serving import Serving, serve
    from .sinks.files import FileSink
    from .sinks.flight import FlightSink
    from .sinks.refresh import RefreshTable
    from .sinks.table import TableSink
    from .sources import FileSource, FlightSource, Ingest, ReadFiles, SqlSource
    from .steps import Classify, Filter, Map, NormaliseText, Sql
    from .triggers import RequestTrigger, StillRunning, TimerTrigger, Trigger

__all__ = [
    "Ack",
    "BaseHandler",
    "BaseSink",
    "Batch",
    "BatchRefused",
    "Classify",
    "Client",
    "FileSink",
    "FileSource",
    "Filter",
    "FlightServer",
    "FlightSink",
    "FlightSource",
    "HandlerGraph",
    "HandlerNode",
    "Ingest",
    "Limits",
    "Map",
    "NodeFigures",
    "NormaliseText",
    "Overloaded",
    "PipelineExecutor",
    "PipelineFailed",
    "PipelineStopped",
    "ReadFiles",
    "Receipt",
    "RefreshTable",
    "RequestTrigger",
    "ServerRefused",
    "ServerUnavailable",
    "Serving",
    "Sql",
    "SqlSource",
    "StillRunning",
    "TableSink",
    "TimerTrigger",
    "Trigger",
    "UnknownNode",
    "load_pipeline",
    "serve",
]

_HOMES = {
    "Ack": "flight.client",
    "BaseHandler": "nodes",
    "BaseSink": "nodes",
    "Batch": "nodes",
    "BatchRefused": "errors",
    "Classify": "steps",
    "Client": "flight.client",
    "FileSink": "sinks.files",
    "FileSource": "sources",
    "Filter": "steps",
    "FlightServer": "flight.server",
    "FlightSink": "sinks.flight",
    "FlightSource": "sources",
    "HandlerGraph": "graph",
    "HandlerNode": "nodes",
    "Ingest": "sources",
    "Limits": "flight.server",
    "Map": "steps",
    "NodeFigures": "figures",
    "NormaliseText": "steps",
    "Overloaded": "errors",
    "PipelineExecutor": "executor",
    "PipelineFailed": "errors",
    "PipelineStopped": "errors",
    "ReadFiles": "sources",
    "Receipt": "rounds",
    "RefreshTable": "sinks.refresh",
    "RequestTrigger": "triggers",
    "ServerRefused": "flight.client",
    "ServerUnavailable": "flight.client",
    "Serving": "serving",
    "Sql": "steps",
    "SqlSource": "sources",
    "StillRunning": "triggers",
    "TableSink": "sinks.table",
    "TimerTrigger": "triggers",
    "Trigger": "triggers",
    "UnknownNode": "errors",
    "load_pipeline": "loading",
    "serve": "serving",
}


def __getattr__(name: str) -> object:
    """Load a public name where it is first asked for: a command that needs one module does not pay for all."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
