"""The pipeline in the docs is run as it stands there, and every value of a node and of an executor is described."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

from pdbt.handlers import HandlerNode
from pdbt.handlers.rules import EXECUTORS, ON_ERROR, Rules
from tests.conftest import RunProcess

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "handlers.md").read_text(encoding="utf-8")


def test_the_first_pipeline_of_the_docs_runs_as_a_script(run_process: RunProcess, tmp_path: Path) -> None:
    """As a script its classes are in no module that a worker could import, and it has no guard for the main module."""
    script = tmp_path / "pipeline.py"
    script.write_text(re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)[0], encoding="utf-8")
    result = run_process([sys.executable, script], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert result.code == 0, result.stderr
    assert result.stdout == (
        "[{'customer': 'a', 'amount': 10.0, 'total': 12.0}, {'customer': 'b', 'amount': 4.0, 'total': 4.8}]\n"
        "[{'customer': 'a', 'amount': 1.5, 'total': 1.7999999999999998}]\n"
    )


def test_every_value_is_in_the_docs() -> None:
    names = {field.name for kind in (HandlerNode, Rules) for field in dataclasses.fields(kind)}
    assert {name for name in names if f"`{name}`" not in PAGE and f"{name}=" not in PAGE and f"({name}," not in PAGE} == {"handler", "file"}
    assert [choice for choice in (*EXECUTORS, *ON_ERROR) if f'`"{choice}"`' not in PAGE] == []
