"""The demo: three files of a shop become a project, a database and results, with the commands that a person would type.

``python docs/demo/demo.py FOLDER`` makes FOLDER/shop, runs it, adds a question of its own and shows the answers.
``--picture FILE`` plays the first half, up to the first results, and draws what was seen as an SVG: the README's picture.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
QUESTION = HERE / "REVENUE_BY_COUNTRY.sql"
FILES = ("docs/demo/data/customers.csv", "docs/demo/data/orders.csv", "docs/demo/data/returns")
DATABASE = "db/database.duckdb"
WIDTH = 120
MOST_ROWS = 12
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demo; return the exit code of the first command that fails, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to make the project shop")
    parser.add_argument("--picture", type=Path, help="an SVG to draw what was seen into")
    options = parser.parse_args(arguments)
    stage = Stage(picture=options.picture is not None)
    project = start_clean(options.folder)
    code = make_and_run(stage, project)
    if options.picture:
        stage.draw(options.picture)
        return code
    return code or ask(stage, project)


class Stage:
    """Where commands are typed and their output is seen."""

    def __init__(self, *, picture: bool) -> None:
        """Record what is seen if a picture of it is wanted."""
        self.picture = picture
        width = None if sys.stdout.isatty() and not picture else WIDTH
        self.console = Console(record=picture, width=width, force_terminal=True if picture else None, highlight=False)

    def say(self, text: str) -> None:
        """Print a remark of the demo's own."""
        self.console.print(f"\n[dim]# {text}[/dim]", end="")

    def type(self, *command: str | Path) -> int:
        """Show a command as it would be typed, and run it; the program is looked for beside this Python first."""
        words = [str(word) for word in command]
        self.console.print(f"\n[bold green]$[/bold green] [bold]{shlex.join(words)}[/bold]")
        beside = Path(sys.executable).with_name(words[0])
        program = [str(beside) if beside.exists() else words[0], *words[1:]]
        if not self.picture:
            return subprocess.run(program, cwd=ROOT, check=False).returncode
        result = subprocess.run(program, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.console.print(Text.from_ansi(result.stdout.rstrip("\n")))
        return result.returncode

    def draw(self, picture: Path) -> None:
        """Draw what was seen as an SVG that loads nothing from elsewhere, fonts included."""
        svg = self.console.export_svg(title="make demo")
        picture.write_text(re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")

    def show(self, database: Path, name: str) -> None:
        """Print a table of the published database."""
        with duckdb.connect(str(database), read_only=True) as connection:
            result = connection.execute(f'SELECT * FROM "{name}" LIMIT {MOST_ROWS}')
            columns = [(str(column[0]), str(column[1])) for column in result.description or ()]
            rows = result.fetchall()
        table = Table(title=name, title_style="bold", title_justify="left", header_style="cyan", border_style="dim", box=ROUNDED)
        for column, kind in columns:
            table.add_column(column, justify="right" if kind.startswith(NUMBERS) else "left")
        for row in rows:
            table.add_row(*(written(value) for value in row))
        self.console.print()
        self.console.print(table)


def written(value: object) -> str:
    """Write a value the way a report does."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def start_clean(folder: Path) -> Path:
    """Return the project's folder, without what an earlier demo left there."""
    project = folder.resolve() / "shop"
    if (project / "pdbt.toml").exists():
        shutil.rmtree(project)
    project.parent.mkdir(parents=True, exist_ok=True)
    return project


def make_and_run(stage: Stage, project: Path) -> int:
    """Make the project from the files, run it, show a result of the starters."""
    stage.say("What a shop, its customer system and its warehouse exported, as it came")
    if code := stage.type("pdbt", "new", shown(project), "--data", *FILES):
        return code
    if code := stage.type("pdbt", "run", shown(project)):
        return code
    stage.show(project / DATABASE, "ORDERS_SUMMARY")
    return 0


def ask(stage: Stage, project: Path) -> int:
    """Add a question of one's own, run again, show the answer."""
    stage.say("A question of one's own: one SELECT in one file is one table, and only what is new is built")
    if code := stage.type("cp", QUESTION.relative_to(ROOT), shown(project / "scripts" / "final")):
        return code
    if code := stage.type("pdbt", "run", shown(project)):
        return code
    stage.show(project / DATABASE, QUESTION.stem)
    stage.console.print(f"\nThe project is {shown(project)}, its results are in {shown(project / 'data' / 'final')}.")
    return 0


def shown(path: Path) -> Path:
    """Return a path as it would be typed in the repository's folder."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main())
