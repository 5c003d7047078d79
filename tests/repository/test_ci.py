"""The script that CI runs: the checks beside the tests, the files that it keeps, and the exit code of what failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import RunProcess

# Stands for make, whose tests take an hour; what it is asked for is written down.
MAKE = """#!/bin/sh
echo "$@" >> "$ASKED"
case "$1" in
    check) echo "a sentence of the checks"; exit "$CHECKS";;
    test) echo "=== 3 passed, 1 failed in 2.00s ==="; exit "$TESTS";;
esac
"""


@pytest.mark.parametrize(("tests", "checks", "code"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (1, 2, 1)])
def test_ci_ends_with_the_closing_line_and_the_code_of_what_failed(
    checkout: Path, run_process: RunProcess, tmp_path: Path, tests: int, checks: int, code: int
) -> None:
    for name, text in {"make": MAKE, **dict.fromkeys(("apt-get", "chromedriver", "chromium"), "#!/bin/sh\n")}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    asked = tmp_path / "asked"
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "ASKED": str(asked),
        "TESTS": str(tests),
        "CHECKS": str(checks),
        "WORKERS": "7",
    }
    ended = run_process(["bash", checkout / ".ci" / "run"], env=environment)
    assert (ended.code, ended.stderr) == (code, "")
    lines = ended.stdout.splitlines()
    assert lines[-1] == "=== 3 passed, 1 failed in 2.00s ==="
    assert lines[-2].startswith("How long each test took: .ci/results/durations.xml; ")
    assert ("a sentence of the checks" in lines) is (checks != 0)
    results = checkout / ".ci" / "results"
    assert (results / "checks.log").read_text(encoding="utf-8") == "a sentence of the checks\n"
    assert "3 passed" in (results / "tests.log").read_text(encoding="utf-8")
    goals = asked.read_text(encoding="utf-8").splitlines()
    assert goals[0] == "install"
    (ran,) = [goal for goal in goals if goal.startswith("test ")]
    assert "CHECKED=1 SLOW=1 WORKERS=7 " in ran
    assert "--junit-xml=.ci/results/durations.xml" in ran
