"""Renamed files of the templates: in a project that has one under its former name, an update gives it the new one and keeps its edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from .base import Base
from .merge import merge_texts, same_text
from .update_plan import FileUpdate, Verb, read_owners

RENAMED: Mapping[str, str] = {
    "sample/data/source/COUNTRIES.csv": "sample/data/source/SAMPLE_DATA.csv",
    "sample/macro/dagster-run-process-launch-sample.py": "sample/macro/dagster-run-process-sample-launch.py",
    "sample/macro/dagster-run-process-stop-sample.py": "sample/macro/dagster-run-process-sample-stop.py",
}


def renamed_files(project: Path, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, str]:
    """Return the files that have another name now, the new name by the former one.

    A new name at which the owner has a file already is left out: nothing is renamed over it.

    Args:
        project: the project's folder.
        old: what the templates had made, by path.
        new: what they make now.
    """
    found = {former: path for former, path in RENAMED.items() if former in old and former not in new and path in new and path not in old}
    return {former: path for former, path in found.items() if read_owners(project, path).free}


def plan_renames(project: Path, base: Base, new: Mapping[str, bytes], new_version: str, renamed: Mapping[str, str]) -> Iterator[FileUpdate]:
    """Yield what becomes of renamed files, edited ones with their edits.

    Args:
        project: the project's folder.
        base: what the templates had made.
        new: what they make now, by path.
        new_version: the pdbt of `new`.
        renamed: the new names by the former ones.
    """
    for former, path in renamed.items():
        before, after, yours = base.files[former], new[path], read_owners(project, former)
        if yours.reason:
            yield FileUpdate("left", former, note=f"{yours.reason}; pdbt {new_version} calls it {path}")
        elif yours.content is None:
            yield FileUpdate("kept", path, note=f"you removed {former}, which pdbt {new_version} calls so")
        else:
            merged = merge_texts(path, before, yours.content, after, base.version, new_version)
            if merged is None:
                yield FileUpdate("create", path, path, after)
                yield FileUpdate("kept", former, note=f"you edited it, and it cannot be merged; pdbt {new_version} has it as {path}")
                continue
            verb: Verb = "conflict" if merged.conflicts else "create" if same_text(before, yours.content) else "merge"
            yield FileUpdate(verb, path, path, merged.content, note=f"it was {former}", former=former)
            yield FileUpdate("remove", former, former, None, note=f"it is {path} now", owners=yours.content)


def plan_renames_without_base(project: Path, new: Mapping[str, bytes], new_version: str) -> Iterator[FileUpdate]:
    """Yield a note for each file that has its former name: without a base nothing tells whether something of the owner's uses it."""
    for former, path in RENAMED.items():
        if former not in new and path in new and read_owners(project, former).content is not None:
            yield FileUpdate("kept", former, note=f"pdbt {new_version} calls it {path}; remove it when nothing of yours uses it")
