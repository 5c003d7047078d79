"""Secrets in archives: each is named and left out, also one that stands in the settings, unless the owner asks for them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import PdbtError
from pdbt.engine.settings import load_settings
from pdbt.project.archive import archive_project
from pdbt.project.archive_contents import SECRET
from pdbt.project.archive_secrets import is_secret_file, without_secrets
from pdbt.project.restore import restore_archive
from tests.conftest import MakeProject
from tests.project.conftest import Pdbt

SETTINGS = """
[connections.warehouse]
url = "postgresql://ann:hunter2-pass@db.example.org/shop"  # as the team has it

[connections.lake]
url = 'mysql://ann:${LAKE_PASSWORD}@db.example.org/shop?ssl=true'

[notifications]
urls = ["slack://hunter2-a/hunter2-b/hunter2-c", "${NOTIFY_URL}", "mailto://ann:${MAIL}@example.org"]

[parameters]
api_key = "hunter2-key"
currency = "hunter2-key as a text that is not the key"

[source.orders]
types = { token = "VARCHAR" }

# url = "postgresql://ann:hunter2-old@db.example.org/shop"
"""


def with_secrets(project: Path) -> Path:
    """Write secrets into the settings of a project, each under a section that is there once."""
    text = (project / "pdbt.toml").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if line not in ("[parameters]", "[notifications]")]
    (project / "pdbt.toml").write_text("\n".join(kept) + SETTINGS, encoding="utf-8")
    return project


def archived(project: Path, folder: Path, kind: str = "zst", *, secrets: bool = False) -> tuple[Path, dict[str, list[str]]]:
    """Archive a project and restore it; return the new project, and what was said of each path."""
    folder.mkdir(exist_ok=True)
    made = archive_project(project, kind, folder, secrets=secrets)
    said: dict[str, list[str]] = {}
    for item in made.left_out:
        said.setdefault(item.path, []).append(item.reason)
    return restore_archive(made.path, folder / "restored"), said


@pytest.mark.parametrize("kind", ["zst", "zip"])
def test_secrets_are_named_and_left_out(make_project: MakeProject, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = with_secrets(make_project("shop"))
    for name in (".env", ".env.prod", "prod.env", "scripts/server.pem", ".pgpass"):
        (project / name).write_text("X=hunter2-file\n", encoding="utf-8")
    (project / ".env.example").write_text("X=\n", encoding="utf-8")
    (project / ".git").mkdir()
    (project / ".git/config").write_text('[remote "origin"]\n\turl = https://ann:hunter2-git@example.org/shop.git\n', encoding="utf-8")

    restored, said = archived(project, tmp_path / "to", kind)

    assert [name for name, reasons in said.items() if reasons == [SECRET]] == [
        ".env",
        ".env.prod",
        ".pgpass",
        "prod.env",
        "scripts/server.pem",
    ]
    assert said["pdbt.toml"][:3] == [
        "connections.warehouse.url holds a secret; the archive has ${WAREHOUSE_PASSWORD} in its place",
        "notifications.urls holds a secret; the archive has ${NOTIFICATION_URL_1} in its place",
        "parameters.api_key holds a secret; the archive has ${PARAMETERS_API_KEY} in its place",
    ]
    assert said["pdbt.toml"][3].endswith("holds a password; the archive has *** in its place")
    assert said[".git/config"] == ["line 2 holds a password; the archive has *** in its place"]
    everything = b"".join(path.read_bytes() for path in restored.rglob("*") if path.is_file())
    assert everything.count(b"hunter2") == 1  # the text that is not the key
    assert (restored / ".env.example").exists()

    before, after = (tomllib.loads((home / "pdbt.toml").read_text(encoding="utf-8")) for home in (project, restored))
    before["connections"]["warehouse"]["url"] = "postgresql://ann:${WAREHOUSE_PASSWORD}@db.example.org/shop"
    before["notifications"]["urls"][0] = "${NOTIFICATION_URL_1}"
    before["parameters"]["api_key"] = "${PARAMETERS_API_KEY}"
    assert after == before
    monkeypatch.setenv("PARAMETERS_API_KEY", "hunter2-key")
    assert load_settings(restored).parameters == load_settings(project).parameters


def test_secrets_are_in_it_when_the_owner_asks_for_them(make_project: MakeProject, tmp_path: Path, pdbt: Pdbt) -> None:
    project = with_secrets(make_project("shop"))
    (project / ".env").write_text("X=hunter2\n", encoding="utf-8")
    restored, said = archived(project, tmp_path / "to", secrets=True)
    assert (restored / "pdbt.toml").read_bytes() == (project / "pdbt.toml").read_bytes()
    assert (restored / ".env").read_bytes() == (project / ".env").read_bytes()
    assert not {".env", "pdbt.toml"} & set(said)
    assert "  left out  .env: it holds secrets" in pdbt("archive", str(project), "--to", str(tmp_path)).stdout
    assert "secret" not in pdbt("archive", str(project), "--to", str(tmp_path / "to"), "--with-secrets").stdout


def test_a_secret_that_cannot_be_taken_out_stops_the_archive(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project("shop")
    with (project / "pdbt.toml").open("a", encoding="utf-8") as file:
        file.write('\n[connections.a]\nurl = "postgresql://ann:p\\u0061ss1234@h/d"\n')
    with pytest.raises(PdbtError, match=r"pdbt\.toml: the secret in connections\.a\.url cannot be taken out\. No archive was written\."):
        archive_project(project, "zst", tmp_path)
    assert not list(tmp_path.glob("*.tar.zst"))


def test_settings_that_cannot_be_read_are_not_passed_on_unseen(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project("shop")
    (project / "pdbt.toml").write_text('[parameters]\napi_key = "hunter2\n', encoding="utf-8")
    with pytest.raises(PdbtError, match=r"pdbt\.toml is not valid TOML, so nothing tells which of it is secret\. No archive was written\."):
        archive_project(project, "zst", tmp_path)
    assert archive_project(project, "zst", tmp_path, secrets=True).path.exists()


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *((name, True) for name in (".env", ".env.local", ".ENV", "a.env", "id_rsa", "server.KEY", ".netrc")),
        *((name, False) for name in (".env.example", ".env.sample", "env.csv", "environment", "keys.csv")),
    ],
)
def test_files_of_secrets_are_known_by_their_names(name: str, secret: bool) -> None:
    assert is_secret_file(name) is secret


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="'\"\\@:/?#$ \u2028\u2029"), min_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS, st.sampled_from(['"', "'"]))
def test_nothing_but_the_password_is_changed(tmp_path: Path, password: str, other: str, mark: str) -> None:
    path = tmp_path / "pdbt.toml"
    lines = [f"name = {mark}{password}{mark}", f"[connections.a]\nurl = {mark}postgresql://ann:{password}@h/{other}{mark}"]
    path.write_text("\n".join(lines), encoding="utf-8")
    before = tomllib.loads(path.read_text(encoding="utf-8"))
    masked = without_secrets(path, "pdbt.toml")
    assert masked is not None
    after = tomllib.loads(masked.content.decode())
    assert after["name"] == before["name"]
    assert password not in after["connections"]["a"]["url"].removesuffix(other)
    assert "${A_PASSWORD}" in after["connections"]["a"]["url"]


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://b:b@b/b?b=1", "postgresql://b:${W_PASSWORD}@b/b?b=1"),
        ("postgresql://u:p%40ss@h/d?password=q1&x=1", "postgresql://u:${W_PASSWORD}@h/d?password=${W_PASSWORD_}&x=1"),
        ("mssql://h/d?user=u&password=abc;def", "mssql://h/d?user=u&password=${W_PASSWORD}"),
        ("snowflake://u:p/w@x@account/db", "snowflake://u:${W_PASSWORD}@account/db"),
        ("postgresql://u:${PASSWORD}@h/d", None),
        ("postgresql://u@h/d?sslmode=require", None),
    ],
)
def test_a_password_is_cut_out_where_it_stands(tmp_path: Path, url: str, masked: str | None) -> None:
    path = tmp_path / "watch.toml"
    path.write_text(f'[connections.w]\nurl = "{url}"\n', encoding="utf-8")
    found = without_secrets(path, "watch.toml")
    assert (tomllib.loads(found.content.decode())["connections"]["w"]["url"] if found else None) == masked
