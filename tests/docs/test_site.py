"""The documentation site: built without a warning, whole, in both languages, and with nothing from outside."""

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

try:
    import fcntl
except ImportError:  # on Windows nobody runs the tests in two processes
    fcntl = None

pytest.importorskip("sphinx", reason="`make docs` installs what builds the site")
pytest.importorskip("myst_nb", reason="`make docs` installs what builds the site")

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "docs"


def module(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


reference = module("reference")
CHINESE = ".zh-CN"

ENGLISH_ONLY = set()
"""Pages of docs/ that have no Chinese twin; the site shows them in English in both."""
LANGUAGES = ("en", "zh-CN")
LOADED = {"script": "src", "img": "src", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, file):
        super().__init__()
        self.links, self.loads, self.ids = [], [], set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in LOADED and given.get(LOADED[tag]):
            self.loads.append(given[LOADED[tag]])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(given["href"])


def build_once():
    """Build it, unless another process of the same test run has done so: there is one place for the site."""
    run, stamp = os.environ.get("PYTEST_XDIST_TESTRUNUID", ""), ROOT / "build" / "docs.built"
    stamp.parent.mkdir(exist_ok=True)
    with stamp.open("a+") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if run and file.read() == run:
            return
        done = subprocess.run([sys.executable, ROOT / "docs" / "build.py"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        file.truncate(0)
        file.write(run)


@pytest.fixture(scope="module")
def site():
    build_once()
    return {
        file.relative_to(SITE).as_posix(): Page(file) for file in SITE.rglob("*.html") if "sources" not in file.parts
    }


pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_every_link_leads_somewhere(site):
    for name, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            target = (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
            assert target.exists(), f"{name} links to {link}"
            there = site.get(target.resolve().relative_to(SITE.resolve()).as_posix())
            if parts.fragment and there is not None:
                assert unquote(parts.fragment) in there.ids, f"{name} links to {link}"


def test_nothing_is_loaded_from_elsewhere(site):
    for name, page in site.items():
        for address in page.loads:
            assert not address.startswith(("http:", "https:", "//")), f"{name} loads {address}"
    for style in SITE.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8", errors="replace")), style


def test_both_languages_have_the_same_pages(site):
    names = [{name.partition("/")[2] for name in site if name.startswith(f"{language}/")} for language in LANGUAGES]
    assert names[0] == names[1]
    for page in (ROOT / "docs").glob("*.md"):
        stem = page.name.removesuffix(".md")
        if not stem.endswith(CHINESE) and stem not in ENGLISH_ONLY:
            assert page.with_name(f"{stem}{CHINESE}.md").exists(), stem


def test_every_public_name_is_in_the_reference(site):
    for package in reference.PACKAGES:
        ids = site[f"en/api/{package.rpartition('.')[2]}.html"].ids
        for name in reference.public_names(package):
            assert f"{package}.{name}" in ids, f"{package}.{name}"
        for name in getattr(importlib.import_module(package), "__all__", ()):
            assert any(part.startswith(f"{package}.{name}") for part in ids), f"{package}.{name}"
    assert "pellucid.load" in site["en/api/index.html"].ids


def test_formulas_are_typeset_without_the_network(site):
    page = (SITE / "en" / "tutorial" / "01-convolution.html").read_text(encoding="utf-8")
    assert r"\frac{W - F + 2P}{S}" in page
    scripts = [address for address in site["en/tutorial/01-convolution.html"].loads if "mathjax" in address.lower()]
    assert scripts
    for address in scripts:
        assert (SITE / "en" / "tutorial" / urlsplit(address).path).exists()


def test_the_notebooks_figures_are_there(site):
    for language in LANGUAGES:
        for file in (ROOT / "docs" / "tutorial").glob("0*-*.ipynb"):
            if (CHINESE in file.name) != (language == "zh-CN"):
                continue
            drawn = file.read_text(encoding="utf-8").count('"image/png"')
            page = site[f"{language}/tutorial/{file.name.replace(CHINESE, '').removesuffix('.ipynb')}.html"]
            assert sum("_images" in address for address in page.loads) >= drawn > 0


def test_every_page_leads_to_its_twin(site):
    for name, page in site.items():
        language, _, rest = name.partition("/")
        if rest:
            other = next(each for each in LANGUAGES if each != language)
            twin = (SITE / other / rest).resolve()
            assert twin in {((SITE / name).parent / unquote(link)).resolve() for link in page.links}, name


def test_search_works_where_nothing_can_be_fetched(site):
    """A browser lets no page opened from disk fetch another, and stops at a name that no script has."""
    for language in LANGUAGES:
        static = SITE / language / "_static"
        assert "SHOW_SEARCH_SUMMARY: false" in (static / "documentation_options.js").read_text(encoding="utf-8")
        words = (static / "language_data.js").read_text(encoding="utf-8")
        stemmer = re.search(r"window\.Stemmer = (\w+);", words).group(1)
        assert re.search(rf"\b{stemmer}\s*=", words), f"{language}: there is no {stemmer}"
    assert "function splitQuery" in words  # the last is Chinese, which has no spaces to split at


def test_chinese_words_can_be_searched_for(site):
    text = (SITE / "zh-CN" / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    for word in ("卷积", "步长", "梯度"):
        assert word in index["terms"] or word in index["titleterms"], word
