"""Following a run of a deployment to its end; or to an end of the waiting, when the deployment is gone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .deployments import Deployment
from .graphql import NoAnswer, ask, innermost, strange
from .remote import run_url

DONE, PARTIAL, FAILED, INTERRUPTED, RUNNING, LOST = "done", "partial", "failed", "interrupted", "running", "lost"
QUEUED = "queued"
# A run that has not begun after this time is told of: a Dagster without its daemon begins none, and does not say so.
QUEUED_SECONDS = 10.0
# A page that is restarted is back before; on a busy machine it takes half of it.
PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 10.0
_EVENTS = 1000
_TABLE = "table"
_PARTIAL_TAG = "pdbt/partial"
_PUBLISHED_TAG = "pdbt/published"
_ENDS = {"SUCCESS": DONE, "FAILURE": FAILED, "CANCELED": INTERRUPTED}
_STOPPED = "The run was stopped. Nothing was published."
_STOPPED_PUBLISHED = "The run was stopped. What it made had been published before."

_STATUS = """query($id: ID!) { runOrError(runId: $id) { __typename
  ... on Run { status startTime endTime tags { key value } } ... on Error { message } } }"""
_LOGS = """query($id: ID!, $after: String, $limit: Int) { logsForRun(runId: $id, afterCursor: $after, limit: $limit) { __typename
  ... on Error { message }
  ... on EventConnection { cursor hasMore events { __typename
    ... on MaterializationEvent {
      metadataEntries { label ... on IntMetadataEntry { intRepr } ... on TextMetadataEntry { text } } }
    ... on ExecutionStepFailureEvent { failureMetadata { description } error { message errorChain { error { message } } } }
    ... on RunFailureEvent { message error { message errorChain { error { message } } } } } } } }"""


@dataclass(frozen=True)
class Outcome:
    """What is known of a run when it is no longer followed.

    Attributes:
        status: ``done``, ``partial``, ``failed``, ``interrupted``; ``running``, when the time was up first; ``lost``, when the deployment
            was gone.
        rows: the number of rows of each table that was made or reused, in order; None where it was not told.
        seconds: how long the run took, by the deployment's clock.
        error: what happened; None when it went well.
    """

    status: str
    rows: Mapping[str, int | None] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None


def follow(
    deployment: Deployment,
    run_id: str,
    *,
    timeout: float | None = None,
    patience: float = PATIENCE_SECONDS,
    tell: Callable[[str], None] = lambda sentence: None,
) -> Outcome:
    """Wait until a run has ended.

    Args:
        deployment: where it runs.
        run_id: the run.
        timeout: seconds after which it is no longer waited for; None means never.
        patience: seconds that the deployment may be silent: one that is restarted is back before.
        tell: is told, in a sentence, when the deployment falls silent and when it is back.
    """
    # Only this machine's clock that never turns back is asked how long a wait is; the deployment's may show any time.
    begun = heard = time.monotonic()
    end = math.inf if timeout is None else begun + timeout
    silent = queued = False
    while True:
        now = time.monotonic()
        if now >= end:
            return Outcome(RUNNING, error=f"The run has not ended within {timeout:g} s. It goes on: {run_url(deployment, run_id)}")
        try:
            outcome = _look(deployment, run_id, max(0.1, min(_ANSWER_SECONDS, heard + patience - now, end - now)))
        except NoAnswer as error:
            if not silent:
                tell(f"{error.message} It may be back soon: waiting {patience:g} s for it.")
            silent = True
            if time.monotonic() - heard >= patience:
                return Outcome(LOST, error=_lost(deployment, run_id, error, patience))
        else:
            if outcome.status not in (QUEUED, RUNNING):
                return outcome
            if outcome.status == QUEUED and not queued and now - begun >= QUEUED_SECONDS:
                tell(f"The run is still in the queue of {deployment.name}: does a daemon run there, and are others before it?")
                queued = True
            if silent:
                tell(f"{deployment.name} is back; the run is still followed.")
            silent, heard = False, time.monotonic()
        time.sleep(_POLL_SECONDS)


def _lost(deployment: Deployment, run_id: str, error: NoAnswer, patience: float) -> str:
    how = f"How the run ends is not known, {deployment.name} having been silent for {patience:g} s."
    return f"{error.message} {how} When it is back, it says so at {run_url(deployment, run_id)}"


def _look(deployment: Deployment, run_id: str, seconds: float) -> Outcome:
    """Return how a run ended; that it is ``running`` or ``queued`` when it has not.

    Raises:
        NoAnswer: the deployment does not tell.
    """
    run = ask(deployment, _STATUS, {"id": run_id}, seconds).get("runOrError")
    try:
        if run["__typename"] == "RunNotFoundError":  # type: ignore[index] # what is no dict is told below
            return Outcome(LOST, error=f"{deployment.name} at {deployment.url} no longer knows the run {run_id}.")
        status = run["status"]  # type: ignore[index]
        if status not in _ENDS:
            return Outcome(QUEUED if status in ("QUEUED", "NOT_STARTED") else RUNNING)
        took = run["endTime"] - run["startTime"] if run["startTime"] and run["endTime"] else 0.0  # type: ignore[index]
        tags = {tag["key"] for tag in run["tags"]}  # type: ignore[index]
        rows, error = _read(deployment, list(_events(deployment, run_id, _ANSWER_SECONDS)))
    except (KeyError, TypeError, ValueError):
        raise strange(deployment) from None
    end = PARTIAL if status == "SUCCESS" and _PARTIAL_TAG in tags else _ENDS[status]
    return Outcome(end, rows, round(max(0.0, took), 3), _told(end, error, published=_PUBLISHED_TAG in tags))


def _told(end: str, error: str, *, published: bool) -> str | None:
    """Return what a person is told of a run that has ended; None when it went well."""
    if end in (DONE, PARTIAL):
        return None
    if end == INTERRUPTED:
        return _STOPPED_PUBLISHED if published else _STOPPED
    return error or "The run failed, and its log does not say why."


def _events(deployment: Deployment, run_id: str, seconds: float) -> Iterator[Mapping[str, Any]]:
    after, more = None, True
    while more:
        page = ask(deployment, _LOGS, {"id": run_id, "after": after, "limit": _EVENTS}, seconds)["logsForRun"]
        yield from page["events"]
        after, more = page["cursor"], page["hasMore"]


def _read(deployment: Deployment, events: list[Mapping[str, Any]]) -> tuple[dict[str, int | None], str]:
    """Return the tables that a run made, and why it failed."""
    rows: dict[str, int | None] = {}
    error = ""
    for event in events:
        kind = event["__typename"]
        if kind == "MaterializationEvent":
            known = {entry["label"]: entry for entry in event["metadataEntries"]}
            if _TABLE in known:  # exported files say none
                table = known[_TABLE]["text"]
                count = known.get("dagster/row_count")
                rows.pop(table, None)  # made again by another try of the run
                rows[table] = int(count["intRepr"]) if count is not None else None
        elif kind == "ExecutionStepFailureEvent":
            error = (event["failureMetadata"] or {}).get("description") or _message(event["error"])
        elif kind == "RunFailureEvent" and not error:
            error = _message(event["error"]) or event["message"]
    return rows, deployment.redact(" ".join(error.split()))


def _message(error: Mapping[str, Any] | None) -> str:
    return innermost(error) if error is not None else ""
