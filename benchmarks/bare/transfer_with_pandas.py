"""The pandas rival of the transfers: read_sql of the whole table, then to_sql with its settings as they come.

Into DuckDB there is a faster way than to_sql that everybody knows, so that one is taken: DuckDB reads the DataFrame itself.
"""

from __future__ import annotations

import sys

import pandas as pd

origin, destination, table = sys.argv[1:4]

if origin.startswith("duckdb"):
    import duckdb

    with duckdb.connect(origin.removeprefix("duckdb:///"), read_only=True) as connection:
        frame = connection.sql(f"SELECT * FROM {table}").df()
else:
    from sqlalchemy import create_engine

    frame = pd.read_sql(f"SELECT * FROM {table}", create_engine(origin))
if destination.startswith("duckdb"):
    import duckdb

    with duckdb.connect(destination.removeprefix("duckdb:///")) as connection:
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM frame")
else:
    from sqlalchemy import create_engine

    frame.to_sql(table, create_engine(destination), index=False, if_exists="replace")
