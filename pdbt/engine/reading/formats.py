"""The kinds of source files, told by their names' endings."""

from __future__ import annotations

from pathlib import Path

TEXT = (".csv", ".tsv", ".tab", ".txt", ".psv", ".dat")
JSON = (".json", ".jsonl", ".ndjson")
PARQUET = (".parquet",)
SPREADSHEET = (".xlsx", ".xls", ".xlsb", ".ods")
COMPRESSED = (".gz", ".zst")

SUPPORTED = (*TEXT, *JSON, *PARQUET, *SPREADSHEET, *(kind + packed for kind in (*TEXT, *JSON) for packed in COMPRESSED))


def ending(path: Path) -> str:
    """Return what the name says of the file's kind, in lower case: ``.csv``, ``.json.gz``; empty when it is none that is read."""
    name = path.name.lower()
    packed = next((packed for packed in COMPRESSED if name.endswith(packed)), "")
    kind = Path(name.removesuffix(packed)).suffix + packed
    return kind if kind in SUPPORTED else ""


def supported(path: Path) -> bool:
    """Whether a file of this name can be a source."""
    return ending(path) != ""


def stem(path: Path) -> str:
    """Return the name without the ending that tells its kind: ``orders`` for ``orders.csv.gz``."""
    return path.name[: len(path.name) - len(ending(path))]
