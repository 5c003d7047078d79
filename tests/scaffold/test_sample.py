"""The sample is real, small and the same in all three types."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.conftest import MakeProject, RunProject

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "sample/macro/python-run-process-sample.py"
CONTINENTS = [
    ("Asia", 6, 2081.2, 5729, 36600),
    ("Africa", 10, 692.531, 3488, 17040),
    ("North America", 4, 509.81, 48142, 63600),
    ("Europe", 11, 390.493, 43468, 92400),
    ("South America", 6, 369.24, 7186, 11880),
    ("Oceania", 4, 32.142, 61077, 63600),
]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_its_countries_are_real_enough() -> None:
    rows = read(ROOT / "sample" / "data" / "source" / "SAMPLE_DATA.csv")
    assert len(rows) >= 20
    assert list(rows[0]) == ["name", "continent", "capital", "latitude", "longitude", "population", "average_salary_usd"]
    assert {"Côte d'Ivoire", "México", "São Tomé and Príncipe", "Türkiye"} <= {row["name"] for row in rows}
    assert len({row["continent"] for row in rows}) == 6
    assert len({row["name"] for row in rows}) == len({row["capital"] for row in rows}) == len(rows)


@pytest.mark.parametrize("database", ["duckdb", "sqlite", "commune"])
def test_it_runs_in_every_project(database: str, make_project: MakeProject, run_project_warm: RunProject) -> None:
    project = make_project(database=database)
    result = run_project_warm(project, script=SCRIPT)
    assert result.code == 0, result.stderr
    continents = [
        (
            row["continent"],
            int(row["countries"]),
            float(row["population_millions"]),
            int(row["yearly_salary_usd"]),
            int(row["highest_yearly_salary_usd"]),
        )
        for row in read(project / "sample" / "data" / "final" / "CONTINENTS.csv")
    ]
    assert continents == CONTINENTS
    figures = {row["name"]: row for row in read(project / "sample" / "data" / "processed" / "COUNTRY_FIGURES.csv")}
    assert float(figures["Perú"]["population_millions"]) == 33.8
    assert int(figures["Perú"]["yearly_salary_usd"]) == 5280
    assert not (project / "db" / ".work").exists()


def test_its_checks_stop_what_is_wrong(make_project: MakeProject, run_project_warm: RunProject) -> None:
    project = make_project()
    source = project / "sample" / "data" / "source" / "SAMPLE_DATA.csv"
    source.write_text(source.read_text(encoding="utf-8") + "Chile,South America,Santiago,-133.45,-70.67,19700000,990\n", encoding="utf-8")
    result = run_project_warm(project, script=SCRIPT)
    assert result.code == 1
    assert "COUNTRIES_ARE_UNIQUE" in result.stderr + result.stdout
    assert "FIGURES_ARE_PLAUSIBLE" in result.stderr + result.stdout
