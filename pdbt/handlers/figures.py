"""What a pipeline says of itself: for each node how many batches and rows, how fast, and how many wait."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ..engine.errors import MissingLibrary
from ..engine.process.libraries import is_installed

# Percentiles are of so many batches, the latest; rates of so many seconds.
_KEPT = 1024
_RATE_SECONDS = 10.0


@dataclass(frozen=True)
class NodeFigures:
    """What a node did since the pipeline was started.

    Attributes:
        batches: how many batches it has processed.
        rows: how many rows it was given in these.
        errors: how often its handler failed.
        dead_letters: how many batches were set aside.
        waiting: how many batches wait for it now.
        rows_per_second: in the last seconds.
        p50: the median of the seconds that the latest batches took.
        p99: the 99th percentile of these.
    """

    batches: int
    rows: int
    errors: int
    dead_letters: int
    waiting: int
    rows_per_second: float
    p50: float
    p99: float


class Recorder:
    """Counts for one node."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.batches = self.rows = self.errors = self.dead_letters = 0
        self._latest: deque[tuple[float, int, float]] = deque(maxlen=_KEPT)

    def done(self, rows: int, seconds: float) -> None:
        """Count a batch that is processed."""
        self.batches += 1
        self.rows += rows
        self._latest.append((time.monotonic(), rows, seconds))

    def figures(self, waiting: int) -> NodeFigures:
        """Return the figures as they are now."""
        took = sorted(seconds for _, _, seconds in self._latest)
        p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
        return NodeFigures(self.batches, self.rows, self.errors, self.dead_letters, waiting, self._rate(), p50, p99)

    def _rate(self) -> float:
        now = time.monotonic()
        recent = [(moment, rows) for moment, rows, _ in self._latest if now - moment <= _RATE_SECONDS]
        # When all that is kept is recent, more was done in the time than is kept.
        full = len(recent) == _KEPT
        seconds = max(now - recent[0][0], 1e-3) if full else _RATE_SECONDS
        return sum(rows for _, rows in recent) / seconds


def percentile(ordered: list[float], share: float) -> float:
    """Return the least value that is not exceeded by a share of ordered values; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered), max(1, math.ceil(share * len(ordered)))) - 1]


def as_prometheus(figures: Iterable[tuple[str, NodeFigures]], healthy: bool) -> str:
    """Return figures by node in the text format of Prometheus.

    Raises:
        MissingLibrary: prometheus-client is not installed.
    """
    if not is_installed("prometheus_client"):
        raise MissingLibrary("prometheus-client", "The text of the metrics")
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

    listed = list(figures)
    kinds = (
        ("batches", CounterMetricFamily, "Batches that the node has processed"),
        ("rows", CounterMetricFamily, "Rows that the node was given in these"),
        ("errors", CounterMetricFamily, "How often its handler failed"),
        ("dead_letters", CounterMetricFamily, "Batches that were set aside"),
        ("waiting", GaugeMetricFamily, "Batches that wait for the node"),
        ("rows_per_second", GaugeMetricFamily, "Rows a second in the last seconds"),
    )

    class Collector:
        def collect(self) -> Iterable[Metric]:
            up = GaugeMetricFamily("pdbt_up", "Whether the pipeline runs")
            up.add_metric([], float(healthy))
            yield up
            for name, kind, text in kinds:
                family = kind(f"pdbt_node_{name}", text, labels=["node"])
                for node, of_node in listed:
                    family.add_metric([node], getattr(of_node, name))
                yield family
            took = Metric("pdbt_node_seconds", "Seconds that the latest batches took", "summary")
            for node, of_node in listed:
                for quantile, value in (("0.5", of_node.p50), ("0.99", of_node.p99)):
                    took.add_sample("pdbt_node_seconds", {"node": node, "quantile": quantile}, value)
            yield took

    registry = CollectorRegistry()
    registry.register(Collector())
    return generate_latest(registry).decode()
