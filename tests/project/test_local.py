"""`run_local` runs what the command runs, and says what became of it."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt import PdbtError, run_local
from pdbt.engine.errors import SettingsError
from pdbt.engine.lock import run_lock
from pdbt.engine.parameters import resolve_parameters
from pdbt.engine.settings import Parameter, load_settings
from pdbt.project.local import parameter_options
from tests.conftest import MakeProject, RunProcess
from tests.project.conftest import Add

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED_WITHIN_SECONDS = 10


@pytest.fixture
def shop(make_project: MakeProject, tmp_path: Path) -> Path:
    """A project whose one result depends on a parameter, and a check on another."""
    (tmp_path / "orders.csv").write_text("id,amount\n1,10\n2,20\n3,30\n", encoding="utf-8")
    project = make_project(data=[tmp_path / "orders.csv"])
    settings = project / "pdbt.toml"
    text = settings.read_text(encoding="utf-8").replace("[parameters]\n", "[parameters]\nleast = 1\nmost = 1000\n")
    settings.write_text(text, encoding="utf-8")
    (project / "scripts" / "final" / "BIG.sql").write_text("SELECT * FROM ORDERS WHERE amount >= $least", encoding="utf-8")
    (project / "scripts" / "checks" / "MOST.sql").write_text("SELECT * FROM BIG WHERE amount > $most", encoding="utf-8")
    return project


def test_a_run_tells_its_tables_and_rows(shop: Path) -> None:
    result = run_local(shop, parameters={"least": 15})
    assert (result.status, result.ok, result.exit_code, result.error) == ("done", True, 0, None)
    assert result.tables == ("ORDERS", "BIG", "ORDERS_CLEAN", "ORDERS_SUMMARY")
    assert result.rows == {"ORDERS": 3, "BIG": 2, "ORDERS_CLEAN": 3, "ORDERS_SUMMARY": 1}
    assert 0 < result.seconds < 100
    again = run_local(str(shop), {"least": 15})
    assert (again.tables, again.rows) == (result.tables, result.rows)


def test_it_is_quiet_and_light(shop: Path, run_process: RunProcess, tmp_path: Path) -> None:
    program = (
        "import sys, pdbt\n"
        "assert [name for name in sys.modules if name.startswith('pdbt.')] == ['pdbt.version']\n"
        "result = pdbt.run_local(sys.argv[1])\n"
        "assert result.ok and 'duckdb' not in sys.modules\n"
    )
    ended = run_process([sys.executable, "-c", program, shop], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")


def test_the_environment_is_the_callers(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = shop / "pdbt.toml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("[parameters]\n", '[parameters]\nword = "${MY_WORD}"\n'), encoding="utf-8"
    )
    (shop / "scripts" / "final" / "WORD.sql").write_text("SELECT $word AS word", encoding="utf-8")
    monkeypatch.setenv("MY_WORD", "only-here")
    assert run_local(shop).ok
    assert (shop / "data" / "final" / "WORD.csv").read_text(encoding="utf-8") == "word\nonly-here\n"


def test_a_pipeline_that_fails_is_a_result(shop: Path) -> None:
    result = run_local(shop, {"most": 25})
    assert (result.status, result.ok, result.exit_code) == ("failed", False, 1)
    assert "MOST" in str(result.error)
    unknown = run_local(shop, {"lest": 5})
    assert (unknown.status, unknown.exit_code) == ("failed", 2)
    assert unknown.error == "--param lest: no file of this project uses $lest. Used: $least, $most."
    (shop / "scripts" / "source.py").write_text("raise ValueError('not today')\n", encoding="utf-8")
    broken = run_local(shop)
    assert (broken.status, broken.tables) == ("failed", ())
    assert broken.error == "ValueError: not today"


def test_a_run_that_takes_too_long_is_stopped(shop: Path) -> None:
    (shop / "scripts" / "final" / "SLOW.py").write_text("import time\n\n\ndef table():\n    time.sleep(600)\n", encoding="utf-8")
    result = run_local(shop, timeout=4)
    assert (result.status, result.ok, result.exit_code) == ("interrupted", False, 130)
    assert result.error == "The run was stopped. Nothing was published."
    assert not (shop / "db" / "database.duckdb").exists()


@pytest.mark.slow
def test_a_run_that_is_stopped_after_its_publication_does_not_say_that_nothing_was_published(shop: Path) -> None:
    script = shop / "macro" / "python-run-process.py"
    linger = "def linger(run):\n    import time\n\n    time.sleep(600)\n\n\nSTEPS = [*STEPS, linger]\n\n\nif __name__"
    script.write_text(script.read_text(encoding="utf-8").replace("if __name__", linger), encoding="utf-8")
    result = run_local(shop, timeout=PUBLISHED_WITHIN_SECONDS)
    assert (result.status, result.ok, result.exit_code) == ("interrupted", False, 130)
    assert result.error == "The run was stopped. What it made had been published before."
    assert result.tables == ("ORDERS", "BIG", "ORDERS_CLEAN", "ORDERS_SUMMARY")
    assert (shop / "db" / "database.duckdb").exists()


def test_a_run_beside_another_one_is_refused(shop: Path) -> None:
    settings = shop / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("[database]\n", "[database]\nlock_timeout = 0\n"), encoding="utf-8")
    with run_lock(shop / "db" / ".work" / "run.lock", 0, print):
        result = run_local(shop)
    assert (result.status, result.exit_code) == ("refused", 75)
    assert str(result.error).startswith("Another run of this project is in progress: PID ")


def test_what_cannot_be_run_is_raised(shop: Path, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PdbtError, match=r"gone does not exist\."):
        run_local(tmp_path / "gone")
    (shop / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"there is no section \[nonsense\]"):
        run_local(shop)
    monkeypatch.chdir(add("orders", "acme"))
    assert run_local("acme/orders").ok
    with pytest.raises(PdbtError, match=r"has no project odrers\. It has: orders\."):
        run_local("odrers")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of which only the settings are looked at."""
    project = tmp_path_factory.mktemp("bare")
    (project / "pdbt.toml").write_text('[parameters]\ntext = "a"\n', encoding="utf-8")
    return project


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_PLAIN = st.one_of(
    _TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False),
    st.dates(datetime.date(1000, 1, 1)),
    st.datetimes(datetime.datetime(1000, 1, 1)),
    st.times(),
)


@given(value=st.one_of(_PLAIN, st.lists(_PLAIN, min_size=1, max_size=3)), text=_TEXTS)
def test_every_value_arrives_as_it_is(bare: Path, value: Parameter, text: str) -> None:
    words = [word.removeprefix("--param=") for word in parameter_options(bare, {"new": value, "text": text})]
    arrived = resolve_parameters(load_settings(bare), words)
    assert arrived == {"new": value, "text": text}
    assert type(arrived["new"]) is type(value)


def test_the_code_of_the_page_runs(shop: Path, run_process: RunProcess) -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    ended = run_process(
        [sys.executable, "-c", page.partition("```python\n")[2].partition("```")[0]], cwd=shop.parent, env={"PYTHONPATH": str(ROOT)}
    )
    assert ended.code == 0, ended.stderr
    assert ended.stdout.startswith("done ('ORDERS', 'BIG', ")
