"""SQL as tokens: nothing is lost, values arrive as they are, and what stands in a text or a comment is left alone."""

from __future__ import annotations

import datetime
import math
import sqlite3
from collections.abc import Callable
from typing import Any

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import GraphError, SettingsError
from pdbt.engine.lexer import tokens
from pdbt.engine.settings import Parameter
from pdbt.engine.sql import literal, parameter_names, set_parameters, single_select, table_names

ASK = Callable[[str], Any]

# Text with all that SQL gives a meaning to, side by side as nobody would write it.
PIECES = st.sampled_from(
    [
        "'",
        '"',
        "`",
        "$",
        "$$",
        "$a$",
        "$name",
        "--",
        "/*",
        "*/",
        "\n",
        "\\",
        "E'",
        "e'",
        ";",
        "(",
        ")",
        " ",
        "word",
        "é",
        "1.5e3",
        "''",
        "\r",
        "x$y",
    ]
)
SQL = st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=30).map("".join)


@given(SQL)
def test_tokens_join_to_the_same_text(sql: str) -> None:
    assert "".join(token.text for token in tokens(sql)) == sql


@pytest.mark.parametrize(
    "hidden",
    [
        "'$name'",
        "'it''s $name'",
        "E'\\'$name'",
        "e'a\\\\''$name'",
        '"$name"',
        '"a""$name"',
        "`$name`",
        "$$ $name $$",
        "$tag$ $name $$ ' $tag$",
        "-- $name\n",
        "-- it's $name",
        "/* $name */",
        "/* a /* b */ $name */",
        "/* it's\n$name */",
        "column$name",
    ],
)
def test_a_parameter_is_set_in_no_text_name_or_comment(hidden: str) -> None:
    sql = f"SELECT {hidden}"
    assert parameter_names(sql) == ()
    assert set_parameters(sql, {"name": "set"}, "duckdb") == sql


@pytest.mark.parametrize(
    "shown", ["$name", "($name)", "a-$name", "'x'||$name||'y'", "$name::INT", "-- c\n$name", "/* a /* b */ */ $name", "'\\' || $name"]
)
def test_a_parameter_is_set_everywhere_else(shown: str) -> None:
    assert parameter_names(f"SELECT {shown}") == ("name",)
    assert "$name" not in set_parameters(f"SELECT {shown}", {"name": 1}, "duckdb")


def test_parameters_are_named_once_in_order_of_appearance() -> None:
    assert parameter_names("SELECT $b, $a, '$c', $b, $A") == ("b", "a", "A")


def test_a_comment_that_sqlite_alone_would_end_is_ended() -> None:
    assert [token.text for token in tokens("/* a /* b */ SELECT 1 /* c */") if token.kind != "space"] == [
        "/* a /* b */",
        "SELECT",
        "1",
        "/* c */",
    ]


# Values arrive as they are ------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
WHOLE_NUMBERS = st.integers(-(2**63), 2**63 - 1)
DECIMALS = st.floats(allow_nan=False, allow_infinity=False)
DAYS = st.dates()
MOMENTS = st.datetimes()
ZONED = st.datetimes(
    datetime.datetime(1900, 1, 1),
    datetime.datetime(2100, 1, 1),
    timezones=st.integers(-720, 720).map(lambda m: datetime.timezone(datetime.timedelta(minutes=m))),
)
CLOCKS = st.times()
PER_CASE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def duckdb_answer() -> ASK:
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})

    def ask(sql: str) -> Any:
        row = connection.execute(sql).fetchone()
        assert row
        return row[0]

    return ask


@pytest.fixture
def sqlite_answer() -> ASK:
    connection = sqlite3.connect(":memory:")

    def ask(sql: str) -> Any:
        return connection.execute(sql).fetchone()[0]

    return ask


@pytest.fixture(scope="module")
def postgresql_connection(postgres_server: str) -> Any:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield connection


@pytest.fixture
def postgresql_answer(postgresql_connection: Any) -> ASK:
    def ask(sql: str) -> Any:
        return postgresql_connection.execute(sql.encode()).fetchone()[0]

    return ask


@pytest.fixture(params=["duckdb", "sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def answer(dialect: str, request: pytest.FixtureRequest) -> ASK:
    found: ASK = request.getfixturevalue(f"{dialect}_answer")
    return found


def given_back(answer: ASK, dialect: str, value: Parameter, as_type: str = "") -> Any:
    sql = "SELECT $value" if not as_type else f"SELECT CAST($value AS {as_type})"
    return answer(set_parameters(sql, {"value": value}, dialect))


@PER_CASE
@given(value=TEXTS)
def test_a_text_arrives(answer: ASK, dialect: str, value: str) -> None:
    assert given_back(answer, dialect, value, "TEXT") == value


@pytest.mark.parametrize("value", ["it's", "''", "a\\", "\\'", "a\nb\r\nc", "--", "/* */", "$name", "$$", "é 日本 🦆", ";", '"', "%s", ""])
def test_a_text_of_traps_arrives(answer: ASK, dialect: str, value: str) -> None:
    assert given_back(answer, dialect, value, "TEXT") == value


@PER_CASE
@given(value=WHOLE_NUMBERS)
def test_a_whole_number_arrives(answer: ASK, dialect: str, value: int) -> None:
    assert given_back(answer, dialect, value) == value


@PER_CASE
@given(value=DECIMALS)
def test_a_decimal_arrives(answer: ASK, dialect: str, value: float) -> None:
    # SQLite itself reads a decimal of an extreme exponent to within its last bit; the others read every one exactly.
    expected = pytest.approx(value, rel=1e-14, abs=1e-320) if dialect == "sqlite" else value
    assert given_back(answer, dialect, value, "DOUBLE PRECISION") == expected


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity_arrives(answer: ASK, dialect: str, value: float) -> None:
    assert given_back(answer, dialect, value) == value


def test_not_a_number_arrives_where_there_is_one(duckdb_answer: ASK, postgresql_answer: ASK) -> None:
    assert math.isnan(given_back(duckdb_answer, "duckdb", math.nan))
    assert math.isnan(given_back(postgresql_answer, "postgresql", math.nan))


def test_not_a_number_is_refused_by_name_where_there_is_none() -> None:
    with pytest.raises(SettingsError, match=r"Parameter rate is nan, which SQLite does not have\. Give it a number\."):
        set_parameters("SELECT $rate", {"rate": math.nan}, "sqlite")


@pytest.mark.parametrize("value", [True, False])
def test_true_and_false_arrive(answer: ASK, dialect: str, value: bool) -> None:
    assert bool(given_back(answer, dialect, value)) is value
    assert answer(set_parameters("SELECT CASE WHEN $value THEN 1 ELSE 0 END", {"value": value}, dialect)) == int(value)


@PER_CASE
@given(value=DAYS)
def test_a_day_arrives(answer: ASK, dialect: str, value: datetime.date) -> None:
    assert str(given_back(answer, dialect, value)) == value.isoformat()


@PER_CASE
@given(value=MOMENTS)
def test_a_moment_arrives(answer: ASK, dialect: str, value: datetime.datetime) -> None:
    assert datetime.datetime.fromisoformat(str(given_back(answer, dialect, value))) == value


@PER_CASE
@given(value=CLOCKS)
def test_a_time_of_day_arrives(answer: ASK, dialect: str, value: datetime.time) -> None:
    assert datetime.time.fromisoformat(str(given_back(answer, dialect, value))) == value


@pytest.mark.parametrize("dialect", ["duckdb", "postgresql"], indirect=True)
@PER_CASE
@given(value=ZONED)
def test_a_moment_keeps_its_zone(answer: ASK, dialect: str, value: datetime.datetime) -> None:
    seconds = answer(set_parameters("SELECT CAST(extract(epoch FROM $value) AS DOUBLE PRECISION)", {"value": value}, dialect))
    assert seconds == pytest.approx(value.timestamp(), abs=1e-3)


@PER_CASE
@given(value=ZONED | MOMENTS | CLOCKS | DAYS)
def test_a_time_in_sqlite_is_the_text_that_a_table_holds(
    duckdb_answer: ASK, sqlite_answer: ASK, value: datetime.datetime | datetime.date | datetime.time
) -> None:
    """Tables in SQLite hold what DuckDB makes of a time as text, in UTC; as texts they are compared."""
    zoned = isinstance(value, datetime.datetime) and value.tzinfo is not None
    sql = "SELECT CAST($value AS TEXT)" if not zoned else "SELECT strftime($value AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')"
    held = duckdb_answer(set_parameters(sql, {"value": value}, "duckdb"))
    if zoned:
        held = (held.rstrip("0").rstrip(".") if "." in held else held) + "+00:00"
    assert given_back(sqlite_answer, "sqlite", value) == held


@PER_CASE
@given(values=st.lists(WHOLE_NUMBERS, min_size=1, max_size=5), other=WHOLE_NUMBERS)
def test_a_list_is_ready_for_in(answer: ASK, dialect: str, values: list[int], other: int) -> None:
    given_values: dict[str, Parameter] = {"values": list(values), "one": values[0], "other": other}
    assert answer(set_parameters("SELECT CASE WHEN $one IN $values THEN 1 ELSE 0 END", given_values, dialect)) == 1
    assert answer(set_parameters("SELECT CASE WHEN $other IN $values THEN 1 ELSE 0 END", given_values, dialect)) == int(other in values)


@PER_CASE
@given(value=WHOLE_NUMBERS.filter(lambda n: abs(n) < 2**60))
def test_a_minus_before_a_negative_number_is_no_comment(answer: ASK, dialect: str, value: int) -> None:
    assert answer(set_parameters("SELECT 5-$value+1", {"value": value}, dialect)) == 5 - value + 1
    assert answer(set_parameters("SELECT -$value", {"value": value}, dialect)) == -value


def test_the_smallest_number_may_be_cast(answer: ASK, dialect: str) -> None:
    assert given_back(answer, dialect, -(2**63), "BIGINT") == -(2**63)
    if dialect != "sqlite":
        assert answer(set_parameters("SELECT $value::BIGINT", {"value": -(2**63)}, dialect)) == -(2**63)


@pytest.mark.parametrize("around", ["SELECT 1$value", "SELECT $value'b'", "SELECT 'a'$value"])
def test_a_value_does_not_melt_into_what_it_touches(duckdb_answer: ASK, around: str) -> None:
    sql = set_parameters(around, {"value": "x"}, "duckdb")
    with pytest.raises(duckdb.Error):
        duckdb_answer(sql)


@pytest.mark.parametrize("value", ["a\0b", "\udc80", 2**63, [], ["a", "\0"]])
def test_what_sql_cannot_hold_is_refused_by_name(value: Parameter) -> None:
    with pytest.raises(SettingsError, match=r"parameters\.country is"):
        set_parameters("SELECT $country", {"country": value}, "duckdb")


def test_a_literal_reads_like_sql_written_by_hand() -> None:
    assert literal("it's", "duckdb") == "'it''s'"
    assert literal(datetime.datetime(2024, 1, 2, 3, 4, 5), "postgresql") == "TIMESTAMP '2024-01-02 03:04:05'"
    assert literal(datetime.date(2024, 1, 2), "sqlite") == "'2024-01-02'"
    assert literal([1, -1], "duckdb") == "(1, (-1))"


# One SELECT ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "select"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1;", "SELECT 1"),
        ("SELECT 1;\n-- done\n/* and\nover */\n", "SELECT 1"),
        ("SELECT 1 -- one\n;", "SELECT 1"),
        ("SELECT 1 /* one */ -- really", "SELECT 1"),
        ("-- first\nSELECT 1", "-- first\nSELECT 1"),
        (";;SELECT 1;;", "SELECT 1"),
        ("SELECT ';'", "SELECT ';'"),
        ("SELECT $$;$$ ; ", "SELECT $$;$$"),
        ("SELECT E'\\';' /* ; */", "SELECT E'\\';'"),
        ("((SELECT 1) UNION SELECT 2)", "((SELECT 1) UNION SELECT 2)"),
        ("with a as (select 1) select * from a", "with a as (select 1) select * from a"),
        ("FROM a", "FROM a"),
        ("VALUES (1)", "VALUES (1)"),
    ],
)
def test_a_file_is_one_select(text: str, select: str) -> None:
    assert single_select(text, "x.sql") == select


@pytest.mark.parametrize("text", ["", "  \n", "-- nothing", "/* nothing\n */;", ";"])
def test_a_file_without_sql(text: str) -> None:
    with pytest.raises(GraphError, match=r"^x\.sql holds no SQL\. Write one SELECT in it, or delete the file\.$"):
        single_select(text, "x.sql")


def test_a_file_of_two_statements() -> None:
    with pytest.raises(GraphError, match=r"^x\.sql holds 2 statements; a file is one SELECT\. Split it into one file a table\.$"):
        single_select("SELECT 1; -- ;\nSELECT ';';", "x.sql")


@pytest.mark.parametrize("word", ["CREATE", "insert", "DROP", "COPY", "PRAGMA", "'text'", "1"])
def test_a_file_that_does_something_else(word: str) -> None:
    with pytest.raises(GraphError) as caught:
        single_select(f"-- c\n{word} x", "x.sql")
    assert caught.value.message == f"x.sql begins with {word!r}; a file is one SELECT."
    assert caught.value.hint == "The table is made for you: write only its SELECT."


def test_a_comment_at_the_end_does_not_swallow_what_follows(duckdb_answer: ASK) -> None:
    assert duckdb_answer(f"SELECT * FROM ({single_select('SELECT 7 -- seven', 'x.sql')})") == 7


# Tables by their place ----------------------------------------------------------------------------------------------------


def test_sqlites_recursion_without_the_word() -> None:
    sql = "WITH n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n JOIN k) SELECT * FROM n"
    assert table_names(sql) == (("", "n"), ("", "k"))
    assert table_names(sql, always_recursive=True) == (("", "k"),)


@given(SQL)
def test_any_text_has_tables_or_none(sql: str) -> None:
    assert isinstance(table_names(sql), tuple)
