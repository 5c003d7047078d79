"""Two sources of which each run makes another generation: whoever sees two generations at once sees half a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a reader is a process of its own, which need not load it
    from tests.pipeline.projects import Project

LEFT_ROWS = 40
OF_EACH_TABLE = (
    "(SELECT min(run), max(run), count(*) FROM LEFT_SIDE) AS l, (SELECT min(run), max(run), count(*) FROM RIGHT_SIDE) AS r, "
    "(SELECT max(run), max(pairs) FROM PAIRS) AS p"
)
GENERATION = f"SELECT * FROM {OF_EACH_TABLE}"
WITH_TOTAL = f"SELECT * FROM {OF_EACH_TABLE}, (SELECT max(run), max(product), count(*) FROM TOTAL) AS t"
PAIRS = "SELECT max(l.run) AS run, count(*) AS pairs FROM LEFT_SIDE l JOIN RIGHT_SIDE r ON r.run = l.run AND r.id = l.id"
SIDES_AGREE = "SELECT l.run FROM LEFT_SIDE l JOIN RIGHT_SIDE r ON r.id = l.id WHERE r.run <> l.run"


def pair(project: Project) -> Project:
    """Give a project two sources that belong together, a table of each layer and a check; generation 0."""
    project.processed("PAIRS", PAIRS)
    project.final("TOTAL", "SELECT run, pairs, pairs * run AS product FROM PAIRS")
    project.check("SIDES_AGREE", SIDES_AGREE)
    write_generation(project, 0)
    return project


def write_generation(project: Project, generation: int) -> None:
    """Let the sources hold the next generation: its number in every row, its number of rows more on the right side."""
    for name, rows in (("LEFT_SIDE", LEFT_ROWS), ("RIGHT_SIDE", LEFT_ROWS + generation)):
        project.source(f"{name}.csv", "run,id\n" + "".join(f"{generation},{number}\n" for number in range(rows)))


def facts(generation: int) -> tuple[int, ...]:
    """Return what GENERATION answers when all that it sees is of one generation."""
    return generation, generation, LEFT_ROWS, generation, generation, LEFT_ROWS + generation, generation, LEFT_ROWS


def published_generation(project: Project) -> int:
    """Return the generation that readers see, and require that it is whole."""
    (row,) = project.query(WITH_TOTAL)
    *found, total_run, product, totals = (int(value) for value in row)
    assert tuple(found) == facts(found[0]), f"a mixture: {found}"
    assert (total_run, product, totals) == (found[0], found[0] * LEFT_ROWS, 1)
    return found[0]


def require_generation(project: Project, generation: int) -> None:
    """Require this generation in the published database and in the exports, and nothing else lying about."""
    published = published_generation(project)
    assert published == generation, f"{published} is published, not {generation}"
    assert project.exported("processed/PAIRS.csv") == [{"run": str(generation), "pairs": str(LEFT_ROWS)}]
    ((exported,),) = ([tuple(row.values())] for row in project.exported("final/TOTAL.csv"))
    assert exported == (str(generation), str(LEFT_ROWS), str(generation * LEFT_ROWS))
    forgotten = project.leftovers()
    assert not forgotten, forgotten
