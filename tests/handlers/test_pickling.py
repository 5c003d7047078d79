"""The copy of a handler's code: it names the file that it was written in, whatever cloudpickle makes of that."""

from __future__ import annotations

import linecache
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.handlers import BaseHandler, HandlerNode, Ingest, PipelineExecutor
from pdbt.handlers.errors import PipelineFailed
from pdbt.handlers.pickling import dumps
from tests.handlers import kinds

SECONDS = 60.0
# Code in each shape that a handler's may have; the error arises in the last line of each.
SHAPES = {
    "function": "def fails():\n    raise ValueError('here')\n",
    "nested function": "def outer(word):\n    def fails():\n        raise ValueError(word)\n    return fails\nfails = outer('here')\n",
    "lambda": "fails = lambda: (\n    1 // 0)\n",
    "method": "class Kind:\n    def fails(self):\n        return [\n            1 // n for n in (1, 0)]\nfails = Kind().fails\n",
    "property": "class Kind:\n    @property\n    def bad(self):\n        return 1 // 0\nkind = Kind()\ndef fails():\n    kind.bad\n",
    "generator": "def numbers():\n    yield 1\n    raise ValueError('here')\ndef fails():\n    list(numbers())\n",
    "called function": "def helper():\n    return {}['here']\ndef fails():\n    helper()\n",
}


def defined(source: str, filename: str) -> Callable[[], object]:
    """Return the function `fails` of a module that cannot be imported, as a script's or a notebook's cannot."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, filename, "exec"), names)  # this is how a notebook runs a cell
    function: Callable[[], object] = names["fails"]
    return function


def frames(function: Callable[[], object]) -> list[tuple[str, int | None]]:
    """Return file and line of each frame of the error that a function raises."""
    with pytest.raises(Exception, match=r"here|zero") as caught:
        function()
    return [(frame.filename, frame.lineno) for frame in traceback.extract_tb(caught.value.__traceback__)][1:]


@pytest.mark.parametrize("filename", ["/srv/pipelines/a b/scores.py", "<ipython-input-3-f00>", "/tmp/ipykernel_77/1234.py", "números.py"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_error_in_a_copy_names_the_same_files_and_lines(shape: str, filename: str) -> None:
    function = defined(SHAPES[shape], filename)
    copied = pickle.loads(dumps(function))
    assert copied is not function
    assert frames(copied) == frames(function) != []
    assert {name for name, _ in frames(copied)} == {filename}


def all_code(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_code(constant)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20), min_size=1, max_size=4)
)
def test_code_arrives_equal_with_the_codes_within_it(filenames: list[str]) -> None:
    """Also where a code's inner codes are of other files, as a template engine or a decorator makes them."""
    code = compile("def a():\n    def b():\n        return [lambda: 1]\n    return b\n", filenames[0], "exec")
    for name in filenames[1:]:
        code = code.replace(co_consts=(*code.co_consts, compile("x = lambda: y", name, "exec")))
    copied = pickle.loads(dumps(code))
    assert copied == code
    assert [inner.co_filename for inner in all_code(copied)] == [inner.co_filename for inner in all_code(code)]


def test_the_error_of_a_handler_without_a_module_names_its_cell(tmp_path: Path) -> None:
    """As in a notebook: the class is one of __main__, and its source exists nowhere but in the memory of this process."""
    source = "class Cell(BaseHandler):\n    def handle(self, data):\n        raise ValueError('here')\n"
    names: dict[str, Any] = {"__name__": "__main__", "BaseHandler": BaseHandler}
    exec(compile(source, "<cell 7>", "exec"), names)  # this is how a notebook runs a cell
    pipeline = PipelineExecutor([HandlerNode("in", Ingest())], [HandlerNode("fails", names["Cell"](), ["in"])], retries=0)
    with pytest.raises(PipelineFailed, match=r"handle\(\) of Cell \(<cell 7> line 3\): ValueError: here"), pipeline:
        pipeline.give("in", [{"n": 1}]).result(SECONDS)


def test_the_error_of_a_handler_of_an_imported_module_names_its_file(tmp_path: Path) -> None:
    fails = kinds.Fails(tmp_path / "tries", 1)
    pipeline = PipelineExecutor([HandlerNode("in", Ingest())], [HandlerNode("fails", fails, ["in"])], retries=0)
    with pytest.raises(PipelineFailed) as caught, pipeline:
        pipeline.give("in", [{"n": 1}]).result(SECONDS)
    line = next(number for number, text in enumerate(linecache.getlines(kinds.__file__), 1) if 'ValueError("no such luck")' in text)
    assert f"handle() of Fails ({kinds.__file__} line {line}): ValueError: no such luck" in str(caught.value)
