"""Triggers: what has a producer do its work, every so many seconds or when it is asked to."""

from __future__ import annotations

import threading
import uuid
from abc import ABC, abstractmethod
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import RUN_IN_PROGRESS, GraphError, PdbtError, SettingsError
from ..scaffold.locate import no_folder
from .errors import UnknownNode
from .nodes import HandlerNode
from .rounds import Receipt

if TYPE_CHECKING:
    from .executor import PipelineExecutor


class StillRunning(PdbtError):
    """A trigger whose node is still at the run before."""

    def __init__(self, node: str) -> None:
        """Exit with 75, as sysexits.h says for what works when tried again."""
        super().__init__(f"Node {node} is still at the run that was triggered before.", "Trigger it again later.", RUN_IN_PROGRESS)


class Trigger(ABC):
    """What has a producer do its work. One run of it at a time: what triggers it meanwhile is told so.

    Attributes:
        node: the name of the producer.
    """

    def __init__(self, node: str | HandlerNode) -> None:
        """Belong to no pipeline yet."""
        self.node = node.name if isinstance(node, HandlerNode) else node
        self._pipeline: PipelineExecutor | None = None
        self._lock = threading.Lock()
        self._giving = False  # a batch waits for room
        self._run: Future[Receipt] | None = None

    def check(self, pipeline: PipelineExecutor) -> None:
        """Look whether it suits a pipeline.

        Raises:
            GraphError: its node is no producer of it.
        """
        if self.node not in pipeline.graph.producers:
            known = ", ".join(pipeline.graph.producers)
            raise GraphError(f"A trigger names {self.node}, which is no producer of this pipeline.", f"Its producers are {known}.")

    def fire(self, data: object = None, timeout: float | None = None) -> Future[Receipt]:
        """Have the node do its work once.

        Args:
            data: the batch, for a producer that takes one.
            timeout: how long to wait for room, in seconds.

        Returns:
            A future that is done when all that came of it is done.

        Raises:
            StillRunning: it is at the run before, or that waits for room.
            Overloaded: there was no room in time.
            PdbtError: its pipeline does not run, or the data does not suit the node.
        """
        with self._lock:
            if self._pipeline is None:
                raise PdbtError(f"The pipeline of the trigger of {self.node} is not started.", "Start it first.")
            if self._giving or (self._run is not None and not self._run.done()):
                raise StillRunning(self.node)
            self._giving = True
        try:
            self._run = self._pipeline.give(self.node, data, batch_id=f"{self.node}-{uuid.uuid4().hex}", timeout=timeout)
            return self._run
        finally:
            self._giving = False

    def start(self, pipeline: PipelineExecutor) -> None:
        """Begin, now that its pipeline runs."""
        self._pipeline = pipeline

    @abstractmethod
    def stop(self) -> None:
        """Trigger nothing any more."""


class TimerTrigger(Trigger):
    """Triggers a producer every so many seconds, for the first time at the start.

    A run that takes longer is not overtaken: the next begins at the first tick after its end.
    """

    def __init__(self, node: str | HandlerNode, interval: float = 5, max_runs: int | None = None) -> None:
        """Keep the values.

        Args:
            node: the producer, which makes its data itself.
            interval: seconds from the beginning of one run to that of the next.
            max_runs: how many runs there are; None for no end.

        Raises:
            SettingsError: a value that none can have.
        """
        super().__init__(node)
        for key, value, least in (("interval", interval, 0.001), ("max_runs", 1 if max_runs is None else max_runs, 1)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):  # type: ignore[redundant-expr]  # callers may not be checked
                raise SettingsError(f"{key} of a trigger is {value!r}.", f"Write a number, {least} or more.", key=key, received=value)
        self.interval = interval
        self.max_runs = max_runs
        self.runs = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def check(self, pipeline: PipelineExecutor) -> None:
        """Look whether it suits a pipeline: a timer has no data to give."""
        super().check(pipeline)
        if pipeline.graph.nodes[self.node].asked.needs_data:
            raise GraphError(
                f"A timer triggers {self.node}, whose handler takes a batch.", "A producer with a timer makes its data: def handle(self)."
            )

    def start(self, pipeline: PipelineExecutor) -> None:
        """Begin to tick."""
        super().start(pipeline)
        self._stopped.clear()
        self.runs = 0
        self._thread = threading.Thread(target=self._tick, name=f"pdbt timer {self.node}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking; a run that has begun goes on."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all of `max_runs` have begun; return whether they have."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self.max_runs is not None and self.runs >= self.max_runs

    def _tick(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = self.interval
            try:
                self.fire()
            except StillRunning:
                continue
            except PdbtError:  # the pipeline failed or is being stopped, and says so where it is waited for
                return
            self.runs += 1
            if self.max_runs is not None and self.runs >= self.max_runs:
                return


class RequestTrigger(Trigger):
    """Triggers a producer when it is asked to: from Python by `fire`, from outside, or by files that arrive.

    With a folder, each file that arrives there is given to the producer as a batch of one row with the column path, once it is whole;
    it is done when all that came of it is stored, and given again when that fails.
    """

    def __init__(
        self, node: str | HandlerNode, *, folder: str | Path | None = None, ending: str = "", state: str | Path | None = None
    ) -> None:
        """Keep the values.

        Args:
            node: the producer; with a folder one that takes a batch, such as ReadFiles.
            folder: the folder that files arrive in.
            ending: how the names of these files end, such as ``.csv``; all by default.
            state: where it is remembered which files were given; by default in the folder ``.pdbt`` beside the watched one.
        """
        super().__init__(node)
        self.folder = Path(folder).absolute() if folder is not None else None
        self.ending = ending
        self.state = Path(state).absolute() if state is not None else None
        self._arrivals: Arrivals | None = None

    def check(self, pipeline: PipelineExecutor) -> None:
        """Look whether it suits a pipeline."""
        super().check(pipeline)
        if self.folder is not None and not pipeline.graph.nodes[self.node].asked.takes_data:
            raise GraphError(
                f"Files that arrive trigger {self.node}, whose handler takes no batch.", "It is given their paths: def handle(self, data)."
            )
        if self.folder is not None and not self.folder.is_dir():
            raise GraphError(f"Files are to arrive in {self.folder}, which {no_folder(self.folder)}.", "Make it, or name another one.")

    def start(self, pipeline: PipelineExecutor) -> None:
        """Begin to take requests, and to watch the folder if there is one."""
        super().start(pipeline)
        if self.folder is not None:
            from .arrivals import Arrivals

            self._arrivals = Arrivals(pipeline, self.node, self.folder, self.ending, self.state)
            self._arrivals.start()

    def stop(self) -> None:
        """Take no further request."""
        arrivals, self._arrivals = self._arrivals, None
        if arrivals is not None:
            arrivals.stop()


def request_trigger(pipeline: PipelineExecutor, node: str) -> RequestTrigger:
    """Return the trigger by which a node may be triggered from outside.

    Raises:
        UnknownNode: there is none.
    """
    found = {trigger.node: trigger for trigger in pipeline.triggers if isinstance(trigger, RequestTrigger)}
    if node not in found:
        known = ", ".join(found)
        raise UnknownNode(
            f"{node} has no RequestTrigger.", f"These have: {known}." if known else "Give the pipeline one: triggers=[RequestTrigger(…)]."
        )
    return found[node]


if TYPE_CHECKING:
    from .arrivals import Arrivals
