"""What a column of text is, value by value; and the SQL that loads it says the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.engine.reading.casts import cast, cast_ordinary, is_ordinary
from pdbt.engine.reading.types import NULL_WORDS, WHITE_SPACE, Count, Evidence, Reading, decide, decide_all, fits
from tests.reading.loading import connect


def read(*values: str, decimal: str | None = None) -> Reading:
    """Decide for a whole column: what a sample would only suspect has been counted."""
    evidence = Evidence(Counter(values))
    suspected = decide(evidence, decimal)
    if suspected.exceptions:
        evidence.counts[suspected.reading] = Count(len(values), 1)
    return decide(evidence, decimal).reading


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2", "-3", "0"], "BIGINT"),
        (["-0", "+5"], "BIGINT"),
        (["9223372036854775807", "-9223372036854775808"], "BIGINT"),
        (["9223372036854775808"], "VARCHAR"),
        (["12345678901234567890"], "VARCHAR"),
        (["1", "2.5"], "DOUBLE"),
        ([".5", "-.5", "5."], "DOUBLE"),
        (["1.5e3", "2E-7"], "DOUBLE"),
        (["0.12345678901234567"], "DOUBLE"),
        (["1.5", "0.123456789012345678901"], "DECIMAL(38,21)"),
        (["1.5", "1234567890123456789"], "DECIMAL(38,1)"),
        (["0.1234567890123456789012345678901234567890"], "VARCHAR"),
        (["007", "12"], "VARCHAR"),
        (["00.5"], "VARCHAR"),
        (["1e5", "12E4"], "VARCHAR"),
        (["1e5", "12.5"], "DOUBLE"),
        (["1e400"], "VARCHAR"),
        (["1.0e400", "1.5"], "VARCHAR"),
        (["1.0e-400", "1.5"], "VARCHAR"),
        (["1.", "2."], "VARCHAR"),
        (["1_000"], "VARCHAR"),
        (["+33612345678"], "VARCHAR"),
        (["0x1F", "12"], "VARCHAR"),
        (["Infinity", "-inf"], "VARCHAR"),
        (["10.0.0.1", "192.168.100.200"], "VARCHAR"),
        (["192.168.100.200"], "VARCHAR"),
        (["50%"], "VARCHAR"),
        (["$12.50"], "VARCHAR"),
        (["true", "FALSE", "True"], "BOOLEAN"),
        (["true", "1"], "VARCHAR"),
        (["yes", "no"], "VARCHAR"),
        (["t", "f"], "VARCHAR"),
        (["20240113"], "BIGINT"),
        (["2024-01-05", "2024-1-5", "2024/01/05"], "DATE"),
        (["2024-01-05", "2024-01-05 10:00"], "TIMESTAMP"),
        (["2024-01-05T10:00:00.123456"], "TIMESTAMP"),
        (["2024-01-05T10:00:00.1234567"], "VARCHAR"),
        (["2024-01-05T10:00:00Z", "2024-01-05 12:00:00+02:00"], "TIMESTAMP WITH TIME ZONE"),
        (["2024-01-05T10:00:00Z", "2024-01-05T10:00:00"], "VARCHAR"),
        (["10:00", "23:59:59.5"], "TIME"),
        (["10:00", "24:00"], "VARCHAR"),
        (["9:30"], "VARCHAR"),
        (["0000-01-01"], "VARCHAR"),
        (["infinity", "2024-01-05"], "VARCHAR"),
        (["13/02/2024", "01/02/2024"], "DATE"),
        (["02.13.2024 10:30", "01.02.2024 9:00"], "TIMESTAMP"),
        (["13-02-2024 1:05 PM"], "TIMESTAMP"),
        (["13/02/2024", "13.02.2024"], "VARCHAR"),
        (["01/02/2024", "03/04/2024"], "VARCHAR"),
        (["13/02/2024", "02/13/2024"], "VARCHAR"),
        (["13/02/24"], "VARCHAR"),
        (["13 Jan 2024", "1 february 2024"], "DATE"),
        (["Jan 13, 2024", "May 1, 2024"], "DATE"),
        (["13-Jan-2024"], "DATE"),
        (["13-Jan-24"], "VARCHAR"),
        (["13 Januar 2024"], "VARCHAR"),
        (["NA", "12", "-", "?"], "BIGINT"),
        (["NA", "FR", "DE"], "VARCHAR"),
        (["NA", "NULL"], "VARCHAR"),
        ([""], "VARCHAR"),
    ],
)
def test_a_column_has_the_type_that_holds_all_its_values(values: Any, expected: Any) -> None:
    assert read(*values).type == expected


@pytest.mark.parametrize(
    ("values", "decimal", "expected", "marks"),
    [
        (["12,5"], None, "DOUBLE", ","),
        (["1.234,56", "7"], None, "DOUBLE", ",."),
        (["1,234.56"], None, "DOUBLE", ".,"),
        (["1,234,567"], None, "BIGINT", ".,"),
        (["1.234.567"], None, "BIGINT", ",."),
        (["1,234", "12.5"], None, "DOUBLE", ".,"),
        (["1.234", "12,5"], None, "DOUBLE", ",."),
        (["1,234"], None, "VARCHAR", "."),
        (["1,234"], ",", "DOUBLE", ","),
        (["1,234"], ".", "BIGINT", ".,"),
        (["1.234", "5"], None, "DOUBLE", "."),
        (["1.234", "5"], ",", "BIGINT", ",."),
        (["12.5"], ",", "VARCHAR", "."),
        (["0,125"], None, "DOUBLE", ","),
        (["1 234,56"], None, "DOUBLE", ", \u00a0\u2009\u202f"),
        (["1\u202f234,56", "1\u00a0234"], None, "DOUBLE", ", \u00a0\u2009\u202f"),
        (["1 234", "999"], None, "BIGINT", ". \u00a0\u2009\u202f"),
        (["552 081 317", "443 061 841"], None, "VARCHAR", "."),
        (["1'234.50"], None, "DOUBLE", ".'\u2019"),
        (["12,34,567"], None, "VARCHAR", "."),
        (["1,5", "1.5"], None, "VARCHAR", "."),
    ],
)
def test_marks_of_numbers_are_those_that_the_column_proves(values: Any, decimal: str | None, expected: Any, marks: Any) -> None:
    reading = read(*values, decimal=decimal)
    assert (reading.type, reading.form.decimal + reading.form.group) == (expected, marks)


def types_of(*columns: list[str]) -> list[str]:
    return [decision.reading.type for decision in decide_all([Evidence(Counter(column)) for column in columns])]


def test_a_column_that_proves_a_decimal_comma_decides_for_those_that_prove_nothing() -> None:
    assert types_of(["1,234"], ["12,5"]) == ["DOUBLE", "DOUBLE"]
    assert types_of(["1.234"], ["12,5"]) == ["BIGINT", "DOUBLE"]
    assert types_of(["1,234"], ["1,234.5"]) == ["BIGINT", "DOUBLE"]
    assert types_of(["1,234"], ["12,5"], ["1,234.5"]) == ["VARCHAR", "DOUBLE", "DOUBLE"]


def test_rare_exceptions_are_suspected_but_codes_and_other_types_are_not() -> None:
    numbers = Counter({str(number): 1 for number in range(100)})
    assert decide(Evidence(numbers + Counter(["12,3O"]))).exceptions
    assert decide(Evidence(numbers + Counter(["unknown"]))).reading.type == "BIGINT"
    for code in ("007", "12345678901234567890", "1e5", "A12", "C-1002", "12B", "2024-01-05", "true"):
        decision = decide(Evidence(numbers + Counter([code])))
        assert (decision.reading.type, decision.exceptions) == ("VARCHAR", False), code
    assert decide(Evidence(numbers + Counter(["x"] * 30))).reading.type == "VARCHAR"


digits = st.text("0123456789", max_size=20)
places = st.integers(0, 13), st.sampled_from("/.-"), st.integers(0, 32), st.sampled_from("/.-"), st.integers(0, 10000)
zones = st.sampled_from(["", "Z", "+02", "+0230", "-05:00", " +02:00", ".123456", ".1234567"])
clocks = st.integers(0, 25), st.integers(0, 61), st.integers(0, 61)
written = st.one_of(
    st.sampled_from(["", " ", "true", "FALSE", "abc", "é", "\u00a0", "~", "inf", "1_0", "+-1", "0x1", *NULL_WORDS]),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-", "+"]), digits, digits),
    st.builds("{}{}{}e{}".format, digits, st.sampled_from(["", ".", ","]), digits, st.integers(-400, 400)),
    st.builds("{}{}{:03}{}{}".format, st.integers(1, 999), st.sampled_from(",. '"), st.integers(0, 999), st.sampled_from(",."), digits),
    st.dates().map(str),
    st.datetimes().map(str),
    st.times().map(str),
    st.builds("{}{}{}{}{}".format, *places),
    st.builds("{2}{1}{0}{3}{4}".format, *places),
    st.builds("{}-{}-{}".format, st.integers(0, 99999), st.integers(0, 13), st.integers(0, 32)),
    st.builds("{}T{:02}:{:02}:{:02}{}".format, st.dates(), *clocks, zones),
    st.builds("{} {} {}".format, st.integers(0, 32), st.sampled_from(["Jan", "MAY", "september", "Sept", "mai"]), st.integers(1, 9999)),
    st.text("0123456789-+.,/: eETZ_", max_size=14),
)
READINGS = [
    read(*values)
    for values in (
        ["1"], ["1.5"], ["0.123456789012345678901", "1.5"], ["1,5"], ["1.234,5"], ["1,234.5"], ["1 234,5"], ["1'234.5"],
        ["true"], ["2024-01-05"], ["2024-01-05 10:00:00"], ["2024-01-05T10:00:00.5"], ["2024-01-05T10:00:00Z"], ["10:00"],
        ["13/02/2024"], ["02.13.2024 10:00"], ["13 Jan 2024"], ["Jan 13, 2024"], ["01/02/2024"], ["1,234"], ["1e5"], ["552 081", "123 456"],
    )
]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(written, min_size=1, max_size=60), st.sampled_from(READINGS))
def test_sql_accepts_exactly_the_values_that_the_classifier_accepts(values: Any, reading: Any) -> None:
    sql = cast(reading, 0)
    inner = f"SELECT *, {sql.value} AS v0 FROM given" if sql.value else "SELECT * FROM given"
    with connect() as connection:
        rows = connection.execute(
            f"WITH given AS (SELECT unnest(?::VARCHAR[]) AS c0) SELECT c0, {sql.misfit} FROM ({inner})", [values]
        ).fetchall()
    assert len(rows) == len(values)
    for text, misfit in rows:
        trimmed = text.strip(WHITE_SPACE)
        accepted = trimmed == "" or trimmed in NULL_WORDS or fits(reading, trimmed)
        assert misfit is not accepted, (text, reading)


@settings(max_examples=40, deadline=None)
@given(st.lists(written, min_size=1, max_size=60), st.sampled_from([*READINGS[:2], READINGS[9], Reading()]))
def test_the_short_casts_give_what_the_full_ones_give_or_say_that_they_cannot(values: Any, reading: Any) -> None:
    short, full = cast_ordinary(reading, 0), cast(reading, 0)
    assert short
    inner = f"SELECT *, {full.value} AS v0 FROM given" if full.value else "SELECT * FROM given"
    select = f"SELECT c0, {short.misfit}, CASE WHEN NOT {short.misfit} THEN [{short.checked}, {full.checked}] END FROM ({inner})"
    with connect() as connection:
        rows = connection.execute(f"WITH given AS (SELECT unnest(?::VARCHAR[]) AS c0) {select}", [values]).fetchall()
    for text, misfit, results in rows:
        assert misfit is not is_ordinary(reading, text) or text == ""
        assert misfit or results[0] == results[1], text
