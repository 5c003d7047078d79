"""Whatever a file holds: nothing of it is lost, and how it was read makes no difference."""

from __future__ import annotations

import csv
import datetime
import io
import re
import tempfile
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pdbt.engine.reading.types import NULL_WORDS, WHITE_SPACE
from tests.reading.loading import Table, load

SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])

digits = st.text("0123456789", min_size=1, max_size=20)
kinds = [
    st.integers(-50, 50).map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False).map(repr),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.2f}"),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:,.2f}"),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:,.2f}".translate(str.maketrans(",.", ".,"))),
    st.integers(0, 10**7).map(lambda value: f"{value:,}"),
    digits,
    st.builds("{}.{}".format, digits, digits),
    st.builds("{}e{}".format, digits, st.integers(-400, 400)),
    st.dates().map(str),
    st.dates().map(lambda day: day.strftime("%d/%m/%Y")),
    st.dates().map(lambda day: day.strftime("%m-%d-%Y")),
    st.dates(datetime.date(1900, 1, 1)).map(lambda day: f"{day:%d} {day:%b} {day.year}"),
    st.datetimes().map(str),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.times().map(str),
    st.booleans().map(str),
    st.sampled_from(NULL_WORDS),
    st.sampled_from(["", " ", "\u00a0", "x", " 12 ", "12 ", "1_000", "inf", "NaN", "1'000", "0x10", "+33612345678", "50%", "12,3O"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs", "Cc"]), max_size=8),
]
columns = st.lists(st.sampled_from(kinds), min_size=1, max_size=2).flatmap(
    lambda chosen: st.one_of(
        st.lists(st.one_of(chosen), min_size=1, max_size=12),
        st.builds(lambda many, few: many * 60 + few, st.lists(chosen[0], min_size=1, max_size=4), st.lists(chosen[-1], max_size=1)),
    )
)


def text_of(values: list[str]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["number", "value"])
    writer.writerows(enumerate(values))
    return stream.getvalue()


def load_text(values: list[str], encoding: str = "utf-8") -> tuple[Table, dict[int, Any]]:
    """Load a column and return the table and, by the row's number, its value."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        path.write_bytes(text_of(values).encode(encoding))
        table = load(path, on_error="reject", delimiter=",", header=True)
        rejected = {int(next(csv.reader([row["text"]]))[0]) for row in table.rejected}
    loaded = dict(table.rows)
    assert not rejected & set(loaded)
    assert rejected | set(loaded) == set(range(len(values)))
    return table, loaded


def number_in(text: str) -> set[Decimal]:
    """Return the numbers that a text may mean: with its marks read either way."""
    found = set()
    for decimal, groups in ((".", ",\u00a0\u2009\u202f '\u2019_"), (",", ".\u00a0\u2009\u202f '\u2019_")):
        plain = re.sub(f"[{groups}]", "", text).replace(decimal, ".")
        try:
            found.add(Decimal(plain))
        except InvalidOperation:
            continue
    return found


def moment_in(text: str) -> set[datetime.datetime]:
    """Return the moments that a text may mean."""
    found = set()
    text = text.replace("T", " ").removesuffix("Z")
    for order in ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y"):
        for clock in ("", " %H:%M:%S", " %H:%M:%S.%f"):
            try:
                found.add(datetime.datetime.strptime(text, order + clock))
            except ValueError:
                continue
    return found


def is_kept(text: str, value: Any, column_type: str) -> bool:
    """Whether a loaded value still says what the text said."""
    trimmed = text.strip(WHITE_SPACE)
    if column_type == "VARCHAR":
        return bool(value == (text if trimmed else None))
    if value is None:
        return trimmed == "" or trimmed in NULL_WORDS
    if column_type == "BOOLEAN":
        return trimmed.lower() == str(value).lower()
    if column_type in ("DATE", "TIMESTAMP"):
        return datetime.datetime.fromisoformat(str(value)) in moment_in(trimmed)
    if column_type == "TIMESTAMP WITH TIME ZONE":
        return datetime.datetime.fromisoformat(value.removesuffix("Z")) in moment_in(trimmed)
    if column_type == "TIME":
        return bool(value == datetime.time.fromisoformat(trimmed))
    if column_type == "DOUBLE":
        return any(float(number) == value and len(number.as_tuple().digits) < 400 for number in number_in(trimmed))
    return Decimal(value) in number_in(trimmed)


@SETTINGS
@given(columns)
@example(["\xa0", "0x10"])
@example(["\u2009\u3000", "é", "\u3000x"])
def test_no_value_is_lost(values: Any) -> None:
    table, loaded = load_text(values)
    for number, value in loaded.items():
        assert is_kept(values[number], value, table.types["value"]), (values[number], value, table.types)
    if table.types["value"] == "DOUBLE":
        for number, value in loaded.items():
            digits_written = re.sub("[^0-9]", "", re.split("[eE]", values[number])[0]).strip("0")
            assert value is None or len(digits_written) <= 17


@SETTINGS
@given(columns)
def test_a_file_read_row_by_row_gives_the_same_table(values: Any) -> None:
    fast, _ = load_text(values)
    careful, _ = load_text(values, "utf-16")
    assert (fast.types, fast.rows) == (careful.types, careful.rows)
    assert fast.rejected == careful.rejected
