"""The compiled engine that tests lend to their projects: Python takes it, unless the file next to it is another one."""

from __future__ import annotations

import sys
from importlib.util import cache_from_source
from pathlib import Path

from tests import bytecode
from tests.conftest import MakeProject, RunProcess

# Longer than a name in a folder may be, as programs of tests are.
PROGRAM = f"""
import sys
sys.path.insert(0, "scripts")
from engine import cron
print(cron.is_cron.__code__.co_filename, getattr(cron, "ADDED", "as it was"), sep=": ")
# {"long " * 60}
"""


def test_an_engine_is_compiled_for_the_first_process_and_anew_once_it_is_edited(make_project: MakeProject, run_process: RunProcess) -> None:
    project = make_project()
    source = project / "scripts" / "engine" / "cron.py"
    compiled = Path(cache_from_source(str(source)))

    def said() -> str:
        ended = run_process([sys.executable, "-c", PROGRAM], cwd=project)
        assert ended.code == 0, ended.stderr
        return ended.stdout.strip()

    bytecode.lend(["run", project / "macro" / "python-run-process.py"], None)
    lent = compiled.stat()
    assert said() == f"{source}: as it was"  # Python names the project's file, not that of a project before
    assert (compiled.stat().st_ino, compiled.stat().st_mtime_ns) == (lent.st_ino, lent.st_mtime_ns)  # and did not compile it
    source.write_text(source.read_text(encoding="utf-8") + "\nADDED = 'edited'\n", encoding="utf-8")
    assert said() == f"{source}: edited"
    assert compiled.stat().st_ino != lent.st_ino


def test_an_engine_that_was_edited_before_its_first_process_runs_as_edited(make_project: MakeProject, run_process: RunProcess) -> None:
    project = make_project()
    source = project / "scripts" / "engine" / "cron.py"
    source.write_text(source.read_text(encoding="utf-8") + "\nADDED = 'edited'\n", encoding="utf-8")
    broken = source.with_name("broken.py")
    broken.write_text("def\n", encoding="utf-8")
    ended = run_process([sys.executable, "-c", PROGRAM], cwd=project)
    assert ended.stdout.strip() == f"{source}: edited", ended.stderr
    assert Path(cache_from_source(str(source))).exists()
    assert not Path(cache_from_source(str(broken))).exists()
