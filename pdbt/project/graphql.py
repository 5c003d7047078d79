"""Asking a deployment's GraphQL: within a bounded time, of this deployment alone, with every fault told in a sentence."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ..engine.errors import PdbtError
from .deployments import Deployment

# An answer larger than this is none of a Dagster.
ANSWER_BYTES = 256 * 1024 * 1024
_SHOWN_CHARACTERS = 300
_LOCAL = ("localhost", "127.0.0.1", "::1")


class NoAnswer(PdbtError):
    """A deployment that does not answer, or not with what was asked for.

    Attributes:
        carried_out: what was asked for may have been done all the same.
    """

    def __init__(self, message: str, hint: str = "", *, carried_out: bool = False) -> None:
        """Keep whether it may have been done."""
        super().__init__(message, hint)
        self.carried_out = carried_out


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: what follows one would send the token to whoever it names."""

    def redirect_request(self, *args: object, **more: object) -> None:
        """Follow none."""


def ask(deployment: Deployment, query: str, variables: dict[str, object], seconds: float) -> dict[str, Any]:
    """Return the data that a GraphQL query is answered with.

    Args:
        deployment: who is asked.
        query: the query or mutation.
        variables: its variables.
        seconds: how long all of it may take, from the look-up of the host's name to the last byte.

    Raises:
        NoAnswer: there is none within these seconds, or another one.
    """
    answer: list[bytes | BaseException] = []

    def send() -> None:
        try:
            answer.append(_sent(deployment, json.dumps({"query": query, "variables": variables}).encode(), seconds))
        except BaseException as error:  # told by the thread that asked
            answer.append(error)

    # urllib's time-out is that of a single read, and the look-up of a name has none.
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        raise _late(deployment, seconds)
    if isinstance(answer[0], bytes):
        return _data(deployment, answer[0])
    raise _fault(deployment, answer[0], seconds) from None


def _sent(deployment: Deployment, body: bytes, seconds: float) -> bytes:
    headers = {"Content-Type": "application/json", "Accept": "application/json", **deployment.headers}
    request = urllib.request.Request(f"{deployment.url}/graphql", body, headers)  # noqa: S310 - the scheme was checked
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if urlsplit(deployment.url).hostname in _LOCAL:  # a proxy of the environment knows nothing of this machine
        handlers.append(urllib.request.ProxyHandler({}))
    with urllib.request.build_opener(*handlers).open(request, timeout=seconds) as response:
        data: bytes = response.read(ANSWER_BYTES)
    return data


def _data(deployment: Deployment, answer: bytes) -> dict[str, Any]:
    try:
        found = json.loads(answer)
        errors, data = found.get("errors"), found.get("data")
    except (ValueError, AttributeError, RecursionError):
        errors, data = None, None
    if errors and isinstance(errors, list) and isinstance(errors[0], dict):
        raise NoAnswer(
            f"{the(deployment)} answers: {shortened(deployment, errors[0].get('message'))}",
            "Is it a Dagster 1.13?",
            carried_out=True,
        )
    if not isinstance(data, dict):
        raise strange(deployment)
    return data


def strange(deployment: Deployment) -> NoAnswer:
    """Return the fault of an answer that is none of Dagster's."""
    return NoAnswer(
        f"{the(deployment)} does not answer as Dagster does.",
        f"url in [deployments.{deployment.name}] must be that of Dagster's page.",
        carried_out=True,
    )


def _late(deployment: Deployment, seconds: float) -> NoAnswer:
    return NoAnswer(f"{the(deployment)} has not answered within {round(seconds, 1):g} s.", "Check that it is up.", carried_out=True)


def _fault(deployment: Deployment, error: BaseException, seconds: float) -> NoAnswer:
    if isinstance(error, HTTPError):
        with error:
            return _refused(deployment, error)
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return _late(deployment, seconds)
    if isinstance(reason, ssl.SSLError):
        why = shortened(deployment, getattr(reason, "verify_message", "") or reason.reason or reason)
        return NoAnswer(f"{the(deployment)} cannot be trusted: {why}.", "Check its certificate and its url.")
    why = shortened(deployment, getattr(reason, "strerror", None) or reason)
    if isinstance(error, URLError):
        return NoAnswer(f"{the(deployment)} cannot be reached: {why}.", f"Check that it is up, and its url in {deployment.file}.")
    if isinstance(error, OSError):  # cut off while it answered
        return NoAnswer(f"{the(deployment)} has broken off: {why}.", "Check that it is up.", carried_out=True)
    if isinstance(error, HTTPException):
        return strange(deployment)
    raise error


def _refused(deployment: Deployment, error: HTTPError) -> NoAnswer:
    section = f"[deployments.{deployment.name}] in {deployment.file}"
    if error.code in (401, 403):
        if not deployment.headers:
            return NoAnswer(f"{the(deployment)} wants a token ({error.code}).", f"Set token in {section}.")
        hint = f'Check the token of {section}, and auth: "dagster" or "bearer".'
        return NoAnswer(f"{the(deployment)} refuses the token ({error.code}).", hint)
    if 300 <= error.code < 400:
        to = shortened(deployment, error.headers.get("Location") or "nowhere")
        message = f"{the(deployment)} leads elsewhere ({error.code}), to {to}; pdbt does not follow."
        return NoAnswer(message, f"If that is right, write it as url in {section}.")
    if error.code in (404, 405):
        return NoAnswer(f"{the(deployment)} has no GraphQL ({error.code}).", f"url in {section} must be that of Dagster's page.")
    reason = shortened(deployment, error.reason)
    return NoAnswer(f"{the(deployment)} answers with an error: {error.code} {reason}.", "Look at its log.", carried_out=True)


def the(deployment: Deployment) -> str:
    """Name a deployment where a sentence begins."""
    return f"The{str(deployment).removeprefix('the')}"


def innermost(error: Mapping[str, Any]) -> str:
    """Return the message of the innermost of Dagster's errors, which is that of the person's own code or settings."""
    chain = [link["error"]["message"] for link in error.get("errorChain") or ()]
    return str(chain[-1] if chain else error["message"])


def shortened(deployment: Deployment, text: object) -> str:
    """Return what a deployment said as part of a sentence: on one line, without secrets, and not at length."""
    line = deployment.redact(" ".join(str(text).split())).rstrip(".")
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}…"
