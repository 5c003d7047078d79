"""What an asset shows of itself: its first rows, its columns, and for a result a small chart, all in Markdown."""

from __future__ import annotations

import decimal
from collections.abc import Sequence

import dagster

from ..errors import BuildError
from ..parameters import Accepted
from ..report import StepResult
from ..run import Run

LOOKS = ("dagster/column_schema", "preview", "chart")
VERSION = "version"
PREVIEW_ROWS = 5
CHART_ROWS = 12
CELL_CHARACTERS = 40
BAR_CHARACTERS = 30
_EIGHTHS = " ▏▎▍▌▋▊▉"

# What who starts a run from elsewhere asks of the job, and of the run.
JOB_LABEL = "pdbt"
TABLE = "table"  # only a table says it: a file's asset has none
PARTIAL_TAG = "pdbt/partial"
PUBLISHED_TAG = "pdbt/published"  # of a run that was stopped after that; one that succeeded did so anyway

Rows = Sequence[Sequence[object]]


def of_job(project: str, accepted: Accepted) -> dict[str, dagster.MetadataValue]:
    """Return what the job tells of itself to who has none of its files: its project, and the parameters that a run takes."""
    told = {"project": project, "parameters": dict(accepted.kinds), "anything": accepted.anything}
    return {JOB_LABEL: dagster.MetadataValue.json(told)}


def of_step(step: StepResult) -> dict[str, dagster.MetadataValue]:
    """Return what is known of a table or file without looking at it."""
    known: dict[str, dagster.MetadataValue] = {"result": dagster.MetadataValue.text(step.result)}
    if step.rows is not None:
        known["dagster/row_count"] = dagster.MetadataValue.int(step.rows)
    if step.result != "reused":
        known["seconds"] = dagster.MetadataValue.float(round(step.seconds, 4))
    if step.rejected:
        known["rejected rows"] = dagster.MetadataValue.int(step.rejected)
    if step.reason:
        known["made because"] = dagster.MetadataValue.text(step.reason)
    return known


def of_table(run: Run, table: str, *, chart: bool) -> dict[str, dagster.MetadataValue]:
    """Look at a table that was just made: its columns, its first rows and, if wanted, a chart of them."""
    try:
        columns = run.columns(table)
        names, rows = run.first_rows(table, CHART_ROWS if chart else PREVIEW_ROWS)
    except BuildError as error:  # the table is made; that it cannot be shown is no reason to lose it
        return {"preview": dagster.MetadataValue.text(run.report.redact(str(error)))}
    schema = dagster.TableSchema([dagster.TableColumn(column.name, column.type) for column in columns])
    found: dict[str, dagster.MetadataValue] = {
        "dagster/column_schema": dagster.MetadataValue.table_schema(schema),
        "preview": dagster.MetadataValue.md(run.report.redact(markdown_table(names, rows[:PREVIEW_ROWS]))),
    }
    drawn = bar_chart(names, rows) if chart else ""
    if drawn:
        found["chart"] = dagster.MetadataValue.md(run.report.redact(drawn))
    return found


def markdown_table(names: Sequence[str], rows: Rows) -> str:
    """Return rows as a Markdown table."""
    lines = [[_cell(name) for name in names], ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bar_chart(names: Sequence[str], rows: Rows) -> str:
    """Draw the last column of numbers against the first column of anything else; empty when there are no two such columns."""
    numbers = [place for place in range(len(names)) if rows and all(_is_number(row[place]) for row in rows)]
    labels = [place for place in range(len(names)) if place not in numbers]
    if not numbers or not labels:
        return ""
    label, value = labels[0], numbers[-1]
    amounts = [float(str(row[value])) for row in rows]
    longest = max(map(abs, amounts))
    if not 0 < longest < float("inf"):
        return ""
    texts = [_shortened(str(row[label])) for row in rows]
    width = max(map(len, texts))
    figures = [f"{amount:,.10g}" for amount in amounts]
    lines = [
        f"{text:<{width}}  {_bar(abs(amount) / longest):<{BAR_CHARACTERS}}  {figure}"
        for text, amount, figure in zip(texts, amounts, figures, strict=True)
    ]
    body = "\n".join(line.replace("`", "'") for line in lines)
    return f"{_cell(names[value])} by {_cell(names[label])}\n\n```\n{body}\n```"


def _bar(share: float) -> str:
    whole, eighths = divmod(round(share * BAR_CHARACTERS * 8), 8)
    return "█" * whole + (_EIGHTHS[eighths] if eighths else "")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool) and value == value  # NaN is not itself


def _cell(value: object) -> str:
    """Return a value as the text of a cell, which nothing in it can leave."""
    text = _shortened("" if value is None else str(value))
    for character in "\\|`*_<>[]":
        text = text.replace(character, f"\\{character}")
    return text


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CELL_CHARACTERS else f"{line[: CELL_CHARACTERS - 1]}…"
