"""SQL files as statements: each database's own blocks, comments and texts; what is cut is what the database itself would execute."""

from __future__ import annotations

import contextlib
import sqlite3

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.lexer import DUCKDB, MYSQL, POSTGRESQL, SQLITE, Dialect, dialect_of
from pdbt.engine.statements import statements
from tests import mysql

TRIGGER = """CREATE TRIGGER noted AFTER INSERT ON a WHEN NEW.x > 0 BEGIN
  INSERT INTO log VALUES (CASE WHEN NEW.x > 1 THEN 'many;' ELSE 'one' END); -- END;
  UPDATE a SET x = 0 WHERE x = NEW.x; END"""


def cut(sql: str, dialect: Dialect) -> list[str]:
    return [statement.text for statement in statements(sql, dialect)]


@pytest.mark.parametrize("dialect", [DUCKDB, SQLITE, POSTGRESQL, MYSQL])
@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("", []),
        (" ; -- c\n ; /* ; */", []),
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';', \"a;\" -- ;\n; SELECT 'it''s;'", ["SELECT ';', \"a;\" -- ;", "SELECT 'it''s;'"]),
        ("/* a; */ SELECT 1 /* ; */;", ["/* a; */ SELECT 1 /* ; */"]),
        ("BEGIN; SELECT CASE WHEN 1=1 THEN 2 END; END; SELECT 3", ["BEGIN", "SELECT CASE WHEN 1=1 THEN 2 END", "END", "SELECT 3"]),
    ],
)
def test_what_all_databases_agree_on(dialect: Dialect, sql: str, found: list[str]) -> None:
    assert cut(sql, dialect) == found


@pytest.mark.parametrize(
    ("dialect", "sql", "number"),
    [
        (SQLITE, TRIGGER + "; SELECT 1", 2),
        (SQLITE, "create temp trigger if not exists t after insert on a begin select 1; select 2; end ; select [a;b]", 2),
        (SQLITE, "SELECT '\\'; SELECT 1 /* a /* ; */; SELECT 2", 3),
        (POSTGRESQL, "SELECT $$a;b$$, $x$ $$;$$ $x$; DO $do$ BEGIN PERFORM 1; END $do$;", 2),
        (POSTGRESQL, "/* a /* ; */ ; */ SELECT 1; SELECT E'it\\'s;' , 'a\\'; SELECT E'a'\n'\\';'", 3),
        (POSTGRESQL, "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; SELECT 2", 2),
        (POSTGRESQL, "CREATE RULE r AS ON INSERT TO a DO ALSO (INSERT INTO b VALUES (1); DELETE FROM c); SELECT 2", 2),
        (DUCKDB, "SELECT $$a;b$$; SELECT [';', 'b'], E'\\';'; SELECT 1", 3),
        (MYSQL, "SELECT 'it\\'s;', \"a\\\";\" ; SELECT 5--1; SELECT 1 # ;\n; SELECT `a;`", 4),
        (MYSQL, "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = IF(1, 2, 3); SELECT 1", 2),
        (MYSQL, "CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW IF NEW.x THEN SET NEW.x = 1; SET NEW.y = 2; END IF; SELECT 1", 2),
        (MYSQL, "CREATE EVENT e ON SCHEDULE EVERY 1 HOUR DO BEGIN DELETE FROM a; SELECT begin, end FROM b; END; SELECT 1", 2),
        (MYSQL, "CREATE TABLE event (begin INT); CREATE OR REPLACE VIEW trigger_ AS SELECT 1; SELECT 1", 3),
        (MYSQL, "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 'x//'; END//\nDELIMITER ;\nSELECT 1", 2),
        (MYSQL, "DELIMITER $$\nCREATE FUNCTION f() RETURNS INT RETURN 1$$\nSELECT 1;\n$$\ndelimiter ;\nSELECT 2; SELECT 3", 4),
        (
            MYSQL,
            "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @a = 1; END */;",
            1,
        ),
        (MYSQL, "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3", 2),
    ],
)
def test_each_database_has_its_own_blocks_and_texts(dialect: Dialect, sql: str, number: int) -> None:
    found = cut(sql, dialect)
    assert len(found) == number, found


def test_a_file_of_sqlite_runs_as_its_own_client_would_run_it() -> None:
    script = f"CREATE TABLE a (x INT); CREATE TABLE log (said TEXT);\n{TRIGGER};\nINSERT INTO a VALUES (1), (5); SELECT 1"
    with contextlib.closing(sqlite3.connect(":memory:")) as ours, contextlib.closing(sqlite3.connect(":memory:")) as theirs:
        for statement in cut(script, SQLITE):
            ours.execute(statement)
        theirs.executescript(script)
        assert list(ours.execute("SELECT * FROM log")) == list(theirs.execute("SELECT * FROM log")) == [("one",), ("many;",)]


PROCEDURE = """
CREATE PROCEDURE fill(IN `begin` INT) COMMENT 'a; b'
BEGIN
  DECLARE n INT DEFAULT 0;
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN SET n = -1; END;
  DECLARE CONTINUE HANDLER FOR SQLWARNING IF n > 9 THEN SET n = IF(1, 8, 9); END IF;
  DECLARE EXIT HANDLER FOR 1062 SET n = IF(1, 8, 9);
  IF `begin` > 1 THEN INSERT INTO t VALUES (IF(1, 'many', 'x;')); ELSEIF `begin` = 1 THEN INSERT INTO t VALUES ('one'); END IF;
  CASE `begin` WHEN 2 THEN INSERT INTO t SELECT CASE WHEN 1 THEN IF(0, 'a', 'b') ELSE 'c' END; ELSE BEGIN END; END CASE;
  again: LOOP SET n = n + 1; IF n > 2 THEN LEAVE again; END IF; END LOOP again;
  REPEAT SET n = n + 1; UNTIL n > 4 END REPEAT;
  WHILE n < 7 DO SET n = n + 1; END WHILE;
  INSERT INTO t VALUES (REPEAT('r', n));
END;
CREATE FUNCTION twice(a INT) RETURNS INT DETERMINISTIC RETURN (a) * CASE WHEN a > 0 THEN 2 ELSE IF(a, 2, 2) END;
CREATE OR REPLACE DEFINER = CURRENT_USER PROCEDURE one(x INT) CASE x WHEN 1 THEN SELECT 1; ELSE SELECT CASE WHEN 1 THEN 2 END; END CASE;
CREATE TRIGGER seen BEFORE INSERT ON t FOR EACH ROW IF NEW.a = '' THEN SET NEW.a = IF(1, 'x', 'y'); END IF;
CREATE EVENT later ON SCHEDULE EVERY 1 DAY DISABLE DO UPDATE t SET a = IF(1, 'x;', 'y');
CALL fill(2); INSERT INTO t VALUES (twice(4)); # the end;
"""


def test_stored_programs_of_mysql_run(mysql_url: str) -> None:
    found = cut("CREATE TABLE t (a TEXT);" + PROCEDURE, MYSQL)
    assert len(found) == 8
    assert mysql.execute(mysql_url, *found, "SELECT a FROM t") == [("many",), ("b",), ("rrrrrrr",), ("8",)]


def test_bodies_of_postgresql_run(postgres_url: str) -> None:
    script = """CREATE TABLE t (a TEXT);
    CREATE OR REPLACE PROCEDURE fill(n INT) LANGUAGE SQL BEGIN ATOMIC
      INSERT INTO t VALUES (CASE WHEN n > 1 THEN 'many;' ELSE 'one' END); INSERT INTO t VALUES ('end'); END;
    DO $do$ BEGIN INSERT INTO t VALUES ('do;'); END $do$; CALL fill(2); /* ; /* ; */ ; */"""
    found = cut(script, POSTGRESQL)
    assert len(found) == 4
    with psycopg.connect(postgres_url) as connection:
        for statement in found:
            connection.execute(statement.encode())
        assert connection.execute("SELECT a FROM t").fetchall() == [("do;",), ("many;",), ("end",)]


PIECES = st.sampled_from(
    ["'", '"', "`", "\\", ";", "--", "#", "/*", "*/", "\n", " ", "a", "END", "BEGIN", "(", ")", "$$", "E'", "DELIMITER //\n"]
)


@given(st.lists(PIECES, max_size=25).map("".join), st.sampled_from(["duckdb", "sqlite", "postgresql", "mysql", "oracle"]))
def test_nothing_but_delimiters_is_lost(sql: str, scheme: str) -> None:
    text = "".join(token.text for statement in statements(sql, dialect_of(scheme)) for token in statement.tokens)
    remaining = iter(sql)
    assert all(character in remaining for character in text)


def test_a_server_agrees_where_a_text_ends(mysql_url: str) -> None:
    """A statement that is cut at a semicolon by mistake would be a fault of syntax."""
    texts = ["a\\'; b", 'a"; b', "a\\\\", "--", "#;", "/*;*/", "`;", "$$;$$", "''';'''"]
    script = ";".join("SELECT '" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" for text in texts)
    with contextlib.closing(mysql.connect(mysql_url)) as connection, connection.cursor() as cursor:
        got = []
        for statement in cut(script, MYSQL):
            cursor.execute(statement)
            got.append(cursor.fetchone()[0])
    assert got == texts
