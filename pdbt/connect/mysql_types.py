"""MySQL's types: what kinds their values are, and which type a kind is given."""

from __future__ import annotations

import re
from typing import Any

from .base import Column
from .kinds import UNKNOWN

_KINDS = {
    "tinyint(1)": "BOOLEAN",
    "tinyint": "SMALLINT",
    "smallint": "SMALLINT",
    "mediumint": "INTEGER",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "datetime": "TIMESTAMP",
    "timestamp": "TIMESTAMPTZ",
    "year": "SMALLINT",
    "uuid": "UUID",
    "json": "JSON",
    "bit": "BIGINT",
}
_UNSIGNED = {"tinyint": "SMALLINT", "smallint": "INTEGER", "mediumint": "INTEGER", "int": "BIGINT", "bigint": "UBIGINT"}
_TEXTS = frozenset("char varchar tinytext text mediumtext longtext enum set inet4 inet6".split())
_BYTES = frozenset("binary varbinary tinyblob blob mediumblob longblob".split())
NATIVE = {
    "BOOLEAN": "tinyint(1)",
    "SMALLINT": "smallint",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "UBIGINT": "bigint unsigned",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "longtext",
    "BLOB": "longblob",
    "DATE": "date",
    "TIME": "time(6)",
    "TIMESTAMP": "datetime(6)",
    "TIMESTAMPTZ": "timestamp(6)",
    "JSON": "json",
}
_FIELD_TYPES = {0: "decimal", 1: "tinyint", 2: "smallint", 3: "int", 4: "float", 5: "double", 7: "timestamp", 8: "bigint", 9: "mediumint"}
_FIELD_TYPES |= {255: "geometry", 10: "date", 11: "time", 12: "datetime", 13: "year", 16: "bit", 245: "json", 246: "decimal"}
_UNSIGNED_FLAG, _BINARY_CHARSET = 32, 63
_MICROSECONDS = 6  # digits


def described(field: Any) -> Column:
    """Return the column that a field of an answer is."""
    unsigned, binary = bool(field.flags & _UNSIGNED_FLAG), field.charsetnr == _BINARY_CHARSET
    kind = _FIELD_TYPES.get(field.type_code)
    if kind is None:
        return Column(field.name, "BLOB" if binary else "VARCHAR", "longblob" if binary else "longtext")
    if kind == "decimal":
        digits = field.length - (0 if unsigned else 1) - (1 if field.scale else 0)
        return Column(field.name, _decimal_kind(digits, field.scale), f"decimal({digits},{field.scale})")
    native = f"{kind}(1)" if kind == "tinyint" and field.length == 1 else f"bit({field.length})" if kind == "bit" else kind
    if kind in ("time", "datetime", "timestamp") and 0 < field.scale <= _MICROSECONDS:
        native = f"{kind}({field.scale})"
    native = f"{native} unsigned" if unsigned and kind in _UNSIGNED and not native.endswith("(1)") else native
    return Column(field.name, kind_of(native), native)


def kind_of(native: str) -> str:
    """Return the kind of a column's values, from its type in the server's words."""
    base = re.match(r"[a-z0-9]+", native)
    word = base[0] if base else ""
    if native in _KINDS:
        return _KINDS[native]
    if (digits := re.match(r"decimal\((\d+),(\d+)\)", native)) is not None:
        return _decimal_kind(int(digits[1]), int(digits[2]))
    if "unsigned" in native and word in _UNSIGNED:
        return _UNSIGNED[word]
    if word in _TEXTS:
        return "VARCHAR"
    if word in _BYTES:
        return "BLOB"
    return _KINDS.get(word, UNKNOWN)


def besides_type(created: str, name: str) -> str:
    """Return what SHOW CREATE TABLE says of a column after its type: COLLATE, NOT NULL, DEFAULT, COMMENT."""
    quoted = re.escape("`" + name.replace("`", "``") + "`")
    words = r"(?:\((?:'(?:[^']|'')*'|[0-9,])+\))?"  # a length, or the words of an enum
    found = re.search(rf"^  {quoted} [a-z]\w*{words}(?: unsigned)?(?: zerofill)?(?P<rest>.*?),?$", created, re.MULTILINE)
    return found["rest"] if found else ""


def _decimal_kind(digits: int, decimals: int) -> str:
    return f"DECIMAL({digits},{decimals})" if 0 < digits <= 38 and decimals <= digits else UNKNOWN
