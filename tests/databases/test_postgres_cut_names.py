"""Long headers in a project whose tables are in PostgreSQL: none is read in place of another one that begins alike."""

from __future__ import annotations

import csv
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

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


MEANS_SEVERAL = [
    (HEADERS, f'SELECT "{HEADERS[1]}" AS x FROM answers'),
    (HEADERS, f'SELECT sum(a."{HEADERS[0]}") AS x FROM answers AS a'),
    (HEADERS, f'SELECT 1 AS x FROM "answers" WHERE "{HEADERS[2]}" > 2'),
    (HEADERS, f'WITH a AS (SELECT * FROM answers) SELECT "{HEADERS[2]}" AS x FROM a'),
    (HEADERS, f'SELECT (SELECT max("{HEADERS[1]}") FROM answers) AS x'),
    (PLAIN, f"SELECT {PLAIN[1]} AS x FROM ANSWERS"),
    (PLAIN, f"SELECT {PLAIN[1].upper()} AS x FROM answers"),
    (HEADERS, f'SELECT "{HEADERS[1]}" AS "{HEADERS[1]}" FROM answers'),
    (UMLAUTS, f'SELECT "{UMLAUTS[0]}" AS x FROM answers'),
]
MEANS_ONE = [
    f'SELECT "{HEADERS[1]}" AS x FROM other',
    f'SELECT o."{HEADERS[1]}" AS x FROM other AS o, few',
    f"SELECT 1 AS x FROM answers -- {HEADERS[1]}",
    f"SELECT '{HEADERS[1]}' AS x FROM answers",
    f'SELECT "{column_names(HEADERS)[1]}" AS x FROM answers',
    f'SELECT 1 AS "{HEADERS[1]}" FROM answers',
    f'SELECT "{column_names(HEADERS)[1]}" AS "{HEADERS[1]}" FROM answers',
]


def test_a_name_that_is_cut_and_that_several_columns_have_then_stops_the_run(subject: Subject) -> None:
    with subject.run() as database:
        for headers, query in MEANS_SEVERAL:
            load(database, "ANSWERS", select_of(headers))
            stored = column_names(headers)
            for run in (database.build, lambda _, text: database.query(text, 5)):
                with pytest.raises(
                    BuildError, match=r'^(T: )?PostgreSQL cuts the name ".*" to ".*", and [23] columns of answers may be meant \(line 2\)'
                ) as told:
                    run("T", f"\n{query}")
                assert told.value.hint == f"Write the name that the column has there: {', '.join(stored)}.", query
            for number, name in enumerate(stored, 1):
                assert database.query(f'SELECT "{name}" FROM answers', 1)[1] == [(number,)]


def test_a_name_that_means_one_column_is_read_as_ever(subject: Subject) -> None:
    with subject.run() as database:
        load(database, "ANSWERS", select_of(HEADERS))
        load(database, "OTHER", select_of(HEADERS[1:2]))
        load(database, "FEW", "SELECT 1 AS a")
        for query in MEANS_ONE:
            assert database.build("T", query) == 1, query


@settings(max_examples=25)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80), unique_by=str.casefold, max_size=8)
)
def test_generated_sql_names_columns_as_they_are_stored(headers: list[str]) -> None:
    assert [folded(name) for name in stored_names(headers)] == column_names(headers)
    assert all(len(name.encode()) <= 63 for name in stored_names(headers))


def test_the_starter_of_a_survey_reads_each_question_by_its_stored_name(
    make_project: MakeProject, run_project_warm: RunProject, postgres_url: str, tmp_path: Path
) -> None:
    surveys = {"answers": HEADERS, "plain": PLAIN, "umlauts": UMLAUTS}
    written = {name: write_survey(tmp_path / f"{name}.csv", headers) for name, headers in surveys.items()}
    project = make_project(database="commune", url=postgres_url, data=[tmp_path / f"{name}.csv" for name in surveys])
    result = run_project_warm(project)
    assert result.code == 0, result.stderr
    for name, rows in written.items():
        assert stored_rows(postgres_url, f"{name}_clean") == rows
    # and of files that come later
    add_sources([(tmp_path / f"{name}.csv").rename(tmp_path / f"later_{name}.csv") for name in surveys], project)
    result = run_project_warm(project)
    assert result.code == 0, result.stderr
    for name, rows in written.items():
        assert stored_rows(postgres_url, f"later_{name}_clean") == rows


def write_survey(path: Path, headers: list[str]) -> list[list[str]]:
    """Write a file of three answers; return them."""
    rows = [[str(10 * row + number) for number, _ in enumerate(headers)] for row in range(1, 4)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([headers, *rows])
    return rows


def stored_rows(url: str, table: str) -> list[list[str]]:
    with psycopg.connect(url) as connection:
        found = connection.execute(sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(table))).fetchall()
    return [[str(value) for value in row] for row in found]


def test_sql_of_ones_own_that_would_read_the_first_question_for_another_stops_the_run(
    make_project: MakeProject, run_project_warm: RunProject, postgres_url: str
) -> None:
    project = make_project(database="commune", url=postgres_url)
    text = ",".join(f'"{header}"' for header in HEADERS) + "\n1,2,3\n"
    (project / "data/source/answers.csv").write_text(text, encoding="utf-8")
    (project / "scripts/final/T.sql").write_text(f'SELECT\n  "{HEADERS[1]}" AS x\nFROM answers\n', encoding="utf-8")
    result = run_project_warm(project)
    assert result.code != 0
    assert "scripts/final/T.sql: PostgreSQL cuts the name" in result.stderr
    assert "3 columns of answers may be meant (line 2)." in result.stderr
