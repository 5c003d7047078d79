"""The rival of the SQLite import: pandas reads the CSV file whole and writes it with to_sql, its settings as they come."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd

source, target = (Path(argument) for argument in sys.argv[1:3])
with closing(sqlite3.connect(target / "orders.sqlite")) as connection:
    pd.read_csv(source).to_sql("ORDERS", connection, index=False)
