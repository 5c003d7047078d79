"""A project's Dagster: its PID file, its port, its schedule."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from ...engine.process import page, ports
from ...engine.process.identity import Instance, Record, read_record
from ...engine.process.libraries import is_installed
from ...engine.process.place import InstancePlace
from ...engine.process.stop import process_named
from ..workspace_dagster import workspace_record
from .check import ERROR, OK, WARNING, Check, Patient

ANSWER_SECONDS = 3.0


def examine_pid_file(patient: Patient) -> Iterable[Check]:
    """Check that the PID file says the truth."""
    if not is_installed("psutil"):
        return [Check("pid file", WARNING, "psutil is not installed, so processes cannot be looked at.", "Install it: pip install psutil")]
    return [pid_file_check(patient.place, patient.instance)]


def pid_file_check(place: InstancePlace, instance: Instance) -> Check:
    """Compare the PID file of an instance with its processes."""
    name, said = "pid file", read_record(place)
    if instance.record is not None:
        record = instance.record
        if said is not None and said.pid == record.pid:
            return Check(name, OK, f"Dagster runs: PID {record.pid}, since {record.since_text}, {len(instance.members)} processes.")
        return Check(
            name, WARNING, f"Dagster runs (PID {record.pid}), and {place.pid_file} does not say so.", "pdbt launch writes it again."
        )
    if instance.members:
        pids = ", ".join(str(process.pid) for process in instance.members)
        return Check(name, ERROR, f"Dagster was killed, and left processes behind: {pids}.", "End them with: pdbt stop")
    if not place.pid_file.exists():
        return Check(name, OK, "There is none: Dagster does not run.")
    if said is None:
        return Check(name, ERROR, f"{place.pid_file} says nothing that can be checked.", "Remove it with: pdbt stop")
    other = process_named(said.pid)
    now = f"is now {other}, somebody else's" if other else "is gone"
    return Check(name, ERROR, f"{place.pid_file} is stale: PID {said.pid} {now}.", "Remove it with: pdbt stop; or start again: pdbt launch")


def examine_port(patient: Patient) -> Iterable[Check]:
    """Check who has the project's port."""
    record = patient.instance.record
    if record is not None:
        return [_answering(record)]
    return [] if patient.settings is None else [port_check(patient.place.port)]


def port_check(port: int) -> Check:
    """Check that nobody has the port of a Dagster that does not run."""
    if ports.is_free(port):
        return Check("port", OK, f"{port} is free.")
    free = ports.free_port_near(port)
    hint = f"Stop that, or set [dagster] port = {free}." if free else "Stop that, or set another [dagster] port."
    return Check("port", ERROR, f"{port} is taken by {ports.who_has(port)}.", hint)


def _answering(record: Record) -> Check:
    try:
        loaded = page.look(record.port, ANSWER_SECONDS)
    except page.NoAnswer:
        text = f"Dagster (PID {record.pid}) has {record.port}, and its page did not answer in {ANSWER_SECONDS:g} s."
        return Check("port", WARNING, text, "It may be starting. Look at: pdbt logs")
    if loaded.faults:
        return Check("port", ERROR, f"{record.url} answers, and cannot load the project: {next(iter(loaded.faults.values()))}", "Mend it.")
    return Check("port", OK, f"{record.url} answers (PID {record.pid}).")


def examine_schedule(patient: Patient) -> Iterable[Check]:
    """Check that something runs the schedule; that it is one, its settings are examined for."""
    if patient.settings is None:
        return []
    wanted = patient.settings.dagster
    record, owner = patient.instance.record, "Dagster"
    if record is None:
        record, owner = workspace_record(patient.home), "the workspace's Dagster"
    when = f"{wanted.schedule}, {wanted.timezone}"
    if record is None:
        return [Check("schedule", WARNING, f"{when}: Dagster does not run, so nothing runs by itself.", "Start it with: pdbt launch")]
    return [_ticking(record, patient, when, owner)]


def _ticking(record: Record, patient: Patient, when: str, owner: str) -> Check:
    found: list[page.Schedule] = []
    with contextlib.suppress(page.NoAnswer):
        found = page.schedules(record.port, ANSWER_SECONDS)
    names = (patient.name, patient.home.name)
    ours = next((schedule for schedule in found if schedule.location in names), None)
    if ours is None:
        return Check("schedule", WARNING, f"{when}: {owner} at {record.url} does not say how it is.", "Look at: pdbt logs")
    if ours.state != "RUNNING":
        return Check("schedule", WARNING, f"{when}: it is switched off.", f"Switch it on at {record.url}/schedules")
    return Check("schedule", OK, f"{when}: {owner} runs it{f', next at {ours.next_tick}' if ours.next_tick else ''}.")
