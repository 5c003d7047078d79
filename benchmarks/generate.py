"""Write the orders that every benchmark reads: the same bytes on every machine and DuckDB version."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import duckdb

# Multiplicative hashing with odd constants below 2**32, written out because DuckDB's own hash() differs between versions.
# The largest product, 20 million x 2**32, is below 2**57 and fits a BIGINT.
ORDERS = """
WITH numbers AS (
    SELECT
        i,
        (i * 2654435761) % 4294967296 // 65536 AS a,
        (i * 2246822519) % 4294967296 // 65536 AS b,
        (i * 3266489917) % 4294967296 // 65536 AS c,
        (i * 668265263) % 4294967296 // 65536 AS d
    FROM range(1, $rows + 1) AS counted(i)
)
SELECT
    i AS order_id,
    'CUST' || lpad(a::VARCHAR, 6, '0') AS customer_id,
    DATE '2023-01-01' + (b % 730)::INTEGER AS order_date,
    ['Paris', 'Lyon', 'Berlin', 'Madrid', 'Lisbon', 'Rome', 'Oslo', 'Malmö'][1 + c % 8] AS city,
    ['books', 'games', 'garden', 'music', 'tools'][1 + d % 5] AS category,
    1 + (a + b) % 9 AS quantity,
    (1 + (b + c) % 999)::VARCHAR || '.' || (10 + (c + d) % 90)::VARCHAR AS unit_price,
    ['new', 'paid', 'shipped', 'returned'][1 + (a + d) % 4] AS status,
    'left with neighbour ' || (a % 1000)::VARCHAR AS note
FROM numbers
"""


def generate(path: Path, rows: int) -> None:
    """Write `rows` orders to a CSV file with a header, about 80 bytes a row; whole or not at all.

    Args:
        path: the file to write; its folder exists.
        rows: how many orders, numbered from 1.
    """
    unfinished = path.with_name(path.name + ".part")
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        target = str(unfinished).replace("'", "''")
        select = ORDERS.replace("$rows", str(int(rows)))
        connection.execute(f"COPY ({select}) TO '{target}' (FORMAT csv, HEADER, DELIMITER ',')")
    unfinished.replace(path)


def main() -> int:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="the CSV file to write")
    parser.add_argument("rows", type=int, help="how many orders")
    arguments = parser.parse_args()
    generate(arguments.path, arguments.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
