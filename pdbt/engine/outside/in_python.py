"""Reads besides tables in a Python table, as far as its text shows them: the clock, chance, files, the environment, the network."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator

from .in_files import is_remote
from .in_sql import REMOTE, find_in_sql
from .model import CLOCK, ELSEWHERE, FILES, NOTHING, Outside, calls, merged

_CLOCK = frozenset(
    """
    datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today time.time time.time_ns time.localtime time.gmtime time.ctime
    pandas.Timestamp.now pandas.Timestamp.utcnow pandas.Timestamp.today pendulum.now arrow.now arrow.utcnow
    """.split()
)
_OF_A_TIME = frozenset({"time.localtime", "time.gmtime", "time.ctime"})  # with an argument they read no clock
_MOMENTS = frozenset({"pandas.Timestamp", "pandas.to_datetime", "numpy.datetime64", "pandas.Period"})  # which know the word now
_DAY = frozenset({"datetime.date.today"})
_CHANCE = ("random.", "numpy.random.", "secrets.", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "os.urandom")
_SEEDS = frozenset({"random.seed", "random.Random", "numpy.random.seed", "numpy.random.default_rng", "numpy.random.RandomState"})
_NO_CHANCE = frozenset({"numpy.random.Generator", "numpy.random.SeedSequence", "numpy.random.PCG64"})  # as annotations, or of a seed
_ELSEWHERE = (
    "requests.",
    "httpx.",
    "aiohttp.",
    "urllib.request.",
    "http.client.",
    "ftplib.",
    "socket.",
    "subprocess.",
    "boto3.",
    "sqlalchemy.create_engine",
    "psycopg.connect",
    "psycopg2.connect",
    "pymysql.connect",
    "oracledb.connect",
    "pyodbc.connect",
    "os.listdir",
    "os.scandir",
    "glob.",
)
_FILE_NAMES = frozenset(
    {"open", "io.open", "pathlib.Path", "sqlite3.connect", "duckdb.connect", "numpy.load", "numpy.loadtxt", "numpy.genfromtxt"}
)
_READS_ELSEWHERE = ("read_sql", "read_database", "read_gbq", "read_clipboard")
_PATH_READS = frozenset({"read_text", "read_bytes"})
_SQL_CALLS = frozenset({"sql", "execute", "query"})
_IN_MEMORY = frozenset({"io.StringIO", "io.BytesIO"})


def find_in_python(text: str) -> Outside:
    """Find what the text of a Python table and its helpers reads besides the tables that are its parameters."""
    with contextlib.suppress(SyntaxError, ValueError, RecursionError):
        tree = ast.parse(text)
        names = _imported(tree)
        seeded = any(isinstance(node, ast.Call) and node.args and _dotted(node.func, names) in _SEEDS for node in ast.walk(tree))
        return merged(_found(tree, names, seeded))
    return NOTHING


def _imported(tree: ast.AST) -> dict[str, str]:
    """Return the whole name of what each imported name stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(
                {
                    alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
                    for alias in node.names
                }
            )
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return the whole name of ``a.b.c``; empty for what is no such name, a leading dot for a method of something else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return ".".join([names.get(node.id, node.id), *reversed(parts)])
    return f".{'.'.join(reversed(parts))}" if parts else ""


def _found(tree: ast.AST, names: dict[str, str], seeded: bool) -> Iterator[Outside]:
    # os.environ[…] and os.environ.get(…) say which variable they read.
    keyed = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and node.attr == "get")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield _called(node, _dotted(node.func, names), names)
        if isinstance(node, ast.Subscript) and _dotted(node.value, names) == "os.environ":
            yield _variable(node.slice)
        if _dotted(node, names) == "os.environ" and id(node) not in keyed:
            yield Outside(f"{ELSEWHERE}, through os.environ")
        if isinstance(node, (ast.Attribute, ast.Name)):
            yield _referred(_dotted(node, names), names, seeded)


def _referred(name: str, names: dict[str, str], seeded: bool) -> Outside:
    """Return what a name reads when it is called, wherever that is."""
    if name in _DAY:
        return Outside(day=True)
    if name in _CLOCK and name not in _OF_A_TIME:
        return Outside(CLOCK)
    base = name.partition(".")[0]
    imported = base in {whole.partition(".")[0] for whole in names.values()}
    if (
        imported
        and name.startswith(_CHANCE)
        and name not in _SEEDS | _NO_CHANCE
        and not (seeded and name.startswith(("random.", "numpy.random.")))
    ):
        return Outside(calls(name))
    if imported and name.startswith(_ELSEWHERE):
        return Outside(f"{ELSEWHERE}, through {name}")
    return NOTHING


def _called(node: ast.Call, name: str, names: dict[str, str]) -> Outside:
    method = name.rpartition(".")[2]
    first = node.args[0] if node.args else None
    text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    if name in _OF_A_TIME:
        return NOTHING if first is not None else Outside(CLOCK)
    if name == "time.strftime":
        return Outside(CLOCK) if len(node.args) == 1 else NOTHING
    if name in _MOMENTS and text is not None and text.strip().casefold() in ("now", "today"):
        return Outside(CLOCK)
    if name in _SEEDS - {"random.seed", "numpy.random.seed"} and not node.args and not node.keywords:
        return Outside(calls(name))
    if method in ("now", "utcnow", "today") and name not in _CLOCK | _DAY and isinstance(node.func, ast.Attribute):
        return Outside(CLOCK)
    if method == "sample" and isinstance(node.func, ast.Attribute) and not name.startswith("random."):
        return NOTHING if {"random_state", "seed"} & {keyword.arg for keyword in node.keywords} else Outside(calls("sample"))
    if method.startswith(_READS_ELSEWHERE):
        return Outside(f"{ELSEWHERE}, through {method}")
    if name in ("os.getenv", "os.environ.get"):
        return _variable(first)
    if method in _SQL_CALLS and text is not None:
        return find_in_sql(text, "duckdb", {}, lambda _expression: None)
    return _file(node, name, first, text, names)


def _variable(key: ast.AST | None) -> Outside:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return Outside(environment=(key.value,))
    return Outside(f"{ELSEWHERE}, through os.environ")


def _file(node: ast.Call, name: str, first: ast.AST | None, text: str | None, names: dict[str, str]) -> Outside:
    """Return the file that a call reads."""
    method = name.rpartition(".")[2]
    if method in _PATH_READS:  # of a Path: its own call names the file, if it is a text
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        named = isinstance(inner, ast.Call) and _dotted(inner.func, names) == "pathlib.Path" and _is_text(inner)
        return NOTHING if named else Outside(FILES)
    if name not in _FILE_NAMES and not (method.startswith(("read_", "scan_")) and isinstance(node.func, (ast.Attribute, ast.Name))):
        return NOTHING
    if name.endswith("open") and _writes(node):
        return NOTHING
    if text is not None:
        return NOTHING if text == ":memory:" else REMOTE if is_remote(text) else Outside(files=(text,))
    if first is None or name == "pathlib.Path" or (isinstance(first, ast.Call) and _dotted(first.func, names) in _IN_MEMORY):
        return NOTHING
    return Outside(FILES)


def _is_text(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)


def _writes(node: ast.Call) -> bool:
    modes = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and any(letter in str(mode.value) for letter in "wax") for mode in modes)
