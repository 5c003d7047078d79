"""Templates are rendered in a sandbox, with every value given, and cannot leave the target."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import PdbtError
from pdbt.scaffold.templates import render_tree, shipped


def render(folder: Path, **values: object) -> dict[str, bytes]:
    return dict(render_tree(folder, values))


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_only_a_name_with_the_suffix_is_rendered(tmp_path: Path) -> None:
    write(tmp_path, "a.txt.jinja", "{{ x }} & é\n")
    write(tmp_path, "sub/b.txt", "{{ x }}\n")
    write(tmp_path, "__pycache__/c.pyc", "")
    assert render(tmp_path, x="<1>") == {"a.txt": "<1> & é\n".encode(), "sub/b.txt": b"{{ x }}\n"}


def test_a_path_can_be_named_after_a_value(tmp_path: Path) -> None:
    assert render(write(tmp_path, "{{ x }}/{{ x }}.sql.jinja", "{{ x }}"), x="orders") == {"orders/orders.sql": b"orders"}


@pytest.mark.parametrize("value", ["..", "../out", "/etc", "a/../../b", "C:", "a\\b"])
def test_a_rendered_path_cannot_leave_the_target(value: str, tmp_path: Path) -> None:
    with pytest.raises(PdbtError, match="leads out of the project"):
        render(write(tmp_path, "{{ x }}", ""), x=value)


def test_a_value_that_nobody_gave_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PdbtError) as refused:
        render(write(tmp_path, "a.jinja", "{{ missing }}"))
    assert refused.value.message == "The template a.jinja cannot be rendered: 'missing' is undefined."


@pytest.mark.parametrize("attack", ["{{ ''.__class__.__mro__ }}", "{{ x.__init__.__globals__ }}", "{{ cycler.__init__.__globals__ }}"])
def test_a_template_cannot_reach_python(attack: str, tmp_path: Path) -> None:
    with pytest.raises(PdbtError, match="cannot be rendered"):
        render(write(tmp_path, "a.jinja", attack), x="x")


@settings(deadline=None)
@given(st.text().filter(lambda text: text.isprintable()))
def test_any_name_is_written_as_toml(name: str) -> None:
    values = {"name": name, "template_version": "1", "database": "duckdb", "database_file": "db/x", "url": None, "port": 3000}
    rendered = dict(render_tree(shipped("templates") / "project", values))["pdbt.toml"].decode()
    assert tomllib.loads(rendered)["project"]["name"] == name
