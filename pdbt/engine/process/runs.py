"""How Dagster's runs get a process each without paying for `import dagster` each: they are forked from a process that has it.

The process that they are forked from is Python's own fork server. It has one thread and has opened nothing, so what is forked
from it is as good as new, and every run reads the project's definitions as its files say at that moment.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from typing import Any

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import LaunchRunContext, RunLauncher
from dagster._serdes import ConfigurableClass, ConfigurableClassData, deserialize_value, serialize_value

from . import forking

ENDED_POLITELY_SECONDS = 10.0


class ForkedRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Starts each run in a process of its own, and says of one that died that it did."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        """Begin without runs."""
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster's has no types
        self._inst_data = inst_data
        self._processes: dict[str, BaseProcess] = {}

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What Dagster made this of."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Return that there is nothing to set."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> ForkedRunLauncher:
        """Make one as Dagster does."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process."""
        run = context.dagster_run
        reference = serialize_value(self._instance.get_ref())
        process = forking.process(execute, (reference, run.run_id))
        with forking.STEADY_PATH:
            process.start()
        self._processes[run.run_id] = process
        threading.Thread(target=self._watch, args=(run.run_id, process), daemon=True).start()

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run; returns whether there was one to interrupt."""
        process = self._processes.get(run_id)
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or process is None or process.pid is None or not process.is_alive():
            return False
        self._instance.report_run_canceling(run)
        os.kill(process.pid, signal.SIGINT)
        return True

    def end_all(self) -> None:
        """End the runs that are going, politely and then by force; each is marked as what it then is."""
        going = dict(self._processes)
        for run_id in going:
            self.terminate(run_id)
        deadline = time.monotonic() + ENDED_POLITELY_SECONDS
        for process in going.values():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        for run_id, process in going.items():
            self._report_ended(run_id, process)

    def _watch(self, run_id: str, process: BaseProcess) -> None:
        process.join()
        self._report_ended(run_id, process)
        self._processes.pop(run_id, None)

    def _report_ended(self, run_id: str, process: BaseProcess) -> None:
        """Mark a run whose process is gone before it said how it ended, as when the system killed it for its memory."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return
        code = process.exitcode
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
        message = f"The process of the run (PID {process.pid}) {how} before the run was done. Readers see what was published last."
        self._instance.report_run_failed(run, message)


def _enter_project(pointer: object) -> None:
    """Work in the run's project, so that relative paths in its own code mean the same as ever."""
    folder = getattr(pointer, "working_directory", None)
    if folder:
        os.chdir(folder)


def execute(reference: str, run_id: str) -> None:
    """Execute a run, in a process that was made for it.

    Args:
        reference: Dagster's instance, serialized.
        run_id: the run.
    """
    from dagster._core.events import EngineEventData
    from dagster._grpc.impl import core_execute_run
    from dagster._utils.hosted_user_process import recon_job_from_origin
    from dagster._utils.interrupts import capture_interrupts

    with capture_interrupts(), DagsterInstance.from_ref(deserialize_value(reference, InstanceRef)) as instance:
        run = instance.get_run_by_id(run_id)
        if run is None or run.job_code_origin is None:
            return
        _enter_project(run.job_code_origin.repository_origin.code_pointer)
        job = recon_job_from_origin(run.job_code_origin)
        sys.argv = ["dagster-run-process.py"]  # who ran, for execution.log and runs.jsonl
        instance.report_engine_event(f"Started process for run (pid: {os.getpid()}).", run, EngineEventData.in_process(os.getpid()))
        for _ in core_execute_run(job, run, instance, inject_env_vars=False):
            pass
