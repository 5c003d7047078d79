"""Python tables: what a file asks for and gives back, and the sentence with its line when its code fails."""

from __future__ import annotations

import datetime
import os
import sys
import textwrap
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from pdbt.engine.errors import BuildError, GraphError, MissingLibrary, PdbtError
from pdbt.engine.python_tables import argument_names, compute, with_helpers
from pdbt.engine.settings import Parameter
from tests.conftest import ROOT, RunProcess

LABEL = "scripts/processed/T.py"
ORDERS = pa.table({"id": [1, 2, 3], "city": ["Oslo", None, "Rome"], "amount": [1.5, 2.5, None]})


def read(name: str) -> pa.Table:
    return {"ORDERS": ORDERS, "CUSTOMERS": pa.table({"id": [1], "name": ["Ada"]})}[name]


def write(folder: Path, code: str, name: str = "T.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return path


def rows_of(folder: Path, code: str, tables: pa.Table | None = None, parameters: dict[str, Parameter] | None = None) -> pa.Table:
    return compute(write(folder, code), LABEL, read if tables is None else lambda _: tables, parameters or {})


def refusal(folder: Path, code: str) -> PdbtError:
    path = write(folder, code)
    with pytest.raises(PdbtError) as caught:
        compute(path, LABEL, read, {})
    assert "\n" not in str(caught.value)
    return caught.value


# The names of its parameters ----------------------------------------------------------------------------------------------


def test_the_parameters_of_the_function_are_its_tables() -> None:
    assert argument_names("def table(A, /, B, c=1, *, parameters): ...", LABEL) == ("A", "B", "c", "parameters")


@pytest.mark.parametrize(
    "text", ["", "table = 1", "class table: ...", "async def table(A): ...", "if True:\n    def table(A): ...", "def tables(A): ..."]
)
def test_a_file_without_the_function(text: str) -> None:
    with pytest.raises(
        GraphError, match=r"^scripts/processed/T\.py has no functions called table; a Python table is one\. Write: def table\("
    ):
        argument_names(text, LABEL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def table(A):\n  return (\n", "scripts/processed/T.py line 2: '(' was never closed."),
        ("x = 1\n  y = 2\n", "scripts/processed/T.py line 2: unexpected indent."),
        ("x = 1\0", "scripts/processed/T.py"),
        ("(" * 300 + ")" * 300, "scripts/processed/T.py"),
    ],
)
def test_a_file_that_is_no_python(text: str, message: str) -> None:
    with pytest.raises(GraphError) as caught:
        argument_names(text, LABEL)
    assert message in caught.value.message
    assert caught.value.hint == "Mend the Python of this file."


# What it is given ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import pyarrow as pa\ndef table(ORDERS: pa.Table): {}",
        "import pyarrow\ndef table(ORDERS: pyarrow.Table): {}",
        "from pyarrow import Table\ndef table(ORDERS: Table): {}",
        "from __future__ import annotations\nimport pyarrow as pa\ndef table(ORDERS: pa.Table): {}",
        "def table(ORDERS: 'pyarrow.Table'): {}",
    ],
)
def test_an_annotation_asks_for_arrow(tmp_path: Path, code: str) -> None:
    assert rows_of(tmp_path, code.format("\n    return ORDERS.slice(1)")) == ORDERS.slice(1)


@pytest.mark.parametrize("annotation", ["", ": pd.DataFrame", ": 'pd.DataFrame'", ": object"])
def test_everything_else_is_a_data_frame(tmp_path: Path, annotation: str) -> None:
    code = f"""
        import pandas as pd
        def table(ORDERS{annotation}):
            assert isinstance(ORDERS, pd.DataFrame)
            return ORDERS[ORDERS["amount"] > 2]
        """
    assert rows_of(tmp_path, code).to_pylist() == [{"id": 2, "city": None, "amount": 2.5}]


def test_several_tables_and_the_parameters(tmp_path: Path) -> None:
    code = """
        def table(ORDERS, /, parameters, *, CUSTOMERS):
            joined = ORDERS.merge(CUSTOMERS, on="id")
            joined["since"] = parameters["since"]
            return joined
        """
    rows = rows_of(tmp_path, code, parameters={"since": datetime.date(2024, 1, 1)})
    assert rows.to_pylist() == [{"id": 1, "city": "Oslo", "amount": 1.5, "name": "Ada", "since": datetime.date(2024, 1, 1)}]


def test_the_parameters_of_a_run_are_not_changed_by_a_table(tmp_path: Path) -> None:
    parameters: dict[str, Parameter] = {"a": 1}
    code = "import pyarrow as pa\ndef table(parameters):\n    parameters.clear()\n    return pa.table({'x': [1]})"
    rows_of(tmp_path, code, parameters=parameters)
    assert parameters == {"a": 1}


def kinds(folder: Path, column: pa.ChunkedArray | pa.Array) -> tuple[str, list[object]]:
    """Return the dtype in which a table's code sees a column, and the values that come back from it."""
    code = """
        import pyarrow as pa
        def table(T, parameters):
            parameters["seen"].append(str(T["x"].dtype))
            return T
        """
    seen: list[str] = []
    rows = compute(write(folder, code), LABEL, lambda _: pa.table({"x": column}), {"seen": seen})
    return seen[0], rows["x"].to_pylist()


def test_days_are_seen_as_pandas_computes_with_them(tmp_path: Path) -> None:
    kind, values = kinds(tmp_path, pa.array([datetime.date(2024, 2, 29), None]))
    assert kind.startswith("datetime64[")
    assert values == [datetime.date(2024, 2, 29), None]


def test_a_sum_of_integers_by_duckdb_is_seen_as_integers(tmp_path: Path) -> None:
    assert kinds(tmp_path, pa.array([Decimal(5), Decimal(2**62)], pa.decimal128(38, 0))) == ("int64", [5, 2**62])


def test_decimals_are_seen_as_doubles_where_these_hold_them(tmp_path: Path) -> None:
    assert kinds(tmp_path, pa.array([Decimal("1.25"), None], pa.decimal128(38, 2))) == ("float64", [1.25, None])
    long = Decimal("12345678901234567890.12")
    assert kinds(tmp_path, pa.array([long], pa.decimal128(38, 2))) == ("object", [long])


def test_long_numbers_survive_gaps(tmp_path: Path) -> None:
    long = 2**53 + 1
    assert kinds(tmp_path, pa.array([long, None, -long])) == ("Int64", [long, None, -long])
    assert kinds(tmp_path, pa.array([1, None, 2])) == ("float64", [1.0, None, 2.0])


def test_a_table_without_rows_is_given_and_returned(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "def table(ORDERS):\n    return ORDERS", ORDERS.slice(0, 0))
    assert rows.num_rows == 0
    assert rows.column_names == ["id", "city", "amount"]


# What it returns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "pa.table({'x': [1, 2]})",
        "pa.record_batch({'x': [1, 2]})",
        "pa.table({'x': [1, 2]}).to_reader()",
        "pd.DataFrame({'x': [1, 2]})",
        "pd.DataFrame({'x': [0, 1, 2]}).query('x > 0')",
        "pd.DataFrame({'x': [1, 2], 'n': [5, 6]}).set_index('x').drop(columns='n')",
        "type('Frame', (pd.DataFrame,), {})({'x': [1, 2]})",
        "duckdb.sql('SELECT unnest([1, 2]) AS x')",
    ],
)
def test_rows_of_any_kind_are_taken(tmp_path: Path, expression: str) -> None:
    rows = rows_of(tmp_path, f"import duckdb, pandas as pd, pyarrow as pa\ndef table(ORDERS: pa.Table):\n    return {expression}")
    assert isinstance(rows, pa.Table)
    assert rows.to_pylist() == [{"x": 1}, {"x": 2}]


def test_what_was_grouped_by_is_a_column(tmp_path: Path) -> None:
    code = "def table(ORDERS):\n    return ORDERS.groupby(['city', 'id'])[['amount']].sum()"
    assert rows_of(tmp_path, code).column_names == ["city", "id", "amount"]


def test_a_series_is_a_table_of_its_values_and_what_they_were_grouped_by(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "def table(ORDERS):\n    return ORDERS.groupby('city')['amount'].sum()")
    assert rows.to_pylist() == [{"city": "Oslo", "amount": 1.5}, {"city": "Rome", "amount": 0.0}]
    assert rows_of(tmp_path, "def table(ORDERS):\n    return ORDERS['id'] + ORDERS['amount']").column_names == ["value"]


def test_an_index_that_is_a_column_too_stays_one(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "def table(ORDERS):\n    return ORDERS.set_index('id', drop=False)").column_names == ["id", "city", "amount"]


@pytest.mark.parametrize(
    ("expression", "type_name"),
    [("None", "NoneType"), ("[1, 2]", "list"), ("ORDERS.shape", "tuple"), ("{'x': [1]}", "dict"), ("5", "int")],
)
def test_what_is_no_rows_is_named(tmp_path: Path, expression: str, type_name: str) -> None:
    error = refusal(tmp_path, f"def table(ORDERS):\n    return {expression}")
    assert error.message == f"{LABEL}: table() returned {type_name}."
    assert error.hint == "Return a pandas DataFrame or a pyarrow Table."
    assert error.exit_code == 1


@pytest.mark.parametrize("frame", ["{'x': [1, 'a', 2.5]}", "{'x': [[1], 2]}", "[[1, 2]], columns=['x', 'x']"])
def test_a_data_frame_that_is_no_table(tmp_path: Path, frame: str) -> None:
    error = refusal(tmp_path, f"import pandas as pd\ndef table(ORDERS):\n    return pd.DataFrame({frame})")
    assert error.message.startswith(f"{LABEL}: the DataFrame it returned is no table: ")
    assert "x" in error.message.rpartition("no table")[2]
    assert isinstance(error, BuildError)


# Its code -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def table(ORDERS):\n    x = 1\n    return ORDERS['nobody']", "line 3: KeyError: 'nobody'"),
        ("raise ValueError('two\\nlines')\ndef table(ORDERS): ...", "line 1: ValueError: two lines"),
        ("def table(ORDERS):\n    return 1 / 0", "line 2: ZeroDivisionError: division by zero"),
        ("def table(ORDERS):\n    raise KeyError", "line 2: KeyError"),
        ("import sys\ndef table(ORDERS):\n    sys.exit(0)", "line 3: the code ended the process"),
        ("def table(ORDERS):\n    def inner():\n        raise OSError('no')\n    inner()", "line 3: OSError: no"),
        ("def table(ORDERS):\n    return eval('1 +')", "line 2: SyntaxError: "),
    ],
)
def test_code_that_fails_is_a_sentence_with_its_line(tmp_path: Path, code: str, message: str) -> None:
    error = refusal(tmp_path, code)
    assert error.message.startswith(f"{LABEL} {message}")
    assert error.hint == "Mend the code of this table."
    assert error.exit_code == 1
    assert error.__cause__ is not None


def test_a_library_that_is_missing_is_said_with_the_command(tmp_path: Path) -> None:
    error = refusal(tmp_path, "import nobody_wrote_this.part\ndef table(ORDERS): ...")
    assert error.message == f"{LABEL} line 1: ModuleNotFoundError: No module named 'nobody_wrote_this'"
    assert error.hint == "Run: python3 -m pip install nobody_wrote_this"


def test_a_table_that_prints_is_a_table_like_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rows_of(tmp_path, "print('loading')\ndef table(ORDERS):\n    print('computing')\n    return ORDERS").num_rows == 3
    assert capsys.readouterr().out == "loading\ncomputing\n"


def test_classes_with_annotations_as_texts_work(tmp_path: Path) -> None:
    code = """
        from __future__ import annotations
        from dataclasses import asdict, dataclass
        import pyarrow as pa
        @dataclass
        class Row:
            x: int
        def table():
            return pa.Table.from_pylist([asdict(Row(1))])
        """
    assert rows_of(tmp_path, code).to_pylist() == [{"x": 1}]


def test_helpers_beside_the_file_are_imported_and_forgotten(tmp_path: Path) -> None:
    for layer, value in (("processed", 1), ("final", 2)):
        (tmp_path / layer).mkdir()
        write(tmp_path / layer, "from . import _deep\ndef value():\n    return _deep.VALUE", "_helper.py")
        write(tmp_path / layer, f"VALUE = {value}", "_deep.py")
        code = """
            import pyarrow as pa
            from ._helper import value
            def table():
                from ._deep import VALUE
                return pa.table({"x": [value(), VALUE]})
            """
        assert rows_of(tmp_path / layer, code)["x"].to_pylist() == [value, value]
    assert [name for name in sys.modules if name.startswith("python_table")] == []


def test_a_helper_imported_by_its_bare_name_is_explained(tmp_path: Path) -> None:
    write(tmp_path, "x = 1", "_helper.py")
    error = refusal(tmp_path, "from _helper import x\ndef table(): ...")
    assert error.message == f"{LABEL} line 1: ModuleNotFoundError: No module named '_helper'"
    assert error.hint == "It is a file beside this one: from ._helper import …"


def test_an_error_in_a_helper_names_the_line_that_called_it(tmp_path: Path) -> None:
    write(tmp_path, "def fail():\n    raise ValueError('deep down')", "_helper.py")
    assert refusal(tmp_path, "from ._helper import fail\ndef table():\n    fail()").message == f"{LABEL} line 3: ValueError: deep down"


def test_a_file_mended_within_a_second_runs_as_it_is_now(tmp_path: Path) -> None:
    code = "import pyarrow as pa\nfrom ._helper import y\ndef table():\n    return pa.table({{'x': [{}, y]}})"
    for number in (1, 2):
        os.utime(write(tmp_path, f"y = {number}", "_helper.py"), (1_700_000_000, 1_700_000_000))
        path = write(tmp_path, code.format(number))
        os.utime(path, (1_700_000_000, 1_700_000_000))
        assert compute(path, LABEL, read, {})["x"].to_pylist() == [number, number]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["T.py", "_helper.py"]


def test_the_text_of_helpers_that_import_each_other_is_taken_once(tmp_path: Path) -> None:
    write(tmp_path, "from . import _b\n# A", "_a.py")
    write(tmp_path, "from ._a import x\nfrom .T import y\n# B", "_b.py")
    text = with_helpers(tmp_path / "T.py", "from ._a import x\nfrom .missing import z")
    assert (text.count("# A"), text.count("# B")) == (1, 1)


def test_without_pandas_arrow_works_and_a_data_frame_is_a_sentence(tmp_path: Path, run_process: RunProcess) -> None:
    arrow = write(tmp_path, "import pyarrow as pa\ndef table(T: pa.Table):\n    return T", "ARROW.py")
    frame = write(tmp_path, "def table(T):\n    return T", "FRAME.py")
    code = f"""
import importlib.abc, sys
class NoPandas(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
sys.meta_path.insert(0, NoPandas())
import pyarrow as pa
from pdbt.engine.errors import MissingLibrary
from pdbt.engine.python_tables import compute
from pathlib import Path
rows = pa.table({{"x": [1]}})
print(compute(Path({str(arrow)!r}), "ARROW.py", lambda _: rows, {{}}).to_pylist())
try:
    compute(Path({str(frame)!r}), "FRAME.py", lambda _: rows, {{}})
except MissingLibrary as error:
    print(error)
"""
    ended = run_process([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)})
    assert ended.stdout.splitlines() == [
        "[{'x': 1}]",
        "FRAME.py (its parameter T is a DataFrame) needs pandas, which is not installed. Run: python3 -m pip install pandas",
    ], ended.stderr
    assert issubclass(MissingLibrary, ImportError)


def test_the_index_of_a_frame_is_not_altered_in_the_owners_hands(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1]}, index=pd.Index([5], name="k"))
    code = "def table(parameters):\n    return parameters['frame']"
    assert compute(write(tmp_path, code), LABEL, read, {"frame": frame}).column_names == ["k", "x"]  # type: ignore[dict-item]
    assert frame.index.name == "k"
