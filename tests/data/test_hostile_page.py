"""docs/hostile-files.md states the limits that hold."""

import re
from pathlib import Path

from pellucid.data import pictures
from pellucid.models import description
from pellucid.shipping import model_file

PAGE = Path(__file__).parents[2] / "docs" / "hostile-files.md"


def test_the_limits_are_those_of_the_code():
    text = PAGE.read_text(encoding="utf-8")
    for number in (
        pictures.MOST_PIXELS,
        description.MOST_NUMBERS,
        description.MOST_STEPS,
        model_file.MOST_BYTES,
        model_file.MOST_HEADER_BYTES,
    ):
        assert f"{number:,}" in text, number
    assert f"{pictures.MOST_FILE_BYTES // 2**20} MB" in text


def test_what_is_linked_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / target).exists(), target
