"""The demo's files are what their generator says they are."""

from __future__ import annotations

import runpy
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "docs" / "demo"


def test_the_demo_files_are_those_of_their_generator() -> None:
    generated: dict[str, bytes] = runpy.run_path(str(DEMO / "make_data.py"))["files"]()
    shipped = {path.relative_to(DEMO / "data").as_posix(): path.read_bytes() for path in (DEMO / "data").rglob("*.*")}
    assert shipped == generated
