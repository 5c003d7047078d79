"""Handlers that tests run in worker processes: each worker loads this module, and with it no library of the tests."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pdbt.handlers import BaseHandler, BaseSink, Batch

if TYPE_CHECKING:
    import pandas as pd


class Numbers(BaseHandler):
    """Makes a batch of numbers for each number of rows: those from 0, then those from `rows`, and so on."""

    def __init__(self, *rows: int) -> None:
        self.rows = rows

    def handle(self) -> Iterator[pa.Table]:
        for place, rows in enumerate(self.rows):
            yield pa.table({"n": range(place * rows, (place + 1) * rows)})


class Endless(BaseHandler):
    def handle(self) -> Iterator[pa.Table]:
        while True:
            yield pa.table({"n": range(10)})


class Take(BaseHandler):
    def handle(self, data: pa.Table) -> pa.Table:
        return data


class TakeHere(Take):
    runs_in = "thread"


class Double(BaseHandler):
    def handle(self, data: pa.Table) -> pa.Table:
        return pa.table({"n": pa.array([2 * n for n in data["n"].to_pylist()], pa.int64())})


class DoubleFrame(BaseHandler):
    def handle(self, data: pd.DataFrame) -> pd.DataFrame:
        return data.assign(n=data["n"] * 2)


class Negate(BaseHandler):
    def handle(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"n": -row["n"]} for row in data]


class OddOnly(BaseHandler):
    def handle(self, data: pa.Table) -> pa.Table | None:
        return data if data["n"][0].as_py() % 20 else None


class Beside(BaseHandler):
    """Puts the columns of its two dependencies beside each other."""

    def handle(self, data: dict[str, pa.Table]) -> pa.Table:
        return pa.table({name: batch["n"] for name, batch in data.items()})


class Ids(BaseHandler):
    def handle(self, data: pa.Table) -> list[dict[str, object]]:
        return [{"id": self.batch_id, "pid": os.getpid()}]


class Twice(BaseHandler):
    def handle(self, data: pa.Table) -> Iterator[pa.Table]:
        yield data
        yield data.slice(0, 1)


class Either(BaseHandler):
    """Makes its data itself when it is given none."""

    def handle(self, data: list[dict[str, int]] | None = None) -> list[dict[str, int]]:
        return data or [{"n": 7}]


class Slow(BaseHandler):
    """Adds the process that it ran in, and takes its time."""

    def handle(self, data: pa.Table) -> pa.Table:
        time.sleep(0.02)
        return data.append_column("pid", pa.array([os.getpid()] * data.num_rows))


class Fails(BaseHandler):
    """Fails as often as there are lines missing from a file."""

    def __init__(self, path: Path, times: int) -> None:
        self.path, self.times = path, times

    def handle(self, data: pa.Table) -> pa.Table:
        tries = len(self.path.read_text().splitlines()) if self.path.exists() else 0
        if tries < self.times:
            with self.path.open("a") as file:
                file.write("tried\n")
            raise ValueError("no such luck")
        return data


class Dies(Fails):
    """Is killed as often as there are lines missing from a file, in the midst of yielding."""

    def handle(self, data: pa.Table) -> Iterator[pa.Table]:
        yield data
        tries = len(self.path.read_text().splitlines()) if self.path.exists() else 0
        if tries < self.times:
            with self.path.open("a") as file:
                file.write("tried\n")
            os.kill(os.getpid(), signal.SIGKILL)
        yield data.slice(0, 1)


class Kills(BaseHandler):
    """Is killed by a batch whose first number is 1."""

    def handle(self, data: pa.Table) -> pa.Table:
        if data["n"][0].as_py() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return data


class Yields(BaseHandler):
    """Sends three batches on; fails before the last one as long as a file is not there."""

    def __init__(self, mended: Path) -> None:
        self.mended = mended

    def handle(self, data: pa.Table) -> Iterator[pa.Table]:
        for number in range(3):
            if number == 2 and not self.mended.exists():
                raise ValueError("not yet")
            yield pa.table({"n": [number]})


class NoSetup(Take):
    def setup(self) -> None:
        raise OSError("no such file")


class NoTeardown(Take):
    def teardown(self) -> None:
        raise OSError("still in use")


class HoldsALock(Take):
    def __init__(self) -> None:
        self.lock = threading.Lock()


class SlowSink(BaseSink):
    """Notes in a folder which batches it is given together, and when it rests; its first storing is held up until a file is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, batches: Sequence[Batch]) -> list[int | Exception]:
        with (self.folder / "together").open("a") as file:
            file.write(" ".join(batch.batch_id for batch in batches) + "\n")
        while not (self.folder / "go on").exists():
            time.sleep(0.01)
        return [ValueError("no such luck") if batch.batch_id == "7" else batch.table.num_rows for batch in batches]

    def rest(self) -> None:
        (self.folder / "rested").touch()


class EndsAtSeven(SlowSink):
    """Is killed by one batch, together with all that are stored with it."""

    def store(self, batches: Sequence[Batch]) -> list[int | Exception]:
        stored = super().store([batch for batch in batches if batch.batch_id != "7"])
        if len(stored) < len(batches):
            os.kill(os.getpid(), signal.SIGKILL)
        return stored


class SaysNothing(BaseSink):
    def store(self, batches: Sequence[Batch]) -> list[int | Exception]:
        return None  # type: ignore[return-value]  # as one forgets it


class Threshold:
    """A model as those of scikit-learn: its predictions are arrays."""

    def predict(self, rows: Any) -> Any:
        import numpy as np

        return np.array(["high" if n > 1 else "low" for n in rows["n"]])

    def predict_proba(self, rows: Any) -> Any:
        import numpy as np

        return np.array([[n / 4, 1 - n / 4] for n in rows["n"]])


class Length:
    """A model of texts."""

    def predict(self, texts: list[str | None]) -> list[int]:
        return [len(text or "") for text in texts]
