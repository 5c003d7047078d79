"""Files: which of them are tables, and how a change of one is told from none."""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.errors import GraphError, SourceError
from pdbt.engine.files import (
    SMALL_BYTES,
    Discovered,
    Stamping,
    discover_sources,
    file_stat,
    file_token,
    fresh_folder,
    hidden_sibling,
    stamp,
    table_name,
    write_durably,
)

SECOND_NS = 1_000_000_000


def discover(project: Path, *names: str) -> Discovered:
    for name in names:
        path = project / "data" / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a\n1\n")
    return discover_sources(project)


# Names --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("SAMPLE_DATA.csv", "SAMPLE_DATA"),
        ("orders.csv", "ORDERS"),
        ("orders.csv.gz", "ORDERS"),
        ("orders.v2.CSV", "ORDERS_V2"),
        ("My orders (final)-2.xlsx", "MY_ORDERS_FINAL_2"),
        ("2024.parquet", "T_2024"),
        ("---.tsv", "T_"),
        ("ærøskøbing.jsonl", "ÆRØSKØBING"),
        ("国家.csv", "国家"),
        (unicodedata.normalize("NFD", "écoles.csv"), "ÉCOLES"),
    ],
)
def test_a_file_names_its_table(tmp_path: Path, file: str, table: str) -> None:
    (source,) = discover(tmp_path, file).tables
    assert source.name == table
    assert source.label == f"data/source/{file}"
    assert source.files == (tmp_path / "data" / "source" / file,)


@given(st.text())
def test_every_text_gives_a_name_that_can_be_written(text: str) -> None:
    name = table_name(text)
    assert name
    assert not name[0].isdigit()
    assert name == name.upper()
    assert '"' not in name


# Tables -------------------------------------------------------------------------------------------------------------------


def test_a_folder_is_one_table_of_all_its_files(tmp_path: Path) -> None:
    found = discover(tmp_path, "orders/2024/b.csv", "orders/a.csv", "orders/2023/c.csv.gz", "orders/.hidden/d.csv", "orders/_e.csv")
    (table,) = found.tables
    assert (table.name, table.label) == ("ORDERS", "data/source/orders")
    folder = tmp_path / "data" / "source" / "orders"
    assert [path.relative_to(folder).as_posix() for path in table.files] == ["2023/c.csv.gz", "2024/b.csv", "_e.csv", "a.csv"]


def test_tables_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    assert [table.name for table in discover(tmp_path, "b.csv", "C/x.csv", "a.parquet").tables] == ["A", "B", "C"]


def test_what_is_no_table_is_named_once_and_what_is_hidden_not_at_all(tmp_path: Path) -> None:
    names = ("notes.docx", "more/readme.pdf", ".DS_Store", "~$orders.xlsx", "orders.csv.part", "x.csv~", "y.tmp", ".hidden/a.csv")
    found = discover(tmp_path, *names)
    assert found.tables == ()
    assert sorted(found.ignored) == [
        "data/source/more/readme.pdf is not a kind of file that is read",
        "data/source/notes.docx is not a kind of file that is read",
    ]


@pytest.mark.parametrize("names", [(), ("empty/.keep",)])
def test_a_project_may_have_no_sources(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert discover(tmp_path, *names) == Discovered((), ())


@pytest.mark.parametrize(
    ("one", "other", "first", "second"),
    [
        ("orders.csv", "orders.parquet", "orders.csv", "orders.parquet"),
        ("orders.csv", "ORDERS.csv", "ORDERS.csv", "orders.csv"),
        ("orders.csv", "orders/a.csv", "orders", "orders.csv"),
        ("my orders.csv", "my-orders.csv", "my orders.csv", "my-orders.csv"),
    ],
)
def test_two_sources_of_one_table_are_both_named(tmp_path: Path, one: str, other: str, first: str, second: str) -> None:
    with pytest.raises(GraphError) as caught:
        discover(tmp_path, one, other)
    assert f"data/source/{first} and data/source/{second} would both make the table " in caught.value.message
    assert caught.value.hint == "Rename or move one of them."


def test_a_source_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "source").write_text("")
    with pytest.raises(SourceError, match=r"data/source cannot be read: Not a directory\."):
        discover_sources(tmp_path)


# Change -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that was last changed an hour ago, at a fraction of a second."""
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    modified = time.time_ns() // SECOND_NS * SECOND_NS - 3600 * SECOND_NS + 123_456_789
    os.utime(path, ns=(modified, modified))
    return path


def test_a_file_left_alone_is_surely_the_same(file: Path) -> None:
    assert stamp(file).certain(file_stat(file))


def test_an_edit_of_the_same_size_and_time_is_not_surely_the_same(file: Path) -> None:
    known, before = stamp(file), file.stat()
    file.write_text("a\n2\n")
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert not known.certain(file_stat(file))
    assert stamp(file).sha256 != known.sha256


def test_another_file_in_its_place_is_not_surely_the_same(file: Path) -> None:
    known, before = stamp(file), file.stat()
    other = file.with_name("b.csv")
    other.write_text("a\n3\n")
    os.utime(other, ns=(before.st_mtime_ns, before.st_mtime_ns))
    other.replace(file)
    assert not known.certain(file_stat(file))


def test_a_file_written_just_before_it_was_stamped_is_read_again(file: Path) -> None:
    file.write_text("a\n4\n")
    os.utime(file)
    assert not stamp(file).certain(file_stat(file))


@pytest.mark.parametrize(("age_ns", "certain"), [(SECOND_NS, False), (10 * SECOND_NS, True)])
def test_a_time_of_whole_seconds_is_trusted_later(file: Path, age_ns: int, certain: bool) -> None:
    modified = (time.time_ns() - age_ns) // SECOND_NS * SECOND_NS
    os.utime(file, ns=(modified, modified))
    assert stamp(file).certain(file_stat(file)) is certain


def test_a_stamp_is_of_the_content(file: Path) -> None:
    other = file.with_name("b.csv")
    other.write_bytes(file.read_bytes())
    assert stamp(other).sha256 == stamp(file).sha256


def _missing(folder: Path) -> Path:
    return folder / "missing.csv"


def _link_to_nothing(folder: Path) -> Path:
    link = folder / "link.csv"
    link.symlink_to(folder / "nothing.csv")
    return link


@pytest.mark.parametrize("make", [_missing, _link_to_nothing])
def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    for ask in (stamp, file_stat, lambda path: Stamping([path]).stamps()):
        with pytest.raises(SourceError, match=r"\.csv cannot be read: No such file or directory\. Check that it is there"):
            ask(path)


@pytest.mark.parametrize("size", [10, SMALL_BYTES + 1])
def test_files_are_stamped_beside_other_work(tmp_path: Path, size: int) -> None:
    paths = [tmp_path / name for name in ("a.csv", "b.csv")]
    for path in paths:
        path.write_bytes(b"x" * size)
    assert set(Stamping(paths).stamps()) == set(paths)
    found = Stamping(paths).stamps(leave_out={paths[1]})
    assert set(found) == {paths[0]}
    assert found[paths[0]].sha256 == stamp(paths[0]).sha256


@pytest.mark.parametrize("size", [10, SMALL_BYTES + 1])
def test_a_file_that_changes_while_it_is_read_is_a_sentence(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * size)
    stamping = Stamping([path])
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(SourceError, match=r"a\.csv changed while it was read\. Run again when whatever writes it is done\."):
        stamping.stamps()


def test_a_file_that_vanishes_while_it_is_read_is_a_sentence_unless_it_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")
    stamping = Stamping([path])
    path.unlink()
    assert stamping.stamps(leave_out={path}) == {}
    with pytest.raises(SourceError, match=r"a\.csv cannot be read"):
        stamping.stamps()


# Writing ------------------------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_wholly_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.json"
    write_durably(path, "é first")
    with pytest.raises(UnicodeEncodeError):
        write_durably(path, "second \udce9")
    assert path.read_text(encoding="utf-8") == "é first"
    write_durably(path, "third")
    assert [found.name for found in path.parent.iterdir()] == ["state.json"]
    assert path.read_text(encoding="utf-8") == "third"


def test_a_token_follows_a_rename_and_not_an_edit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert file_token(path) is None
    hidden_sibling(path).write_text("x")
    token = file_token(hidden_sibling(path))
    hidden_sibling(path).replace(path)
    assert file_token(path) == token
    path.write_text("xy")
    assert file_token(path) != token


def test_a_fresh_folder_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "scratch"
    folder.mkdir(parents=True)
    (folder / "left.over").touch()
    with fresh_folder(folder) as inside:
        assert list(inside.iterdir()) == []
        (inside / "file").touch()
    assert not folder.exists()
