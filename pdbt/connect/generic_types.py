"""The column types of databases that are reached through SQLAlchemy: each kind's name in each dialect, as its vendor documents it.

A kind that a dialect lacks here is refused before the first row: no type that would shorten, round or turn a value into another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .kinds import MAX_DIGITS, UNKNOWN, decimal

_MSSQL = {
    "BOOLEAN": "bit",
    "SMALLINT": "smallint",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "float(53)",
    "VARCHAR": "nvarchar(max)",
    "BLOB": "varbinary(max)",
    "DATE": "date",
    "TIME": "time(6)",
    "TIMESTAMP": "datetime2(6)",
    "TIMESTAMPTZ": "datetimeoffset(6)",
}
_ORACLE = {
    "SMALLINT": "number(5)",
    "INTEGER": "number(10)",
    "BIGINT": "number(19)",
    "FLOAT": "binary_float",
    "DOUBLE": "binary_double",
    "VARCHAR": "clob",
    "BLOB": "blob",
    "TIMESTAMP": "timestamp(6)",
    "TIMESTAMPTZ": "timestamp(6) with time zone",
}
_SNOWFLAKE = {
    "BOOLEAN": "boolean",
    "SMALLINT": "number(5,0)",
    "INTEGER": "number(10,0)",
    "BIGINT": "number(19,0)",
    "FLOAT": "float",
    "DOUBLE": "float",
    "VARCHAR": "varchar",
    "BLOB": "binary",
    "DATE": "date",
    "TIME": "time(6)",
    "TIMESTAMP": "timestamp_ntz(6)",
    "TIMESTAMPTZ": "timestamp_tz(6)",
}
_MYSQL = {
    "BOOLEAN": "bool",
    "SMALLINT": "smallint",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "DOUBLE": "double",
    "VARCHAR": "longtext",
    "BLOB": "longblob",
    "DATE": "date",
    "TIME": "time(6)",
    "TIMESTAMP": "datetime(6)",
}
_SQLITE = {"SMALLINT": "smallint", "INTEGER": "integer", "BIGINT": "bigint", "DOUBLE": "double", "VARCHAR": "text", "BLOB": "blob"}
NATIVE: Mapping[str, Mapping[str, str]] = {
    "mssql": _MSSQL,
    "oracle": _ORACLE,
    "snowflake": _SNOWFLAKE,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _SQLITE,
}
"""By the name of SQLAlchemy's dialect; a dialect that is not here is read and not written."""

DECIMALS = {"mssql": "decimal", "oracle": "number", "snowflake": "number", "mysql": "decimal", "mariadb": "decimal"}
KEY_TEXT = {
    "mssql": "nvarchar(450)",
    "oracle": "varchar2(1000 char)",
    "mysql": "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
    "mariadb": "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
}
# The shape of the expression by whose value texts compare by their bytes, where a collation may take two for one.
AS_BYTES = {
    "mssql": "CAST({} AS varbinary(max))",
    "mysql": "CAST({} AS BINARY)",
    "mariadb": "CAST({} AS BINARY)",
    "sqlite": "{} COLLATE BINARY",
}
WITHOUT_NAN = ("mssql", "mysql", "mariadb", "sqlite")
EMPTY_TEXT_IS_NULL = ("oracle",)
TRANSACTIONAL_DDL = ("mssql", "sqlite")
MICROSECONDS = 6  # digits
# Where FLOAT or REAL has 32 bits; everywhere else it has 64.
_SINGLE = {("mysql", "FLOAT"), ("mariadb", "FLOAT"), ("mssql", "REAL"), ("oracle", "BINARY_FLOAT")}


def native_type(dialect: str, kind: str, *, key: bool) -> str | None:
    """Return the column type of a kind in a dialect; None when there is none that holds all its values."""
    if (parts := decimal(kind)) is not None:
        longest = 65 if dialect in ("mysql", "mariadb") else MAX_DIGITS
        return f"{DECIMALS[dialect]}({parts[0]},{parts[1]})" if dialect in DECIMALS and parts[0] <= longest else None
    if key and kind == "VARCHAR" and dialect in KEY_TEXT:
        return KEY_TEXT[dialect]
    return NATIVE.get(dialect, {}).get(kind)


def keeps_microseconds(dialect: str, type_: Any) -> bool:
    """Whether a reflected column of times keeps their microseconds; True for what is none."""
    name = type(type_).__name__.upper()
    if dialect in ("mysql", "mariadb"):
        return name not in ("DATETIME", "TIME", "TIMESTAMP") or getattr(type_, "fsp", None) == MICROSECONDS
    if dialect == "mssql" and name in ("DATETIME", "SMALLDATETIME"):
        return False
    precision = getattr(type_, "precision", None)
    temporal = name.startswith(("TIME", "DATETIME"))
    return not temporal or precision is None or precision >= MICROSECONDS


def kind_of(dialect: str, type_: Any) -> str:
    """Return the kind of a column that SQLAlchemy has reflected; the empty one when it is none that travels without a cast."""
    from sqlalchemy import types

    if isinstance(type_, types.Numeric) and not isinstance(type_, types.Float):
        fits = type_.precision is not None and type_.precision <= MAX_DIGITS and 0 <= (type_.scale or 0) <= type_.precision
        return f"DECIMAL({type_.precision},{type_.scale or 0})" if fits else UNKNOWN
    if (dialect, type(type_).__name__.upper()) in _SINGLE:
        return "FLOAT"
    kinds = (
        (types.Boolean, "BOOLEAN"),
        (types.SmallInteger, "SMALLINT"),
        (types.Integer, "BIGINT"),  # a dialect's INTEGER may hold 64 bits
        (types.Float, "DOUBLE"),
        (types.JSON, "JSON"),
        (types.Uuid, "UUID"),
        (types.Enum, "VARCHAR"),
        (types.String, "VARCHAR"),
        (types.LargeBinary, "BLOB"),
        (types._Binary, "BLOB"),
        (types.Date, "DATE"),
        (types.Time, "TIME"),
    )
    if isinstance(type_, types.DateTime):
        zoned = bool(getattr(type_, "timezone", False)) or type(type_).__name__ in ("DATETIMEOFFSET", "TIMESTAMP_TZ", "TIMESTAMP_LTZ")
        return "TIMESTAMPTZ" if zoned else "TIMESTAMP"
    if type(type_).__name__ == "TINYINT" and getattr(type_, "display_width", None) == 1:
        return "BOOLEAN"
    return next((kind for base, kind in kinds if isinstance(type_, base)), UNKNOWN)
