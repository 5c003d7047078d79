"""A database of each kind, with nothing in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databases.subjects import KINDS, Subject

MakeSubject = Callable[[str], Subject]


@pytest.fixture
def make_subject(tmp_path: Path, request: pytest.FixtureRequest) -> MakeSubject:
    """Make a database of a kind."""

    def make(kind: str) -> Subject:
        project = tmp_path / f"{kind} project"
        project.mkdir()
        return Subject(kind, project, str(request.getfixturevalue("postgres_url")) if kind == "postgresql" else None)

    return make


@pytest.fixture(params=KINDS)
def subject(make_subject: MakeSubject, request: pytest.FixtureRequest) -> Subject:
    """A database of each kind in turn."""
    return make_subject(request.param)


@pytest.fixture(params=["duckdb", "sqlite"])
def file_subject(make_subject: MakeSubject, request: pytest.FixtureRequest) -> Subject:
    """A database of each kind that is a file."""
    return make_subject(request.param)
