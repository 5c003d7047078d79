"""The script that CI runs: the checks beside the tests, the files that it keeps, and the exit code of what failed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import RunProcess

# All that the script needs of a machine that has no browser.
TOOLS = ("bash", "cat", "dirname", "grep", "mkdir", "rm", "tail", "tee", "timeout")
# Stands for make, whose tests take an hour; what it is asked for is written down.
MAKE = """#!/bin/sh
echo "$@" >> "$ASKED"
case "$1" in
    check) echo "a sentence of the checks"; exit "$CHECKS";;
    tests) exit "$TESTS";;
    test) echo "=== 3 passed, 1 failed in 2.00s ==="; exit "$TESTS";;
esac
"""


def put(folder: Path, programs: dict[str, str]) -> None:
    """Write programs that stand for others of the same names."""
    for name, text in programs.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize(("tests", "checks", "code"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (1, 2, 1)])
def test_ci_ends_with_the_closing_line_and_the_code_of_what_failed(
    checkout: Path, run_process: RunProcess, tmp_path: Path, tests: int, checks: int, code: int
) -> None:
    put(tmp_path, {"make": MAKE, **dict.fromkeys(("apt-get", "chromedriver", "chromium"), "#!/bin/sh\n")})
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
    (compiled,) = [goal for goal in goals if goal.startswith("tests ")]  # once, for all workers
    assert "SLOW=1 WORKERS=0 PYTEST_ARGS=--collect-only " in compiled
    (ran,) = [goal for goal in goals if goal.startswith("test ")]
    assert "CHECKED=1 SLOW=1 WORKERS=7 " in ran
    assert "--junit-xml=.ci/results/durations.xml" in ran


@pytest.mark.parametrize("code", [0, 100])
def test_ci_installs_the_programs_that_the_machine_lacks(checkout: Path, run_process: RunProcess, tmp_path: Path, code: int) -> None:
    """While make fills the environment; without them nothing is run."""
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        (tmp_path / name).symlink_to(found)
    apt = '#!/bin/sh\necho "apt-get $@" >> "$ASKED"\n[ "$1" = update ] || exit "$CODE"\n'
    put(tmp_path, {"make": MAKE, "apt-get": apt, "id": "#!/bin/sh\necho 0\n", "python3": "#!/bin/sh\n"})
    asked = tmp_path / "asked"
    environment = {"PATH": str(tmp_path), "ASKED": str(asked), "CODE": str(code), "TESTS": "0", "CHECKS": "0", "WORKERS": "7"}
    ended = run_process([tmp_path / "bash", checkout / ".ci" / "run"], env=environment)
    goals = asked.read_text(encoding="utf-8").splitlines()
    assert goals[0] == "apt-get update -qq"
    (installed,) = [goal for goal in goals if goal.startswith("apt-get install ")]
    assert installed.endswith(" chromium chromium-driver")
    assert "install" in goals
    assert ended.code == (2 if code else 0), ended.stderr
    assert any(goal.startswith("test ") for goal in goals) is (code == 0)
    assert ("error: apt-get could not install" in ended.stderr) is (code != 0)
