"""`pdbt watch`: watch a folder, and look at what its tasks did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .sections import SectionedGroup

_FOLDER = typer.Argument(metavar="FOLDER", help="The watched folder; by default the one of the settings.", show_default=False)
_PIPELINE = typer.Option("--pipeline", metavar="FILE", help="Where the tags are: TOML with [watch], or Python with PIPELINE.")
_JSON = typer.Option("--json", help="Print JSON.")


class _FolderOrCommand(SectionedGroup):
    """Takes `pdbt watch FOLDER` for `pdbt watch start FOLDER`; a folder called as a command is is written ./status."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # the context is of a type that typer keeps to itself
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["start", *args]
        return super().parse_args(ctx, args)


watch = typer.Typer(
    cls=_FolderOrCommand,
    help="Watch a folder: when a file arrives, the tasks of its tags run. Begin with: pdbt watch FOLDER",
    rich_markup_mode=None,
    no_args_is_help=False,
    invoke_without_command=True,
)


@watch.callback()
def _watch(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        start()


@watch.command("start")
def start(
    folder: Annotated[Path | None, _FOLDER] = None,
    pipeline: Annotated[Path | None, _PIPELINE] = None,
    recursive: Annotated[
        bool | None, typer.Option("--recursive/--no-recursive", help="Watch subfolders too, or not.", show_default=False)
    ] = None,
    grace: Annotated[
        float | None,
        typer.Option("--grace", metavar="SECONDS", min=0, help="How long running tasks may take to finish once it is stopped."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print every event as one line of JSON.")] = False,
) -> None:
    """Watch until Ctrl-C."""
    from ..watch import Watcher, find_settings_file
    from .show_watch import WatchView

    view = WatchView(json=json)
    watcher = Watcher(folder, find_settings_file(pipeline), listener=view.tell, recursive=recursive, grace=grace)
    with view.shown(watcher.settings):
        watcher.start()
        watcher.wait_for_signal(view.refresh)


@watch.command("launch")
def launch(
    folder: Annotated[Path | None, _FOLDER] = None,
    pipeline: Annotated[Path | None, _PIPELINE] = None,
) -> None:
    """Start a watcher in the background."""
    from ..watch import find_settings_file
    from ..watch import launch as launched
    from .show_watch import show_launched

    show_launched(launched(find_settings_file(pipeline), folder), folder, pipeline)


@watch.command("stop")
def stop(
    folder: Annotated[Path | None, _FOLDER] = None,
    pipeline: Annotated[Path | None, _PIPELINE] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="How long it may take before it is killed.")
    ] = None,
) -> None:
    """Stop a watcher; its running tasks may finish first."""
    from ..watch import find_settings_file
    from ..watch import stop as stopped
    from .show_watch import show_stopped

    show_stopped(stopped(find_settings_file(pipeline), folder, timeout))


@watch.command("status")
def status(
    folder: Annotated[Path | None, _FOLDER] = None,
    pipeline: Annotated[Path | None, _PIPELINE] = None,
    json: Annotated[bool, _JSON] = False,
) -> None:
    """Show how many tasks are waiting, running, done and failed."""
    from ..watch import find_ledger, find_settings_file, overview
    from .show_watch import show_overview

    show_overview(overview(find_ledger(find_settings_file(pipeline), folder)), json=json)


@watch.command("history")
def history(
    folder: Annotated[Path | None, _FOLDER] = None,
    pipeline: Annotated[Path | None, _PIPELINE] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", min=1, help="How many, the newest first.")] = 20,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    json: Annotated[bool, _JSON] = False,
) -> None:
    """Show the latest tasks."""
    from ..watch import find_ledger, find_settings_file
    from ..watch import history as tasks_of
    from .show_watch import show_history

    show_history(tasks_of(find_ledger(find_settings_file(pipeline), folder), lines, "failed" if failed else None), json=json)


@watch.command("retry")
def retry(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="Only the tasks of these files.", show_default=False)] = None,
    folder: Annotated[Path | None, typer.Option("--folder", metavar="FOLDER", help="The watched folder.", show_default=False)] = None,
    pipeline: Annotated[Path | None, _PIPELINE] = None,
) -> None:
    """Put failed tasks, and what was skipped for them, back into the queue."""
    from ..watch import find_ledger, find_settings_file
    from ..watch import retry as put_back
    from .show_watch import show_retried

    state = find_ledger(find_settings_file(pipeline), folder)
    show_retried(put_back(state, files or ()), state)
