"""The commands as a person types them: what they print, and the exit codes they end with."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import pdbt
from pdbt.cli.app import COMMANDS
from pdbt.engine.errors import PdbtError
from tests.cli.conftest import Typed
from tests.conftest import Ended, RunProcess

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "docs" / "demo" / "data"


# Help, versions, mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_names_every_command(words: Sequence[str], typed: Typed) -> None:
    result = typed(*words)
    assert result.code == 0
    assert result.stdout.startswith("Usage: pdbt [OPTIONS] COMMAND [ARGS]...")
    assert all(f"\n  {command} " in result.stdout for command in COMMANDS)


def test_help_lists_commands_under_headings_in_whole_sentences(typed: Typed) -> None:
    text = typed("--help").stdout
    assert re.findall(r"^(\w[\w ]*):$", text, re.MULTILINE) == ["Options", "Project", "Run", "Dagster", "Data", "Workspace", "Look after"]
    assert re.findall(r"^  ([a-z][a-z-]*) ", text, re.MULTILINE) == list(COMMANDS)
    words = " ".join(text.split())
    assert "new Make a project that runs, and that its owner keeps without pdbt. add Add data, a folder watcher" in words
    assert "doctor Examine a project and say what to do; starts nothing, changes nothing." in words


@pytest.mark.parametrize("columns", ["40", "100"])
def test_no_help_is_cut(columns: str, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for words in ((), ("add",), ("connection",), ("notify",), ("stream",), ("watch",)):
        result = typed(*words, "--help")
        assert (result.code, re.findall(r"\w(?:\.\.\.|…)$", result.stdout, re.MULTILINE)) == (0, [])


def test_help_of_new_shows_its_options(typed: Typed) -> None:
    text = typed("new", "--help").stdout
    assert text.startswith("Usage: pdbt new [OPTIONS] ")
    assert all(option in text for option in ("--db TYPE", "--url URL", "--data FILE_OR_FOLDER ...", "--port PORT", "--dry-run"))


def test_the_version_is_told(typed: Typed) -> None:
    assert typed("--version") == Ended(0, f"pdbt {pdbt.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nwe", "shop"), "error: No such command 'nwe'. Did you mean 'new'?\n"),
        (("new",), "error: Missing argument 'NAME'.\n"),
        (("new", "shop", "--dbb", "sqlite"), "error: No such option: --dbb"),
        (("new", "shop", "--port", "many"), "error: Invalid value for '--port': "),
        (("new", "shop", "orders.csv"), "error: Invalid value: 'orders.csv' is one word too many. Files to begin with follow --data.\n"),
        (("new", "shop", "--db", "oracle"), "error: There is no database type 'oracle'.\nhint: Use one of: duckdb, sqlite, commune.\n"),
        (("new", ".."), "error: '..' names no new folder.\nhint: End with the project's name: pdbt new my-project\n"),
        (("new", "shop", "--data", "gone.csv"), "error: gone.csv does not exist.\nhint: Give files, or folders of files.\n"),
        (("add", "source", "orders.csv"), "error: "),
        (("add", "source", "orders.csv", "--project", "gone"), "error: gone does not exist.\nhint: Name the project's folder"),
        (("run",), "error: "),
        (("run", "gone"), "error: gone does not exist.\n"),
        (("run", "/dev/null"), "error: /dev/null is no folder.\n"),
        (("restore", "gone.zip"), "error: gone.zip does not exist.\nhint: Name a file that pdbt archive wrote.\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_sentence_and_exit_code_2(words: Sequence[str], sentence: str, typed: Typed, tmp_path: Path) -> None:
    result = typed(*words)
    assert result.code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(sentence)
    assert "Traceback" not in result.stderr
    assert all(line.startswith(("error: ", "hint: ")) for line in result.stderr.splitlines())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "help_of"),
    [
        (("nwe",), "pdbt"),
        (("new",), "pdbt new"),
        (("new", "shop", "--data"), "pdbt new"),
        (("stop", "shop", "other"), "pdbt stop"),
        (("connection", "add", "--nme"), "pdbt connection add"),
    ],
    ids=str,
)
def test_a_mistyped_command_names_its_own_help(words: Sequence[str], help_of: str, typed: Typed) -> None:
    result = typed(*words)
    assert (result.code, result.stderr.splitlines()[1]) == (2, f"hint: Try: {help_of} --help")


@pytest.mark.parametrize("words", [("--debug", "new", ".."), ("new", "--debug", ".."), ("new", "..", "--debug")])
def test_debug_raises_the_error_wherever_it_stands(words: Sequence[str], typed: Typed) -> None:
    with pytest.raises(PdbtError, match="names no new folder"):
        typed(*words)


def test_what_nobody_foresaw_is_a_sentence_too(run_process: RunProcess, tmp_path: Path) -> None:
    """A folder of templates that is not there stands for every fault of pdbt's own."""
    program = "import sys, pdbt.scaffold; pdbt.scaffold.new_project = lambda *a, **k: 1 / 0; from pdbt.cli import main; sys.exit(main())"
    result = run_process([sys.executable, "-c", program, "new", "shop"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert result.code == 1
    assert result.stderr.startswith("error: pdbt met something that it did not expect: ZeroDivisionError: division by zero\nhint: ")
    assert "Traceback" not in result.stderr
    debugged = run_process([sys.executable, "-c", program, "new", "shop", "--debug"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert "Traceback" in debugged.stderr


# New -----------------------------------------------------------------------------------------------------------------


def test_new_shows_a_short_tree_and_the_next_two_commands(typed: Typed, tmp_path: Path) -> None:
    result = typed("new", "shop")
    assert result.code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Created shop (duckdb, ")
    assert len(lines) < 25
    assert sum("engine" in line for line in lines) == 1
    assert lines[-3:] == ["Next:", "  cd shop", "  pdbt run --sample"]
    assert (tmp_path / "shop" / "pdbt.toml").is_file()


def test_a_dry_run_shows_the_same_and_makes_nothing(typed: Typed, tmp_path: Path) -> None:
    planned = typed("new", "shop", "--dry-run").stdout.splitlines()
    assert list(tmp_path.iterdir()) == []
    made = typed("new", "shop").stdout.splitlines()
    assert planned[0] == made[0].replace("Created", "Would create")
    assert planned[1:] == made[1 : len(planned)]


def test_what_is_printed_is_relative_to_where_it_was_typed(typed: Typed, tmp_path: Path) -> None:
    assert "\n  cd deep/er/shop\n" in typed("new", "deep/er/shop").stdout
    assert "\n  cd 'a shop'\n" in typed("new", "a shop").stdout
    assert "\n  cd other\n" in typed("new", tmp_path / "other").stdout


def test_a_secret_is_never_printed(typed: Typed) -> None:
    result = typed("new", "shop", "--db", "commune", "--url", "postgresql://someone:s3cret@db/shop")
    assert result.code == 0
    assert ".env" in result.stdout
    assert "s3cret" not in result.stdout + result.stderr


def test_one_row_is_one_row(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id,amount\n1,2.5\n", encoding="utf-8")
    assert "\nORDERS: 1 row, 2 columns from data/source/orders.csv, " in typed("new", "shop", "--data", "orders.csv").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("new", "shop", "--data", "customers.csv", "orders.csv", "returns"),
        ("new", "--data", "customers.csv", "shop", "orders.csv", "returns"),
        ("new", "shop", "--data", "customers.csv", "--data", "orders.csv", "--data", "returns/"),
        ("new", "shop", "--data", "customers.csv", "orders.csv", "--db", "sqlite", "--data", "returns"),
    ],
    ids=" ".join,
)
def test_data_takes_one_or_many_words(words: Sequence[str], typed: Typed, tmp_path: Path) -> None:
    for name in ("customers.csv", "orders.csv", "returns"):
        (tmp_path / name).symlink_to(DATA / name)
    result = typed(*words)
    assert result.code == 0, result.stderr
    copied = {path.name for path in (tmp_path / "shop" / "data" / "source").iterdir()}
    assert copied == {".gitkeep", "customers.csv", "orders.csv", "returns"}
    assert all(f"\n{table}: " in result.stdout for table in ("CUSTOMERS", "ORDERS", "RETURNS"))
    assert result.stdout.endswith("Next:\n  cd shop\n  pdbt run\n")


def test_a_file_where_the_name_should_be_is_told(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("a\n1\n", encoding="utf-8")
    result = typed("new", "--data", "customers.csv", "orders.csv", "shop")
    assert result.code == 2
    assert (
        result.stderr
        == "error: 'orders.csv' is a file.\nhint: The project's name comes first, files after --data: pdbt new my-project --data FILE\n"
    )


# Workspaces ----------------------------------------------------------------------------------------------------------


def test_a_new_workspace_says_what_to_type_next(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed("init-workspace", "pipe lines").stdout == (
        "pipe lines is a workspace.\n\nNext:\n  cd 'pipe lines'\n  pdbt add-project NAME\n"
    )
    monkeypatch.chdir(tmp_path / "pipe lines")
    assert typed("init-workspace").stdout == "This folder is a workspace.\n\nNext:\n  pdbt add-project NAME\n"


# Add -----------------------------------------------------------------------------------------------------------------


def test_add_source_finds_the_project_around_it(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed("new", "shop")
    (tmp_path / "orders.csv").write_text("id,amount\n1,2.5\n2,3.5\n", encoding="utf-8")
    planned = typed("add", "source", "orders.csv", "--project", "shop", "--dry-run")
    assert "would create  data/source/orders.csv" in planned.stdout
    assert not (tmp_path / "shop" / "data" / "source" / "orders.csv").exists()
    monkeypatch.chdir(tmp_path / "shop" / "scripts")
    added = typed("add", "source", "../../orders.csv")
    assert added.code == 0, added.stderr
    assert "created       data/source/orders.csv" in added.stdout
    assert "created       scripts/processed/ORDERS_CLEAN.sql" in added.stdout
    again = typed("add", "source", "../../orders.csv")
    assert again.code == 0
    assert "identical     data/source/orders.csv" in again.stdout


def test_a_conflict_is_named_and_nothing_is_written(typed: Typed, tmp_path: Path) -> None:
    typed("new", "shop")
    (tmp_path / "orders.csv").write_text("id,amount\n1,2.5\n2,3.5\n", encoding="utf-8")
    mine = tmp_path / "shop" / "scripts" / "processed" / "ORDERS_CLEAN.sql"
    mine.write_text("SELECT 1 AS mine", encoding="utf-8")
    result = typed("add", "source", "orders.csv", "--project", "shop")
    assert result.code == 2
    assert result.stderr.startswith("error: There with other content: scripts/processed/ORDERS_CLEAN.sql. Nothing was written.\n")
    assert mine.read_text(encoding="utf-8") == "SELECT 1 AS mine"
    assert not (tmp_path / "shop" / "data" / "source" / "orders.csv").exists()
    assert (
        "conflict      scripts/processed/ORDERS_CLEAN.sql" in typed("add", "source", "orders.csv", "--project", "shop", "--dry-run").stdout
    )
