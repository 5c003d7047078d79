"""What an organisation shares reaches all its projects, and needs no pdbt to do so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError, SettingsError
from pdbt.engine.organisation import shared_files
from pdbt.engine.process.workspace import fingerprint
from pdbt.engine.session import RunOptions, plan_run
from pdbt.engine.settings import load_settings
from pdbt.project.workspace import Workspace
from tests.conftest import RunProcess, RunProject
from tests.project.conftest import Add, Pdbt
from tests.typed import classic_run


@pytest.fixture
def run_project() -> RunProject:
    """Run a project in the tests' own process."""
    return classic_run


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def dagster(project: Path, line: str) -> None:
    path = project / "pdbt.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("[dagster]\n", f"[dagster]\n{line}\n"), encoding="utf-8")


def results(project: Path, name: str) -> str:
    return (project / "data" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("database", ["duckdb", "sqlite", "commune"])
def test_constants_tables_and_helpers_are_shared(workspace: Workspace, add: Add, run_project: RunProject, database: str) -> None:
    acme = workspace.root / "acme"
    first, second = add("first", "acme", database=database), add("second", "acme", database=database)
    write(acme / "constants.toml", 'vat = 20\ncurrency = "EUR"\n')
    write(acme / "sql" / "RATES.sql", "SELECT $vat AS vat, $currency AS currency")
    write(acme / "sql" / "UNUSED.sql", "SELECT * FROM NOTHING_OF_THE_KIND")
    write(first / "scripts" / "final" / "PRICES.sql", "SELECT vat + 100 AS price, currency FROM rates")
    write(second / "scripts" / "final" / "PRICES.sql", "SELECT vat + 200 AS price, currency FROM RATES")
    settings = second / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("[parameters]\n", "[parameters]\nvat = 7\n"), encoding="utf-8")
    for project, price in ((first, "120"), (second, "207")):
        ended = run_project(project)
        assert ended.code == 0, ended.stderr
        assert results(project, "final/PRICES.csv").splitlines() == ["price,currency", f"{price},EUR"]
        assert results(project, "processed/RATES.csv").splitlines()[0] == "vat,currency"
        assert not (project / "data" / "processed" / "UNUSED.csv").exists()
    write(acme / "constants.toml", 'vat = 25\ncurrency = "EUR"\n')
    assert "RATES" in {step.name for step in plan_run(first, RunOptions()) if step.reason}
    assert {step.name for step in plan_run(second, RunOptions()) if step.reason} == set()


def test_a_projects_own_table_comes_before_a_shared_one(workspace: Workspace, add: Add, run_project: RunProject) -> None:
    project = add("first", "acme")
    write(workspace.root / "acme" / "sql" / "RATES.sql", "SELECT 1 AS n")
    write(project / "scripts" / "processed" / "rates.sql", "SELECT 2 AS n")
    write(project / "scripts" / "final" / "R.sql", "SELECT n FROM RATES")
    assert run_project(project).code == 0
    assert results(project, "final/R.csv") == "n\n2\n"


def test_shared_helpers_of_python_tables(workspace: Workspace, add: Add, run_project: RunProject) -> None:
    project = add("first", "acme")
    helper = workspace.root / "acme" / "python" / "pricing.py"
    write(helper, "from .rounding import whole\n\ndef net(x):\n    return whole(x / 2)\n")
    write(helper.with_name("rounding.py"), "def whole(x):\n    return int(x)\n")
    table = "import pyarrow as pa\n\nfrom .pricing import net\n\n\ndef table() -> pa.Table:\n    return pa.table({'n': [net(9)]})\n"
    write(project / "scripts" / "final" / "N.py", table)
    assert run_project(project).code == 0
    assert results(project, "final/N.csv") == "n\n4\n"
    write(helper.with_name("rounding.py"), "def whole(x):\n    return int(x) + 1\n")
    assert run_project(project).code == 0
    assert results(project, "final/N.csv") == "n\n5\n"


def test_a_fault_of_shared_sql_names_its_file(workspace: Workspace, add: Add, run_project: RunProject) -> None:
    project = add("first", "acme")
    write(workspace.root / "acme" / "sql" / "RATES.sql", "SELECT * FROM NOWHERE")
    write(project / "scripts" / "final" / "R.sql", "SELECT * FROM RATES")
    ended = run_project(project)
    assert ended.code == 2
    assert ended.stderr.startswith("error: ../sql/RATES.sql reads NOWHERE, which no file of this project makes.")


def test_a_schedule_by_its_name(workspace: Workspace, add: Add) -> None:
    project = add("first", "acme")
    path = workspace.root / "acme" / "schedules.toml"
    write(path, 'hourly = "0 * * * *"\nnightly = { schedule = "0 2 * * *", timezone = "Europe/Paris" }\n')
    dagster(project, 'schedule = "nightly"')
    found = load_settings(project).dagster
    assert (found.schedule_name, found.schedule, found.timezone) == ("nightly", "0 2 * * *", "Europe/Paris")
    dagster(project, 'timezone = "UTC"')
    assert load_settings(project).dagster.timezone == "UTC"
    write(path, 'hourly = "0 * * * *"\nnigthly = "0 2 * * *"\n')
    with pytest.raises(SettingsError) as refused:
        load_settings(project)
    assert refused.value.message == f'pdbt.toml: dagster.schedule is "nightly", which {path} does not name.'
    assert refused.value.hint == "Did you mean nigthly? It has: hourly, nigthly."


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("constants.toml", "a = ", "{file} is not valid TOML: Invalid value (at end of document)."),
        ("constants.toml", "a = {b = 1}", '{file}: parameters.a is {{"b": 1}}.'),
        ("constants.toml", '"a b" = 1', '{file}: parameter "a b" cannot be written as $name in SQL.'),
        ("constants.toml", 'a = "${NOT_SET_ANYWHERE}"', "{file}: parameters.a uses ${{NOT_SET_ANYWHERE}}, which is not set."),
        ("schedules.toml", "nightly = 5", "{file}: nightly is no schedule."),
        ("schedules.toml", "nightly = 'every night'", '{file}: nightly = "every night" is no cron expression.'),
        ("schedules.toml", "nightly = {timezone = 'UTC'}", "{file}: nightly is no schedule."),
        ("schedules.toml", "nightly = {schedule = '@daily', timezone = 'Mars'}", '{file}: nightly.timezone is "Mars".'),
    ],
)
def test_a_fault_of_a_shared_file_names_it(workspace: Workspace, add: Add, file: str, text: str, sentence: str) -> None:
    project = add("first", "acme")
    dagster(project, 'schedule = "nightly"')
    write(workspace.root / "acme" / "schedules.toml", 'nightly = "0 2 * * *"')
    write(workspace.root / "acme" / file, text)
    with pytest.raises(PdbtError) as refused:
        load_settings(project)
    assert refused.value.message == sentence.format(file=workspace.root / "acme" / file)


def test_a_secret_constant_is_masked(workspace: Workspace, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED_KEY", "hush-hush-42")
    project = add("first", "acme")
    write(workspace.root / "acme" / "constants.toml", 'key = "${SHARED_KEY}"')
    settings = load_settings(project)
    assert settings.parameters == {"key": "hush-hush-42"}
    assert settings.redact("hush-hush-42") == "***"


def test_only_projects_of_an_organisation_share(workspace: Workspace, add: Add, make_project: object) -> None:
    write(workspace.root / "constants.toml", "a = 1")
    alone, member = add("alone"), add("member", "acme")
    write(workspace.root / "acme" / "constants.toml", "a = 2")
    write(alone / "constants.toml", "a = 3")
    write(member / "constants.toml", "a = 4")
    assert (
        load_settings(alone).parameters == load_settings(alone / "sample").parameters == load_settings(member / "sample").parameters == {}
    )
    assert load_settings(member).parameters == {"a": 2}


def test_dagster_reads_a_project_anew_when_a_shared_file_changes(workspace: Workspace, add: Add) -> None:
    project = add("first", "acme")
    before = fingerprint(project)
    for path in [
        *shared_files(project),
        workspace.root / "acme" / "sql" / "T.sql",
        workspace.root / "acme" / "python" / "f.py",
    ]:
        write(path, "# changed: " + path.name)
        now = fingerprint(project)
        assert now != before
        before = now


def test_a_project_with_shared_files_runs_without_pdbt(workspace: Workspace, add: Add, run_process: RunProcess, tmp_path: Path) -> None:
    project = add("first", "acme")
    write(workspace.root / "acme" / "constants.toml", "n = 5")
    write(workspace.root / "acme" / "sql" / "SHARED.sql", "SELECT $n AS n")
    write(project / "scripts" / "final" / "R.sql", "SELECT n FROM SHARED")
    program = "import runpy, sys; sys.modules['pdbt'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    ended = run_process([sys.executable, "-c", program, project / "macro" / "python-run-process.py"], cwd=tmp_path)
    assert ended.code == 0, ended.stderr
    assert results(project, "final/R.csv") == "n\n5\n"


def test_connections_are_inherited_and_the_nearest_wins(workspace: Workspace, add: Add, pdbt: Pdbt) -> None:
    project, loose = add("sales", "acme"), add("alone")
    organisation = project.parent
    for name in ("a", "b", "c"):
        with (workspace.root / "pdbt-workspace.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[connections.{name}]\nurl = "sqlite:///workspace_{name}.sqlite"\n')
    write(organisation / "connections.toml", "".join(f'[{name}]\nurl = "sqlite:///organisation_{name}.sqlite"\n' for name in "bc"))
    assert pdbt("connection", "add", "c", "sqlite:///own.sqlite", "--project", project).code == 0
    shown = {line.split()[0]: line.split()[2:4] for line in pdbt("connection", "list", "--project", project).stdout.splitlines()}
    assert shown == {
        "a": ["sqlite:///workspace_a.sqlite", "(pdbt-workspace.toml)"],
        "b": ["sqlite:///organisation_b.sqlite", f"({organisation.relative_to(workspace.root)}/connections.toml)"],
        "c": ["sqlite:///own.sqlite", f"({project.relative_to(workspace.root)}/pdbt.toml)"],
    }
    assert list(load_settings(loose).connections) == ["a", "b", "c"]
    assert load_settings(project / "sample").connections == {}
    refused = pdbt("connection", "remove", "b", "--project", project)
    assert refused.code == 2
    assert f"{organisation}/connections.toml names it." in refused.stderr


def test_a_connection_of_an_organisation_without_url_is_told_by_its_file(workspace: Workspace, add: Add) -> None:
    project = add("sales", "acme")
    write(project.parent / "connections.toml", '[warehouse]\nport = "secret"\n')
    with pytest.raises(SettingsError, match=r"connections\.toml: warehouse is no connection") as refused:
        load_settings(project)
    assert "secret" not in str(refused.value)
