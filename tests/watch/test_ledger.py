"""The ledger: what is recorded outlives its process, and tasks begin in the order of arrival, group after group."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError
from pdbt.watch.ledger import FILE_NAME, Arrival, Ledger
from pdbt.watch.rules import Defaults, Tag, read_pipeline

NOW = 4e9  # later than any retry that these tests make due


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def tag(*groups: str, name: str = "x") -> Tag:
    tasks = [(f"{group}{number}.py", group) for number, group in enumerate(groups)]
    return read_pipeline({name: tasks}, Defaults(Path("/"), Path("/logs")), "PIPELINE").tags[0]


def arrive(ledger: Ledger, path: str, *tags: Tag, size: int = 1) -> None:
    with ledger.transaction():
        ledger.add([Arrival(path, (size, 1, 1), tags)])


def begin(ledger: Ledger, limit: int = 100) -> list[str]:
    """Begin what is due; return which scripts."""
    rows = ledger.due(limit, NOW)
    for row in rows:
        ledger.begin(row.id, "log")
    return [row.run_text for row in rows]


def end(ledger: Ledger, run: str, state: str = "done") -> None:
    (row,) = [row for row in ledger.running() if row.run_text == run]
    ledger.end(row.id, state)  # type: ignore[arg-type]  # a parameter of this test


def test_the_next_group_begins_when_the_whole_of_the_one_before_is_done(ledger: Ledger) -> None:
    arrive(ledger, "/in/a", tag("a", "a", "b"))
    assert begin(ledger) == ["a0.py", "a1.py"]
    end(ledger, "a0.py")
    assert begin(ledger) == []
    end(ledger, "a1.py")
    assert begin(ledger) == ["b2.py"]


def test_a_failure_stops_later_groups_of_its_tag_and_of_no_other(ledger: Ledger) -> None:
    arrive(ledger, "/in/a", tag("a", "a", "b"), tag("c", "d", name="y"))
    assert begin(ledger) == ["a0.py", "a1.py", "c0.py"]
    end(ledger, "a0.py", "failed")
    end(ledger, "a1.py")
    end(ledger, "c0.py")
    assert begin(ledger) == ["d1.py"]
    assert ledger.counts() == {"done": 2, "failed": 1, "skipped": 1, "running": 1}


def test_retry_brings_back_what_failed_and_what_was_skipped_for_it(ledger: Ledger) -> None:
    arrive(ledger, "/in/a", tag("a", "b"))
    arrive(ledger, "/in/b", tag("a", "b"))
    begin(ledger)
    for row in ledger.running():
        ledger.end(row.id, "failed", 1, "it ended with exit code 1")
    assert ledger.retry(["/in/other"]) == 0
    assert ledger.retry(["/in/b"]) == 1
    assert ledger.retry() == 1
    assert begin(ledger) == ["a0.py", "a0.py"]
    end_all(ledger)
    assert begin(ledger) == ["b1.py", "b1.py"]


def end_all(ledger: Ledger) -> None:
    for row in ledger.running():
        ledger.end(row.id, "done")


def test_what_is_long_done_can_be_forgotten_but_not_what_is_under_way_or_the_last_number(ledger: Ledger) -> None:
    arrive(ledger, "/in/old", tag("a"))
    arrive(ledger, "/in/untagged")
    arrive(ledger, "/in/old", tag("a"), size=2)
    arrive(ledger, "/in/waits", tag("a"))
    arrive(ledger, "/in/last", tag("a"))
    for row in ledger.due(9, NOW):
        ledger.begin(row.id, "log")
    for row in ledger.running():
        if row.path != "/in/waits":
            ledger.end(row.id, "done")
    found = ledger.ended_before(NOW)
    assert [(path, latest) for _, path, latest in found] == [("/in/old", False), ("/in/untagged", True), ("/in/old", True)]
    assert ledger.ended_before(1.0) == []
    with ledger.transaction():
        ledger.forget([file for file, _, _ in found])
        ledger.forget([row.file for row in ledger.running()])
    assert [ledger.find(path) is not None for path in ("/in/old", "/in/untagged", "/in/waits", "/in/last")] == [False, False, True, True]
    assert ledger.counts() == {"running": 1, "done": 1}


def test_the_queue_is_in_order_of_arrival(ledger: Ledger) -> None:
    for name in "cab":
        arrive(ledger, f"/in/{name}", tag("g"))
    assert [row.path for row in ledger.due(2, NOW)] == ["/in/c", "/in/a"]


def test_new_content_replaces_what_has_not_begun(ledger: Ledger) -> None:
    arrive(ledger, "/in/a", tag("a", "b"))
    arrive(ledger, "/in/a", tag("a", "b"), size=2)
    (row,) = ledger.due(9, NOW)
    assert row.size == 2
    assert ledger.counts() == {"superseded": 2, "waiting": 1, "blocked": 1}


@pytest.mark.parametrize("ended", ["done", "failed", "put back", "tried again"])
def test_new_content_waits_for_what_runs_on_the_old(ledger: Ledger, ended: str) -> None:
    arrive(ledger, "/in/a", tag("a", "b"))
    (row,) = ledger.due(9, NOW)
    ledger.begin(row.id, "log")
    arrive(ledger, "/in/a", tag("a", "b"), size=2)
    assert ledger.due(9, NOW) == []
    if ended == "put back":
        ledger.put_back(row.id)
    elif ended == "tried again":
        ledger.try_again(row.id, 1.0, 1, "it failed")
    else:
        ledger.end(row.id, ended)  # type: ignore[arg-type]  # a parameter of this test
    assert [(row.size, row.run_text) for row in ledger.due(9, NOW)] == [(2, "a0.py")]


def test_a_retry_waits_until_it_is_due(ledger: Ledger) -> None:
    arrive(ledger, "/in/a", tag("a"))
    begin(ledger)
    (row,) = ledger.running()
    ledger.try_again(row.id, 1000.0, 1, "it ended with exit code 1")
    assert ledger.due(9, 999.0) == []
    assert ledger.next_due() == 1000.0
    assert [row.attempts for row in ledger.due(9, 1000.0)] == [1]


def test_all_is_there_after_a_process_that_did_not_close_it(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    arrive(first, "/in/a", tag("a", "a"))
    begin(first, 1)
    second = Ledger(tmp_path)
    assert [row.run_text for row in second.running()] == ["a0.py"]
    assert second.stats() == {"/in/a": (1, 1, 1)}
    first.close()
    second.close()


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    def add_and_fail() -> None:
        with ledger.transaction():
            ledger.add([Arrival("/in/a", (1, 1, 1), (tag("a"),))])
            ledger._database.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        add_and_fail()
    assert ledger.stats() == {}
    arrive(ledger, "/in/a", tag("a"))
    assert [row.id for row in ledger.due(9, NOW)] == [1]


def test_another_process_is_noticed(ledger: Ledger, tmp_path: Path) -> None:
    before = ledger.data_version()
    other = Ledger(tmp_path)
    arrive(other, "/in/a", tag("a"))
    other.close()
    assert ledger.data_version() != before


@pytest.mark.parametrize("content", [b"no database, but long enough to be taken for one" * 100])
def test_what_is_no_ledger_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(PdbtError, match=r"The ledger .* cannot be opened: file is not a database\."):
        Ledger(tmp_path)


def test_a_ledger_of_another_version_is_a_sentence(ledger: Ledger, tmp_path: Path) -> None:
    ledger._database.execute("PRAGMA user_version = 99")
    with pytest.raises(PdbtError, match=r"is of version 99, not 1\. Move it away to begin a new one\."):
        Ledger(tmp_path)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PdbtError, match=r"cannot be opened: .*Not a directory"):
        Ledger(tmp_path / "file" / "state")
