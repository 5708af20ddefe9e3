"""What `python -m benchmarks.serving` compares gives the same scores, and it prints a row a case."""

import numpy as np
import pytest
from benchmarks.timing import QUICK

from benchmarks import serving


@pytest.mark.slow
def test_both_sides_are_timed():
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    rng = np.random.default_rng(0)
    network = serving.trained_looking(serving.NETWORKS["tutorial"](), rng)
    ours, theirs = serving.compared(network, 2, QUICK._replace(repetitions=1, least_s=0.001), rng)
    assert 0 < ours < 5
    assert 0 < theirs < 5


@pytest.mark.slow
def test_a_row_for_every_number_of_images(capsys, monkeypatch):
    monkeypatch.setattr(serving, "compared", lambda network, N, settings, rng: (0.001 * N, 0.002 * N))
    serving.networks(only="resnet20")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1:3] for line in lines[3:]] == [[" resnet20 ", f" {N} "] for N in serving.BATCHES]
    assert lines[-1].endswith("| 256.00 | 512.00 | 2.00 |")
