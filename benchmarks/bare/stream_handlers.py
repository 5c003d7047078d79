"""What both sides of the load test do with a batch: three handlers and a SQLite table."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("amount", pa.float64())])
LIMITS = (100.0, 1_000.0, 5_000.0)


def normalise(data: pa.Table) -> pa.Table:
    """Trim the name, and write it small."""
    return data.set_column(1, "name", pc.utf8_lower(pc.utf8_trim_whitespace(data["name"])))


def classify(data: pa.Table) -> pa.Table:
    """Add the class of the amount."""
    classes = pc.cast(pc.greater(data["amount"], LIMITS[0]), pa.int64())
    for limit in LIMITS[1:]:
        classes = pc.add(classes, pc.cast(pc.greater(data["amount"], limit), pa.int64()))
    return data.append_column("class", classes)


def score(data: pa.Table) -> pa.Table:
    """Add the risk."""
    return data.append_column("risk", pc.min_element_wise(pc.divide(data["amount"], 10_000.0), 1.0))
