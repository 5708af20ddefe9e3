"""Augmentation, pixel by pixel, against a walk in plain NumPy."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from augmentation_cases import CASES, batch, changed_by_kernel, check_case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_every_change_is_what_numpy_makes_of_it(case, dtype):
    check_case(case, dtype)


def test_untouched_images_have_the_bits_of_normalised_bytes():
    pixels, mean, scale = batch((4, 7, 6, 3), np.uint8)
    out = changed_by_kernel(
        pixels, np.arange(4), np.zeros((4, 5), np.int64), np.tile([1.0, 1, 0], (4, 1)), mean, scale, 0
    )
    expected = pixels.astype(np.float32)
    expected -= mean
    expected /= scale
    assert out.tobytes() == expected.tobytes()


def test_plain_python_does_the_same():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "augmentation_cases"],
        cwd=Path(__file__).parents[1], env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True,
        timeout=110,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "augmentation: all agree" in run.stdout
