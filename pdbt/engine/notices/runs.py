"""What is told of a project's runs, whoever starts them: failure, recovery, and results without rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..environment import ENVIRONMENT_FILE
from .book import Notices, Sender

if TYPE_CHECKING:
    from ..report import Report
    from ..settings import Settings

# One job, whether Dagster or the classic scripts run it: what one saw fail, the other may see work.
RUN, LATE, EMPTY = "run", "late", "empty"
_CHARACTERS = 500


def notices_of(settings: Settings, log: Callable[[str], None]) -> Notices:
    """Return the notices of a project."""
    return Notices(sender_of(settings), settings.project / "db" / ".work", log)


def sender_of(settings: Settings) -> Sender:
    """Return in whose name a project's notices are sent, and where to."""
    environment = settings.project / ENVIRONMENT_FILE
    return Sender(settings.name, settings.notification_urls, settings.notify_on, environment, str(settings.project / "pdbt.toml"))


def run_failed(settings: Settings, report: Report, error: BaseException, link: str) -> None:
    """Tell that a run failed, unless the run before did, too.

    Args:
        settings: the project's.
        report: of the run that ended; it is told what could not be sent.
        error: what ended the run.
        link: where a person can look; empty means the log.
    """
    step = _step(report)
    said = str(error).strip() or type(error).__name__
    first = report.redact(said.splitlines()[0])[:_CHARACTERS]
    title = f"failed at {step}" if step else "failed"
    notices_of(settings, report.note).failed(RUN, title, [*place(settings, step), f"Error: {first}", _where(settings, link)])


def run_published(settings: Settings, report: Report, results: Mapping[str, int]) -> None:
    """Tell that runs work again if they did not, and of results that have no rows any more, or have some again.

    Args:
        settings: the project's.
        report: of the run that ended.
        results: the rows of each final table.
    """
    notices = notices_of(settings, report.note)
    notices.note_success()
    for job in (RUN, LATE):
        notices.succeeded(job)
    for table, rows in results.items():
        if rows:
            notices.succeeded(f"{EMPTY} {table}", f"{table} has rows again")
        else:
            lines = [*place(settings, f"build {table}"), f"Error: {table} has no rows.", _where(settings, "")]
            notices.failed(f"{EMPTY} {table}", f"{table} is empty", lines, event="empty")


def place(settings: Settings, step: str) -> list[str]:
    """Return the lines that say where it happened: the project, and the step if there is one."""
    return [f"Project: {settings.name} ({settings.project})", *([f"Step: {step}"] if step else [])]


def _where(settings: Settings, link: str) -> str:
    return f"Run: {link}" if link else f"Log: {log_file(settings.project)}"


def log_file(project: Path) -> Path:
    """Return the log of a project's runs."""
    return project / "macro" / "execution.log"


def _step(report: Report) -> str:
    failed = [f"{step.step} {step.name}" for step in report.steps if step.result == "failed"]
    return failed[-1] if failed else report.doing
