"""The READMEs: their Python runs, both languages show the same code, and what they point to is there."""

import re
from pathlib import Path

import pytest

from pages import blocks

ROOT = Path(__file__).parents[1]
READMES = ["README.md", "README.zh-CN.md"]


def test_both_languages_show_the_same_code():
    for language in ("python", "sh", "text"):
        assert blocks(ROOT / READMES[0], language) == blocks(ROOT / READMES[1], language)
        assert blocks(ROOT / READMES[0], language)


def test_the_python_runs_from_top_to_bottom(capsys):
    namespace = {}
    for block in blocks(ROOT / "README.md", "python"):
        if not block.startswith("for i in range(H_out)"):  # quoted from the naive convolution
            exec(compile(block, "README.md", "exec"), namespace)
    out = capsys.readouterr().out
    assert "(8, 16, 16, 16) True" in out
    assert "1 at kinks, first (0, 2)" in out
    assert float(out.splitlines()[-1]) > 0.8


def test_the_quoted_naive_convolution_is_the_real_one():
    quoted = next(block for block in blocks(ROOT / "README.md", "python") if block.startswith("for i in range(H_out)"))
    source = (ROOT / "src/pellucid/layers/convolution.py").read_text(encoding="utf-8")
    real = re.sub(r"\s*# .*", "", source)
    assert "\n".join("    " + line for line in quoted.splitlines()) in real


@pytest.mark.parametrize("name", [*READMES, "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_what_is_linked_is_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("name", READMES)
def test_commands_have_the_options_that_are_shown(name):
    from pellucid.cli import app

    for block in blocks(ROOT / name, "sh"):
        for line in block.splitlines():
            if line.startswith("pellucid "):
                command, _, _ = line.partition(" > ")  # what follows is the shell's
                app.parse_args(command.split()[1:], exit_on_error=False, print_error=False)
