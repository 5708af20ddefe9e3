"""The page on shipping does what it says, in both languages."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid
from pages import blocks
from pellucid.data import load_digits
from program import PROGRAM

DOCS = Path(__file__).parents[2] / "docs"
ENGLISH, CHINESE = DOCS / "shipping.md", DOCS / "shipping.zh-CN.md"


@pytest.mark.parametrize("language", ["sh", "python"])
def test_both_languages_show_the_same_code(language):
    assert blocks(ENGLISH, language) == blocks(CHINESE, language)
    assert blocks(ENGLISH, language)


def test_links_lead_somewhere():
    for page in (ENGLISH, CHINESE):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (DOCS / link).exists(), f"{page.name}: {link}"


@pytest.mark.slow
def test_the_page_runs(tmp_path):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    digits = load_digits().X_test.pixels[..., 0]
    (tmp_path / "folder").mkdir()
    Image.fromarray(digits[0]).save(tmp_path / "picture.png")
    for i in range(3):
        Image.fromarray(digits[i]).save(tmp_path / "folder" / f"{i}.png")
    environment = os.environ | {"PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}", "PELLUCID_QUIET": "1"}

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    first, onnx, torch = blocks(ENGLISH, "sh")
    shown = run("bash", "-ec", first)
    assert shown.count('"label"') == 3
    printed = run(sys.executable, "-W", "error", "-c", "\n".join(blocks(ENGLISH, "python")))
    assert "(20, 10)\n(20, 10)\n" in printed
    assert float(printed.split()[-1]) > 0.93
    assert run("bash", "-ec", onnx).count("largest difference") == 2
    run("bash", "-ec", torch)
    pixels = load_digits().X_test.pixels
    own = pellucid.load(tmp_path / "own.safetensors").scores(pixels)
    for name in ("again", "back"):
        np.testing.assert_allclose(pellucid.load(tmp_path / f"{name}.safetensors").scores(pixels), own, atol=1e-4)
