"""Handlers as bytes: the copy that a worker process makes of a handler, also of one that no module has."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import CodeType
from typing import Any


def dumps(value: object) -> bytes:
    """Return a value as bytes for cloudpickle.loads; its code keeps the name of its file, which an error in it shows.

    cloudpickle itself puts "<dynamic-code>" there from 3.1.3 on, so that the same code gives the same bytes on each machine.

    Raises:
        ModuleNotFoundError: cloudpickle is not installed.
        Exception: something in the value cannot be copied.
    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
        def reducer_override(self, obj: object) -> Any:
            if isinstance(obj, CodeType):
                make, arguments = self.dispatch_table[CodeType](obj)
                return code_of_file, (obj.co_filename, make, arguments)
            return super().reducer_override(obj)

    with io.BytesIO() as content:
        Pickler(content).dump(value)
        return content.getvalue()


def code_of_file(filename: str, make: Callable[..., CodeType], arguments: tuple[object, ...]) -> CodeType:
    """Return the code that `make` returns, as that of a file; a copy is made with it."""
    return make(*arguments).replace(co_filename=filename)
