"""Reads besides tables in a SELECT, found by its tokens, so that every dialect and what DuckDB's parser does not take are looked at.

Where this errs it names a read too many: that is a table made once more, one too few would be a table that is never made again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ..lexer import Token
from ..settings import Parameter
from ..sql import literal, words_of
from .in_files import is_remote
from .model import CATALOG, CLOCK, ELSEWHERE, FILES, NOTHING, Outside, calls, merged

REMOTE = Outside(f"{ELSEWHERE}: a file of another machine")
Evaluate = Callable[[str], object]

# A text without any of these reads tables only, and needs no closer look: a project may have a thousand of them.
_HINT = re.compile(
    r"""current_|local|now|today|tomorrow|yesterday|timeofday|_timestamp|age\s*\(|date\s*\(|time\s*\(|day\s*\(|epoch|random|uuid|gen_|val\s*\(|seed
      |sample|shuffle|stats\s*\(|changes|rowid|txid|pg_|lo_|dblink|read_|parquet_|_scan|glob|sniff|st_read|query|_xml|crosstab|ts_stat
      |pragma_|duckdb_|getenv|getvariable|diff\s*\(|strftime""",
    re.IGNORECASE | re.VERBOSE,
)
_OPERATORS = frozenset({"||", "::", "->", "=>", "<=", ">=", "!=", "<>", "**", "//", ":="})  # which are two tokens
_DAY_WORDS = frozenset({"current_date"})
_CLOCK_WORDS = frozenset({"current_timestamp", "current_time"})
_LOCAL_WORDS = frozenset({"localtime", "localtimestamp"})  # a column's name like any other in SQLite
_DAY_CALLS = frozenset({"today", "current_date"})
_CLOCK_CALLS = frozenset(
    """
    now transaction_timestamp statement_timestamp clock_timestamp timeofday get_current_timestamp get_current_time current_localtime
    current_localtimestamp pg_postmaster_start_time pg_conf_load_time
    """.split()
)
_CHANCE_CALLS = frozenset(
    """
    random random_normal setseed uuid uuidv4 uuidv7 gen_random_uuid uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 gen_random_bytes
    gen_salt randomblob array_shuffle array_sample nextval currval lastval setval last_insert_rowid changes total_changes txid_current
    pg_current_xact_id pg_backend_pid current_query_id current_transaction_id current_connection_id stats
    """.split()
)
_ELSEWHERE_CALLS = frozenset(
    """
    postgres_scan postgres_scan_pushdown postgres_query mysql_scan mysql_query sqlite_query dblink pg_read_file pg_read_binary_file
    pg_ls_dir pg_stat_file lo_get lo_import getenv getvariable current_setting
    """.split()
)
_FILE_CALL = re.compile(r"read_\w+|parquet_\w+|\w+_scan|glob|sniff_csv|st_read|st_read_meta")
_QUERY_CALLS = frozenset({"query", "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "ts_stat", "crosstab"})
_TABLE_CALLS = frozenset({"query_table", "table_to_xml", "table_to_xmlschema", "table_to_xml_and_xmlschema"})
_CATALOG_CALL = re.compile(r"(?:duckdb|pragma)_\w+")
_POSTGRES_MOMENT = re.compile(r"\s*(now|today|tomorrow|yesterday)\b[\s\d:.+-]*", re.IGNORECASE)

_SQLITE_TIMES = frozenset({"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"})
_SQLITE_DAYS = re.compile(r"(?:[^%]|%[defFGgjmUuVWwY%])*")  # formats in which the time of day does not show
_SQLITE_STEP = re.compile(
    r"\s*(?:[+-]?\d+ (?:day|month|year)s?|start of (?:day|month|year)|weekday \d|ceiling|floor|auto)\s*", re.IGNORECASE
)


def find_in_sql(sql: str, dialect: str, parameters: Mapping[str, Parameter], evaluate: Evaluate) -> Outside:
    """Find what a SELECT reads besides the tables of its FROM.

    Args:
        sql: the SELECT, with ``$name`` in it.
        dialect: ``duckdb``, ``sqlite`` or ``postgresql``.
        parameters: the values of ``$name``, as far as they are known.
        evaluate: returns the value of a DuckDB expression without tables; None when it has none.
    """
    if not _HINT.search(sql) and "$" not in sql:
        return NOTHING
    words = words_of(sql)
    found: list[Outside] = []
    for index, token in enumerate(words):
        if token.kind in ("word", "quoted"):
            found.append(_named(words, index, dialect, parameters, evaluate))
        elif token.kind in ("string", "parameter") and dialect == "postgresql":
            found.append(_postgres_moment(str(parameters.get(token.text[1:], "")) if token.kind == "parameter" else token.name))
    return merged(found)


def _postgres_moment(text: str) -> Outside:
    """Return what a text reads that PostgreSQL may take for a moment."""
    moment = _POSTGRES_MOMENT.fullmatch(text)
    if moment is None:
        return NOTHING
    return Outside(CLOCK) if moment[1].lower() == "now" else Outside(day=True)


def _named(words: Sequence[Token], index: int, dialect: str, parameters: Mapping[str, Parameter], evaluate: Evaluate) -> Outside:
    """Return what a name reads: a word that is a moment, or the call of a function."""
    name = words[index].name.casefold()
    if index + 1 < len(words) and words[index + 1].text == "(":
        return _called(name, _arguments(words, index + 1), dialect, parameters, evaluate)
    before = words[index - 1].text.upper() if index else ""
    if before in (".", "AS"):
        return NOTHING
    if name in _DAY_WORDS:
        return Outside(day=True)
    if name in _CLOCK_WORDS or (name in _LOCAL_WORDS and dialect != "sqlite"):
        return Outside(CLOCK)
    if (name == "tablesample" or (name == "sample" and before == "USING")) and not _is_seeded(words, index):
        return Outside("draws a sample, which is another one in every run")
    return NOTHING


def _called(name: str, arguments: list[list[Token]], dialect: str, parameters: Mapping[str, Parameter], evaluate: Evaluate) -> Outside:
    if name in _CLOCK_CALLS or name in _CLOCK_WORDS or name in _LOCAL_WORDS:
        return Outside(CLOCK)
    if name in _DAY_CALLS or (name == "age" and len(arguments) == 1 and dialect != "sqlite"):
        return Outside(day=True)
    if name in _CHANCE_CALLS:
        return Outside(calls(name))
    if name in _SQLITE_TIMES and dialect == "sqlite":
        return _sqlite_time(name, arguments, parameters)
    if _CATALOG_CALL.fullmatch(name):
        return Outside(CATALOG)
    if name in _ELSEWHERE_CALLS:
        return Outside(f"{ELSEWHERE}, through {name}()")
    if name in _TABLE_CALLS or name in _QUERY_CALLS:
        texts = _texts(arguments[:1], parameters, evaluate)
        if texts is None:  # a parameter without a value is refused when the project is run, not when it is only looked at
            known = all(token.text[1:] in parameters for token in arguments[0] if token.kind == "parameter")
            return Outside(unclear=name) if dialect == "duckdb" and known else NOTHING
        return Outside(tables=texts) if name in _TABLE_CALLS else Outside(queries=texts)
    if dialect == "duckdb" and _FILE_CALL.fullmatch(name):
        files = _texts(arguments[:1], parameters, evaluate)
        return Outside(FILES) if files is None else REMOTE if any(map(is_remote, files)) else Outside(files=files)
    return NOTHING


def _arguments(words: Sequence[Token], opening: int) -> list[list[Token]]:
    """Return the arguments of a call whose parenthesis opens at this index, each as its tokens."""
    arguments: list[list[Token]] = [[]]
    depth = 0
    for token in words[opening:]:
        if token.text in ("(", "[", "{"):
            depth += 1
        elif token.text in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                break
        if depth == 1 and token.text == ",":
            arguments.append([])
        elif depth > 1 or token.text != "(" or arguments != [[]]:
            arguments[-1].append(token)
    return [argument for argument in arguments if argument]


def _texts(arguments: list[list[Token]], parameters: Mapping[str, Parameter], evaluate: Evaluate) -> tuple[str, ...] | None:
    """Return the text or the list of texts that an argument is; None when only the database knows it."""
    if not arguments:
        return ()
    (argument,) = arguments
    if len(argument) == 1 and argument[0].kind == "string" and argument[0].text[0] == "'":
        return (argument[0].name,)
    written = _written(argument, parameters)
    value = None if written is None else evaluate(written)
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def _written(argument: list[Token], parameters: Mapping[str, Parameter]) -> str | None:
    """Return an argument as SQL with the values of its parameters; None when one has no value."""
    names = [token.text[1:] for token in argument if token.kind == "parameter"]
    if any(name not in parameters for name in names):
        return None
    written = ""
    for token in argument:
        text = literal(parameters[token.text[1:]], "duckdb", token.text[1:]) if token.kind == "parameter" else token.text
        written += text if written[-1:] + text[:1] in _OPERATORS and token.kind == "symbol" else f" {text}"
    return written


def _is_seeded(words: Sequence[Token], index: int) -> bool:
    """Return True if the sample that begins here says its seed: ``REPEATABLE (1)``, or ``(bernoulli, 1)``."""
    following = words[index + 1 : index + 12]
    end = next((place for place, token in enumerate(following) if token.text.upper() in ("WHERE", "GROUP", "ORDER", "JOIN", "UNION")), None)
    texts = [token.text.upper() for token in following[:end]]
    if "REPEATABLE" in texts:
        return True
    opening = next((place for place, text in enumerate(texts) if text == "(" and place + 1 < len(texts)), None)
    return opening is not None and texts[opening + 1].isalpha() and texts[opening + 2 : opening + 3] == [","]


def _sqlite_time(name: str, arguments: list[list[Token]], parameters: Mapping[str, Parameter]) -> Outside:
    """Return what one of SQLite's functions of time reads: without a moment or with 'now', the clock, or no more than the date of it."""
    texts = [_sqlite_text(argument, parameters) for argument in arguments]
    shape = texts.pop(0) if name == "strftime" and texts else ""
    moments = texts if name == "timediff" else texts[:1]
    if texts and not any(text is not None and text.strip().casefold() == "now" for text in moments):
        return NOTHING
    by_day = name == "date" or (name == "strftime" and shape is not None and _SQLITE_DAYS.fullmatch(shape) is not None)
    steps = all(text is not None and _SQLITE_STEP.fullmatch(text) for text in texts[1:])
    return Outside(day=True) if by_day and steps else Outside(CLOCK)


def _sqlite_text(argument: list[Token], parameters: Mapping[str, Parameter]) -> str | None:
    if len(argument) != 1:
        return None
    (token,) = argument
    if token.kind == "parameter":
        value = parameters.get(token.text[1:])
        return value if isinstance(value, str) else None
    return token.name if token.kind in ("string", "quoted") else None  # "now" is a text to SQLite where no column is called so
