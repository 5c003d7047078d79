"""What `pdbt update` prints: what became of each file, and what is left to decide."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from .words import counted

if TYPE_CHECKING:
    from ..project.updating import MemberUpdate
    from ..scaffold import FileUpdate, UpdatePlan

_DONE = {
    "create": "created",
    "replace": "replaced",
    "merge": "merged",
    "conflict": "conflict",
    "beside": "conflict",
    "left": "conflict",
    "remove": "removed",
    "kept": "kept",
}
_WOULD = {"create": "create", "replace": "replace", "merge": "merge", "remove": "remove", "kept": "keep"}
_ENGINE = "scripts/engine/"
_WIDTH = 15


def show_update(plan: UpdatePlan, *, dry_run: bool) -> None:
    """Print what became of each file, or would; an engine that was replaced as a whole is one line."""
    if plan.base is None:
        typer.echo(f"{plan.project.name} has the templates of pdbt {plan.new_version} already. Nothing was changed.")
    else:
        verb = "would be updated" if dry_run else "updated"
        since = "" if plan.old_version == plan.new_version else f" from {_said(plan.old_version)}"
        typer.echo(f"{plan.project.name} {verb}{since} to pdbt {plan.new_version}")
    plain, engine = _apart(plan.files)
    for file in plain:
        typer.echo(_line(file, dry_run=dry_run))
    if engine:
        typer.echo(f"  {_word('replace', dry_run=dry_run):<{_WIDTH}}{_ENGINE} ({counted(len(engine), 'file')})")
    _show_open(plan, dry_run=dry_run)


def show_member_update(done: MemberUpdate, *, dry_run: bool) -> int:
    """Print what became of one project of many in a line, with what has to be decided below it; return its exit code."""
    name = f"{done.member.organisation}/{done.member.name}".lstrip("/")
    if done.plan is None:
        typer.secho(f"{name}: {done.error}", fg=typer.colors.RED)
        return done.exit_code
    counts = Counter(_word(file.verb, dry_run=dry_run) for file in done.plan.files)
    said = ", ".join(f"{number} {word}" for word, number in counts.items()) or ("up to date" if done.plan.base is None else "updated")
    typer.echo(f"{name}: {said}")
    for file in done.plan.conflicts:
        typer.echo(_line(file, dry_run=dry_run))
    for path in done.plan.unresolved:
        typer.echo(f"  {'undecided':<{_WIDTH}}{path}")
    return done.exit_code


def show_waiting(sentence: str) -> None:
    """Say on what is waited."""
    typer.echo(sentence, err=True)


def _show_open(plan: UpdatePlan, *, dry_run: bool) -> None:
    for path in plan.unresolved:
        typer.echo(f"  {'undecided':<{_WIDTH}}{path}")
    if plan.unresolved:
        typer.echo("These are conflicts of an earlier update: decide, and remove the marks or the files that end in .pdbt-new.")
    if plan.conflicts and not dry_run:
        typer.echo(f"{counted(len(plan.conflicts), 'file')} to look at. Your lines are kept and hold until you decide.")
    if plan.writes and not dry_run and (plan.project / "macro" / "dagster.pid").exists():
        typer.echo("If its Dagster is running, start it again: pdbt stop, pdbt launch.")


def _apart(files: tuple[FileUpdate, ...]) -> tuple[list[FileUpdate], list[FileUpdate]]:
    """Split off what of the engine was replaced, created or removed as it came."""
    engine = [file for file in files if file.path.startswith(_ENGINE) and file.verb in ("create", "replace", "remove")]
    plain, beside = [], False
    for file in files:
        whole = file.verb == "beside" and file.target.startswith("scripts/engine.pdbt-new/")
        if file not in engine and not (whole and beside):
            plain.append(file)
        beside = beside or whole
    return plain, engine


def _line(file: FileUpdate, *, dry_run: bool) -> str:
    path, note = file.path, file.note
    if file.verb == "beside":
        beside = file.target
        if beside.startswith("scripts/engine.pdbt-new/"):
            path, beside = "scripts/engine", "scripts/engine.pdbt-new"
        note = f"{note}; yours is kept, the new one is {beside}"
    return f"  {_word(file.verb, dry_run=dry_run):<{_WIDTH}}{path}{f': {note}' if note else ''}"


def _word(verb: str, *, dry_run: bool) -> str:
    return f"would {_WOULD[verb]}" if dry_run and verb in _WOULD else "would conflict" if dry_run else _DONE[verb]


def _said(version: str) -> str:
    return "a pdbt that kept no base" if version == "unknown" else f"pdbt {version}"
