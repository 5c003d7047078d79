"""SQL tasks: the name of a file is a value in every database, whatever it holds, and never a part of the SQL."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import duckdb
import psycopg
import pytest

from pdbt.engine.errors import BuildError, PdbtError, SettingsError
from pdbt.watch.programs import sql
from tests import mysql

NAMES = [
    "b\\', (SELECT version()) ) -- .xml",
    "it's.csv",
    'a"b\\',
    "x'); DROP TABLE arrivals; --",
    "'||version()||'",
    "%s %(file)s 100%",
    "a\nb :c ?1 $1 {0} $tag",
    "*/ ; $$ 'é😀' $$ /* `",
]


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, text: str, name: str) -> None:
    """Run a SQL task for a file of this name, and a tag of the same text."""
    path = folder / "task.sql"
    path.write_text(text, encoding="utf-8")
    for variable, value in {"FILE": name, "TAG": name, "RUN_ID": "7", "TASK_ID": "task-7", "CONNECTION_URL": url}.items():
        monkeypatch.setenv(f"PDBT_{variable}", value)
    assert sql.main([str(path), name]) == 0


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"])
def test_a_name_is_a_value_in_mysql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mysql_url: str, mode: str) -> None:
    own = "'a\\'" if "NO_BACKSLASH" in mode else "'it\\'s $file; 5%'"
    other = "'say $file'" if "ANSI" in mode else '"it\'s $file"'
    text = f"""SET sql_mode = '{mode}'; DROP TABLE IF EXISTS arrivals;
        CREATE TABLE arrivals (file TEXT, tag TEXT, own TEXT, other TEXT); # it's $file
        INSERT INTO arrivals VALUES ($file, $tag, {own}, {other}); /* ' $file */
        INSERT INTO arrivals SELECT concat($file, $run_id), 10%3, 5--1, `file` FROM arrivals -- ' $file"""
    said = "a\\" if "NO_BACKSLASH" in mode else "it's $file; 5%"
    for name in NAMES:
        run(tmp_path, monkeypatch, mysql_url, text, name)
        rows = mysql.execute(mysql_url, "SELECT * FROM arrivals")
        assert rows == [(name, name, said, "say $file" if "ANSI" in mode else "it's $file"), (f"{name}7", "1", "6", name)]


@pytest.mark.parametrize("standard", ["on", "off"])
def test_a_name_is_a_value_in_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str, standard: str) -> None:
    own = "'a $file 5%\\'" if standard == "on" else "'it\\'s $file'"
    text = f"""SET standard_conforming_strings = {standard}; DROP TABLE IF EXISTS arrivals;
        CREATE TABLE arrivals (file TEXT, tag TEXT, own TEXT); /* /* $file */ ' */
        INSERT INTO arrivals VALUES ($file, $tag, {own}); -- it's $file
        INSERT INTO arrivals SELECT format('%s-%s', $file, $run_id), $$ $file ' $$, E'it\\'s $file';
        COMMENT ON TABLE arrivals IS $file"""
    said = "a $file 5%\\" if standard == "on" else "it's $file"
    for name in NAMES:
        run(tmp_path, monkeypatch, postgres_url, text, name)
        with psycopg.connect(postgres_url) as connection:
            rows = connection.execute("SELECT * FROM arrivals").fetchall()
            assert connection.execute("SELECT obj_description('arrivals'::regclass)").fetchone() == (name,)
        assert rows == [(name, name, said), (f"{name}-7", " $file ' ", "it's $file")]


def test_a_name_is_a_value_in_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """DROP TABLE IF EXISTS arrivals; CREATE TABLE arrivals (file TEXT, note TEXT); -- it's $file
        CREATE TRIGGER noted AFTER INSERT ON arrivals WHEN NEW.note = 'z' BEGIN
          INSERT INTO arrivals VALUES (CASE WHEN 1 THEN $file END, 'by;trigger'); END;
        INSERT INTO arrivals VALUES ($file, '\\ $file'); INSERT INTO arrivals VALUES ($tag, 'z')"""
    for name in NAMES:
        run(tmp_path, monkeypatch, f"sqlite:///{tmp_path}/place.sqlite", text, name)
        with contextlib.closing(sqlite3.connect(tmp_path / "place.sqlite")) as connection:
            rows = connection.execute("SELECT * FROM arrivals").fetchall()
        assert rows == [(name, "\\ $file"), (name, "z"), (name, "by;trigger")]


def test_a_name_is_a_value_in_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """DROP VIEW IF EXISTS seen; CREATE OR REPLACE TABLE arrivals AS SELECT $file AS file, '\\ $file' AS note; -- it's $file
        CREATE VIEW seen AS SELECT $tag AS tag; COMMENT ON TABLE arrivals IS $file;
        INSERT INTO arrivals SELECT tag, $$ $file ' $$ FROM seen; INSERT INTO arrivals VALUES ($file, $run_id)"""
    for name in NAMES:
        run(tmp_path, monkeypatch, f"duckdb:///{tmp_path}/place.duckdb", text, name)
        with duckdb.connect(str(tmp_path / "place.duckdb"), read_only=True) as connection:
            rows = connection.execute("SELECT * FROM arrivals").fetchall()
            assert connection.execute("SELECT comment FROM duckdb_tables()").fetchall() == [(name,)]
        assert rows == [(name, "\\ $file"), (name, " $file ' "), (name, "7")]


def test_a_file_is_read_by_its_name_in_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FROM takes no parameter."""
    file = tmp_path / "it's new.csv"
    file.write_text("id\n1\n2\n", encoding="utf-8")
    text = "CREATE TABLE t AS FROM $file; INSERT INTO t SELECT * FROM read_csv($file); COPY t FROM $file"
    run(tmp_path, monkeypatch, f"duckdb:///{tmp_path}/place.duckdb", text, str(file))
    with duckdb.connect(str(tmp_path / "place.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT sum(id), count(*) FROM t").fetchall() == [(9, 6)]


def test_a_file_that_fails_keeps_nothing_in_sqlite_not_even_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "PRAGMA foreign_keys = ON; CREATE TABLE t (a); INSERT INTO t VALUES ($file); INSERT INTO nowhere VALUES (1)"
    with pytest.raises(BuildError, match=r"^task\.sql: no such table: nowhere"):
        run(tmp_path, monkeypatch, f"sqlite:///{tmp_path}/place.sqlite", text, "a")
    with contextlib.closing(sqlite3.connect(tmp_path / "place.sqlite")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_a_file_that_fails_keeps_nothing_in_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES ('no number')"
    with pytest.raises(BuildError, match=r"^task\.sql: .*Could not convert string 'no number' to INT32"):
        run(tmp_path, monkeypatch, f"duckdb:///{tmp_path}/place.duckdb", text, "a")
    with duckdb.connect(str(tmp_path / "place.duckdb"), read_only=True) as connection:
        assert connection.sql("SHOW TABLES").fetchall() == []


def test_a_driver_that_there_is_not_is_a_sentence_without_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PdbtError, match=r"^task\.sql: Can't load plugin") as refused:
        run(tmp_path, monkeypatch, "nosuchdb://me:s3cret@host/db", "SELECT 1", "a")
    assert "s3cret" not in f"{refused.value.message} {refused.value.hint}"


def test_a_parameter_that_there_is_not_is_refused_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"task\.sql: there is no parameter \$fiel\."):
        run(tmp_path, monkeypatch, f"sqlite:///{tmp_path}/place.sqlite", "CREATE TABLE t (a); SELECT $fiel", "a")
    assert not (tmp_path / "place.sqlite").exists()
