"""The plan: which algorithm, and why."""

import numpy as np
import pytest

from pellucid.kernels import plan
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.processor import VECTOR_BYTES

BIG = Geometry(64, 64, 32, 32, 64, 3, 3, pad=1)
needs_vectors = pytest.mark.skipif(not VECTOR_BYTES, reason="Winograd needs vector instructions")


@needs_vectors
def test_large_3x3_convolutions_in_float32_are_winograds():
    for direction in plan.DIRECTIONS:
        assert plan.choose(direction, BIG, np.float32).algorithm == "winograd"


@pytest.mark.parametrize(
    ("g", "dtype", "said"),
    [
        (BIG, np.float64, "float64"),
        (BIG._replace(stride=2), np.float32, "stride 1"),
        (BIG._replace(HH=5), np.float32, "3 x 3"),
        (BIG._replace(C=3), np.float32, "at least"),
        (BIG._replace(N=1, H=4, W=4), np.float32, "tiles, fewer than"),
        (BIG._replace(N=900, H=1, W=1, pad=1), np.float32, "leaves tiles empty"),
    ],
    ids=["float64", "stride 2", "5x3", "RGB", "one small image", "tiny images"],
)
@needs_vectors
def test_winograd_says_why_not(g, dtype, said):
    choice = plan.choose("forward", g, dtype)
    assert choice.algorithm == "direct"
    assert said in dict(choice.reasons)["winograd"]


def test_the_last_candidate_takes_everything():
    odd = Geometry(1, 6, 9, 9, 4, 2, 7, stride=3, pad=4, dilation=2, groups=2)
    for direction in plan.DIRECTIONS:
        assert plan.choose(direction, odd, np.float32).algorithm == "direct"


def test_depthwise_and_rgb_have_their_own():
    depthwise = Geometry(8, 32, 16, 16, 32, 3, 3, pad=1, groups=32)
    assert {plan.choose(d, depthwise, np.float32).algorithm for d in plan.DIRECTIONS} == {"depthwise"}
    rgb = Geometry(8, 3, 32, 32, 32, 7, 7, pad=3)
    assert [plan.choose(d, rgb, np.float32).algorithm for d in plan.DIRECTIONS] == ["direct", "scatter", "direct"]


def test_direct_can_be_asked_for(monkeypatch):
    assert plan.choose("forward", BIG, np.float32, "direct").algorithm == "direct"
    monkeypatch.setenv(plan.SETTING, "direct")
    assert plan.choose("forward", BIG, np.float32).algorithm == "direct"
    assert "asked for" in dict(plan.choose("forward", BIG, np.float32).reasons)["winograd"]


def test_a_wrong_setting_is_named(monkeypatch):
    monkeypatch.setenv(plan.SETTING, "fft")
    with pytest.raises(ValueError, match="PELLUCID_ALGORITHM is 'fft'; it must be one of winograd"):
        plan.choose("forward", BIG, np.float32)
