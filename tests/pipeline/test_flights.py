"""Real input: the flights out of New York in 2013, through a project of each type, against the same figures by pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import KINDS, Project

SOURCES = ("airlines", "airports", "flights", "planes", "weather")
ROWS = {"AIRLINES": 16, "AIRPORTS": 1458, "FLIGHTS": 336776, "PLANES": 3322, "WEATHER": 26115}
RUN_SECONDS = 300
RELATIVE_TOLERANCE = 1e-9

# Written once, in what DuckDB, SQLite and PostgreSQL have in common.
CARRIER_MONTHS = """
SELECT f.carrier, a.name AS airline, f.month, count(*) AS flights, count(f.arr_delay) AS arrived, avg(f.dep_delay) AS mean_departure_delay
FROM FLIGHTS f JOIN AIRLINES a ON a.carrier = f.carrier
GROUP BY f.carrier, a.name, f.month
ORDER BY f.carrier, f.month
"""
FLIGHT_WEATHER = """
SELECT f.origin, f.dep_delay, f.arr_delay,
       CASE WHEN w.visib < 3 THEN 'poor' WHEN w.visib < 10 THEN 'fair' WHEN w.visib >= 10 THEN 'good' ELSE 'unknown' END AS visibility,
       CASE WHEN w.wind_speed >= 20 THEN 'strong' WHEN w.wind_speed < 20 THEN 'weak' ELSE 'unknown' END AS wind,
       CASE WHEN w.precip > 0 THEN 'wet' ELSE 'dry' END AS precipitation
FROM FLIGHTS f JOIN WEATHER w ON w.origin = f.origin AND w.time_hour = f.time_hour
"""
DELAY_BY_WEATHER = """
SELECT visibility, wind, precipitation, count(*) AS flights, avg(dep_delay) AS mean_departure_delay, avg(arr_delay) AS mean_arrival_delay
FROM FLIGHT_WEATHER
GROUP BY visibility, wind, precipitation
ORDER BY visibility, wind, precipitation
"""
FLEET = """
SELECT p.manufacturer, a.tzone, count(*) AS flights, avg(p.seats) AS mean_seats, min(p.year) AS oldest
FROM FLIGHTS f JOIN PLANES p ON p.tailnum = f.tailnum JOIN AIRPORTS a ON a.faa = f.dest
GROUP BY p.manufacturer, a.tzone
ORDER BY p.manufacturer, a.tzone
"""
KEYS = {"CARRIER_MONTHS": 3, "DELAY_BY_WEATHER": 3, "FLEET": 2}

Table = dict[tuple[object, ...], tuple[object, ...]]


def read_frames(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the five files as pandas does; text is text, NA included, which pandas would take for a missing value."""
    frames = {}
    for name in SOURCES:
        frame = pd.read_csv(folder / f"{name}.csv")
        words = [column for column in frame.columns if not pd.api.types.is_numeric_dtype(frame[column])]
        texts = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False, na_values=[""], usecols=words)
        frames[name] = frame.assign(**{column: texts[column] for column in words})
    return frames


def figures(frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the three results, by pandas alone."""
    flights, weather = frames["flights"], frames["weather"]
    carriers = flights.merge(frames["airlines"], on="carrier").groupby(["carrier", "name", "month"])
    carrier_months = carriers.agg(flights=("year", "size"), arrived=("arr_delay", "count"), delay=("dep_delay", "mean"))

    joined = flights.merge(weather, on=["origin", "time_hour"])
    classes = [
        pd.cut(joined["visib"], [-1, 2.999999, 9.999999, 100], labels=["poor", "fair", "good"]).astype(object).fillna("unknown"),
        (joined["wind_speed"] >= 20).map({True: "strong", False: "weak"}).where(joined["wind_speed"].notna(), "unknown"),
        (joined["precip"] > 0).map({True: "wet", False: "dry"}),
    ]
    weathers = joined.groupby([group.rename(name) for group, name in zip(classes, "vwp", strict=True)])
    by_weather = weathers.agg(flights=("origin", "size"), departure=("dep_delay", "mean"), arrival=("arr_delay", "mean"))

    flown = flights.merge(frames["planes"], on="tailnum", suffixes=("", "_plane")).merge(frames["airports"], left_on="dest", right_on="faa")
    fleets = flown.groupby(["manufacturer", "tzone"], dropna=False)
    fleet = fleets.agg(flights=("carrier", "size"), seats=("seats", "mean"), oldest=("year_plane", "min"))
    return {"CARRIER_MONTHS": carrier_months, "DELAY_BY_WEATHER": by_weather, "FLEET": fleet}


def as_table(rows: list[tuple[object, ...]], keys: int) -> Table:
    """Index rows by their first columns; numbers become floats, whatever type a database gives them."""
    table = {tuple(_plain(value) for value in row[:keys]): tuple(_plain(value) for value in row[keys:]) for row in rows}
    assert len(table) == len(rows)
    return table


def _plain(value: object) -> object:
    if value is None or value == "" or str(value) == "nan":
        return None
    try:
        return float(str(value))
    except ValueError:
        return str(value)


def same(found: Table, wanted: Table) -> None:
    """Require the same keys and, up to the last digits of a mean, the same figures."""
    assert found.keys() == wanted.keys()
    for key, values in wanted.items():
        for left, right in zip(found[key], values, strict=True):
            assert left == (pytest.approx(right, rel=RELATIVE_TOLERANCE, abs=1e-9) if isinstance(right, float) else right), key


def flights_project(make_project: MakeProject, kind: str, folder: Path) -> Project:
    """Make the project and run it."""
    project = make_project(kind)
    for name in SOURCES:
        (project.path / f"data/source/{name}.csv").hardlink_to(folder / f"{name}.csv")
    project.processed("FLIGHT_WEATHER", FLIGHT_WEATHER)
    project.final("CARRIER_MONTHS", CARRIER_MONTHS)
    project.final("DELAY_BY_WEATHER", DELAY_BY_WEATHER)
    project.final("FLEET", FLEET)
    project.check("CARRIERS_ARE_KNOWN", "SELECT carrier FROM FLIGHTS WHERE carrier NOT IN (SELECT carrier FROM AIRLINES)")
    project.run(timeout=RUN_SECONDS)
    return project


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(2 * RUN_SECONDS)
def test_flights_are_what_pandas_finds(make_project: MakeProject, flights_folder: Path, kind: str) -> None:
    frames = read_frames(flights_folder)
    expected = figures(frames)
    project = flights_project(make_project, kind, flights_folder)
    for table, rows in ROWS.items():
        assert project.query(f"SELECT count(*) FROM {table}") == [(rows,)]
    for name, frame in expected.items():
        keys = KEYS[name]
        wanted = as_table(list(frame.reset_index().itertuples(index=False, name=None)), keys)
        same(as_table(project.query(f"SELECT * FROM {name}"), keys), wanted)
        same(as_table([tuple(row.values()) for row in project.exported(f"final/{name}.csv")], keys), wanted)
    same_columns(project, frames)

    # and once more: nothing to do, in no time
    before = project.identities()
    project.run()
    assert set(project.outcome().values()) == {"reused"}
    assert project.identities() == before


def same_columns(project: Project, frames: dict[str, pd.DataFrame]) -> None:
    """Require of each imported column as many values as pandas finds, and the same sum or the same extremes."""
    for name, frame in frames.items():
        asked, wanted = [], []
        for column in frame.columns:
            values = frame[column].dropna()
            numeric = pd.api.types.is_numeric_dtype(values)
            asked.append(f'count("{column}"), sum("{column}")' if numeric else f'count("{column}"), count(DISTINCT "{column}")')
            wanted += [len(values), pytest.approx(float(values.sum() if numeric else values.nunique()), rel=1e-9)]
        (found,) = project.query(f"SELECT {', '.join(asked)} FROM {name.upper()}")
        assert [float(figure or 0) for figure in found] == wanted, name
