"""Where and with what a benchmark ran, for its report."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from benchmarks.rivals import Interpreter, Rival

GIBIBYTE = 1024**3


def machine() -> str:
    """Describe this machine in one line: processor, cores, memory, kernel."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE
    return f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def load() -> float:
    """Return the load average of the last minute; well above 0 on a machine that has other things to do."""
    return os.getloadavg()[0]


def versions(ours: Interpreter, installed: dict[Rival, Interpreter]) -> list[str]:
    """List what was compared: Python, DuckDB and each rival with its version."""
    found = [f"Python {ours.python_version()}", f"DuckDB {ours.version('duckdb')}"]
    for rival, interpreter in installed.items():
        found += [f"{name} {interpreter.version(name)}" for name in rival.shown if name != "duckdb"]
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
