"""docs/launch.md: its commands are understood, its limits are the ones there are, both languages agree."""

import re
import shlex
from pathlib import Path

import pytest

from pages import blocks
from pellucid.cli import app
from pellucid.launch.attempt import LEAVE_S
from pellucid.launch.supervisor import Limits

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["launch.md", "launch.zh-CN.md"]


def text(name):
    return (DOCS / name).read_text(encoding="utf-8")


def test_both_languages_show_the_same_code():
    for language in ("sh", "text"):
        assert blocks(DOCS / PAGES[0], language) == blocks(DOCS / PAGES[1], language)
        assert blocks(DOCS / PAGES[0], language)


def test_both_languages_name_the_same_things():
    def named(name):
        prose = re.sub(r"```.*?```", "", text(name), flags=re.DOTALL)
        return {" ".join(words.split()) for words in re.findall(r"`([^`]+)`", prose)}

    assert named(PAGES[0]) == named(PAGES[1])


def test_commands_are_understood():
    lines = [line for block in blocks(DOCS / PAGES[0], "sh") for line in block.splitlines() if line.startswith("pell")]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)[1:]
        app.parse_args(words, exit_on_error=False, print_error=False)
        app.parse_args(words[words.index("train") :], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("name", PAGES)
def test_the_limits_are_those_of_the_program(name):
    told, limits = text(name), Limits()
    for option, value in (
        ("stall-timeout", limits.stall_s),
        ("start-timeout", limits.start_s),
        ("max-restarts", limits.restarts),
        ("max-fruitless", limits.fruitless),
    ):
        assert re.search(rf"`--{option}`\D{{1,60}}\b{value:g}\b", told, re.ASCII), option
    assert f"{LEAVE_S:g} " in told


@pytest.mark.parametrize("name", PAGES)
def test_what_is_linked_is_there(name):
    for target in re.findall(r"\]\(([^)#:]+)\)", text(name)):
        assert (DOCS / target).exists(), target
