"""Makes and looks at what the transfers move: `make ROWS`, `count URL SCHEMA`, `clear`; run by the Python that has pdbt."""

from __future__ import annotations

import sys

TABLE = "bench"
DATABASES = ("pdbt_bench_from", "pdbt_bench_to")
SELECT = """
SELECT i::BIGINT AS id, (i % 1000)::INTEGER AS quantity, ((i % 100000) / 100.0)::DECIMAL(12, 2) AS amount, sqrt(i::DOUBLE) AS price,
       'customer ' || (i % 50000) AS name, DATE '2020-01-01' + (i % 2000)::INTEGER AS day,
       TIMESTAMP '2024-01-01' + to_microseconds(i * 1000003) AS changed
FROM range({rows}) AS r(i)
"""


def make(rows: int, file: str, postgresql: str, mysql: str) -> None:
    """Fill the origins: a DuckDB file, and from it both servers."""
    import duckdb

    from pdbt.connect import transfer

    clear(postgresql, mysql)
    _postgresql(postgresql, *(f"CREATE DATABASE {name}" for name in DATABASES))
    _mysql(mysql, f"CREATE DATABASE {DATABASES[0]}")
    with duckdb.connect(file) as connection:
        connection.execute(f"CREATE OR REPLACE TABLE {TABLE} AS {SELECT.format(rows=rows)}")
    transfer(file, f"{postgresql}/{DATABASES[0]}", table=TABLE)
    transfer(file, f"{mysql}/{DATABASES[0]}", table=TABLE)
    _postgresql(f"{postgresql}/{DATABASES[0]}", f"ANALYZE {TABLE}")


def count(url: str, schema: str) -> None:
    """Print rows and sums of a target."""
    columns = "count(*), sum(id), sum(quantity), sum(amount), count(DISTINCT name), CAST(max(day) AS DATE), max(changed)"
    select = f"SELECT {columns} FROM {schema}{TABLE}"
    if url.startswith("duckdb"):
        import duckdb

        with duckdb.connect(url.removeprefix("duckdb:///"), read_only=True) as connection:
            row = connection.execute(select).fetchone()
    else:
        row = _postgresql(url, select)
    print([str(value)[:19] if number > 4 else f"{float(str(value)):.2f}" for number, value in enumerate(row or ())])


def clear(postgresql: str, mysql: str) -> None:
    """Drop the databases."""
    _postgresql(postgresql, *(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in DATABASES))
    _mysql(mysql, *(f"DROP DATABASE IF EXISTS {name}" for name in DATABASES))


def _postgresql(url: str, *statements: str) -> tuple[object, ...] | None:
    import psycopg

    row = None
    with psycopg.connect(url if url.count("/") > 2 else f"{url}/postgres", autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
    return row


def _mysql(url: str, *statements: str) -> None:
    from urllib.parse import urlsplit

    import pymysql

    parts = urlsplit(url)
    connection = pymysql.connect(
        host=str(parts.hostname), port=parts.port or 3306, user=str(parts.username), password=parts.password or "", autocommit=True
    )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "make":
        make(int(arguments[0]), *arguments[1:])
    elif what == "count":
        count(*arguments)
    else:
        clear(*arguments)
