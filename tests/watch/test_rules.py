"""Rules: which tags a name has, what a task is, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.errors import SettingsError
from pdbt.watch.rules import Defaults, Pipeline, read_pipeline

DEFAULTS = Defaults(base=Path("/base"), logs=Path("/base/logs"))
TASK = ("/path/task.py", "1", "/path/logs")


def pipeline(document: Any) -> Pipeline:
    return read_pipeline(document, DEFAULTS, "PIPELINE")


def names(document: Any, file: str) -> list[str]:
    return [tag.name for tag in pipeline(document).matching(file)]


def test_the_short_form_is_path_group_and_log_folder() -> None:
    (tag,) = pipeline({"orders": [TASK, ("b.py", "2", "logs"), ("c.py", 1)]}).tags
    first, second, third = tag.tasks
    assert (first.kind, first.words, first.group, first.logs) == ("python", ("/path/task.py",), "1", Path("/path/logs"))
    assert (second.words, second.logs) == (("/base/b.py",), Path("/base/logs"))
    assert (third.group, third.logs) == ("1", Path("/base/logs"))


def test_groups_come_in_the_order_in_which_they_first_appear() -> None:
    (tag,) = pipeline({"x": [("a.py", "late"), ("b.py", "10"), ("c.py", "late"), ("d.py", "2")]}).tags
    assert tag.groups == ("late", "10", "2")


def test_a_name_with_several_tags_has_all_of_them() -> None:
    assert names({"test": [TASK], "test2": [TASK]}, "test2.csv") == ["test", "test2"]
    assert names({"test": [TASK], "test2": [TASK]}, "a_test.csv") == ["test"]


@pytest.mark.parametrize(
    ("match", "pattern", "fitting", "other"),
    [
        ("exact", "test", ["test.csv", "test", "test.csv.gz"], ["test2.csv", "a_test.csv"]),
        ("exact", "test.csv", ["test.csv", "test.csv.gz"], ["test2.csv", "xtest.csv"]),
        ("prefix", "test", ["test2.csv"], ["a_test.csv"]),
        ("glob", "te*.csv", ["test.csv"], ["TEST.csv", "test.csv.gz"]),
        ("regex", r"^\d{4}_orders\b", ["2025_orders.csv"], ["25_orders.csv", "2025_orders2.csv"]),
        ("contains", "a*b", ["xa*by"], ["aab"]),
    ],
)
def test_a_tag_may_say_how_it_is_looked_for(match: str, pattern: str, fitting: list[str], other: list[str]) -> None:
    document = {"tag": {"match": match, "pattern": pattern, "tasks": [TASK]}}
    assert [names(document, name) for name in fitting] == [["tag"]] * len(fitting)
    assert [names(document, name) for name in other] == [[]] * len(other)


@given(st.text(min_size=1), st.text(), st.text())
def test_whatever_contains_the_tag_has_it(tag: str, before: str, after: str) -> None:
    assert names({tag: [TASK]}, before + tag + after) == [tag]


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        ("load.py", "python", ("/base/load.py",)),
        ("my scripts/load.py", "python", ("/base/my scripts/load.py",)),
        ("load.py --fast 'a b'", "python", ("/base/load.py", "--fast", "a b")),
        (["load.py", "--fast"], "python", ("/base/load.py", "--fast")),
        ("gzip -k", "command", ("gzip", "-k")),
        ("bin/load", "command", ("/base/bin/load",)),
        ("project:shop", "project", ("shop",)),
        ("dagster:shop", "dagster", ("shop",)),
    ],
)
def test_what_a_task_is_follows_from_how_it_is_written(run: Any, kind: str, words: tuple[str, ...]) -> None:
    (tag,) = pipeline({"x": [{"run": run}]}).tags
    assert (tag.tasks[0].kind, tag.tasks[0].words) == (kind, words)


def test_a_task_may_say_more() -> None:
    keys = {"run": "load.sql", "connection": "warehouse", "group": 2, "timeout": 5, "retries": 3, "retry_delay": 0.5}
    task = pipeline({"x": [keys]}).tags[0].tasks[0]
    assert (task.kind, task.connection, task.group, task.timeout, task.retries) == ("sql", "warehouse", "2", 5.0, 3)
    assert [task.delay(attempts) for attempts in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert task.delay(10_000) == 3600


def test_a_recorded_task_is_found_again_after_the_rules_changed() -> None:
    rules = pipeline({"x": [("new.py",), ("a.py",), ("b.py",)]})
    found = [rules.task("x", 0, "a.py"), rules.task("x", 2, "mended.py"), rules.task("x", 9, "gone.py"), rules.task("y", 0, "a.py")]
    assert [task.run if task else None for task in found] == ["a.py", "b.py", None, None]


@pytest.mark.parametrize(
    ("document", "message", "hint"),
    [
        ({}, "PIPELINE has no tags.", "Write tasks under one"),
        ([], "PIPELINE has no tags.", "Write tasks under one"),
        ({"": [TASK]}, 'PIPELINE. is "".', "A tag must be a text, not empty."),
        ({"x": []}, "PIPELINE.x.tasks is [].", "It must be a list of tasks."),
        ({"x": "load.py"}, "PIPELINE.x.tasks is load.py.", "It must be a list of tasks."),
        ({"x": {"match": "exact"}}, "PIPELINE.x.tasks is missing.", "It must be a list of tasks."),
        ({"x": {"match": "like", "tasks": [TASK]}}, "PIPELINE.x.match is like.", 'It must be "contains" | "exact"'),
        ({"x": {"tsks": [TASK]}}, "PIPELINE.x has no key 'tsks'.", "Did you mean tasks?"),
        ({"x": {"match": "regex", "pattern": "(", "tasks": [TASK]}}, "PIPELINE.x is no regular expression: ", 'Use match = "glob"'),
        ({"x": [("a.py", "1", "logs", "more")]}, "PIPELINE.x[1] is a.py 1 logs more.", "It must be (path, group, log folder)"),
        ({"x": [{"group": "1"}]}, "PIPELINE.x[1].run is missing.", "It must be a text, or a list of words."),
        ({"x": [{"run": "a.py", "timout": 1}]}, "PIPELINE.x[1] has no key 'timout'.", "Did you mean timeout?"),
        ({"x": [{"run": "a.py", "timeout": -1}]}, "PIPELINE.x[1].timeout is -1.", "It must be a number of seconds, or 0 for no limit."),
        ({"x": [{"run": "a.py", "retries": True}]}, "PIPELINE.x[1].retries is true.", "It must be a whole number, 0 or more."),
        ({"x": [{"run": "a.sql"}]}, "PIPELINE.x[1]: a SQL file needs a connection.", 'Add connection = "NAME"'),
        ({"x": [{"run": "say 'hello"}]}, "is no command: No closing quotation.", "Close its quotes"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(document: Any, message: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        pipeline(document)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


# Commands and paths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        ("python3 x.py", "command", ("python3", "x.py")),
        ("sh -c 'wc -l' sum.sql", "command", ("sh", "-c", "wc -l", "sum.sql")),
        ("env A=1 python3 there.py", "command", ("env", "A=1", "python3", "there.py")),
        ("nosuchpython there.py", "command", ("nosuchpython", "there.py")),
        ("there.py other.py", "python", ("{base}/there.py", "other.py")),
        ("with blank.py", "python", ("{base}/with blank.py",)),
        ("with blank.sql", "sql", ("{base}/with blank.sql",)),
        ("not anywhere.py", "python", ("{base}/not anywhere.py",)),
        ("with blank.sh", "command", ("{base}/with blank.sh",)),
    ],
)
def test_a_command_that_ends_in_a_script_is_a_command(tmp_path: Path, run: str, kind: str, words: tuple[str, ...]) -> None:
    for name in ("there.py", "with blank.py", "with blank.sql", "with blank.sh"):
        (tmp_path / name).touch()
    document = {"x": [{"run": run, **({"connection": "sqlite://"} if kind == "sql" else {})}]}
    task = read_pipeline(document, Defaults(base=tmp_path, logs=tmp_path), "PIPELINE").tags[0].tasks[0]
    assert (task.kind, task.words) == (kind, tuple(word.format(base=tmp_path) for word in words))


# Capitals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "pattern", "name"),
    [
        ("contains", "orders", "MY_ORDERS.CSV"),
        ("prefix", "Straße", "STRASSE_1.csv"),
        ("exact", "orders.csv", "Orders.CSV"),
        ("glob", "*.Csv", "a.cSV"),
        ("regex", r"^orders_\d+\.csv$", "ORDERS_7.CSV"),
    ],
)
def test_a_tag_fits_whatever_the_case_when_the_settings_say_so(match: str, pattern: str, name: str) -> None:
    keys = {"match": match, "pattern": pattern, "tasks": [TASK]}
    assert names({"x": keys}, name) == []
    assert names({"x": {**keys, "ignore_case": True}}, name) == ["x"]
    ignoring = Defaults(base=Path("/base"), logs=Path("/base/logs"), ignore_case=True)
    assert [tag.name for tag in read_pipeline({"x": keys, "y": {**keys, "ignore_case": False}}, ignoring, "P").matching(name)] == ["x"]


def test_an_accent_apart_from_its_letter_is_the_same_name() -> None:
    assert names({"café": [TASK]}, "cafe\u0301.csv") == ["café"]
    assert names({"e": [TASK]}, "e\u0301.csv") == ["e"]
