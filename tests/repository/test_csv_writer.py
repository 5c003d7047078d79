"""CSV is written in one place: the csv module alone loses a lone carriage return."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WRITING = re.compile(r"\bcsv\.(?:writer|DictWriter)\(")


def test_only_one_module_writes_csv() -> None:
    files = [path for folder in ("pdbt", "templates", "sample") for path in (ROOT / folder).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in files if WRITING.search(path.read_text(encoding="utf-8"))}
    assert found == {"pdbt/engine/csv_writer.py"}
