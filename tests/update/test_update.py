"""`pdbt update` on a project that an older pdbt made and its owner edited: every edit is kept, or is a marked conflict."""

from __future__ import annotations

import os
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from pdbt.cli import main
from pdbt.engine.errors import PdbtError, RunInProgress
from pdbt.engine.lock import run_lock
from pdbt.scaffold import UnresolvedConflicts, add_addon, update_project
from pdbt.scaffold.base import BASE_FILE, read_base
from pdbt.scaffold.generated import generated_files
from pdbt.scaffold.zstd import decompressed
from pdbt.version import __version__
from tests.conftest import MakeProject, RunProcess, RunProject
from tests.update.conftest import OLD_VERSION, age, contents

SMALL = 300_000  # bytes
ORDERS = "id;status;amount\n1;paid;1,5\n2;open;2,5\n3;paid;3,5\n"
CLEAN = "SELECT id, status, amount FROM ORDERS WHERE amount > $least\n"
RESULT = "SELECT status, sum(amount) AS total FROM CLEAN GROUP BY status ORDER BY status\n"
SCRIPT = "scripts/transforming.py"
PLACE = b"        # Your own code before the tables are built.\n"


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{before!r} in {path}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def results(project: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for folder in ("processed", "final") for path in sorted((project / "data" / folder).glob("*.csv"))}


def edit_in_many_ways(project: Path) -> None:
    """Do to a project what owners do; its results stay what they are."""
    # Settings: a value, a value that was a comment, a section of one's own, and a line that the new template changes too.
    edit(project / "pdbt.toml", 'name = "shop"', 'name = "corner shop"')
    edit(project / "pdbt.toml", '# format = "csv"', 'format = "csv"  # what the accountant wants')
    edit(project / "pdbt.toml", "# retries = 0", "retries = 2")
    # Scripts, of the project and of the engine.
    edit(project / "scripts/source.py", "        # Your own code after the import.\n", '        print("imported by hand")\n')
    edit(project / "scripts/engine/session.py", '"""Opening a run', '"""My own way of opening a run')
    # Removed, added, added under a name that the new template has, renamed.
    (project / "README.md").unlink()
    (project / "sample/scripts/checks").rename(project / "sample/scripts/my-checks")
    (project / "scripts/helpers.py").write_text("ANSWER = 42\n", encoding="utf-8")
    (project / "macro/dagster-run-process.py").write_text("# my own definitions\n", encoding="utf-8")
    (project / "requirements.txt").rename(project / "requirements-production.txt")
    # Line ends, with and without an edit; a file's mode.
    crlf = (project / ".gitignore").read_bytes().replace(b"\n", b"\r\n")
    (project / ".gitignore").write_bytes(b"mine.txt\r\n" + crlf)
    (project / SCRIPT).write_bytes((project / SCRIPT).read_bytes().replace(b"\n", b"\r\n"))
    (project / "macro/python-run-process.py").chmod(0o755)
    (project / "scripts/engine/run.py").chmod(0o750)


def test_each_edit_is_kept_or_is_a_marked_conflict_and_results_stay(old_project: Path, run_project_warm: RunProject) -> None:
    (old_project / "data/source/orders.csv").write_text(ORDERS, encoding="utf-8")
    (old_project / "scripts/processed/CLEAN.sql").write_text(CLEAN, encoding="utf-8")
    (old_project / "scripts/final/RESULT.sql").write_text(RESULT, encoding="utf-8")
    edit(old_project / "pdbt.toml", "# since = 2026-01-01", "least = 2")
    edit_in_many_ways(old_project)
    assert run_project_warm(old_project).code == 0
    before, published = contents(old_project), results(old_project)
    assert published["RESULT.csv"] == b"status,total\nopen,2.5\npaid,3.5\n"

    plan = update_project(old_project)

    assert plan.exit_code == 1
    assert {(file.verb, file.path) for file in plan.conflicts} == {("conflict", "pdbt.toml"), ("beside", "macro/dagster-run-process.py")}
    settings = (old_project / "pdbt.toml").read_text(encoding="utf-8")
    values = tomllib.loads(settings)
    assert values["project"] == {"name": "corner shop", "template_version": __version__}
    assert values["dagster"] == {"port": 3000, "retries": 2}
    assert values["export"] == {"format": "csv"}
    assert values["parameters"] == {"least": 2}
    assert "# retry_delay = 10" in settings  # new, with its comment
    assert f"# <<<<<<< yours\nretries = 2  # how often a step that failed is tried again\n# ||||||| pdbt {OLD_VERSION}\n" in settings
    assert 'print("imported by hand")' in (old_project / "scripts/source.py").read_text(encoding="utf-8")
    assert '"""My own way of opening a run' in (old_project / "scripts/engine/session.py").read_text(encoding="utf-8")
    assert "updated_meanwhile" in (old_project / "scripts/engine/session.py").read_text(encoding="utf-8")
    assert not (old_project / "README.md").exists()
    assert not (old_project / "requirements.txt").exists()
    assert not (old_project / "sample/scripts/checks").exists()
    for name in ("scripts/helpers.py", "macro/dagster-run-process.py", "requirements-production.txt", SCRIPT, "data/source/orders.csv"):
        assert (old_project / name).read_bytes() == before[name]
    assert (old_project / "macro/dagster-run-process.py.pdbt-new").read_bytes() != before["macro/dagster-run-process.py"]
    ignored = (old_project / ".gitignore").read_bytes()
    assert ignored.startswith(b"mine.txt\r\n")
    assert b"macro/.dagster*\r\n" in ignored
    assert b"macro/.dagster/\r\n" not in ignored
    assert ignored.count(b"\n") == ignored.count(b"\r\n")
    assert stat.S_IMODE((old_project / "macro/python-run-process.py").stat().st_mode) == 0o755
    assert stat.S_IMODE((old_project / "scripts/engine/run.py").stat().st_mode) == 0o750
    told = {file.path: file.note for file in plan.files if file.verb == "kept"}
    assert told == dict.fromkeys(("README.md", "requirements.txt"), f"you removed it; pdbt {__version__} has a new one")

    for options in ([], ["--full"]):
        assert run_project_warm(old_project, *options).code == 0
        assert results(old_project) == published

    after = contents(old_project)
    again = update_project(old_project)
    assert (again.files, again.base, again.exit_code) == ((), None, 1)
    assert set(again.unresolved) == {"pdbt.toml", "macro/dagster-run-process.py.pdbt-new"}
    assert contents(old_project) == after


def test_an_untouched_project_becomes_a_new_one(old_project: Path) -> None:
    """Byte for byte what a new project is, which tests/scaffold/test_sample.py runs."""
    plan = update_project(old_project)
    base = read_base(old_project)
    assert base is not None
    expected = {**generated_files(base.answers), BASE_FILE: (old_project / BASE_FILE).read_bytes()}
    assert contents(old_project) == expected
    assert (plan.exit_code, plan.conflicts) == (0, ())
    assert {file.verb for file in plan.files} == {"create", "replace", "remove"}
    assert [file.path for file in plan.files if file.verb == "remove"] == ["sample/data/source/COUNTRIES.csv"]
    assert (old_project / BASE_FILE).stat().st_size < SMALL


def test_a_dry_run_tells_the_same_plan_and_changes_nothing(old_project: Path) -> None:
    edit_in_many_ways(old_project)
    before = contents(old_project)
    planned = update_project(old_project, dry_run=True)
    assert contents(old_project) == before
    assert update_project(old_project) == planned


def test_the_second_time_nothing_changes(project: Path) -> None:
    age(project, {SCRIPT: b"# old\n"})
    assert [(file.verb, file.path) for file in update_project(project).files] == [
        ("replace", "pdbt.toml"),
        ("replace", "sample/pdbt.toml"),
        ("replace", SCRIPT),
    ]
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()}
    assert update_project(project).files == ()
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file() and path.name != "run.lock"} == {
        path: moment for path, moment in before.items() if path.name != "run.lock"
    }


def test_in_the_sample_it_is_the_project_that_is_updated(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(project, {SCRIPT: b"# old\n", "sample/scripts/final/CONTINENTS.sql": b"-- old\n"})
    monkeypatch.chdir(project / "sample" / "scripts")
    plan = update_project(dry_run=True)
    assert {SCRIPT, "sample/scripts/final/CONTINENTS.sql"} < {file.path for file in plan.files}
    assert update_project(project / "sample") == plan
    assert contents(project).keys() == generated_files(read_base(project).answers).keys() | {BASE_FILE}  # type: ignore[union-attr] # it has one


def test_what_the_templates_no_longer_have_goes_unless_it_was_edited(project: Path) -> None:
    gone = {"scripts/engine/old/a.py": b"a = 1\n", "scripts/old.py": b"b = 1\n", "old.md": b"c\n"}
    age(project, gone)
    (project / "scripts/engine/old/__pycache__").mkdir()
    (project / "scripts/engine/old/__pycache__/a.cpython-311.pyc").write_bytes(b"")
    (project / "scripts/old.py").write_bytes(b"b = 2\n")
    (project / "old.md").write_bytes(b"c\r\n")  # only its line ends differ
    plan = update_project(project)
    assert not (project / "scripts/engine/old").exists()
    assert not (project / "old.md").exists()
    assert (project / "scripts/old.py").read_bytes() == b"b = 2\n"
    assert plan.exit_code == 0
    assert [file.note for file in plan.files if file.path == "scripts/old.py"] == [f"pdbt {__version__} has none any more; you edited it"]


@pytest.mark.parametrize("yours", [b"caf\xe9\n", b"\x00\x01binary"], ids=["latin-1", "binary"])
def test_an_edited_file_that_is_no_text_is_kept_with_the_new_one_beside_it(project: Path, yours: bytes) -> None:
    new = (project / "README.md").read_bytes()
    age(project, {"README.md": b"old\n"})
    (project / "README.md").write_bytes(yours)
    plan = update_project(project)
    assert [(file.verb, file.path, file.target) for file in plan.conflicts] == [("beside", "README.md", "README.md.pdbt-new")]
    assert (project / "README.md").read_bytes() == yours
    assert (project / "README.md.pdbt-new").read_bytes() == new


def test_symbolic_links_are_not_followed(project: Path, tmp_path: Path) -> None:
    age(project, {SCRIPT: b"# old\n", "macro/python-run-process.py": b"# old\n"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / SCRIPT).rename(outside / "mine.py")
    (project / SCRIPT).symlink_to(outside / "mine.py")
    (project / "macro").rename(outside / "macro")
    (project / "macro").symlink_to(outside / "macro")
    plan = update_project(project)
    assert [(file.verb, file.path) for file in plan.conflicts] == [("left", "macro/python-run-process.py"), ("left", SCRIPT)]
    assert (outside / "mine.py").read_bytes() == b"# old\n"
    assert (outside / "macro/python-run-process.py").read_bytes() == b"# old\n"
    assert (project / SCRIPT).is_symlink()
    assert plan.exit_code == 1


def test_conflicts_that_nobody_decided_are_not_merged_upon(project: Path) -> None:
    new = (project / SCRIPT).read_bytes()
    old = new.replace(PLACE, b"        # Once it was this.\n")
    age(project, {SCRIPT: old})
    (project / SCRIPT).write_bytes(old.replace(b"        # Once it was this.\n", b"        run.mine()\n"))
    assert update_project(project).exit_code == 1
    marked = (project / SCRIPT).read_bytes()
    compile(marked, SCRIPT, "exec")
    assert b"# <<<<<<< yours\n        run.mine()\n# ||||||| pdbt 0.0.9\n#         # Once it was this.\n# =======\n# " + PLACE in marked
    base = read_base(project)
    assert base is not None
    age(project, {"README.md": b"older\n"})
    before = contents(project)
    with pytest.raises(
        UnresolvedConflicts, match=r"conflicts of an earlier update: scripts/transforming\.py\. Nothing was changed"
    ) as error:
        update_project(project)
    assert error.value.exit_code == 1
    assert contents(project) == before
    (project / SCRIPT).write_bytes(old.replace(b"        # Once it was this.\n", b"        run.mine()\n"))
    assert update_project(project).exit_code == 0
    assert b"run.mine()" in (project / SCRIPT).read_bytes()


def test_settings_that_could_not_be_merged_soundly_are_kept(project: Path) -> None:
    """The owner has set, at the section's end, what the new template sets at its beginning: both together would be no TOML."""
    new = (project / "pdbt.toml").read_text(encoding="utf-8")
    age(project, {"pdbt.toml": new.replace("[dagster]\nport = 3000\n", "[dagster]\n").encode()})
    edit(project / "pdbt.toml", "\n# Other databases", "port = 4000\n\n# Other databases")
    yours = (project / "pdbt.toml").read_bytes()
    plan = update_project(project)
    assert [(file.verb, file.target) for file in plan.conflicts] == [("beside", "pdbt.toml.pdbt-new")]
    assert (project / "pdbt.toml").read_bytes() == yours
    assert (project / "pdbt.toml.pdbt-new").read_text(encoding="utf-8") == new


def test_an_add_on_is_updated_with_its_project(project: Path) -> None:
    add_addon("watch", project)
    script = "macro/watch-run-process.py"
    new = {name: (project / name).read_bytes() for name in (script, "pdbt.toml")}
    settings = new["pdbt.toml"].replace(b"# retries = 0\nlogs", b"logs")
    assert settings != new["pdbt.toml"]
    age(project, {script: b"# old\n", "pdbt.toml": settings})
    plan = update_project(project)
    assert plan.exit_code == 0
    assert {name: (project / name).read_bytes() for name in new} == new


def test_without_a_base_what_differs_is_kept(old_project: Path, run_project_warm: RunProject) -> None:
    (old_project / BASE_FILE).unlink()
    before = contents(old_project)
    plan = update_project(old_project)
    assert plan.exit_code == 1
    assert plan.old_version == "unknown"
    after = contents(old_project)
    assert {name: after[name] for name in before} == before
    assert "README.md.pdbt-new" in after
    assert "scripts/engine.pdbt-new/interrupted.py" in after
    assert (old_project / "macro/dagster-run-process.py").is_file()
    assert run_project_warm(old_project, script="sample/macro/python-run-process-sample.py").code == 0
    again = update_project(old_project)
    assert (again.files, again.exit_code) == ((), 1)
    assert "scripts/engine.pdbt-new" in again.unresolved


def test_a_password_in_the_settings_is_not_copied_into_a_new_base(make_project: MakeProject) -> None:
    project = make_project(database="commune")
    (project / BASE_FILE).unlink()
    edit(project / "pdbt.toml", '# url = "${DATABASE_URL}"', 'url = "postgresql://me:hunter2-pass@db/shop"')
    assert update_project(project).exit_code == 1
    holding = [name for name, content in contents(project).items() if b"hunter2-pass" in content]
    assert holding == ["pdbt.toml"]
    assert b"hunter2-pass" not in decompressed((project / BASE_FILE).read_bytes())


def test_a_run_in_progress_is_waited_for_and_then_the_update_gives_up(project: Path) -> None:
    age(project, {SCRIPT: b"# old\n"})
    edit(project / "pdbt.toml", "# lock_timeout = 30", "lock_timeout = 0.2")
    before = contents(project)
    said: list[str] = []
    with (
        run_lock(project / "db/.work/run.lock", 0, said.append),
        pytest.raises(RunInProgress, match=f"in progress: PID {os.getpid()}") as error,
    ):
        update_project(project, waiting=said.append)
    assert error.value.exit_code == 75
    assert [sentence.partition(":")[0] for sentence in said] == ["waiting for another run to end"]
    assert contents(project) == before


@pytest.mark.parametrize(
    ("breakage", "sentence"),
    [
        ("newer", "was made by pdbt 99.0.0, and this is pdbt"),
        ("damaged", r"base\.json\.zst is damaged"),
        ("answers", r"pdbt\.toml lacks 'type'"),
        ("link", r"\.pdbt is a symbolic link"),
    ],
)
def test_what_cannot_be_updated_is_told_and_stays_as_it_was(project: Path, tmp_path: Path, breakage: str, sentence: str) -> None:
    age(project, {SCRIPT: b"# old\n"}, "99.0.0" if breakage == "newer" else OLD_VERSION)
    if breakage == "damaged":
        (project / BASE_FILE).write_bytes((project / BASE_FILE).read_bytes()[:-5000])
    if breakage == "answers":
        (project / BASE_FILE).unlink()
        edit(project / "pdbt.toml", 'type = "duckdb"', "")
    if breakage == "link":
        (project / ".pdbt").rename(tmp_path / "elsewhere")
        (project / ".pdbt").symlink_to(tmp_path / "elsewhere")
    before = contents(project)
    with pytest.raises(PdbtError, match=sentence) as error:
        update_project(project)
    assert error.value.exit_code == 2
    assert contents(project) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_told(project: Path) -> None:
    age(project, {SCRIPT: b"# old\n"})
    (project / "data").chmod(0)
    with pytest.raises(PdbtError, match=r"data/.* cannot be read: Permission denied\. Nothing was changed"):
        update_project(project)
    (project / "data").chmod(0o755)
    assert (project / SCRIPT).read_bytes() == b"# old\n"


def test_the_projects_own_script_and_the_command_say_what_they_did(
    project: Path, run_process: RunProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    age(project, {SCRIPT: b"# old\n", "README.md": b"old\n", "scripts/engine/toml.py": b"# old\n"})
    (project / "README.md").write_text("mine\n", encoding="utf-8")
    command = [sys.executable, project / "python-data-build-tool.py"]
    dry = run_process([*command, "--dry-run"], cwd=tmp_path)
    assert (dry.code, dry.stderr) == (1, "")
    assert f"  would replace  {SCRIPT}\n" in dry.stdout
    assert (project / SCRIPT).read_bytes() == b"# old\n"
    done = run_process(command, cwd=tmp_path)
    assert (done.code, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        f"shop updated from pdbt {OLD_VERSION} to pdbt {__version__}",
        "  conflict       README.md: marked in 1 place",
        "  replaced       pdbt.toml",
        "  replaced       sample/pdbt.toml",
        f"  replaced       {SCRIPT}",
        "  replaced       scripts/engine/ (1 file)",
        "1 file to look at. Your lines are kept and hold until you decide.",
    ]
    assert (project / "README.md").read_text(encoding="utf-8").startswith("<<<<<<< yours\nmine\n||||||| pdbt 0.0.9\nold\n=======\n# shop\n")
    (project / "README.md").write_text("mine\n", encoding="utf-8")
    assert (main(["update", str(project)]), capsys.readouterr().out) == (
        0,
        f"shop has the templates of pdbt {__version__} already. Nothing was changed.\n",
    )
