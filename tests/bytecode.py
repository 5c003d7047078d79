"""The compiled form of a new project's engine, kept from the first one that was made: to compile it takes longer than a small run does."""

from __future__ import annotations

import functools
import importlib.util
import py_compile
import tempfile
from collections.abc import Iterable
from pathlib import Path

ENGINE = Path("scripts", "engine")
HEADER_BYTES = 16  # PEP 552: the magic number, the flags, the source's time and its size
DEEPEST = 4  # folders of a project that a command or its folder may lie below it


def lend(command: Iterable[str | Path], folder: Path | None) -> None:
    """Give the engines of the projects that a command is about their compiled form, as Python writes it, unless Python did so already.

    Python takes it only where its time and size are those of the source, and names the project's own file in tracebacks.
    """
    engines = {engine for part in (".", *command) for engine in _engine_above(folder or Path("/"), part)}
    for engine in engines:
        if not (engine / "__pycache__").exists():
            for source in engine.rglob("*.py"):
                _write(source)


def _engine_above(start: Path, part: str | Path) -> list[Path]:
    """Return the engine of the project in which a path lies, if it lies in one."""
    path = start / part
    if "\n" in path.name:  # a program's text, which may be longer than a name can be
        return []
    return [folder / ENGINE for folder in (path, *path.parents[:DEEPEST]) if (folder / ENGINE).is_dir()][:1]


def _write(source: Path) -> None:
    """Write a module's compiled form next to it; a module that does not compile is left to the run that imports it."""
    try:
        code = _code(source.read_bytes())
        state = source.stat()
    except (OSError, py_compile.PyCompileError):
        return
    parts = (int(state.st_mtime), state.st_size)
    header = importlib.util.MAGIC_NUMBER + bytes(4) + b"".join((part & 0xFFFFFFFF).to_bytes(4, "little") for part in parts)
    target = Path(importlib.util.cache_from_source(str(source)))
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(header + code)


@functools.cache
def _code(text: bytes) -> bytes:
    """Return the compiled form of a module's text, without its header."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "module.py"), Path(folder, "module.pyc")
        source.write_bytes(text)
        py_compile.compile(str(source), str(target), doraise=True)
        return target.read_bytes()[HEADER_BYTES:]
