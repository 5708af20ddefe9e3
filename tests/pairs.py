"""The shared table: for every operation, the arrays and settings with which its naive and its fast twin are held
together.

An operation is found by its name in `pellucid.layers`; one that has no cases here, or only one twin, fails
`tests/layers/test_pairs.py`. The same cases are checked numerically and against PyTorch's results.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import pellucid.layers as layers


def waves(*shape: int, seed: float = 0, dtype: Any = np.float64) -> np.ndarray:
    """Numbers in (-1, 1) without order, ties or zeros, the same on every machine and with every NumPy."""
    count = int(np.prod(shape))
    return np.sin((np.arange(count) + 0.5) * (1.7 + 0.31 * seed) + seed).reshape(shape).astype(dtype)


def steps(*shape: int, seed: float = 0, dtype: Any = np.float64) -> np.ndarray:
    """The same, rounded to a few values, so that pooling windows are full of ties."""
    return np.round(2 * waves(*shape, seed=seed, dtype=dtype)) / 2


@dataclass(frozen=True)
class Case:
    """One call: float64 arrays by name, in the order of the arguments, then the remaining arguments."""

    name: str
    arrays: dict[str, np.ndarray]
    params: tuple = ()
    smooth: bool = True  # False: full of kinks, no use for a numerical check

    def call(self, function: Callable, dtype: Any = np.float64, prepare: Callable = lambda name, array: array) -> Any:
        """``function(*arrays, *params)`` in the given type; dictionaries are copied, since batch norm writes into
        them."""
        arrays = [prepare(name, array.astype(dtype)) for name, array in self.arrays.items()]
        return function(*arrays, *(dict(p) if isinstance(p, dict) else p for p in self.params))


def conv(name: str, x: tuple, w: tuple, **conv_param: int) -> Case:
    arrays = {"x": waves(*x), "w": waves(*w, seed=1), "b": waves(w[0], seed=2)}
    return Case(name, arrays, ({"stride": 1, "pad": 0} | conv_param,))


def pool(name: str, x: tuple, height: int, width: int, stride: int, ties: bool = False) -> Case:
    values = steps(*x) if ties else waves(*x)
    return Case(name, {"x": values}, ({"pool_height": height, "pool_width": width, "stride": stride},), smooth=not ties)


CONV = [
    conv("same 3x3", (2, 3, 6, 5), (4, 3, 3, 3), pad=1),
    conv("1x1", (2, 3, 4, 5), (4, 3, 1, 1)),
    conv("one pixel out", (2, 2, 3, 4), (3, 2, 3, 4)),
    conv("one of everything", (1, 1, 1, 1), (1, 1, 1, 1)),
    conv("one image", (1, 3, 5, 5), (2, 3, 3, 3), pad=1),
    conv("odd sizes, stride 2", (2, 3, 7, 5), (3, 3, 3, 3), stride=2, pad=1),
    conv("even filter", (2, 2, 6, 6), (3, 2, 2, 2)),
    conv("rectangular filter", (2, 2, 6, 7), (3, 2, 2, 5), pad=1),
    conv("stride above the filter", (2, 2, 8, 7), (3, 2, 2, 2), stride=3),
    conv("remainder left unseen", (2, 2, 8, 8), (3, 2, 3, 3), stride=3, pad=1),
    conv("padding above the filter", (2, 2, 3, 3), (2, 2, 2, 2), pad=3),
    conv("11x11, stride 4", (1, 3, 15, 19), (2, 3, 11, 11), stride=4, pad=2),
    conv("the tutorial's 7x7", (2, 3, 8, 8), (4, 3, 7, 7), pad=3),
    conv("dilation", (2, 2, 7, 8), (3, 2, 3, 2), pad=2, dilation=2),
    conv("dilation and stride", (2, 2, 9, 9), (3, 2, 3, 3), stride=2, pad=2, dilation=3),
    conv("groups", (2, 4, 5, 5), (6, 2, 3, 3), pad=1, groups=2),
    conv("depthwise", (2, 3, 5, 6), (3, 1, 3, 3), pad=1, groups=3),
    conv("depthwise, two filters a channel", (2, 3, 5, 5), (6, 1, 2, 3), stride=2, groups=3),
    conv("groups, dilation, stride, padding", (2, 4, 9, 8), (4, 2, 3, 2), stride=2, pad=1, dilation=2, groups=2),
]

POOL = [
    pool("2x2", (2, 3, 4, 6), 2, 2, 2),
    pool("1x1", (2, 3, 3, 3), 1, 1, 1),
    pool("the whole image", (2, 3, 3, 4), 3, 4, 1),
    pool("overlapping 3x3, stride 2", (2, 2, 7, 7), 3, 3, 2),
    pool("overlapping, stride 1", (1, 2, 5, 4), 3, 2, 1),
    pool("windows that do not tile", (2, 2, 7, 5), 2, 2, 2),
    pool("stride above the window", (2, 2, 8, 7), 2, 2, 3),
    pool("rectangular", (2, 2, 6, 8), 3, 2, 2),
    pool("one image, one channel", (1, 1, 4, 4), 2, 2, 2),
]

TIES = [
    pool("ties, 2x2", (2, 3, 4, 6), 2, 2, 2, ties=True),
    pool("ties, overlapping", (2, 2, 7, 7), 3, 3, 2, ties=True),
    Case("ties everywhere", {"x": np.zeros((1, 2, 4, 4))}, ({"pool_height": 2, "pool_width": 2, "stride": 1},), False),
]

ROWS = [("rows", (6, 4)), ("one feature", (5, 1)), ("many rows", (64, 3))]
ONE_ROW = [("one sample", (1, 4))]
SHAPES = [("images", (2, 3, 4, 2)), ("rows", (5, 7)), ("one number", (1,)), ("three axes", (2, 3, 3))]


def norm_rows(x: tuple) -> dict[str, np.ndarray]:
    return {"x": waves(*x) * 3 + 2, "gamma": waves(x[1], seed=1) + 1.5, "beta": waves(x[1], seed=2)}


RUNNING = {"mode": "test", "running_mean": waves(4, seed=5), "running_var": waves(4, seed=6) + 1.5}
IMAGES = [("images", (3, 4, 3, 2)), ("one image", (1, 4, 2, 3)), ("one pixel", (4, 4, 1, 1))]

BATCHNORM = [Case(f"train, {name}", norm_rows(x), ({"mode": "train"},)) for name, x in ROWS]
BATCHNORM += [
    Case("train, own eps and momentum", norm_rows((6, 4)), ({"mode": "train", "eps": 1e-3, "momentum": 0.3},)),
    Case("train, one sample", norm_rows((1, 4)), ({"mode": "train"},), smooth=False),
    Case("test, running statistics", norm_rows((6, 4)), (RUNNING,)),
    Case("test, one sample", norm_rows((1, 4)), (RUNNING,)),
]
SPATIAL_BATCHNORM = [Case(f"train, {name}", norm_rows(x), ({"mode": "train"},)) for name, x in IMAGES]
SPATIAL_BATCHNORM += [Case("test", norm_rows(IMAGES[0][1]), (RUNNING,))]
LAYERNORM = [
    Case(name, norm_rows(x), ({},)) for name, x in [("rows", (6, 4)), ("one sample", (1, 5)), ("wide", (2, 40))]
]
LAYERNORM += [Case("own eps", norm_rows((4, 6)), ({"eps": 1e-2},))]


def groups(name: str, x: tuple, G: int, gamma_shape: tuple | None = None) -> Case:
    shape = gamma_shape or (1, x[1], 1, 1)
    arrays = norm_rows(x)
    return Case(name, arrays | {k: arrays[k].reshape(shape) for k in ("gamma", "beta")}, (G, {"eps": 1e-5}))


GROUPNORM = [
    groups("two groups", (2, 4, 3, 2), 2),
    groups("one group", (2, 4, 3, 2), 1),
    groups("as many groups as channels", (2, 4, 3, 2), 4),
    groups("flat gamma", (2, 6, 2, 2), 3, gamma_shape=(6,)),
]

AFFINE = [
    Case("images", {"x": waves(3, 2, 2, 3), "w": waves(12, 5, seed=1), "b": waves(5, seed=2)}),
    Case("rows", {"x": waves(4, 6), "w": waves(6, 3, seed=1), "b": waves(3, seed=2)}),
    Case("one of everything", {"x": waves(1, 1), "w": waves(1, 1, seed=1), "b": waves(1, seed=2)}),
]

DROPOUT = [Case(f"train, {name}", {"x": waves(*x)}, ({"mode": "train", "p": 0.6, "seed": 7},)) for name, x in SHAPES]
DROPOUT += [
    Case("train, keeps all", {"x": waves(4, 5)}, ({"mode": "train", "p": 1, "seed": 7},)),
    Case("test", {"x": waves(4, 5)}, ({"mode": "test", "p": 0.3},)),
]

LOSSES = [
    Case("ten classes", {"x": 3 * waves(7, 10)}, (np.arange(7) % 10,)),
    Case("two classes", {"x": waves(4, 2)}, (np.array([0, 1, 1, 0]),)),
    Case("one sample", {"x": waves(1, 3)}, (np.array([2]),)),
    Case("large scores", {"x": 500 * waves(5, 4)}, (np.array([0, 1, 2, 3, 0]),), smooth=False),
]

SMOOTHED = [
    Case(f"{case.name}, {s:g}", case.arrays, (*case.params, s), case.smooth) for s in (0, 0.2, 1) for case in LOSSES
]

BN_PARAM = {"mode": "train"}
POOL_PARAM = {"pool_height": 2, "pool_width": 2, "stride": 2}


def with_norm(case: Case) -> Case:
    F = case.arrays["w"].shape[0]
    return Case(
        case.name,
        case.arrays | {"gamma": waves(F, seed=3) + 1.5, "beta": waves(F, seed=4)},
        (*case.params, BN_PARAM),
    )


def with_pool(case: Case) -> Case:
    return Case(case.name, case.arrays, (*case.params, POOL_PARAM))


# Sandwiches run on the convolutions whose result is at least 2x2 and whose batch is enough to normalise.
POOLABLE = [c for c in CONV if c.name in ("same 3x3", "even filter", "dilation", "groups", "the tutorial's 7x7")]
RECTANGULAR = [c for c in CONV if c.name in ("rectangular filter", "odd sizes, stride 2", "depthwise")]

CASES: dict[str, list[Case]] = {
    "conv": CONV,
    "max_pool": POOL + TIES,
    "avg_pool": POOL + TIES,
    "affine": AFFINE,
    "relu": [Case(name, {"x": waves(*x)}) for name, x in SHAPES],
    "gelu": [Case(name, {"x": 3 * waves(*x)}) for name, x in SHAPES],
    "silu": [Case(name, {"x": 3 * waves(*x)}) for name, x in SHAPES],
    "dropout": DROPOUT,
    "batchnorm": BATCHNORM,
    "layernorm": LAYERNORM,
    "spatial_batchnorm": SPATIAL_BATCHNORM,
    "spatial_groupnorm": GROUPNORM,
    "softmax_loss": LOSSES,
    "smoothed_softmax_loss": SMOOTHED,
    "svm_loss": LOSSES,
    "affine_relu": AFFINE,
    "conv_relu": POOLABLE + RECTANGULAR,
    "conv_relu_pool": [with_pool(c) for c in POOLABLE],
    "conv_bn_relu": [with_norm(c) for c in POOLABLE + RECTANGULAR],
    "conv_bn_relu_pool": [with_pool(with_norm(c)) for c in POOLABLE],
    # the even filter's pooled pixels are so few that dividing by their deviation bends too sharply for differences
    "conv_pool_bn_relu": [with_norm(with_pool(c)) for c in POOLABLE if c.name != "even filter"],
}


def operation_of(name: str) -> str:
    """``conv_backward_fast`` -> ``conv``; ``softmax_loss_naive`` -> ``softmax_loss``."""
    stem = name.rpartition("_")[0]
    return stem.removesuffix("_forward").removesuffix("_backward")


def operations() -> list[str]:
    """Every operation of `pellucid.layers`, by the names of its functions."""
    return sorted({operation_of(name) for name in dir(layers) if name.endswith(("_naive", "_fast"))})


def loss_as_layer(loss: Callable) -> tuple[Callable, Callable]:
    """A loss, which returns its value and gradient at once, as a forward and a backward function."""
    return loss, (lambda dout, dx: dout * dx)


def twin(operation: str, kind: str) -> tuple[Callable, Callable]:
    """The forward and backward functions of one twin, ``kind`` being naive or fast."""
    if operation.endswith("_loss"):
        return loss_as_layer(getattr(layers, f"{operation}_{kind}"))
    return getattr(layers, f"{operation}_forward_{kind}"), getattr(layers, f"{operation}_backward_{kind}")


@functools.cache
def all_cases() -> list[Any]:
    """(operation, case) for every case of the table, as pytest parameters."""
    import pytest

    return [pytest.param(op, case, id=f"{op}-{case.name}") for op, cases in CASES.items() for case in cases]


def results(operation: str, kind: str, case: Case, dtype: Any = np.float64, **options: Any) -> dict[str, np.ndarray]:
    """The output and every gradient of one twin, by name: out, dx, dw ..."""
    forward, backward = twin(operation, kind)
    out, cache = case.call(forward, dtype, **options)
    grads = backward(upstream(out), cache)
    grads = grads if isinstance(grads, tuple) else (grads,)
    return {"out": out} | {f"d{name}": grad for name, grad in zip(case.arrays, grads, strict=True)}


def upstream(out: np.ndarray) -> np.ndarray:
    """The upstream gradient of a case: fixed numbers of the output's shape and type."""
    return waves(*np.shape(out), seed=9, dtype=np.asarray(out).dtype) if np.ndim(out) else np.ones((), out.dtype)
