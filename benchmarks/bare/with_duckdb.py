"""The rival: import, transform, summarise and export, as a person would write it against DuckDB alone."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

source, sql, target = (Path(argument) for argument in sys.argv[1:4])
connection = duckdb.connect(str(target / "orders.duckdb"))
connection.execute(f"CREATE TABLE ORDERS AS FROM read_csv('{source}')")
connection.execute(f"CREATE TABLE ORDERS_CLEAN AS {(sql / 'ORDERS_CLEAN.sql').read_text()}")
connection.execute(f"CREATE TABLE ORDERS_SUMMARY AS {(sql / 'ORDERS_SUMMARY.sql').read_text()}")
for table in ("ORDERS_CLEAN", "ORDERS_SUMMARY"):
    connection.execute(f"COPY {table} TO '{target / table}.csv' (FORMAT csv, HEADER)")
connection.close()
