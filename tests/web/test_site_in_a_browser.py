"""The documentation opened from disk: search answers, formulas are typeset, and no script stops."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="`make docs` installs what builds the site")
pytest.importorskip("myst_nb", reason="`make docs` installs what builds the site")
By = pytest.importorskip("selenium.webdriver.common.by", reason="`make test-web` installs a browser's driver").By
wait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


@pytest.fixture(scope="module")
def site():
    done = subprocess.run([sys.executable, ROOT / "docs" / "build.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return (ROOT / "build" / "docs").as_uri()


@pytest.mark.parametrize(
    ("language", "query", "page"),
    [
        ("en", "padding", "01-convolution"),
        ("zh-CN", "卷积", "01-convolution"),
        ("zh-CN", "批归一化步长", "06-batch-norm"),
    ],
)
def test_search_answers(driver, site, language, query, page):
    driver.get_log("browser")
    driver.get(f"{site}/{language}/search.html?q={query}")
    found = f"#search-results li a[href*='{page}']"
    wait(driver, PATIENCE_S).until(lambda seen: seen.find_elements(By.CSS_SELECTOR, found))
    assert [line["message"] for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []


def test_nonsense_is_not_found(driver, site):
    driver.get(f"{site}/zh-CN/search.html?q=齉龘")
    wait(driver, PATIENCE_S).until(lambda seen: seen.find_element(By.CSS_SELECTOR, ".search-summary").text)
    assert driver.find_elements(By.CSS_SELECTOR, "#search-results li") == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_formulas_are_typeset(driver, site, language):
    driver.get_log("browser")
    driver.get(f"{site}/{language}/tutorial/01-convolution.html")
    wait(driver, PATIENCE_S).until(lambda seen: seen.find_elements(By.CSS_SELECTOR, "mjx-container"))
    assert [line["message"] for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_no_page_is_wider_than_a_phone(driver, site, language):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        for page in ("index", "training", "onnx-operators", "api/layers", "tutorial/06-batch-norm", "ARCHITECTURE"):
            driver.get(f"{site}/{language}/{page}.html")
            assert driver.execute_script("return document.documentElement.scrollWidth") <= 390, page
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
