"""The compiled form of a new project's engine, kept from the first one that was made: to compile it takes longer than a small run does."""

from __future__ import annotations

import contextlib
import functools
import marshal
from collections.abc import Iterable
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

ENGINE = Path("scripts", "engine")
DEEPEST = 4  # folders of a project that a command or its folder may lie below it


def lend(command: Iterable[str | Path], folder: Path | None) -> None:
    """Give the engines of the projects that a command is about their compiled form, as Python writes it, unless Python did so already.

    Python takes it only where its time and size are those of the source, and names the project's own file in tracebacks.
    """
    engines = {engine for part in (".", *command) for engine in _engine_above((folder or Path("/")) / part)}
    for engine in engines:
        if not (engine / "__pycache__").exists():
            for source in engine.rglob("*.py"):
                # A module that does not compile, or cannot be written next to, is left to the run that imports it.
                with contextlib.suppress(OSError, SyntaxError, ValueError):
                    _write(source)


def _engine_above(path: Path) -> list[Path]:
    """Return the engine of the project in which a path lies, if it lies in one."""
    with contextlib.suppress(OSError):  # of a part of a command that is too long for a path, such as the program after -c
        return [folder / ENGINE for folder in (path, *path.parents[:DEEPEST]) if (folder / ENGINE).is_dir()][:1]
    return []


def _write(source: Path) -> None:
    """Write a module's compiled form next to it."""
    state = source.stat()  # before it is read: what is written in between is newer than this says
    header = (0, int(state.st_mtime), state.st_size)  # PEP 552, after the magic number: flags, and the source's time and size
    target = Path(cache_from_source(str(source)))
    compiled = MAGIC_NUMBER + b"".join((part & 0xFFFFFFFF).to_bytes(4, "little") for part in header) + _code(source.read_bytes())
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(compiled)


@functools.cache
def _code(text: bytes) -> bytes:
    """Return the compiled form of a module's text; Python puts the name of the file into it when it loads it."""
    return marshal.dumps(compile(text, "engine", "exec", dont_inherit=True))
