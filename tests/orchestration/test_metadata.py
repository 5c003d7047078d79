"""First rows and charts, as Markdown that nothing in the data can break out of."""

from __future__ import annotations

import datetime
import decimal
import math

from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.orchestration.metadata import BAR_CHARACTERS, bar_chart, markdown_table

VALUES = st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans(), st.dates(), st.binary())


def test_rows_are_a_markdown_table() -> None:
    rows = [("a|b", None, 1.5), ("two\nlines", datetime.date(2026, 1, 2), decimal.Decimal("0.10"))]
    assert markdown_table(["name", "day", "x_y"], rows) == (
        "| name | day | x\\_y |\n| --- | --- | --- |\n| a\\|b |  | 1.5 |\n| two lines | 2026-01-02 | 0.10 |"
    )


def test_a_long_text_is_shortened() -> None:
    assert "x" * 39 + "…" in markdown_table(["text"], [("x" * 100,)])


def test_the_chart_draws_the_last_numbers_against_the_first_texts() -> None:
    chart = bar_chart(["city", "orders", "amount"], [("Paris", 3, 20), ("Lyon", 1, -10)])
    assert chart.splitlines()[0] == "amount by city"
    assert chart.splitlines()[3] == f"Paris  {'█' * BAR_CHARACTERS}  20"
    assert chart.splitlines()[4] == f"Lyon   {'█' * (BAR_CHARACTERS // 2):<{BAR_CHARACTERS}}  -10"


def test_what_cannot_be_drawn_is_not() -> None:
    assert bar_chart(["city"], [("Paris",)]) == ""
    assert bar_chart(["orders"], [(1,)]) == ""
    assert bar_chart(["city", "orders"], []) == ""
    assert bar_chart(["city", "orders"], [("Paris", 0)]) == ""
    assert bar_chart(["city", "orders"], [("Paris", math.inf)]) == ""
    assert bar_chart(["city", "orders"], [("Paris", math.nan)]) == ""
    assert bar_chart(["city", "orders"], [("Paris", None)]) == ""


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=6))
def test_any_rows_give_as_many_lines_with_as_many_cells(rows: list[tuple[object, ...]]) -> None:
    lines = markdown_table(["a", "b", "c"], rows).split("\n")
    assert len(lines) == len(rows) + 2
    assert all(line.replace("\\\\", "").replace("\\|", "").count("|") == 4 for line in lines)
    chart = bar_chart(["a", "b", "c"], rows)
    assert chart == "" or (len(chart.split("\n")) == len(rows) + 4 and chart.count("```") == 2)
