"""What was measured last, contest by contest, so that one can be measured again without the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contest import Bar, Outcome


@dataclass(frozen=True)
class Measurement:
    """One contest, measured in one run of the benchmark.

    Attributes:
        day: when, as an ISO date.
        runs: how many measured runs each contestant had.
        load: the load average of the machine before it.
        machine: the machine, in one line.
        versions: what was compared.
        outcomes: one per bar, in order.
    """

    day: str
    runs: int
    load: float
    machine: str
    versions: Sequence[str]
    outcomes: Sequence[Outcome]


def read(path: Path) -> dict[str, Measurement]:
    """Return the measurements of a file by contest; none if it is not there."""
    if not path.exists():
        return {}
    return {name: _measurement(entry) for name, entry in json.loads(path.read_text(encoding="utf-8")).items()}


def write(path: Path, measurements: Mapping[str, Measurement]) -> None:
    """Write the measurements, with every single figure."""
    entries = {name: asdict(measurement) for name, measurement in measurements.items()}
    path.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def _measurement(entry: Mapping[str, object]) -> Measurement:
    fields = dict(entry)
    outcomes = fields.pop("outcomes")
    assert isinstance(outcomes, list)
    return Measurement(
        **fields,  # type: ignore[arg-type]  # as they were written
        outcomes=[Outcome(Bar(**outcome["bar"]), tuple(outcome["ours"]), tuple(outcome["rival"])) for outcome in outcomes],
    )
