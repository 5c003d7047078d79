"""How a pipeline runs: the values of its executor, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import SettingsError

EXECUTORS = ("local", "ray")
ON_ERROR = ("stop", "retry", "dead_letter")


@dataclass(frozen=True)
class Rules:
    """The values of a pipeline's executor; `PipelineExecutor` says what each means.

    Raises:
        SettingsError: a value that none can have.
    """

    executor: str = "local"
    queue: int = 16
    memory_mb: int = 128
    on_error: str = "stop"
    retries: int = 3
    retry_seconds: float = 0.5
    address: str | None = None
    dead_letters: str | Path = "dead-letters"
    file: str = ""

    def __post_init__(self) -> None:
        """Check the values."""
        _check_choice("executor", self.executor, EXECUTORS)
        _check_choice("on_error", self.on_error, ON_ERROR)
        for key, least in (("queue", 1), ("memory_mb", 1), ("retries", 0), ("retry_seconds", 0)):
            value = getattr(self, key)
            if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value < float("inf"):
                raise SettingsError(f"{key} is {value!r}.", f"Write a number, {least} or more.", key=key, received=value)

        if self.address is not None and self.executor != "ray":
            raise SettingsError(
                "address names a Ray cluster, and executor is 'local'.", 'Write executor="ray".', key="address", received=self.address
            )

    @property
    def memory(self) -> int:
        """How many bytes may be under way before producers wait."""
        return int(self.memory_mb * 1_000_000)


def _check_choice(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{key} is {value!r}.", f"Allowed: {', '.join(allowed)}.", key=key, received=value, allowed=allowed)
