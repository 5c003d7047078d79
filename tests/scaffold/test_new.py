"""`new_project` makes the whole tree of the design, or nothing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError, SettingsError
from pdbt.engine.settings import load_settings
from pdbt.project.deployments import read_deployments
from pdbt.scaffold import NewProject, new_project
from pdbt.scaffold.apply import make_project
from pdbt.scaffold.plan import Plan, PlannedFile
from pdbt.scaffold.staging import PREFIX
from pdbt.scaffold.zstd import decompressed
from tests.conftest import MakeProject, RunProcess, StartProcess
from tests.scaffold.snapshots import ENGINE, ROOT, files_below, snapshot

GOLDEN = Path(__file__).parent / "golden"
TYPES = ("duckdb", "sqlite", "commune")
DEADLINE_SECONDS = 90.0


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("database", TYPES)
def test_the_tree_is_the_golden_one(database: str, make_project: MakeProject) -> None:
    golden = GOLDEN / f"{database}.txt"
    found = snapshot(make_project("shop", database=database))
    if os.environ.get("PDBT_UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_the_engine_is_a_copy_byte_for_byte(make_project: MakeProject) -> None:
    copy = make_project() / "scripts" / "engine"
    assert files_below(copy) == files_below(ENGINE)
    for name in files_below(ENGINE):
        assert (copy / name).read_bytes() == (ENGINE / name).read_bytes()


def test_python_is_the_same_in_every_project(make_project: MakeProject) -> None:
    """All that differs between projects is in pdbt.toml, and in what a person reads or installs by."""
    first, second = make_project("first"), make_project("second", database="commune", url="postgresql://someone@db/shop")
    assert files_below(first) == files_below(second)
    differing = {name for name in files_below(first) if (first / name).read_bytes() != (second / name).read_bytes()}
    assert differing == {".pdbt/base.json.zst", "README.md", "pdbt.toml", "requirements.txt", "sample/pdbt.toml"}


def test_generated_python_compiles_and_is_clean(make_project: MakeProject, run_process: RunProcess) -> None:
    project = make_project()
    scripts = [path for path in project.rglob("*.py") if "engine" not in path.parts]
    assert len(scripts) == 15
    for path in scripts:
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--line-length", "140", *scripts]
    checked = run_process([*command, "--select", "E,F,W,I,B,UP,SIM,C4"])
    assert checked.code == 0, checked.stdout
    assert all(10 <= len(path.read_text(encoding="utf-8").splitlines()) <= 30 for path in scripts)


@pytest.mark.parametrize("database", TYPES)
def test_settings_are_what_was_asked_for(database: str, make_project: MakeProject) -> None:
    project = make_project("shop", database=database)
    settings, sample = load_settings(project), load_settings(project / "sample")
    assert (settings.name, settings.database_type) == ("shop", database)
    assert (sample.name, sample.database_type) == ("shop-sample", database)
    ports = {"duckdb": (3000, 3001), "sqlite": (4000, 4001), "commune": (5000, 5001)}[database]
    assert (settings.dagster.port, sample.dagster.port) == ports
    assert (
        settings.database_path
        == project / "db" / {"duckdb": "database.duckdb", "sqlite": "database.sqlite", "commune": "database.db"}[database]
    )


def test_every_commented_setting_is_a_valid_one(make_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person removes a # and has a setting that works."""
    for name in ("DATABASE_URL", "WAREHOUSE_URL", "NOTIFY_URL"):
        monkeypatch.setenv(name, "postgresql://somewhere/shop")
    project = make_project("shop", database="commune")
    path = project / "pdbt.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.removeprefix("# ") if "= " in line or "# [" in line else line for line in lines), encoding="utf-8")
    settings = load_settings(project)
    assert settings.database_url == "postgresql://somewhere/shop"
    assert settings.options_for("ORDERS").types == {"zip": "VARCHAR", "ordered_on": "DATE"}
    sections = set(tomllib.loads(path.read_text(encoding="utf-8")))
    sections_of_a_run = {"project", "database", "source", "export", "parameters", "dagster", "connections", "notifications"}
    assert sections == {*sections_of_a_run, "deployments"}
    assert list(read_deployments(path).entries) == ["paris"]


def test_ports_are_as_asked_for_and_the_sample_is_next_to_it() -> None:
    for port, next_to in ((8080, 8081), (65535, 65534)):
        project = new_project(NewProject(f"shop{port}", port=port)).target
        assert load_settings(project).dagster.port == port
        assert load_settings(project / "sample").dagster.port == next_to


@pytest.mark.parametrize("port", [-1, 0, 80, 1023, 65536])
def test_a_port_that_cannot_be_is_refused(port: int, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        new_project(NewProject("shop", port=port))
    assert refused.value.message == f"{port} is no port that a project can have."
    assert refused.value.hint == "Use 1024 to 65535."
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_database_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError) as refused:
        new_project(NewProject("shop", database="oracle"))
    assert refused.value.message == "There is no database type 'oracle'."
    assert refused.value.hint == "Use one of: duckdb, sqlite, commune."


# URLs ----------------------------------------------------------------------------------------------------------------


def test_a_password_goes_into_env_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    url = "postgresql://someone:s3cr%23t@db.example:5432/shop"
    project = new_project(NewProject("shop", "commune", url)).target
    assert load_settings(project).database_url == url
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
    assert ".env" in (project / ".gitignore").read_text(encoding="utf-8").splitlines()
    contents = {name: (project / name).read_bytes() for name in files_below(project)}
    contents[".pdbt/base.json.zst"] = decompressed(contents[".pdbt/base.json.zst"])
    assert [name for name, content in contents.items() if b"s3cr" in content] == [".env"]
    assert load_settings(project / "sample").database_url is None


@pytest.mark.parametrize(
    "url", ["postgresql://db/shop", "postgres://someone@db:5432/shop?sslmode=require", "postgresql://someone:${PW}@db/shop"]
)
def test_a_url_without_a_password_is_a_setting(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "from-the-environment")
    project = new_project(NewProject("shop", "commune", url)).target
    assert load_settings(project).database_url == url.replace("${PW}", "from-the-environment")
    assert not (project / ".env").exists()


@pytest.mark.parametrize(
    "url", ["postgresql://a:b@c@d/e", "postgresql://a:b/c#d@e/f", "postgresql://d/e?password=f", "postgresql://d/e?sslpassword=f"]
)
def test_a_url_that_may_hold_a_password_is_treated_as_one(url: str) -> None:
    project = new_project(NewProject("shop", "commune", url)).target
    assert (project / ".env").read_text(encoding="utf-8") == f"DATABASE_URL={url}\n"
    assert url not in (project / "pdbt.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("url", ["mysql://db/shop", "db.example", "postgresql://db/shop\nport = 1", "", "postgresql://a b/c"])
def test_a_url_of_something_else_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        new_project(NewProject("shop", "commune", url))
    assert refused.value.message == "The URL is not one of PostgreSQL."


def test_a_url_needs_the_shared_database() -> None:
    with pytest.raises(SettingsError) as refused:
        new_project(NewProject("shop", "sqlite", "postgresql://db/shop"))
    assert refused.value.message == "A project of type sqlite has no URL."
    assert "--db commune" in refused.value.hint


def test_a_password_beside_a_variable_is_refused() -> None:
    with pytest.raises(SettingsError, match="holds a password beside"):
        new_project(NewProject("shop", "commune", "postgresql://a:b@${HOST}/c"))


# All or nothing ------------------------------------------------------------------------------------------------------


def test_a_dry_run_plans_the_same_and_writes_nothing(tmp_path: Path) -> None:
    planned = new_project(NewProject("shop"), dry_run=True)
    assert list(tmp_path.iterdir()) == []
    made = new_project(NewProject("shop"))
    assert planned == made
    assert sorted(file.path for file in made.files) == files_below(tmp_path / "shop")


def test_missing_folders_on_the_way_are_made_and_an_empty_one_is_used(tmp_path: Path) -> None:
    new_project(NewProject("a/b/shop"))
    assert (tmp_path / "a" / "b" / "shop" / "pdbt.toml").is_file()
    (tmp_path / "empty").mkdir()
    new_project(NewProject("empty"))
    assert (tmp_path / "empty" / "pdbt.toml").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty"]


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    files = (PlannedFile("create", "a/first"), PlannedFile("create", "second", copy_of=tmp_path / "not there"))
    with pytest.raises(PdbtError) as refused:
        make_project(Plan(tmp_path / "deep" / "shop", files))
    assert refused.value.message.startswith(f"{tmp_path / 'deep' / 'shop'} cannot be written: No such file or directory")
    assert list(tmp_path.iterdir()) == []


def test_a_place_taken_meanwhile_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine").touch()
    with pytest.raises(PdbtError, match="cannot be written: Directory not empty"):
        make_project(Plan(tmp_path / "shop", (PlannedFile("create", "theirs"),)))
    assert files_below(tmp_path) == ["shop/mine"]


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "C:out", "a\\..\\out", "", "a\0b"])
def test_no_planned_path_leaves_the_target(path: str, tmp_path: Path) -> None:
    with pytest.raises(PdbtError, match="leads out of the project"):
        make_project(Plan(tmp_path / "shop", (PlannedFile("create", path),)))
    assert list(tmp_path.iterdir()) == []


MANY_FILES = """
import sys
from pathlib import Path
from pdbt.scaffold.apply import make_project
from pdbt.scaffold.plan import Plan, PlannedFile
make_project(Plan(Path(sys.argv[1]), tuple(PlannedFile("create", f"{n % 100}/{n}", b"x") for n in range(40_000))))
"""


def start_and_wait_until_half_way(start_process: StartProcess, target: Path) -> subprocess.Popen[str]:
    process = start_process([sys.executable, "-c", MANY_FILES, target], env={"PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not list(target.parent.glob(f"{PREFIX}*/*/50/50")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_killed_half_way_nothing_is_seen_and_the_next_one_clears_up(tmp_path: Path, start_process: StartProcess) -> None:
    process = start_and_wait_until_half_way(start_process, tmp_path / "shop")
    process.kill()
    process.wait(DEADLINE_SECONDS)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1
    new_project(NewProject("shop"))
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_interrupted_half_way_nothing_is_left(tmp_path: Path, start_process: StartProcess) -> None:
    process = start_and_wait_until_half_way(start_process, tmp_path / "shop")
    process.send_signal(signal.SIGINT)
    process.wait(DEADLINE_SECONDS)
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_at_work_is_not_cleared_away(tmp_path: Path, start_process: StartProcess) -> None:
    process = start_and_wait_until_half_way(start_process, tmp_path / "slow")
    process.send_signal(signal.SIGSTOP)  # so that it is still at work, however long the next one takes
    new_project(NewProject("shop"))
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1
    assert process.poll() is None
    process.kill()


@pytest.mark.slow
def test_killed_at_any_moment_a_project_is_whole_or_not_there(tmp_path: Path, start_process: StartProcess) -> None:
    expected = [file.path for file in new_project(NewProject("shop"), dry_run=True).files]
    command = [sys.executable, "-m", "pdbt", "new", "shop"]
    began = time.monotonic()
    start_process(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}).wait(DEADLINE_SECONDS)
    seconds = time.monotonic() - began
    (tmp_path / "shop").rename(tmp_path / "whole")
    for step in range(5):
        process = start_process(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
        time.sleep(seconds * (0.5 + step / 7.5))
        process.kill()
        process.wait(DEADLINE_SECONDS)
        if (tmp_path / "shop").exists():
            assert files_below(tmp_path / "shop") == sorted(expected)
            (tmp_path / "shop").rename(tmp_path / f"done{step}")
    new_project(NewProject("shop"))
    assert [path.name for path in tmp_path.glob(".*")] == []
