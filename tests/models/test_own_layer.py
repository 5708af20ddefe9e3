"""docs/own-layer.md: its code runs from top to bottom, in both languages the same."""

import re
from pathlib import Path

import numpy as np

from pellucid.gradcheck import check_model

DOCS = Path(__file__).parents[2] / "docs"


def blocks(name):
    """The Python of a page."""
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_both_languages_show_the_same_code():
    assert blocks("own-layer.md") == blocks("own-layer.zh-CN.md")


def test_the_layer_fits_in_passes_the_check_and_trains(capsys):
    namespace = {}
    for block in blocks("own-layer.md"):
        block = block.replace("rng=0,\n)", "rng=0,\n    verbose=False,\n    progress=False,\n)")
        exec(compile(block, "own-layer.md", "exec"), namespace)
    out = capsys.readouterr().out
    assert "swish1" in out
    assert "swish2.beta" in out
    assert "FAIL" not in out
    solver = namespace["solver"]
    assert solver.best_val_acc > 0.95
    assert not np.array_equal(solver.model.params["swish1.beta"], np.ones((16, 1, 1)))


def test_the_check_finds_a_wrong_backward_pass():
    namespace = {}
    for block in blocks("own-layer.md")[:2]:
        exec(compile(block.replace("* s * (1 - s) * x", "* s * s * x"), "own-layer.md", "exec"), namespace)
    X = np.random.default_rng(0).standard_normal((4, 1, 8, 8))
    assert not check_model(namespace["network"](dtype=np.float64), X, np.array([0, 3, 9, 1]), most=20).passed
