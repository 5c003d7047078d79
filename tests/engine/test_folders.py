"""Source folders that vanish: only what is really gone counts as gone, and what cannot be looked at stops the run with its path."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError, SourceError
from pdbt.engine.files import Stamping, discover_sources
from pdbt.engine.graph import read_graph
from pdbt.engine.selects import Reader

NOBODY = 65534


@pytest.fixture
def project() -> Iterator[Path]:
    """A project that every user of the machine can get to, as the folders of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="pdbt-folders-"))
    folder.chmod(0o755)
    for name in ("orders.csv", "days/a.csv", "days/inner/b.csv", "days/inner/deep/c.csv"):
        path = folder / "data/source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a\n1\n")
    yield folder
    for place in folder.rglob("*"):
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o755)
    shutil.rmtree(folder)


def as_a_user(action: Callable[[], object]) -> str:
    """Return what an action says to a user whose rights count, which those of root do not."""
    if os.geteuid() != 0:
        return said(action)
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(write, said(action).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text


def said(action: Callable[[], object]) -> str:
    try:
        return repr(action())
    except PdbtError as error:
        return f"{type(error).__name__}({error.exit_code}): {error}"
    except OSError as error:
        return f"raw {error!r}"


def files(project: Path) -> dict[str, list[str]]:
    found = discover_sources(project)
    return {table.name: [path.relative_to(project / "data/source").as_posix() for path in table.files] for table in found.tables}


EVERYTHING = {"DAYS": ["days/a.csv", "days/inner/b.csv", "days/inner/deep/c.csv"], "ORDERS": ["orders.csv"]}


@pytest.mark.parametrize(
    ("place", "mode", "right"),
    [
        ("data/source/days", 0o000, "read"),
        ("data/source/days/inner", 0o000, "read"),
        ("data/source/days/inner", 0o300, "read"),
        ("data/source/days/inner/deep", 0o311, "read"),
        ("data/source/days/inner/deep", 0o644, "enter"),
        ("data/source", 0o000, "read"),
        ("data", 0o600, "enter"),
    ],
)
def test_a_folder_that_may_not_be_looked_at_stops_the_run(project: Path, place: str, mode: int, right: str) -> None:
    assert files(project) == EVERYTHING
    (project / place).chmod(mode)
    text = as_a_user(lambda: files(project))
    assert text.startswith("SourceError(2): ")
    assert f"may not {right} {project / place}." in text
    assert "the user " in text


def test_a_file_that_may_not_be_read_is_an_error_of_the_import(project: Path) -> None:
    (project / "data/source/orders.csv").chmod(0o000)
    assert as_a_user(lambda: list(files(project))) == "['DAYS', 'ORDERS']"
    text = as_a_user(lambda: Stamping([project / "data/source/orders.csv"]).stamps())
    assert text.startswith("SourceError(2): ")
    assert f"may not read {project / 'data/source/orders.csv'}." in text


@pytest.mark.parametrize("name", ["archive", "days/archive", "days/inner/deep/2024", "notes.pdf"])
def test_a_link_whose_mount_is_gone_stops_the_run(project: Path, name: str) -> None:
    link = project / "data/source" / name
    link.symlink_to("/mnt/no-such-share/archive")
    with pytest.raises(SourceError) as caught:
        discover_sources(project)
    assert caught.value.message == f"{link} is a link to /mnt/no-such-share/archive, which is not there."
    assert caught.value.path == str(link)
    link.unlink()
    assert files(project) == EVERYTHING


@pytest.mark.parametrize("name", ["data", "data/source"])
def test_a_source_folder_that_is_a_link_to_nothing_stops_the_run(project: Path, name: str) -> None:
    shutil.rmtree(project / name)
    (project / name).symlink_to(project / "share")
    with pytest.raises(SourceError, match=f"{project / name} is a link to {project / 'share'}, which is not there"):
        discover_sources(project)
    (project / name).unlink()
    assert files(project) == {}


@pytest.mark.parametrize("name", ["loop", "days/loop", "loop.csv"])
def test_a_link_to_itself_is_not_taken_for_gone(project: Path, name: str) -> None:
    link = project / "data/source" / name
    link.symlink_to(link.name)
    if link.suffix:  # named as a file, it is one that cannot be read
        assert "LOOP" in files(project)
        return
    with pytest.raises(SourceError, match=f"{link} cannot be read: Too many levels of symbolic links"):
        discover_sources(project)


def test_links_to_folders_are_followed(project: Path) -> None:
    elsewhere = project / "elsewhere"
    (elsewhere / "x").mkdir(parents=True)
    (elsewhere / "x/d.csv").write_text("a\n1\n")
    (project / "data/source/more").symlink_to(elsewhere)
    (project / "data/source/days/inner/x").symlink_to(elsewhere / "x")
    assert files(project) == {
        "DAYS": ["days/a.csv", "days/inner/b.csv", "days/inner/deep/c.csv", "days/inner/x/d.csv"],
        "MORE": ["more/x/d.csv"],
        "ORDERS": ["orders.csv"],
    }


@pytest.mark.parametrize(("name", "target"), [("days/loop", "."), ("days/inner/deep/up", "../.."), ("days/inner/back", "../../days")])
def test_a_cycle_is_named(project: Path, name: str, target: str) -> None:
    link = project / "data/source" / name
    link.symlink_to(target)
    with pytest.raises(SourceError) as caught:
        discover_sources(project)
    assert caught.value.message == f"{link} is a link to {target}, a folder that it is in: a cycle."


def test_two_links_to_one_folder_are_not_a_cycle(project: Path) -> None:
    (project / "data/source/days/again").symlink_to("inner")
    assert files(project)["DAYS"] == [
        "days/a.csv",
        "days/again/b.csv",
        "days/again/deep/c.csv",
        "days/inner/b.csv",
        "days/inner/deep/c.csv",
    ]


def test_what_is_hidden_is_not_looked_at(project: Path) -> None:
    (project / "data/source/.lock").symlink_to("nowhere")
    (project / "data/source/days/.lock").symlink_to("nowhere")
    (project / "data/source/days/.git/objects").mkdir(parents=True)
    (project / "data/source/days/.git").chmod(0o000)
    assert as_a_user(lambda: files(project)) == repr(EVERYTHING)


@pytest.mark.parametrize(
    ("name", "target"), [("scripts/processed", "/mnt/no-such-share"), ("scripts/processed/A.sql", "/mnt/no-such-share/A.sql")]
)
def test_scripts_that_are_away_drop_no_table(project: Path, name: str, target: str) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).symlink_to(target)
    with pytest.raises(SourceError, match=f"{project / name} is a link to {target}, which is not there"):
        read_graph(project, [], Reader({}, {}), lambda _: False)


def test_a_folder_of_scripts_that_may_not_be_read_drops_no_table(project: Path) -> None:
    (project / "scripts/final").mkdir(parents=True)
    (project / "scripts/final/A.sql").write_text("SELECT 1 AS a")
    (project / "scripts/final").chmod(0o000)
    text = as_a_user(lambda: read_graph(project, [], Reader({}, {}), lambda _: False))
    assert f"may not read {project / 'scripts/final'}." in text
