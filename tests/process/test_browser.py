"""What a person sees of a launched project, in a real browser."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.ui import WebDriverWait

from tests.conftest import MakeProject
from tests.process.graphql import launch_run, wait_for_run
from tests.process.instances import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TABLES = ("SAMPLE_DATA", "COUNTRY_FIGURES", "CONTINENTS")
OPTIONS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-dev-shm-usage --window-size=1500,850".split()
SHOWN_SECONDS = 60
PICTURE = os.environ.get("PDBT_PICTURE", "")  # where to save what is seen, for the documentation


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """Debian's chromium, or Chrome, without a window."""
    driver = shutil.which("chromedriver")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if driver is None or program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs a browser: apt-get install chromium chromium-driver")
        pytest.skip("no browser here: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = program
    for option in (*OPTIONS, f"--user-data-dir={tmp_path / 'browser'}"):
        options.add_argument(option)
    chrome = Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def wait_for_texts(browser: Chrome, *texts: str) -> None:
    """Wait until the page shows all of these."""

    def shown(driver: Chrome) -> bool:
        seen = driver.find_element(By.TAG_NAME, "body").text
        return all(text in seen for text in texts)

    WebDriverWait(browser, SHOWN_SECONDS).until(shown, f"the page does not show {texts}")


def open_groups(browser: Chrome) -> None:
    """Click on the three groups of the graph, which Dagster shows folded; shown anew, the graph fits its window."""
    for group in ("source", "processed", "final"):
        heading = (By.XPATH, f"//*[local-name()='foreignObject']//*[text()='{group}']")
        WebDriverWait(browser, SHOWN_SECONDS).until(element_to_be_clickable(heading)).click()
        time.sleep(1)  # the graph moves, and remembers it
        browser.refresh()


def test_the_page_shows_the_graph_of_the_tables_and_a_green_run(
    make_project: MakeProject, launched: Callable[..., Shop], browser: Chrome
) -> None:
    shop = launched(make_project("shop") / "sample", schedule_status="stopped", sensor_status="stopped")
    run_id = launch_run(shop.port, "shop-sample")
    assert wait_for_run(shop.port, run_id) == "SUCCESS"

    browser.get(f"http://127.0.0.1:{shop.port}/asset-groups")
    open_groups(browser)
    wait_for_texts(browser, *TABLES)
    if PICTURE:
        time.sleep(5)  # until the tables are as green as their last run
        browser.save_screenshot(PICTURE)

    browser.get(f"http://127.0.0.1:{shop.port}/runs/{run_id}")
    wait_for_texts(browser, "Success", "run_pipeline", "main_pipeline_job")

    browser.get(f"http://127.0.0.1:{shop.port}/assets/CONTINENTS")
    wait_for_texts(browser, "scripts/final/CONTINENTS.sql", "FROM COUNTRY_FIGURES", "yearly_salary_usd", "Row count")
