"""One at a time: whoever starts or ends an instance waits for another who does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..lock import exclusive
from .place import InstancePlace


@contextlib.contextmanager
def turn(place: InstancePlace, timeout: float) -> Iterator[bool]:
    """Have the right to start or end an instance; the system takes it back from a process that is killed.

    Args:
        place: the project's places; the instance's home is made.
        timeout: seconds to wait.

    Yields:
        whether it was one's turn in time.

    Raises:
        PdbtError: the home cannot be made, or its disk knows no locks.
    """
    with exclusive(place.home / "launch.lock", timeout, "Dagster") as held:
        yield held
