"""The kinds of database that a connection may lead to, and the library that each is read and written with; loads none of them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from ..engine.errors import PdbtError


@dataclass(frozen=True)
class Driver:
    """What a kind of database needs.

    Attributes:
        name: the product, as a person calls it.
        schemes: what its URLs begin with; the first is the usual one.
        port: where its server answers by default; None for a file.
        modules: what is imported to use it.
        packages: what installs them.
        reads: the way rows come out of it, for the docs.
        writes: the way rows go into it, for the docs.
        example: a URL.
        generic: whether it is reached through SQLAlchemy, and not by an end of its own.
    """

    name: str
    schemes: tuple[str, ...]
    port: int | None
    modules: tuple[str, ...]
    packages: str
    reads: str
    writes: str
    example: str
    generic: bool = False

    @property
    def is_file(self) -> bool:
        """Whether its database is a file."""
        return self.name in ("SQLite", "DuckDB")


def _through_sqlalchemy(
    name: str, schemes: tuple[str, ...], port: int | None, module: str, package: str, example: str, writes: str = "SQLAlchemy"
) -> Driver:
    packages = " ".join(dict.fromkeys((package, "sqlalchemy", "pyarrow")))
    return Driver(name, schemes, port, ("sqlalchemy", module, "pyarrow"), packages, "SQLAlchemy", writes, example, generic=True)


DRIVERS: tuple[Driver, ...] = (
    Driver(
        "PostgreSQL",
        ("postgresql", "postgres"),
        5432,
        ("adbc_driver_manager", "adbc_driver_postgresql", "psycopg", "pyarrow"),
        "adbc-driver-postgresql 'psycopg[binary]' pyarrow",
        "ADBC (COPY)",
        "ADBC (COPY)",
        "postgresql://user:${PASSWORD}@host:5432/database",
    ),
    Driver(
        "MySQL",
        ("mysql", "mariadb"),
        3306,
        ("pymysql", "numpy", "pyarrow"),
        "pymysql cryptography numpy pyarrow",
        "PyMySQL, rows decoded as Arrow columns",
        "LOAD DATA LOCAL, or INSERT of many rows where the server forbids it",
        "mysql://user:${PASSWORD}@host:3306/database",
    ),
    Driver(
        "SQLite",
        ("sqlite",),
        None,
        ("adbc_driver_manager", "adbc_driver_sqlite", "pyarrow"),
        "adbc-driver-sqlite pyarrow",
        "ADBC",
        "ADBC",
        "sqlite:///folder/file.sqlite",
    ),
    Driver("DuckDB", ("duckdb",), None, ("duckdb", "pyarrow"), "duckdb pyarrow", "DuckDB", "DuckDB", "duckdb:///folder/file.duckdb"),
    _through_sqlalchemy("SQL Server", ("mssql",), 1433, "pymssql", "pymssql", "mssql://user:${PASSWORD}@host:1433/database"),
    _through_sqlalchemy("Oracle", ("oracle",), 1521, "oracledb", "oracledb", "oracle://user:${PASSWORD}@host:1521/?service_name=name"),
    _through_sqlalchemy(
        "Snowflake",
        ("snowflake",),
        None,
        "snowflake.sqlalchemy",
        "snowflake-sqlalchemy",
        "snowflake://user:${PASSWORD}@account/database/schema",
    ),
    _through_sqlalchemy(
        "BigQuery", ("bigquery",), None, "sqlalchemy_bigquery", "sqlalchemy-bigquery", "bigquery://project/dataset", writes=""
    ),
    _through_sqlalchemy(
        "SQLAlchemy", ("sqlalchemy",), None, "sqlalchemy", "sqlalchemy", "sqlalchemy+DIALECT://user:${PASSWORD}@host/database"
    ),
)
BY_SCHEME: Mapping[str, Driver] = {scheme: driver for driver in DRIVERS for scheme in driver.schemes}


class MissingDriver(PdbtError, ImportError):
    """The library that a connection needs is not installed."""

    def __init__(self, driver: Driver) -> None:
        """Name the database and the command that installs what it needs."""
        super().__init__(f"{driver.name} needs a library that is not installed.", f"Run: python3 -m pip install {driver.packages}")
        self.driver = driver


def is_installed(driver: Driver) -> bool:
    """Whether all libraries of a driver can be found; loads none."""
    try:
        return all(importlib.util.find_spec(module) is not None for module in driver.modules)
    except ModuleNotFoundError:  # a module within a package that is not there
        return False


def require(driver: Driver) -> None:
    """Load the libraries of a driver.

    Raises:
        MissingDriver: one is not installed.
    """
    try:
        for module in driver.modules:
            importlib.import_module(module)
    except ImportError as error:
        raise MissingDriver(driver) from error
