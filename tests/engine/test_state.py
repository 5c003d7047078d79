"""The state of a database: what is saved is loaded, and what is no state is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.files import Stamp
from pdbt.engine.outside import Outside
from pdbt.engine.state import FORMAT, ExportState, References, Select, State, TableState, load_state, text_hash

# Names of files need not be Unicode: the system gives their odd bytes as lone surrogates.
TEXT = st.text(st.characters(), max_size=8)
COUNT = st.integers(0, 2**63)


def _named(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(TEXT, values, max_size=3)


TABLES = st.builds(TableState, _named(TEXT), _named(TEXT), TEXT, COUNT, COUNT, st.lists(TEXT, max_size=2))
STAMPS = st.builds(Stamp, st.tuples(COUNT, COUNT, COUNT, COUNT), TEXT, COUNT)
REFERENCES = st.builds(References, st.booleans(), st.lists(st.tuples(TEXT, TEXT), max_size=2))
ROW = st.lists(TEXT, max_size=2).map(tuple)
OUTSIDE = st.builds(Outside, TEXT, st.booleans(), ROW, environment=ROW)
SELECTS = st.builds(Select, COUNT, COUNT, REFERENCES, ROW, OUTSIDE)
EXPORTS = st.builds(ExportState, TEXT, TEXT)
STATES = st.builds(
    State, TEXT, TEXT, _named(TABLES), _named(_named(TEXT)), _named(EXPORTS), _named(STAMPS), _named(REFERENCES), _named(SELECTS)
)
IN_ONE_FOLDER = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

FULL = State(
    token="1:2:3",
    base="0:0:0",
    tables={"ORDERS": TableState({"its text": "abc"}, {"B": "v.1"}, "v.2", 5, 1, ["a note"])},
    checks={"UNIQUE": {"its text": "abc", "ORDERS": "v.2"}},
    exports={"data/final/A.csv": ExportState("v.2", "4:5:6")},
    stamps={"data/source/orders.csv": Stamp((1, 2, 3, 4), "hash", 9)},
    references={"hash": References(True, [("", "ORDERS"), ("crm", "people")])},
    selects={"hash": Select(1, 9, References(False, []), ("limit",), Outside("reads the clock", True, ("a.csv",), environment=("HOME",)))},
)


@IN_ONE_FOLDER
@given(state=STATES)
def test_what_is_saved_is_loaded(tmp_path: Path, state: State) -> None:
    state.save(tmp_path / "work" / "state.json")
    assert load_state(tmp_path / "work" / "state.json") == state


@given(STATES)
def test_a_copy_changes_alone(state: State) -> None:
    copy = state.copy()
    assert copy == state
    copy.tables["new"] = FULL.tables["ORDERS"]
    copy.checks["new"] = {}
    for table in copy.tables.values():
        table.notes.append("changed")
    assert "new" not in state.checks
    assert all("changed" not in table.notes for name, table in state.tables.items() if name != "new")


def test_no_temporary_file_stays_and_the_old_one_is_replaced(tmp_path: Path) -> None:
    State(token="old").save(tmp_path / "state.json")
    FULL.save(tmp_path / "state.json")
    assert load_state(tmp_path / "state.json") == FULL
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_there_is_no_state_where_there_is_no_file(tmp_path: Path) -> None:
    assert load_state(tmp_path / "state.json") is None
    assert load_state(tmp_path) is None


def test_a_state_cut_anywhere_is_none(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    FULL.save(path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 5):
        path.write_bytes(whole[:end])
        assert load_state(path) is None


@IN_ONE_FOLDER
@given(
    garbage=st.one_of(
        st.binary(),
        st.recursive(st.none() | st.integers() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)).map(
            lambda value: json.dumps(value).encode()
        ),
    )
)
def test_garbage_is_none(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "state.json").write_bytes(garbage)
    assert load_state(tmp_path / "state.json") is None


def test_nesting_without_end_is_none(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("[" * 100_000)
    assert load_state(tmp_path / "state.json") is None


def document() -> dict[str, Any]:
    outside = {"always": "reads the clock", "day": False, "files": ["a.csv"], "environment": ["HOME"]}
    return {
        "format": FORMAT,
        "token": "t",
        "base": "b",
        "tables": {"A": {"definition": {"a": "b"}, "inputs": {"B": "v"}, "version": "v", "rows": 1, "rejected": 0, "notes": ["n"]}},
        "checks": {"C": {"a": "b"}},
        "exports": {"E": {"version": "v", "token": "t"}},
        "stamps": {"S": {"stat": [1, 2, 3, 4], "sha256": "h", "taken": 5}},
        "references": {"R": {"exact": True, "tables": [["", "A"]]}},
        "selects": {"S": {"start": 1, "end": 9, "reads": {"exact": True, "tables": [["", "A"]]}, "parameters": ["p"], "outside": outside}},
    }


def test_a_state_of_before_selects_were_kept_is_as_good(tmp_path: Path) -> None:
    earlier = document()
    del earlier["selects"]
    (tmp_path / "state.json").write_text(json.dumps(earlier))
    state = load_state(tmp_path / "state.json")
    assert state is not None
    assert state.tables
    assert not state.selects


def _paths(value: Any, before: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the way to every value inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[str | int, ...]] = []
    for key, inner in items:
        found += [(*before, key), *_paths(inner, (*before, key))]
    return found


def test_the_document_below_is_a_state(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps(document()))
    assert load_state(tmp_path / "state.json") is not None


def at(whole: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        whole = whole[key]
    return whole


WRONG: list[object] = [None, True, 5.5, [[]], {"x": 1}, "ab", 7]
MISFITS = [
    (path, wrong)
    for path in _paths(document())
    for wrong in WRONG
    if path != ("format",) and (type(wrong) is not type(at(document(), path)) or isinstance(wrong, (dict, list)))
]
NEEDED = [
    path for path in _paths(document()) if isinstance(path[-1], str) and path[-1].islower() and path[-1] != "a" and path != ("selects",)
]


@pytest.mark.parametrize(("path", "wrong"), MISFITS, ids=str)
def test_a_value_of_another_type_is_none_anywhere(tmp_path: Path, path: tuple[str | int, ...], wrong: Any) -> None:
    changed = document()
    at(changed, path[:-1])[path[-1]] = wrong
    (tmp_path / "state.json").write_text(json.dumps(changed))
    assert load_state(tmp_path / "state.json") is None


@pytest.mark.parametrize("path", NEEDED, ids=str)
def test_a_value_that_is_missing_is_none_anywhere(tmp_path: Path, path: tuple[str | int, ...]) -> None:
    changed = document()
    del at(changed, path[:-1])[path[-1]]
    (tmp_path / "state.json").write_text(json.dumps(changed))
    assert load_state(tmp_path / "state.json") is None


@pytest.mark.parametrize("version", [0, FORMAT + 1, "1", None])
def test_another_format_is_none(tmp_path: Path, version: object) -> None:
    (tmp_path / "state.json").write_text(json.dumps({**document(), "format": version}))
    assert load_state(tmp_path / "state.json") is None


def test_a_texts_hash_is_its_own() -> None:
    assert text_hash("SELECT 1") == text_hash("SELECT 1") != text_hash("SELECT 1 ")
