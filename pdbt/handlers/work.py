"""What a worker does: set up a handler, process batches one after the other, tear down."""

from __future__ import annotations

import inspect
import queue
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..engine.errors import PdbtError
from .errors import BatchRefused
from .forms import as_batch, given, taken
from .messages import Done, End, Failed, GoOn, Job, Output, Ready, Work
from .nodes import BaseHandler, BaseSink, Batch
from .parcels import Parcel, pack, unpack

# Most batches that a sink stores in one transaction, and how long none must come before it rests, in seconds.
MOST_TOGETHER = 64
REST_SECONDS = 0.1


def work(handler: BaseHandler, job: Job, receive: Callable[..., Any], send: Callable[[object], None]) -> None:
    """Work until told to end.

    Args:
        handler: this worker's own copy.
        job: the node that it works for.
        receive: waits for the next message; as the method get of a queue.
        send: sends an answer.
    """
    handler.node = job.node
    try:
        handler.setup()
    except (Exception, SystemExit) as error:
        send(_failed(None, error, handler, "setup()"))
        return
    send(Ready())
    if isinstance(handler, BaseSink):
        _store_all(handler, job, receive, send)
    else:
        _handle_all(handler, job, receive, send)
    try:
        handler.teardown()
    except (Exception, SystemExit) as error:
        send(_failed(None, error, handler, "teardown()"))


def _handle_all(handler: BaseHandler, job: Job, receive: Callable[..., Any], send: Callable[[object], None]) -> None:
    while not isinstance(message := receive(), End):
        try:
            send(Done(message.number, _process(handler, job, message, receive, send)))
        except (Exception, SystemExit) as error:
            send(_failed(message.number, error, handler, "handle()"))


def _store_all(sink: BaseSink, job: Job, receive: Callable[..., Any], send: Callable[[object], None]) -> None:
    """Store batches, all those that wait in one transaction."""
    rested = False
    while True:
        try:
            first = receive(True, None if rested else REST_SECONDS)
        except queue.Empty:
            sink.rest()
            rested = True
            continue
        rested = False
        messages, ended = _waiting(first, receive)
        for message, stored in zip(messages, _store(sink, job, messages), strict=True):
            if isinstance(stored, BaseException):
                send(_failed(message.number, stored, sink, "store()"))
            else:
                send(Done(message.number, None, stored))
        if ended:
            return


def _waiting(first: object, receive: Callable[..., Any]) -> tuple[list[Work], bool]:
    """Return the batches that wait, and whether the end came behind them."""
    messages: list[Work] = []
    message = first
    while isinstance(message, Work):
        messages.append(message)
        if len(messages) == MOST_TOGETHER:
            return messages, False
        try:
            message = receive(False)
        except queue.Empty:
            return messages, False
    return messages, True


def _store(sink: BaseSink, job: Job, messages: list[Work]) -> Sequence[int | BaseException]:
    if not messages:
        return []
    try:
        stored = sink.store([Batch(message.batch_id, _arguments(job, message)[0]) for message in messages])
    except (Exception, SystemExit) as error:
        return [error] * len(messages)
    if not _are_answers(stored, len(messages)):
        wanted = f"it gave {stored!r:.100}, and not for each of {len(messages)} batches how many rows are stored or the error"
        return [TypeError(wanted)] * len(messages)
    return stored


def _are_answers(stored: object, count: int) -> bool:
    return isinstance(stored, Sequence) and len(stored) == count and all(isinstance(item, int | Exception) for item in stored)


def _process(handler: BaseHandler, job: Job, message: Work, receive: Callable[[], Any], send: Callable[[object], None]) -> Parcel | None:
    """Process one batch; return what is still to be sent on."""
    handler.batch_id = message.batch_id
    result = handler.handle(*_arguments(job, message))
    if result is None:
        return None
    if not isinstance(result, Iterator):
        batch = as_batch(result, job.node)
        return pack(batch, job.folder) if batch.num_columns else None
    for batch in taken(result, job.node):
        send(Output(message.number, pack(batch, job.folder)))
        # Until it is taken no further one is made: this is how a slow consumer slows a producer.
        reply = receive()
        if isinstance(reply, GoOn) and not reply.more:
            if inspect.isgenerator(result):
                result.close()
            break
    return None


def _arguments(job: Job, message: Work) -> tuple[object, ...]:
    if not message.parts:
        return ()
    batches = {name: unpack(parcel) for name, parcel in message.parts.items()}
    if message.span is not None:
        batches = {name: batch.slice(*message.span) for name, batch in batches.items()}
    forms = {name: given(batch, job.asked.form, job.node) for name, batch in batches.items()}
    return (forms,) if job.asked.by_dependency else tuple(forms.values())


def _failed(number: int | None, error: BaseException, handler: BaseHandler, where: str) -> Failed:
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, PdbtError):
        return Failed(number, str(error), trace, isinstance(error, BatchRefused))
    said = "the code ended the process" if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}".removesuffix(": ")
    return Failed(number, f"{where} of {type(handler).__name__}{_line(error)}: {said}", trace)


def _line(error: BaseException) -> str:
    """Return where in the handler's code an error arose: the first frame that is not of this package."""
    package = Path(__file__).parent
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if package not in Path(frame.filename).parents]
    return f" ({frames[0].filename} line {frames[0].lineno})" if frames else ""
