"""The dlt rival of the transfers: its sql_database with the backend and the file format that its own pages call the fastest.

connectorx reads PostgreSQL and MariaDB. It knows no DuckDB, and the dialect of SQLAlchemy that sql_database would need cannot reflect
a table of DuckDB 1.5 or 2.0; so dlt is given what it takes fastest, the Arrow batches of DuckDB itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import dlt
import duckdb
import pyarrow as pa
from dlt.sources.sql_database import sql_table

origin, destination, table = sys.argv[1:4]

BATCH = 100_000


@dlt.resource(name=table)  # type: ignore[untyped-decorator]  # dlt is not installed where types are checked
def of_duckdb() -> Iterator[pa.Table]:
    """Yield the rows of a DuckDB table."""
    with duckdb.connect(origin.removeprefix("duckdb:///"), read_only=True) as connection:
        for batch in connection.sql(f"SELECT * FROM {table}").to_arrow_reader(BATCH):
            yield pa.Table.from_batches([batch])


if origin.startswith("duckdb"):
    rows: Any = of_duckdb()
else:
    options = {"conn": origin.replace("postgresql+psycopg2", "postgresql").replace("mysql+pymysql", "mysql")}
    rows = sql_table(credentials=origin, table=table, backend="connectorx", backend_kwargs=options, chunk_size=BATCH)
if destination.startswith("duckdb"):
    target, file_format = dlt.destinations.duckdb(destination.removeprefix("duckdb:///")), "parquet"
else:
    # It refuses to begin without a password, also where the server asks for none.
    place = destination.replace("postgresql+psycopg2", "postgresql")
    user = place.partition("://")[2].partition("@")[0]
    target, file_format = dlt.destinations.postgres(place if ":" in user else place.replace(f"{user}@", f"{user}:none@", 1)), "csv"
with tempfile.TemporaryDirectory(dir=".") as folder:
    pipeline = dlt.pipeline("transfer", pipelines_dir=folder, destination=target, dataset_name="bench_dlt")
    pipeline.run(rows, table_name=table, write_disposition="replace", loader_file_format=file_format)
