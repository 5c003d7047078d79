"""A handler is given the form that its annotation names, and what it returns becomes a table with every value."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as holds_for
from hypothesis import strategies as st

from pdbt.engine.errors import BuildError, GraphError
from pdbt.handlers import HandlerNode, PipelineExecutor
from pdbt.handlers.forms import Asked, Form, as_batch, asked_by, given, taken
from tests.handlers.kinds import Either


def table(data: pa.Table) -> None: ...
def frame(data: pd.DataFrame) -> None: ...
def rows(data: list[dict[str, Any]]) -> None: ...
def bare(data) -> None: ...  # type: ignore[no-untyped-def]  # as many people write it
def short(data: "pd.DataFrame") -> None: ...  # noqa: UP037 - a text in a text
def several(data: dict[str, pd.DataFrame]) -> None: ...
def nothing() -> None: ...
def with_default(data: pa.Table, limit: int = 3) -> None: ...
def either(data: list[dict[str, int]] | None = None) -> None: ...
def also_either(data: Optional[pd.DataFrame] = None) -> None: ...  # noqa: UP045 - as some people write it
def bare_either(data=None) -> None: ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("handle", "asked"),
    [
        (table, Asked(Form.TABLE)),
        (frame, Asked(Form.FRAME)),
        (rows, Asked(Form.ROWS)),
        (bare, Asked(Form.TABLE)),
        (short, Asked(Form.FRAME)),
        (several, Asked(Form.FRAME, by_dependency=True)),
        (nothing, Asked(takes_data=False, needs_data=False)),
        (with_default, Asked(Form.TABLE)),
        (either, Asked(Form.ROWS, needs_data=False)),
        (also_either, Asked(Form.FRAME, needs_data=False)),
        (bare_either, Asked(Form.TABLE, needs_data=False)),
    ],
)
def test_the_annotation_says_what_is_given(handle: Callable[..., object], asked: Asked) -> None:
    assert asked_by(handle, "n") == asked


def test_a_name_that_only_a_type_checker_imports_is_understood() -> None:
    def handle(data) -> None: ...  # type: ignore[no-untyped-def]  # annotated below, with a name that is nowhere

    handle.__annotations__["data"] = "pandas_of_another_file.Rows | pd.DataFrame"
    with pytest.raises(GraphError, match="is annotated pandas_of_another_file"):
        asked_by(handle, "n")
    handle.__annotations__ = {"data": "pandas.DataFrame", "return": "nowhere.Name"}
    assert asked_by(handle, "n") == Asked(Form.FRAME)


def test_an_annotation_that_names_no_batch_is_refused() -> None:
    def counts(data: int) -> None: ...

    with pytest.raises(GraphError) as raised:
        asked_by(counts, "count")
    assert raised.value.message == "Node count: the parameter data of handle() is annotated int."
    assert raised.value.hint.startswith("A batch comes as pyarrow.Table, pandas.DataFrame, list[dict], or")


def test_a_second_batch_is_refused() -> None:
    def two(left: pa.Table, right: pa.Table) -> None: ...

    with pytest.raises(GraphError, match=r"Node pair: handle\(\) takes left, right\. It is given one batch"):
        asked_by(two, "pair")


def test_a_batch_comes_in_each_form() -> None:
    batch = pa.table({"day": [datetime.date(2024, 1, 2), None], "big": [2**60 + 1, None]})
    assert given(batch, Form.TABLE, "n") is batch
    assert given(batch, Form.ROWS, "n") == [{"day": datetime.date(2024, 1, 2), "big": 2**60 + 1}, {"day": None, "big": None}]
    as_frame = given(batch, Form.FRAME, "n")
    assert isinstance(as_frame, pd.DataFrame)
    assert as_frame["big"][0] == 2**60 + 1


def test_columns_that_only_later_rows_have_are_kept() -> None:
    assert as_batch([{"a": 1}, {"b": "x"}], "n").to_pydict() == {"a": [1, None], "b": [None, "x"]}


def test_what_was_grouped_by_is_a_column() -> None:
    sums = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}).groupby("k").sum()
    assert as_batch(sums, "n").to_pydict() == {"k": ["a", "b"], "v": [4, 2]}


def test_a_handler_that_yields_sends_several_and_none_ends() -> None:
    def yields() -> Iterator[object]:
        yield [{"a": 1}]
        yield None
        yield pa.table({"a": [2, 3]})

    assert [part.to_pydict() for part in taken(yields(), "n")] == [{"a": [1]}, {"a": [2, 3]}]
    assert list(taken(None, "n")) == []
    assert list(taken([], "n")) == []
    assert [part.num_rows for part in taken(pa.table({"a": pa.array([], pa.int64())}), "n")] == [0]


@pytest.mark.parametrize("result", [3, "text", [1, 2], {"a": 1}], ids=repr)
def test_what_is_no_batch_is_refused(result: object) -> None:
    with pytest.raises(BuildError) as raised:
        list(taken(result, "count"))
    assert raised.value.message == f"Node count: its handler gave {type(result).__name__}."
    assert raised.value.exit_code == 1


def test_a_column_of_two_types_is_refused() -> None:
    with pytest.raises(BuildError, match=r"Node n: the list of its handler is no batch: .* Give each column one type"):
        as_batch([{"a": 1}, {"a": "x"}], "n")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@holds_for(st.lists(st.dictionaries(st.text(min_size=1, max_size=5), st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1), min_size=1))
def test_rows_come_back_as_they_went(records: list[dict[str, int | None]]) -> None:
    names = {name for record in records for name in record}
    expected = [{name: record.get(name) for name in names} for record in records]
    assert given(as_batch(records, "n"), Form.ROWS, "n") == expected


@pytest.mark.parametrize("parallel", [False, True])
def test_a_producer_with_a_default_is_given_a_batch_or_none(parallel: bool) -> None:
    node = HandlerNode("either", Either(), parallel=parallel, workers=1)
    rows = [{"n": 1}, {"n": 2}]
    with PipelineExecutor([node]) as pipeline:
        assert [batch.to_pylist() for batch in pipeline.run_once()["either"]] == [[{"n": 7}]]
        assert [batch.to_pylist() for batch in pipeline.run_once({"either": rows})["either"]] == [rows]
