"""docs/scikit-learn.md: its code runs, both languages agree, its links lead somewhere, its table is complete."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import sklearn

import pellucid
from pages import blocks
from pellucid.estimators import ConvNetClassifier

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["scikit-learn.md", "scikit-learn.zh-CN.md"]
VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def test_both_languages_show_the_same_code():
    assert blocks(DOCS / PAGES[0], "python") == blocks(DOCS / PAGES[1], "python")


@pytest.mark.slow
@pytest.mark.skipif(VERSION < (1, 8), reason="the page calibrates with scikit-learn 1.8's temperature")
def test_the_code_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(DOCS / PAGES[0], "python"):
        exec(compile(block, PAGES[0], "exec"), names)
    out = capsys.readouterr().out.splitlines()
    assert float(out[0]) > 0.97
    assert float(out[1]) > 0.93
    before, after = map(float, next(line for line in out if re.fullmatch(r"0\.\d+ 0\.\d+", line)).split())
    assert after < before
    assert names["stream"].score(names["X_test"], names["y_test"]) > 0.93
    model, digits = pellucid.load(tmp_path / "digits.safetensors"), names["digits"]
    found = model.probabilities(digits.X_test.pixels)
    assert np.allclose(found, names["classifier"].predict_proba(digits.X_test), atol=1e-5)


@pytest.mark.parametrize("name", PAGES)
def test_every_parameter_is_in_the_table(name):
    rows = [line for line in (DOCS / name).read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows))
    assert named == list(inspect.signature(ConvNetClassifier).parameters)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_linked_is_there(name):
    for target in re.findall(r"\]\(([^)#:]+)\)", (DOCS / name).read_text(encoding="utf-8")):
        assert (DOCS / target).exists(), target
