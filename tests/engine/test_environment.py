"""Values from the environment or the file .env, and what of them nobody is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.environment import MASK, passwords, read_env_file, redact
from pdbt.engine.errors import PdbtError
from tests.engine.settings_files import PASSWORD, load, refusal

COMMUNE = '[database]\ntype = "commune"\nurl = "{}"\n'


def test_values_come_from_the_environment_before_the_env_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".env").write_text("REGION=south\n", encoding="utf-8")
    assert load(project, '[parameters]\nregion = "${REGION}"').parameters == {"region": "south"}
    monkeypatch.setenv("REGION", "north")
    assert load(project, '[parameters]\nregion = ["${REGION}", "east"]').parameters == {"region": ["north", "east"]}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=value", "value"),
        ("  NAME = value  ", "value"),
        ("export NAME=value", "value"),
        ("export\tNAME=value", "value"),
        ('NAME="a value"', "a value"),
        ("NAME='a \"value\"'", 'a "value"'),
        ('NAME="a value" # a comment', "a value"),
        ("NAME=value # a comment", "value"),
        ("NAME=pass#word", "pass#word"),
        ("NAME=a=b==", "a=b=="),
        ('NAME="unclosed', '"unclosed'),
        ("NAME=", ""),
        ("NAME=é 日本", "é 日本"),
    ],
)
def test_a_line_of_the_env_file(tmp_path: Path, line: str, value: str) -> None:
    (tmp_path / ".env").write_bytes(f"\ufeff# NAME=no\r\n\r\nnonsense\r\n{line}\r\n# NAME=no".encode())
    assert read_env_file(tmp_path / ".env") == {"NAME": value}


def test_an_env_file_that_is_no_utf8_is_a_sentence(project: Path) -> None:
    (project / ".env").write_bytes(b"REGION=caf\xe9")
    with pytest.raises(PdbtError, match=r"\.env cannot be read\. It must be UTF-8 text that you may read\."):
        load(project, '[parameters]\nx = "${REGION}"')


def test_an_env_file_that_nothing_asks_for_is_not_read(project: Path) -> None:
    (project / ".env").write_bytes(b"\xff")
    assert load(project, "").name == project.name


@pytest.mark.parametrize(("value", "state"), [(None, "not set"), ("", "empty")])
def test_a_variable_without_a_value_is_named(project: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, state: str) -> None:
    if value is not None:
        monkeypatch.setenv("DATABASE_URL", value)
    error = refusal(project, COMMUNE.format("${DATABASE_URL}"))
    assert error.message == f"pdbt.toml: database.url uses ${{DATABASE_URL}}, which is {state}."
    assert error.hint == "Set DATABASE_URL in the environment or in .env."


@pytest.mark.parametrize(
    ("password", "written"),
    [
        ("p@ss", "p%40ss"),
        ("p:a/s?s#[x]", "p%3Aa%2Fs%3Fs%23%5Bx%5D"),
        ("p%40ss", "p%40ss"),
        ("100%", "100%25"),
        ("naïve pass", "na%C3%AFve%20pass"),
    ],
)
def test_a_password_of_the_environment_fits_into_a_url(project: Path, monkeypatch: pytest.MonkeyPatch, password: str, written: str) -> None:
    monkeypatch.setenv("DB_PASSWORD", password)
    settings = load(project, COMMUNE.format("postgresql://me:${DB_PASSWORD}@host/db"))
    assert settings.database_url == f"postgresql://me:{written}@host/db"
    for form in (password, written):
        assert settings.redact(f"cannot connect with {form} today") == f"cannot connect with {MASK} today"


# Secrets ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f'[database]\ntype = "commune"\nulr = "postgresql://me:{PASSWORD}@h/d"',
        f'[database]\ntype = "commune"\nurl = ["postgresql://me:{PASSWORD}@h/d"]',
        f'[database]\nurl = "postgresql://me:{PASSWORD}@h/d"',
        f'[database]\ntype = "commune"\nurl = "postgresql://me:{PASSWORD}@h/d"\nlock_timeout = "x"',
        f'[database]\nlock_timeout = "postgresql://me:{PASSWORD}@h/d"',
        f'database = "postgresql://me:p@ss{PASSWORD}@h/d"',
        f'[notifications]\nurls = "slack://{PASSWORD}/b/c"',
        f'[connections.x]\nurl = ["{PASSWORD}"]',
        f'[connections]\nx = "postgresql://me:{PASSWORD}@h/d"',
        f'[project]\nname = ["password={PASSWORD}"]',
    ],
)
def test_an_error_shows_no_password(project: Path, text: str) -> None:
    assert PASSWORD not in str(refusal(project, text))


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@h/d",
        f"postgresql://:{PASSWORD}@h/d",
        f"postgresql://me:a@{PASSWORD}@h/d",
        f"postgresql+psycopg://me:a/{PASSWORD}@h:5432/d?sslmode=require",
        f"postgresql://h/d?user=me&password={PASSWORD}",
    ],
)
def test_a_password_written_in_a_url_is_masked_in_the_url_and_alone(project: Path, url: str) -> None:
    settings = load(project, COMMUNE.format(url))
    assert settings.database_url == url
    assert PASSWORD not in settings.redact(f"no answer from {url}.")
    assert all(PASSWORD not in settings.redact(f"FATAL: {password!r} is wrong") for password in passwords(url))


def test_secrets_of_every_section_are_masked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "key-123456")
    text = """
[parameters]
key = "${API_KEY}"
[connections.w]
url = "mysql://u:wpass@h/d"
[notifications]
urls = ["slack://TokenA/TokenB", "${NOTIFY_URL}"]
"""
    settings = load(project, text)
    assert settings.redact("key-123456, wpass and TokenA/TokenB") == f"{MASK}, {MASK} and {MASK}"


def test_short_and_ordinary_values_leave_a_log_readable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "FR")
    monkeypatch.setenv("DB_PASSWORD", "post")
    settings = load(project, '[parameters]\nregion = "${REGION}"\n' + COMMUNE.format("postgresql://me:${DB_PASSWORD}@h/d"))
    assert settings.redact("import FR: 5 rows by postgresql; post") == f"import FR: 5 rows by postgresql; {MASK}"


def test_the_place_of_the_database_is_no_secret(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "northwest")
    settings = load(project, '[database]\npath = "db/${REGION}.duckdb"')
    assert settings.database_path == project / "db" / "northwest.duckdb"
    assert settings.redact("northwest") == "northwest"


def test_masking_a_long_text_takes_no_time_to_speak_of() -> None:
    text = "a" * 1_000_000
    assert redact(text) == text


@given(
    st.text(max_size=20), st.text(alphabet=st.characters(blacklist_characters=" @:/?#&;,'\"\t\n\r", categories=["L", "N", "P"]), min_size=1)
)
def test_a_url_never_comes_through_with_its_password(before: str, password: str) -> None:
    shown = redact(f"{before} postgresql://user:{password}@host/db")
    assert shown.endswith(f"postgresql://user:{MASK}@host/db")
