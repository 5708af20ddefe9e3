"""docs/searching.md: its space is one, its commands are understood, both languages agree."""

import re
import shlex
from pathlib import Path

import pytest

from pages import blocks
from pellucid import recipes
from pellucid.cli import app
from pellucid.search.space_file import read_space

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["searching.md", "searching.zh-CN.md"]


def test_both_languages_show_the_same_code():
    for language in ("toml", "sh", "text"):
        assert blocks(DOCS / PAGES[0], language) == blocks(DOCS / PAGES[1], language)
        assert blocks(DOCS / PAGES[0], language)


def test_both_languages_show_the_same_numbers():
    def numbers(name):
        return re.findall(r"\d+\.\d+ %|\d,\d{3}", (DOCS / name).read_text(encoding="utf-8"))

    assert numbers(PAGES[0]) == numbers(PAGES[1]) != []


def test_the_space_is_one_of_the_tutorials_recipe(tmp_path):
    (block,) = blocks(DOCS / PAGES[0], "toml")
    (tmp_path / "space.toml").write_text(block)
    space = read_space(tmp_path / "space.toml", recipes.load("tutorial"))
    assert space.own_params() is not None  # the first trial is the recipe as it is
    assert "optimizer.momentum" not in space.active[("adam",)]


def test_the_ways_to_write_a_space(tmp_path):
    table = re.findall(r"^\| (`.*?`(?:, `.*?`)?) \|", (DOCS / PAGES[0]).read_text(encoding="utf-8"), re.MULTILINE)
    written = [entry for line in table for entry in re.findall(r"`(.*?)`", line) if entry[0] in "{[" or "=" in entry]
    assert len(written) == 6
    keys = ["loss.reg", "train.epochs", "optimizer.learning_rate", "optimizer.rule", "network.hidden", ""]
    recipe = recipes.load("tutorial").with_changes({"network.name": "fully-connected"})
    for key, entry in zip(keys, written, strict=True):
        (tmp_path / "space.toml").write_text(f'"{key}" = {entry}' if key else entry)
        read_space(tmp_path / "space.toml", recipe)


def test_commands_are_understood():
    lines = [line for block in blocks(DOCS / PAGES[0], "sh") for line in block.splitlines() if line.startswith("pell")]
    assert len(lines) == 5
    for line in lines:
        app.parse_args(shlex.split(line.removesuffix(" &"))[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_linked_is_there(name):
    for target in re.findall(r"\]\(([^)#:]+)\)", (DOCS / name).read_text(encoding="utf-8")):
        assert (DOCS / target).exists(), target
