"""Updating all projects of a workspace: each by itself, so that one that cannot be updated stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..engine.errors import PdbtError
from ..scaffold import UpdatePlan, update_project
from .workspace import Member, Workspace


@dataclass(frozen=True)
class MemberUpdate:
    """What became of one project.

    Attributes:
        member: the project.
        plan: what was done, or would be; None when there is an error.
        error: why nothing was done.
    """

    member: Member
    plan: UpdatePlan | None = None
    error: PdbtError | None = None

    @property
    def exit_code(self) -> int:
        """What updating this project alone would have ended with."""
        return self.plan.exit_code if self.plan is not None else self.error.exit_code if self.error is not None else 0


def update_all(
    workspace: Workspace, *, dry_run: bool = False, waiting: Callable[[str], None] = lambda sentence: None
) -> Iterator[MemberUpdate]:
    """Update every project of a workspace, or with `dry_run` only find out what would be done; yields each when it is done."""
    for member in workspace.members():
        try:
            yield MemberUpdate(member, update_project(member.folder, dry_run=dry_run, waiting=waiting))
        except PdbtError as error:
            yield MemberUpdate(member, error=error)
