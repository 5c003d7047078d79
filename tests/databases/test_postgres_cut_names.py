"""Long headers in a project whose tables are in PostgreSQL: none is read in place of another one that begins alike."""

from __future__ import annotations

import csv
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.databases.postgres_names import column_names, folded
from pdbt.engine.errors import BuildError
from pdbt.scaffold import add_sources
from pdbt.scaffold.identifiers import stored_names
from tests.conftest import MakeProject, RunProject
from tests.databases.conftest import MakeSubject
from tests.databases.subjects import Subject, load

QUESTION = "How satisfied are you, on a scale from one to ten, with the service of"
HEADERS = [f"{QUESTION} {what}" for what in ("our shops?", "our website?", "the hotline?")]
PLAIN = [f"{'answer_' * 9}{what}" for what in ("shops", "website")]
UMLAUTS = [f"{'ä' * 31}b{what}" for what in "xy"]


@pytest.fixture
def subject(make_subject: MakeSubject) -> Subject:
    """A PostgreSQL database."""
    return make_subject("postgresql")


def select_of(headers: list[str]) -> str:
    return "SELECT " + ", ".join(f'{number} AS "{header}"' for number, header in enumerate(headers, 1))


@pytest.mark.parametrize(
    ("headers", "sql"),
    [
        (HEADERS, f'SELECT "{HEADERS[1]}" AS x FROM answers'),
        (HEADERS, f'SELECT sum(a."{HEADERS[0]}") AS x FROM answers AS a'),
        (HEADERS, f'SELECT 1 AS x FROM "answers" WHERE "{HEADERS[2]}" > 2'),
        (HEADERS, f'WITH a AS (SELECT * FROM answers) SELECT "{HEADERS[2]}" AS x FROM a'),
        (HEADERS, f'SELECT (SELECT max("{HEADERS[1]}") FROM answers) AS x'),
        (PLAIN, f"SELECT {PLAIN[1]} AS x FROM ANSWERS"),
        (PLAIN, f"SELECT {PLAIN[1].upper()} AS x FROM answers"),
        (HEADERS, f'SELECT "{HEADERS[1]}" AS "{HEADERS[1]}" FROM answers'),
        (UMLAUTS, f'SELECT "{UMLAUTS[0]}" AS x FROM answers'),
    ],
)
def test_a_name_that_is_cut_and_that_several_columns_have_then_stops_the_run(subject: Subject, headers: list[str], sql: str) -> None:
    with subject.run() as database:
        load(database, "ANSWERS", select_of(headers))
        stored = column_names(headers)
        for run in (lambda: database.build("T", f"\n{sql}"), lambda: database.query(f"\n{sql}", 5)):
            with pytest.raises(
                BuildError, match=r'^(T: )?PostgreSQL cuts the name ".*" to ".*", and [23] columns of answers may be meant \(line 2\)'
            ) as told:
                run()
            assert told.value.hint == f"Write the name that the column has there: {', '.join(stored)}."
        for number, name in enumerate(stored, 1):
            assert database.query(f'SELECT "{name}" FROM answers', 1)[1] == [(number,)]


@pytest.mark.parametrize(
    "sql",
    [
        f'SELECT "{HEADERS[1]}" AS x FROM other',
        f'SELECT o."{HEADERS[1]}" AS x FROM other AS o, few',
        f"SELECT 1 AS x FROM answers -- {HEADERS[1]}",
        f"SELECT '{HEADERS[1]}' AS x FROM answers",
        f'SELECT "{column_names(HEADERS)[1]}" AS x FROM answers',
        f'SELECT 1 AS "{HEADERS[1]}" FROM answers',
        f'SELECT "{column_names(HEADERS)[1]}" AS "{HEADERS[1]}" FROM answers',
    ],
)
def test_a_name_that_means_one_column_is_read_as_ever(subject: Subject, sql: str) -> None:
    with subject.run() as database:
        load(database, "ANSWERS", select_of(HEADERS))
        load(database, "OTHER", select_of(HEADERS[1:2]))
        load(database, "FEW", "SELECT 1 AS a")
        assert database.build("T", sql) == 1


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80), unique_by=str.casefold, max_size=8)
)
def test_generated_sql_names_columns_as_they_are_stored(headers: list[str]) -> None:
    assert [folded(name) for name in stored_names(headers)] == column_names(headers)
    assert all(len(name.encode()) <= 63 for name in stored_names(headers))


@pytest.mark.parametrize("headers", [HEADERS, PLAIN, UMLAUTS])
def test_the_starter_of_a_survey_reads_each_question_by_its_stored_name(
    make_project: MakeProject, run_project: RunProject, postgres_url: str, tmp_path: Path, headers: list[str]
) -> None:
    path = tmp_path / "answers.csv"
    rows = [[str(10 * row + number) for number, _ in enumerate(headers)] for row in range(1, 4)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([headers, *rows])
    project = make_project(database="commune", url=postgres_url, data=[path])
    result = run_project(project)
    assert result.code == 0, result.stderr
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute("SELECT * FROM answers_clean ORDER BY 1").fetchall()
    assert [[str(value) for value in row] for row in found] == rows
    other = path.rename(tmp_path / "later.csv")
    add_sources([other], project)
    result = run_project(project)
    assert result.code == 0, result.stderr
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT * FROM later_clean ORDER BY 1").fetchall() == found


def test_sql_of_ones_own_that_would_read_the_first_question_for_another_stops_the_run(
    make_project: MakeProject, run_project: RunProject, postgres_url: str
) -> None:
    project = make_project(database="commune", url=postgres_url)
    text = ",".join(f'"{header}"' for header in HEADERS) + "\n1,2,3\n"
    (project / "data/source/answers.csv").write_text(text, encoding="utf-8")
    (project / "scripts/final/T.sql").write_text(f'SELECT\n  "{HEADERS[1]}" AS x\nFROM answers\n', encoding="utf-8")
    result = run_project(project)
    assert result.code != 0
    assert "scripts/final/T.sql: PostgreSQL cuts the name" in result.stderr
    assert "3 columns of answers may be meant (line 2)." in result.stderr
