"""Environments with packages of the tests' own one: linked in seconds, where pip would unpack the same files again for minutes.

What is missing is pip's to install, as it is in any environment: tests type the command that fills one, and it finds most of it there.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROGRAMS = Path(sys.executable).parent


def needed(texts: Iterable[str], extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[Requirement]:
    """Yield what requirements ask for on this machine, and what that needs."""
    for text in texts:
        wanted = Requirement(text)
        if wanted.marker is not None and not any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        yield wanted
        package = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if package not in seen:
            seen.add(package)
            yield from needed(metadata.requires(package[0]) or (), package[1], seen)


def link(environment: Path, requirements: Iterable[str]) -> None:
    """Give an environment the packages that requirements ask for, with their records, so that pip finds them, and no others."""
    for name in {canonicalize_name(wanted.name) for wanted in needed(requirements, frozenset(), set())}:
        for file in metadata.files(name) or ():
            source = Path(os.path.normpath(file.locate()))
            compiled = [Path(cache_from_source(str(source)))] if source.suffix == ".py" else []
            for found in (source, *compiled):
                _link(found, environment)


def _link(source: Path, environment: Path) -> None:
    """Link a file into the same place of another environment; a program is written anew, as its first line names its Python."""
    if not source.exists() or not source.is_relative_to(sys.prefix):
        return
    target = environment / source.relative_to(sys.prefix)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.parent == PROGRAMS:
        target.write_bytes(source.read_bytes().replace(bytes(PROGRAMS), bytes(target.parent)))
        shutil.copymode(source, target)
        return
    try:
        target.hardlink_to(source)
    except OSError:  # on another disk
        shutil.copy2(source, target)
