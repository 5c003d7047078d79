"""A generated tree as one text: every path, and what is in it."""

from __future__ import annotations

from pathlib import Path

from pdbt import __version__

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "pdbt" / "engine"
_TEMPLATES = ROOT / "templates" / "project"
_SAMPLE = ROOT / "sample"


def files_below(folder: Path) -> list[str]:
    """Return the paths of all files below a folder, hidden ones too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def snapshot(project: Path) -> str:
    """Return all files of a project but its engine and its base: copies by what they copy, all others with their content."""
    parts = []
    for name in files_below(project):
        if name.startswith(("scripts/engine/", ".pdbt/")):
            continue
        content = (project / name).read_bytes()
        original = _original(name)
        if original.is_file() and original.read_bytes() == content:
            parts.append(f"==> {name} is a copy of {original.relative_to(ROOT).as_posix()}\n")
        else:
            parts.append(f"==> {name}\n{content.decode().replace(__version__, 'VERSION')}")
    return "".join(parts)


def _original(name: str) -> Path:
    """Return the file of the repository that a file of a project could be a copy of."""
    inner = name.removeprefix("sample/")
    if inner != name and (_SAMPLE / inner).is_file():
        return _SAMPLE / inner
    if inner != name and inner.startswith("macro/"):
        inner = inner.replace("-sample", "")
    return _TEMPLATES / inner
