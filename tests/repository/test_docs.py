"""The docs say all that there is: every setting, command and option, and links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from pdbt.cli.app import make_app
from pdbt.engine import settings, settings_rules
from pdbt.engine.reading.formats import SUPPORTED
from pdbt.engine.reading.types import EXCEPTIONS_FROM, EXCEPTIONS_SHARE, NULL_WORDS
from tests.conftest import MakeProject, RunProject

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
GENERIC_OPTIONS = {"--help", "--install-completion", "--show-completion"}


def section(page: Path, heading: str) -> str:
    """Return the part of a page under the first heading that holds these words, up to the next heading of its level."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) .*{re.escape(heading)}.*$", text, flags=re.MULTILINE)
    assert found, f"{page.name} has no heading with {heading}"
    rest = text[found.end() :]
    following = re.search(rf"^#{{1,{len(found[1])}}} ", rest, flags=re.MULTILINE)
    return rest[: following.start()] if following else rest


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_every_setting_is_in_the_docs() -> None:
    tables = {"connections": settings_rules.CONNECTION_KEYS, "source": {**settings_rules.SECTIONS["source"], **settings_rules.SOURCE_KEYS}}
    described = {name: section(DOCS / "settings.md", f"`[{name}") for name in settings_rules.SECTIONS}
    asked = [(name, key) for name, keys in settings_rules.SECTIONS.items() for key in tables.get(name, keys)]
    assert [(name, key) for name, key in asked if f"| `{key}` |" not in described[name]] == []


def test_every_choice_of_a_setting_is_in_the_docs() -> None:
    choices = (
        *settings_rules.DATABASE_FILES,
        *settings_rules.ON_ERROR,
        *settings_rules.EXPORT_FORMATS,
        *settings_rules.NOTIFY_ON,
        *settings_rules.STATUSES,
    )
    described = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert [choice for choice in choices if f"`{choice}`" not in described] == []


def test_the_settings_file_in_the_docs_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", "postgresql://localhost/warehouse")
    monkeypatch.setenv("MAIL_URL", "mailto://localhost")
    (tmp_path / "pdbt.toml").write_text(fenced(DOCS / "settings.md", "toml")[0], encoding="utf-8")
    loaded = settings.load_settings(tmp_path)
    assert loaded.name == "shop"
    assert loaded.options_for("ORDERS").types == {"order_no": "VARCHAR", "amount": "DECIMAL(12,2)"}
    assert loaded.options_for("CUSTOMERS").on_error == "fail"


def test_every_kind_of_source_file_is_in_the_docs() -> None:
    described = section(DOCS / "reading-files.md", "Reading files")
    missing = [ending for ending in SUPPORTED if not ending.endswith((".gz", ".zst")) and f"`{ending}`" not in described]
    assert missing == []


def test_the_rules_of_reading_in_the_docs_are_those_of_the_code() -> None:
    assert [word for word in NULL_WORDS if f"`{word}`" not in section(DOCS / "reading-files.md", "Types")] == []
    exceptions = f"at most {EXCEPTIONS_SHARE:.0%} of a column with {EXCEPTIONS_FROM} values or more".replace("%", " %")
    assert exceptions in section(DOCS / "reading-files.md", "Rows that do not fit")


def commands(group: typer.core.TyperGroup, prefix: str = "pdbt") -> dict[str, typer.core.TyperCommand]:
    """Return every command that can be typed, by the words that name it."""
    found = {}
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            found.update(commands(command, f"{prefix} {name}"))
        else:
            assert isinstance(command, typer.core.TyperCommand)
            found[f"{prefix} {name}"] = command
    return found


def test_every_command_and_option_is_in_the_docs() -> None:
    group = typer.main.get_command(make_app())
    assert isinstance(group, typer.core.TyperGroup)
    missing = []
    for name, command in commands(group).items():
        described = section(DOCS / "commands.md", f"`{name}`")
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        missing += [f"{name} {option}" for option in options - GENERIC_OPTIONS if option.startswith("-") and f"`{option}" not in described]
    general = section(DOCS / "commands.md", "`pdbt`")
    options = {option for parameter in group.params for option in parameter.opts}
    missing += [f"pdbt {option}" for option in options - GENERIC_OPTIONS if f"`{option}`" not in general]
    assert missing == []


def test_links_between_pages_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)")
    targets = [(page, target) for page in PAGES for target in link.findall(page.read_text(encoding="utf-8"))]
    assert targets
    assert [(page.name, target) for page, target in targets if not (page.parent / target).exists()] == []


def test_every_option_of_a_projects_scripts_is_in_the_docs(make_project: MakeProject, run_project: RunProject) -> None:
    described = section(DOCS / "commands.md", "The scripts of a project")
    project = make_project()
    for name in ("python-run-process", "dagster-run-process-launch", "dagster-run-process-stop"):
        said = run_project(project, "--help", script=f"macro/{name}.py").stdout
        offered = set(re.findall(r"(?<=[ \[])--[a-z-]+", said)) - GENERIC_OPTIONS
        assert offered, name
        assert {option for option in offered if f"`{option}" not in described} == set(), name
