"""The rooms of the studio in a real browser, in both languages: what a user does, and what the page then shows."""

import contextlib
import io
import json
import subprocess
import time

import numpy as np
import pytest
from PIL import Image
from studio_in_a_browser import PATIENCE_S, PICTURES, SIZES, Studio

from pellucid.data import load_digits
from pellucid.inspect.walk import walk
from pellucid.layers import conv_forward_naive
from program import PROGRAM

selenium = pytest.importorskip("selenium", reason="`make test-web` installs it")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402


class Page:
    """One page, looked at through what its elements are called for tests."""

    def __init__(self, driver, url, language):
        self.driver, self.url = driver, url
        driver.get(url)
        self.script("localStorage.clear(); localStorage.setItem('pellucid.language', arguments[0])", language)
        self.language = language

    def open(self, place):
        self.driver.get("about:blank")  # so that the page is loaded anew
        self.driver.get(self.url + place)
        return self

    def script(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def all(self, name, extra=""):
        return self.driver.find_elements("css selector", f'[data-test="{name}"]{extra}')

    def one(self, name, extra=""):
        return self.until(lambda: self.all(name, extra), f"{name}{extra}")[0]

    def value(self, name, extra=""):
        return float(self.one(name, extra).get_attribute("data-value"))

    def until(self, wanted, what="it"):
        """What ``wanted`` gives, once it gives something."""
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            with contextlib.suppress(StaleElementReferenceException):  # the page has drawn it anew: look again
                if found := wanted():
                    return found
            time.sleep(0.05)
        said = [each.text for each in self.all("alert-message")]
        raise AssertionError(f"{what} did not come; the page says {said}; {self.driver.get_log('browser')}")

    def choose(self, name, value):
        self.script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}));"
            "arguments[0].dispatchEvent(new Event('change', {bubbles: true}))",
            self.one(name),
            value,
        )

    def picture(self, name):
        """A picture of the page in every size and theme, for people."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        for size, (width, height) in SIZES.items():
            self.driver.set_window_size(width, height)
            for theme in ("light", "dark"):
                self.script("document.documentElement.dataset.theme = arguments[0]", theme)
                time.sleep(0.3)
                self.driver.save_screenshot(str(PICTURES / f"{name}-{self.language}-{size}-{theme}.png"))
            assert self.script("return document.documentElement.scrollWidth <= innerWidth + 1"), f"{name} is too wide"
        self.driver.set_window_size(*SIZES["laptop"])

    def close(self):
        """No error was written to the console, and no other host was asked."""
        errors = [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]
        assert errors == []
        for line in self.driver.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked = message["params"]["request"]["url"]
                assert asked.startswith((self.url, "data:", "blob:", "about:", "chrome:")), asked


@pytest.fixture
def page(driver, studio, language):
    driver.set_window_size(*SIZES["laptop"])
    opened = Page(driver, studio.url, language)
    yield opened
    opened.close()


def test_a_run_is_started_and_its_curve_grows(page, language):
    page.open("#/runs")
    page.one("start").click()
    page.choose("form-data", "digits")
    page.choose("form-recipe", "tutorial")
    for name, value in (("epochs", "100000"), ("name", f"from-the-page-{language}"), ("set", "network.filters=4")):
        page.driver.find_element("css selector", f"dialog [name={name}]").send_keys(value)
    page.one("form-go").click()

    def drawn_to():
        """How far the curves go: a long one is thinned, so that its points do not become more."""
        return page.script(
            "return Math.max(0, ...[...document.querySelectorAll('.js-plotly-plot')]"
            ".flatMap((plot) => (plot.data ?? []).map((trace) => Number(trace.x?.at(-1) ?? 0))))"
        )

    first = page.until(drawn_to, "a curve")
    page.until(lambda: drawn_to() > first, "more of the curve")
    page.picture("runs")
    page.one("stop").click()
    page.one("resume")
    page.open("#/filters/from-the-page-" + language)  # a run in the middle is looked into, too
    page.one("frame")


def test_a_picture_is_dropped_and_read_as_the_program_reads_it(page, workshop):
    digits = load_digits()
    file = workshop / "a digit.png"
    Image.fromarray(digits.X_test.pixels[11, :, :, 0]).resize((64, 64)).save(file)
    command = [str(PROGRAM), "predict", "runs/first", file.name, "--json", "--top", "10"]
    done = subprocess.run(command, cwd=workshop, capture_output=True, text=True, check=True)
    expected = json.loads(done.stdout)

    page.open("#/image/first")
    page.one("prediction", '[data-of="0"]')
    page.one("file").send_keys(str(file))
    shown = page.one("prediction", '[data-of="file"]')
    assert shown.get_attribute("data-label") == expected["label"]
    page.one("all").click()
    found = {e.get_attribute("data-label"): float(e.get_attribute("data-value")) for e in page.all("probability")}
    assert found == pytest.approx(dict(map(tuple, expected["top"])), abs=1e-6)


def test_a_test_image_layer_by_layer(page):
    page.open("#/image/first/7")
    page.one("prediction", '[data-of="7"]')
    assert len(page.all("layer")) == 6
    for overlay in ("saliency", "grad_cam"):
        page.until(lambda: page.script("return arguments[0].naturalWidth", page.one(overlay)) == 8, overlay)  # noqa: B023
    page.choose("why", "3")
    for overlay in ("saliency", "grad_cam"):
        page.one(overlay, '[data-target="3"]')
    page.picture("image")
    first = page.one("map", '[data-layer="conv1"][data-index="0"]')
    first.click()
    dialog = page.one("enlarged")
    page.until(lambda: page.script("return arguments[0].naturalWidth", page.one("filter")), "the filter's picture")
    assert page.script("return arguments[0].naturalWidth", page.one("filter")) == 7
    dialog.send_keys("\ue014")  # the right arrow
    page.until(lambda: dialog.get_attribute("data-index") == "1", "the next map")
    dialog.send_keys("\ue00c")  # Escape
    page.until(lambda: not dialog.is_displayed(), "the end of the dialog")
    assert page.script("return document.activeElement.dataset.test") == "map"


def test_the_film_is_slid_and_the_strongest_are_asked_for(page):
    page.open("#/filters/first")
    slider, frame = page.one("slider"), page.one("frame")
    last = page.until(lambda: frame.get_attribute("data-step"), "the film")
    slider.send_keys("\ue011")  # Home
    page.until(lambda: frame.get_attribute("data-step") == "0", "the first frame")
    assert page.script("return arguments[0].width * arguments[0].height", frame) > 8 * 7 * 7
    slider.send_keys("\ue014")
    page.until(lambda: frame.get_attribute("data-step") == "1", "the next frame")
    slider.send_keys("\ue010")  # End
    page.until(lambda: frame.get_attribute("data-step") == last, "the last frame")
    page.one("ask").click()
    page.one("strongest")
    rows = page.all("strongest")
    assert len(rows) == 8
    values = [
        float(e.get_attribute("data-value")) for e in rows[0].find_elements("css selector", '[data-test="answer"]')
    ]
    assert values == sorted(values, reverse=True)
    page.picture("filters")


def test_every_number_of_the_convolution_is_the_naive_functions(page):
    page.open("#/convolution")
    page.choose("example", "volume")
    shown = walk({"example": "volume"})
    x, w, b = (np.array(shown["arrays"][name]) for name in ("x", "w", "b"))
    out, _ = conv_forward_naive(x[None], w, b, {"stride": 2, "pad": 0})
    page.until(lambda: page.value("size") == 4, "the size")
    assert page.value("multiply-adds") == 4 * 4 * 2 * 5 * 5 * 4
    for k, i, j in ((0, 0, 0), (1, 1, 3), (1, 3, 2)):
        page.script("arguments[0].click()", page.one("out-cell", f'[data-k="{k}"][data-i="{i}"][data-j="{j}"]'))
        products = w[k] * x[:, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5]
        page.until(lambda: page.value("out-value") == out[0, k, i, j], "the value")  # noqa: B023
        assert page.value("sum") == products.sum()
        assert page.value("bias") == b[k]
        cells = sorted(float(e.get_attribute("data-value")) for e in page.all("product"))
        assert any(cells == sorted(one.ravel()) for one in products), "the products of a channel"
        assert int(page.one("lit").get_attribute("data-line")) in shown["work"]
    page.picture("convolution")
    before = page.one("lit").get_attribute("data-line")
    page.one("next").click()
    page.until(lambda: page.one("lit").get_attribute("data-line") != before, "the next line")


def test_sizes_are_typed_and_computed(page):
    page.open("#/convolution")
    page.choose("operation", "conv_forward")
    for name, value in (("in-height", "8"), ("in-width", "8"), ("in-size", "3"), ("in-stride", "2"), ("in-pad", "1")):
        page.choose(name, value)
    page.until(lambda: page.value("size") == 4, "(8 - 3 + 2) / 2 + 1, rounded down")


def test_mistakes_and_the_images_behind_them(page, workshop):
    report = json.loads((workshop / "runs" / "first" / "evaluation.json").read_text())
    confusion = np.array(report["confusion"])
    page.open("#/mistakes/first")
    page.one("accuracy")
    cells = page.driver.find_elements("css selector", ".matrix td")
    assert [int(cell.text or 0) for cell in cells] == confusion.ravel().tolist()
    wrong = confusion - np.diag(np.diag(confusion))
    at = int(wrong.argmax())
    cells[at].click()
    page.until(lambda: len(page.one("cell").find_elements("css selector", "li")) == wrong.max(), "its images")
    page.picture("mistakes")


def test_language_and_theme_are_changed_and_remembered(page, language):
    other = {"en": "zh", "zh": "en"}[language]
    page.open("#/runs")
    title = page.one("title").text
    page.one(f"language-{other}").click()
    page.until(lambda: page.one("title").text not in ("", title), "another language")
    assert page.script("return document.documentElement.lang").startswith(other)
    theme = page.script("return document.documentElement.dataset.theme")
    page.one("theme").click()
    page.open("#/runs")
    page.one("title")
    assert page.script("return document.documentElement.dataset.theme") != theme
    assert page.script("return document.documentElement.lang").startswith(other)


def test_a_hostile_picture_is_a_sentence_and_the_page_goes_on(driver, studio, tmp_path):
    page = Page(driver, studio.url, "en")
    for name, content in (("text.png", b"hello"), ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(20))):
        (tmp_path / name).write_bytes(content)
        page.open("#/image/first")
        page.one("prediction")
        page.one("file").send_keys(str(tmp_path / name))
        assert page.one("alert-message").text
    good = io.BytesIO()
    Image.new("L", (8, 8)).save(good, "PNG")
    (tmp_path / "good.png").write_bytes(good.getvalue())
    page.one("file").send_keys(str(tmp_path / "good.png"))
    page.one("prediction", '[data-of="file"]')
    driver.get_log("browser")  # the refusals stand there


def test_a_run_that_is_deleted_while_it_is_looked_at(driver, workshop, tmp_path):
    import shutil

    shutil.copytree(workshop / "runs" / "first", tmp_path / "runs" / "doomed")
    studio = Studio(tmp_path)
    try:
        page = Page(driver, studio.url, "en")
        page.open("#/image/doomed")
        page.one("prediction")
        shutil.rmtree(tmp_path / "runs" / "doomed")
        page.one("alert-message")
        page.open("#/runs")
        page.one("title")
        driver.get_log("browser")
    finally:
        studio.close()


def test_ten_pages_share_one_stream_and_all_are_answered(driver, studio):
    page = Page(driver, studio.url, "en")
    first = driver.current_window_handle
    try:
        for _ in range(9):
            driver.switch_to.new_window("tab")
            driver.get(studio.url + "#/runs")
            page.one("runs")
            page.until(lambda: page.one("live").get_attribute("data-state") == "live", "the stream")
    finally:
        for handle in driver.window_handles:
            if handle != first:
                driver.switch_to.window(handle)
                driver.close()
        driver.switch_to.window(first)


def test_the_page_goes_on_after_the_server_was_away(driver, workshop, tmp_path):
    studio = Studio(workshop)
    port = studio.url.rsplit(":", 1)[1].strip("/")
    page = Page(driver, studio.url, "en")
    page.open("#/runs")
    page.until(lambda: page.one("live").get_attribute("data-state") == "live", "the stream")
    studio.close()
    page.until(lambda: page.one("live").get_attribute("data-state") == "reconnecting", "a word of it")
    again = Studio(workshop, port)
    try:
        page.until(lambda: page.one("live").get_attribute("data-state") == "live", "the stream again")
        driver.get_log("browser")
    finally:
        again.close()
