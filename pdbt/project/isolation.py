"""Projects read in one process, each with its own engine and its own modules, though all of them call these by the same names.

A project's files say ``from engine… import`` and ``from source import``. While a project is read, ``engine`` is that project's own
copy, kept under a name of its own, which is what the copy's modules import each other by. Copies that are as pdbt's own engine are
that one: it is there already. When the project has been read, nothing of it is left behind for the next one to stumble upon.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_ENGINE = "engine"
_OURS = Path(__file__).resolve().parents[1] / _ENGINE
_OUR_NAME = f"{__package__.partition('.')[0]}.{_ENGINE}"

Stats = tuple[tuple[str, int, int], ...]


class Isolation(MetaPathFinder):
    """Reads projects one at a time, whichever thread asks."""

    def __init__(self) -> None:
        """Begin with pdbt's own engine."""
        self._lock = threading.RLock()
        self._current = ""
        self._known: dict[Path, tuple[Stats, str]] = {}
        self._ours = _digest(_OURS)

    @contextlib.contextmanager
    def reading(self, project: Path) -> Iterator[None]:
        """Let ``engine`` be the project's own, and forget its modules afterwards."""
        with self._lock:
            before, path, modules = self._current, list(sys.path), set(sys.modules)
            self._current = self._package(project / "scripts" / _ENGINE)
            sys.meta_path.insert(0, self)
            try:
                yield
            finally:
                sys.meta_path.remove(self)
                sys.path[:] = path
                self._current = before
                _forget(set(sys.modules) - modules, project)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find ``engine`` and its modules for the project that is being read."""
        if not self._current or name.partition(".")[0] != _ENGINE:
            return None
        real = f"{self._current}{name.removeprefix(_ENGINE)}"
        return ModuleSpec(name, _Alias(importlib.import_module(real)), is_package=True)

    def _package(self, engine: Path) -> str:
        """Return the name that an engine is kept under, loaded; empty when there is none, which the project's files will tell."""
        stats = _stats(engine)
        if not stats:
            return ""
        known = self._known.get(engine)
        if known is not None and known[0] == stats:
            return known[1]
        digest = _digest(engine)
        name = _OUR_NAME if digest == self._ours else f"pdbt_engine_{hashlib.sha256(f'{engine} {digest}'.encode()).hexdigest()[:16]}"
        if known is not None and known[1] not in (name, _OUR_NAME):
            for module in [module for module in sys.modules if module.partition(".")[0] == known[1]]:
                del sys.modules[module]
        if name not in sys.modules:
            _load(name, engine)
        self._known[engine] = (stats, name)
        return name


class _Alias(Loader):
    """Gives a module that is loaded already a second name, and changes nothing about it."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it was: the machinery has written the second name into it."""
        module.__spec__ = self._spec


def _load(name: str, engine: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, engine / "__init__.py", submodule_search_locations=[str(engine)])
    if spec is None or spec.loader is None:  # pragma: no cover - a path to a .py file always has both
        raise ImportError(f"{engine} cannot be loaded.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _forget(names: set[str], project: Path) -> None:
    """Forget the aliases, and the modules of the project's own files."""
    own = (project / "scripts", project / "macro")
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        is_alias = name.partition(".")[0] == _ENGINE
        is_own = file is not None and not name.startswith("pdbt_engine_") and any(Path(file).is_relative_to(folder) for folder in own)
        if is_alias or is_own:
            del sys.modules[name]


def _files(engine: Path) -> list[Path]:
    return sorted(path for path in engine.rglob("*.py") if "__pycache__" not in path.parts)


def _stats(engine: Path) -> Stats:
    found = []
    for path in _files(engine):
        with contextlib.suppress(OSError):
            stat = path.stat()
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _digest(engine: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(engine):
        digest.update(f"{path.relative_to(engine).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
