"""A real browser, and the studio as a user starts it.

`make test-web` installs what is needed. Pictures of every room go to build/web.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from studio_in_a_browser import PATIENCE_S, Studio

from program import PROGRAM


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.fspath).parents:
            item.add_marker(pytest.mark.web)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """A folder with a finished run on the digits, as a user's would be."""
    folder = tmp_path_factory.mktemp("workshop")
    command = [str(PROGRAM), "train", "digits", "--epochs", "6", "--filters", "8", "--run", "runs/first"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=os.environ | {"PELLUCID_QUIET": "1"})
    return folder


@pytest.fixture(scope="session")
def studio(workshop):
    opened = Studio(workshop)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def driver():
    """Headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="`make test-web` installs a browser's driver")

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if binary is None or chromedriver is None:
        pytest.fail("there is no Chromium with its driver on the PATH; `make test-web` installs it")
    options.binary_location = binary
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    opened.set_script_timeout(PATIENCE_S)
    yield opened
    opened.quit()


@pytest.fixture(params=["en", "zh"])
def language(request):
    return request.param
