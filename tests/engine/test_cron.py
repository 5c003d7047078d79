"""Cron expressions: taken are those that Dagster takes."""

from __future__ import annotations

import random

import pytest
from dagster._utils.schedules import is_valid_cron_schedule

from pdbt.engine.cron import is_cron

TAKEN = [
    "*/5 * * * *",
    "0 2 * * *",
    "  0\t2 * *   * ",
    "0,15,30-40,45-59/5 8-18 * * 1-5",
    "5/10 00 01 */2 MON-fri",
    "0 0 1 Jan,jul *",
    "0 0 15,L * ?",
    "0 0 20-L/2 * *",
    "0 0 ? nov-feb sat-mon",
    "0 0 * * 7",
    "0 0 * * 5-7",
    "0 0 * * mon-mon",
    "0 0 * * 5#2,sun#1",
    "0 0 * * mon-fri#1",
    "0 0 * * sun-sat,mon#1",
    "0 0 * * sun-fri,*,fri#5",
    "0 0 * * L5",
    "0 0 30,31 2 *",
    "@hourly",
    "@midnight",
    "@Daily",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
]
REFUSED = [
    "",
    "every day",
    "every day at two o'clock",
    "nightly",
    "@nightly",
    " @daily",
    "@reboot",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "-1 * * * *",
    "0 24 * * *",
    "0 0 0 * *",
    "0 0 32 * *",
    "0 0 * 13 *",
    "0 0 * 0-3 *",
    "0 0 * mon *",
    "0 0 * * jan",
    "0 0 * * 8",
    "0 0 * * mon#6",
    "0 0 * * mon#0",
    "0 0 * * 2-4#1",
    "0 0 * * 1,2#3",
    "0 0 * * sun-sat,*,mon#1",
    "0 0 * * L",
    "0 0 L-3 * *",
    "0 ? * * *",
    "0 0 1,? * *",
    "*/0 * * * *",
    "*/ * * * *",
    "1,,2 * * * *",
    "*-5 * * * *",
    "1-2-3 * * * *",
    "1/2/3 * * * *",
    "*/x * * * *",
    "H * * * *",
    "1_0 * * * *",
    "0 0 30 2 *",
    "0 0 31 feb *",
]
PARTS = ["*", "?", "l", "L", "0", "1", "2", "05", "5", "7", "12", "23", "30", "31", "59", "60", "mon", "SUN", "feb", "Dec", "h"]
RIGHT = (
    ["0", "5", "30", "59"],
    ["0", "7", "23"],
    ["1", "5", "30", "31", "L"],
    ["1", "2", "12", "feb", "Dec"],
    ["0", "5", "7", "mon", "SUN", "L5"],
)
DRAWN = 3000


def drawn_column(dice: random.Random, place: int) -> str:
    """Draw a column of elements that mostly are of their place, and right in themselves."""

    def part() -> str:
        return dice.choice(RIGHT[place] if dice.random() < 0.8 else PARTS)

    def element() -> str:
        high = f"-{part()}" if dice.random() < 0.4 else ""
        step = dice.choice(["/0", "/1", "/2", "/7", "/40", "/x"]) if dice.random() < 0.25 else ""
        nth = dice.choice(["#0", "#1", "#5", "#6"]) if dice.random() < (0.3 if place == 4 else 0.02) else ""
        return part() + high + step + nth

    return ",".join(element() for _ in range(dice.choice([1, 1, 2, 3])))


def has_a_zero(text: str) -> bool:
    """Whether a day or month of this expression is 0, which Dagster takes as the end of a range."""
    return any(part.split("/")[0].endswith("-0") for column in text.split()[2:4] for part in column.split(","))


@pytest.mark.parametrize("text", TAKEN)
def test_what_dagster_takes_is_taken(text: str) -> None:
    assert is_valid_cron_schedule(text)
    assert is_cron(text)


@pytest.mark.parametrize("text", REFUSED)
def test_what_dagster_refuses_is_refused(text: str) -> None:
    assert not is_valid_cron_schedule(text)
    assert not is_cron(text)


def test_nothing_is_taken_or_refused_that_dagster_does_not() -> None:
    """Drawn by dice alone: Hypothesis takes thirty times as long to draw an expression as Dagster and pdbt to judge it."""
    dice = random.Random()
    taken = 0
    for _ in range(DRAWN):
        columns = ["0", "0", "1", "1", "*"]
        for place in dice.sample(range(5), 2):
            columns[place] = drawn_column(dice, place)
        text = " ".join(columns)
        expected = is_valid_cron_schedule(text) and not has_a_zero(text)
        assert is_cron(text) == expected, text
        taken += expected
    assert DRAWN * 0.1 < taken < DRAWN * 0.9
