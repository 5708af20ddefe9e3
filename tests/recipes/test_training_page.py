"""docs/training.md: its code runs, its commands are understood, both languages agree, its links lead somewhere."""

import re
from pathlib import Path

import pytest

from pages import blocks

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["training.md", "training.zh-CN.md"]


def test_both_languages_show_the_same_code():
    for language in ("python", "sh"):
        assert blocks(DOCS / PAGES[0], language) == blocks(DOCS / PAGES[1], language)
        assert blocks(DOCS / PAGES[0], language)


def test_both_languages_show_the_same_numbers():
    def numbers(name):
        table = [line for line in (DOCS / name).read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
        return [re.findall(r"\d+\.\d+", line) for line in table]

    assert numbers(PAGES[0]) == numbers(PAGES[1])
    assert any(numbers(PAGES[0]))


def test_the_python_runs(capsys):
    (block,) = blocks(DOCS / PAGES[0], "python")
    exec(compile(block, PAGES[0], "exec"), {})
    assert float(capsys.readouterr().out.splitlines()[-1]) > 0.9


def test_commands_are_understood():
    import shlex

    from pellucid.cli import app

    lines = [
        line for block in blocks(DOCS / PAGES[0], "sh") for line in block.splitlines() if line.startswith("pellucid ")
    ]
    assert len(lines) > 10
    for line in lines:
        command, _, _ = line.partition(" > ")  # what follows is the shell's
        app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_linked_is_there(name):
    for target in re.findall(r"\]\(([^)#:]+)\)", (DOCS / name).read_text(encoding="utf-8")):
        assert (DOCS / target).exists(), target
