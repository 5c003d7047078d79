"""Draws a load test beside its rival: the CSV of the one, the mean round trips of the other as JSON, the PNG to write."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from pdbt.handlers.loadtest.report import write_plot
from pdbt.handlers.loadtest.running import Level

table, rival, plot = sys.argv[1:4]
with Path(table).open(newline="", encoding="utf-8") as file:
    levels = [
        Level(**{key: int(value) if value.isdecimal() else float(value) for key, value in line.items()})  # type: ignore[arg-type]
        for line in csv.DictReader(file)
    ]
naive = [(int(clients), float(mean)) for clients, mean in json.loads(Path(rival).read_text(encoding="utf-8")).items()]
write_plot(levels, Path(plot), "pdbt stream: 200 rows a batch, three handlers, SQLite", ("a process for each node and batch, mean", naive))
