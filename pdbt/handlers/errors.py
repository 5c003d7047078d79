"""What can go wrong while a pipeline runs."""

from __future__ import annotations

from ..engine.errors import RUN_IN_PROGRESS, BuildError, PdbtError


class PipelineFailed(BuildError):
    """An error in a handler that ended the pipeline.

    Attributes:
        trace: the traceback in the worker; empty where there is none.
    """

    def __init__(self, message: str, hint: str = "", trace: str = "") -> None:
        """Keep the worker's traceback beside the sentence."""
        super().__init__(message, hint)
        self.trace = trace


class PipelineStopped(PdbtError):
    """A batch that is not processed because the pipeline is being stopped, or does not run."""


class UnknownNode(PdbtError, LookupError):
    """A node that no batch can be given to."""


class BatchRefused(PdbtError, ValueError):
    """A batch that a handler will never take, such as one with other columns: it goes back to whoever gave it, and is not tried again."""


class Overloaded(PdbtError):
    """A batch that there was no room for in time."""

    def __init__(self, node: str, seconds: float) -> None:
        """Exit with 75, as sysexits.h says for what works when tried again."""
        super().__init__(f"Producer {node} had no room for a batch for {seconds:g} s.", "Give it again later.", RUN_IN_PROGRESS)
