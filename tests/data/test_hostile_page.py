"""docs/hostile-files.md, in both languages, states the limits that hold."""

import re
from pathlib import Path

import pytest

from pellucid.data import pictures
from pellucid.models import description
from pellucid.shipping import model_file

DOCS = Path(__file__).parents[2] / "docs"
PAGES = pytest.mark.parametrize(
    "page", [DOCS / "hostile-files.md", DOCS / "hostile-files.zh-CN.md"], ids=lambda p: p.name
)


@PAGES
def test_the_limits_are_those_of_the_code(page):
    text = page.read_text(encoding="utf-8")
    for number in (
        pictures.MOST_PIXELS,
        description.MOST_NUMBERS,
        description.MOST_STEPS,
        model_file.MOST_BYTES,
        model_file.MOST_HEADER_BYTES,
    ):
        assert f"{number:,}" in text, number
    assert f"{pictures.MOST_FILE_BYTES // 2**20} MB" in text


@PAGES
def test_what_is_linked_is_there(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
