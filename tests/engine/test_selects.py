"""SELECTs that former runs knew: taken again as they are, and looked at anew when anything that they depend on differs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pdbt.engine
from pdbt.engine import selects
from pdbt.engine.errors import GraphError
from pdbt.engine.outside import Outside
from pdbt.engine.selects import RULES, Reader
from pdbt.engine.settings import Parameter
from pdbt.engine.state import References, Select

TEXTS = [
    "SELECT * FROM a",
    "\n-- a comment; with a semicolon\nSELECT a.x FROM a JOIN s.b USING (i) ; -- the end\n",
    "SELECT * FROM a WHERE day = current_date",
    "SELECT * FROM read_csv('data/extra/x.csv'), a WHERE n > $least",
    "SELECT random() AS r FROM a",
    "SELECT * FROM query_table('a')",
    "WITH a AS (SELECT 1) SELECT * FROM a PIVOT (sum(x) FOR y IN (1))",
]
REMEMBERED = Select(0, 8, References(exact=True, tables=[("", "remembered")]))


def read(text: str, known: dict[str, Select], dialect: str = "duckdb", parameters: dict[str, Parameter] | None = None) -> Reader:
    reader = Reader(known, {}, dialect, parameters)
    reader.select(text, "x.sql")
    return reader


def remembers(known: dict[str, Select], text: str, dialect: str = "duckdb", parameters: dict[str, Parameter] | None = None) -> bool:
    found = Reader(dict.fromkeys(known, REMEMBERED), {}, dialect, parameters).select(text, "x.sql")
    return found is REMEMBERED


@pytest.mark.parametrize("text", TEXTS)
def test_a_known_text_is_not_parsed_again(text: str) -> None:
    first = read(text, {}, parameters={"least": 1})
    second = read(text, first.selects, parameters={"least": 1})
    assert second.selects == first.selects
    assert len(second.selects) == 1
    assert second._made is None


def test_the_select_is_where_the_answer_says() -> None:
    text = TEXTS[1]
    found = Reader({}, {}).select(text, "x.sql")
    assert text[found.start : found.end] == "-- a comment; with a semicolon\nSELECT a.x FROM a JOIN s.b USING (i)"


def test_what_else_a_select_reads_is_known_too() -> None:
    known = read(TEXTS[3], {}, parameters={"least": 1}).selects
    found = Reader(known, {}, "duckdb", {"least": 1}).select(TEXTS[3], "x.sql")
    assert found.outside == Outside(files=("data/extra/x.csv",))
    assert found.parameters == ("least",)


def test_another_text_dialect_or_parameter_is_looked_at() -> None:
    known = read("SELECT $least FROM a", {}, parameters={"least": 1}).selects
    assert remembers(known, "SELECT $least FROM a", parameters={"least": 1})
    assert not remembers(known, "SELECT $least FROM b", parameters={"least": 1})
    assert not remembers(known, "SELECT $least FROM a", "sqlite", parameters={"least": 1})
    assert not remembers(known, "SELECT $least FROM a", parameters={"least": 2})


def test_a_text_without_parameters_does_not_depend_on_them() -> None:
    known = read("SELECT 1 FROM a", {}, parameters={"least": 1}).selects
    assert remembers(known, "SELECT 1 FROM a", parameters={"least": 2})


def test_other_rules_look_at_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    known = read("SELECT 1 FROM a", {}).selects
    monkeypatch.setattr(selects, "_rules", lambda: "others")
    assert not remembers(known, "SELECT 1 FROM a")


def test_an_expression_is_evaluated_in_each_run() -> None:
    text = "SELECT * FROM read_csv('data/' || 'x.csv')"
    reader = read(text, {})
    assert reader.selects == {}
    assert len(reader.references) == 1  # the parser's answer holds


def test_a_file_that_is_not_one_select_is_refused_each_time() -> None:
    reader = Reader({}, {})
    for _ in range(2):
        with pytest.raises(GraphError, match=r"x\.sql holds 2 statements"):
            reader.select("SELECT 1; SELECT 2", "x.sql")
    assert reader.selects == {}


def test_every_module_that_decides_is_one_of_the_rules() -> None:
    """The modules that are loaded to parse a text, and not to know one, decide what is found in it."""
    code = (
        "import json, sys, pdbt.engine.graph, pdbt.engine.parameters; before = set(sys.modules); "
        "import pdbt.engine.parsing; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = {name.removeprefix("pdbt.engine.").replace(".", "/") for name in json.loads(answer.stdout) if name.startswith("pdbt.engine.")}
    assert loaded <= set(RULES)
    folder = Path(pdbt.engine.__file__).parent
    assert all((folder / f"{module}.py").is_file() for module in RULES)
