"""A project from PostgreSQL to MariaDB, scheduled every minute by Dagster; only the minutes are the test's, so that ten take seconds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.connect.databases import Place
from tests.connect.test_projects import TICKS, project
from tests.process.ticking import ticking

__all__ = ["project"]
COLUMNS = {
    "postgresql": "SELECT id, amount * 2, updated_at FROM orders ORDER BY id",
    "mysql": "SELECT id, twice, updated_at FROM totals ORDER BY id",
}


def fingerprint(place: Place, select: str) -> tuple[int, str]:
    """Return how many rows there are, and the hash of all of them in order."""
    rows = place.execute(select)
    digest = hashlib.sha256()
    for key, amount, moment in rows:
        digest.update(f"{key}|{amount:.2f}|{moment:%Y-%m-%d %H:%M:%S.%f}\n".encode())
    return len(rows), digest.hexdigest()


@pytest.mark.slow
def test_rows_added_changed_and_late_arrive_once_over_ten_ticks_of_the_schedule(project: Path, places: dict[str, Place]) -> None:
    origin, target = places["postgresql"], places["mysql"]
    with ticking(project) as schedule:
        for tick in range(TICKS):
            assert schedule.tick() == ["SUCCESS"]
            assert fingerprint(target, COLUMNS["mysql"]) == fingerprint(origin, COLUMNS["postgresql"])
            day = f"TIMESTAMP '2025-01-02' + {tick} * INTERVAL '1 hour'"
            origin.execute(
                f"INSERT INTO orders VALUES ({2000 + tick}, 7.25, {day})",
                f"UPDATE orders SET amount = amount + 1, updated_at = {day} WHERE id = {tick + 1}",
                f"INSERT INTO orders VALUES ({3000 + tick}, 1, {day} - INTERVAL '1 day')",  # late: older than the highest cursor
            )
    assert fingerprint(target, COLUMNS["mysql"])[0] == 1000 + 2 * (TICKS - 1)
