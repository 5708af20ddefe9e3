"""The course's checks that the tutorial leaves out: fast against naive, overfitting, dropout, basic layers, losses."""

from __future__ import annotations

import time

import numpy as np

from pellucid import layers
from pellucid.checks.row import SEED, Row, Rows, error_row, fixed_row, gradient_rows, near_row, random_state
from pellucid.data import load_digits
from pellucid.gradcheck import eval_numerical_gradient, rel_error
from pellucid.models import ThreeLayerConvNet
from pellucid.training import Solver


def fast_convolution() -> Rows:
    """x (100, 3, 31, 31), w (25, 3, 3, 3), stride 2, pad 1."""
    rng = random_state()
    x, w, b, dout = rng.randn(100, 3, 31, 31), rng.randn(25, 3, 3, 3), rng.randn(25), rng.randn(100, 25, 16, 16)
    (naive, naive_cache), naive_s = _timed(layers.conv_forward_naive, x, w, b, {"stride": 2, "pad": 1})
    (fast, fast_cache), fast_s = _timed(layers.conv_forward_fast, x, w, b, {"stride": 2, "pad": 1})
    what, theirs = f"convolution: fast is naive ({_ms(naive_s, fast_s)})", "4.926407851494105e-11"
    yield error_row(what, theirs, rel_error(naive, fast), "course's fast against naive")
    naive_grads, naive_s = _timed(layers.conv_backward_naive, dout, naive_cache)
    fast_grads, fast_s = _timed(layers.conv_backward_fast, dout, fast_cache)
    for name, fast, naive in zip(("dx", "dw", "db"), fast_grads, naive_grads, strict=True):
        what = f"convolution: fast {name} is naive" + (f" ({_ms(naive_s, fast_s)})" if name == "dx" else "")
        yield error_row(what, "e-9 or less", rel_error(naive, fast), "course's fast against naive")


def fast_pooling() -> Rows:
    """x (100, 3, 32, 32), 2x2, stride 2."""
    rng = random_state()
    x, dout = rng.randn(100, 3, 32, 32), rng.randn(100, 3, 16, 16)
    pool = {"pool_height": 2, "pool_width": 2, "stride": 2}
    (naive, naive_cache), naive_s = _timed(layers.max_pool_forward_naive, x, pool)
    (fast, fast_cache), fast_s = _timed(layers.max_pool_forward_fast, x, pool)
    yield error_row(f"max pooling: fast is naive ({_ms(naive_s, fast_s)})", "0.0", rel_error(naive, fast), 0.0)
    naive_dx, naive_s = _timed(layers.max_pool_backward_naive, dout, naive_cache)
    fast_dx, fast_s = _timed(layers.max_pool_backward_fast, dout, fast_cache)
    what = f"max pooling: fast dx is naive ({_ms(naive_s, fast_s)})"
    yield error_row(what, "0.0", rel_error(naive_dx, fast_dx), 0.0)


def overfitting() -> Rows:
    """The network learns 100 images by heart; the course does so on CIFAR-10 and ends near 1.0."""
    data = load_digits().split(150, num_training=100)
    model = ThreeLayerConvNet(input_dim=(1, 8, 8), weight_scale=1e-2, rng=SEED)
    solver = Solver(
        model, data, num_epochs=15, batch_size=50, update_rule="adam", optim_config={"learning_rate": 1e-3},
        verbose=False, progress=False, rng=SEED,
    )  # fmt: skip
    solver.train()
    accuracy = solver.train_acc_history[-1]
    yield Row("overfits 100 images: train accuracy", "about 1.0", f"{accuracy:.3f}", ">= 0.95", accuracy >= 0.95)


def dropout() -> Rows:
    """What is kept on average, what comes out at test time, and the gradient."""
    rng = random_state()
    x = rng.randn(500, 500) + 10
    for p in (0.25, 0.4, 0.7):
        out, _ = layers.dropout_forward(x, {"mode": "train", "p": p, "rng": np.random.default_rng(SEED)})
        yield near_row(f"dropout, p = {p}: share that is kept", p, float(np.mean(out != 0)), 4e-3, digits=4)
        yield near_row(f"dropout, p = {p}: mean of the output", 10, float(out.mean()), 0.1, digits=4)
    out, _ = layers.dropout_forward(x, {"mode": "test", "p": 0.25})
    yield error_row("dropout, test mode: nothing changes", "0", rel_error(out, x), 0.0)
    arrays, dout = {"x": rng.randn(10, 10) + 10}, rng.randn(10, 10)

    # a generator made anew for each call, so that every evaluation keeps the same places
    def forward(x):
        return layers.dropout_forward(x, {"mode": "train", "p": 0.2, "rng": np.random.default_rng(123)})

    yield from gradient_rows("dropout", forward, layers.dropout_backward, arrays, (), {"x": "5.44560814873e-11"}, dout)


def affine_and_relu() -> Rows:
    """The course's first layers."""
    x = np.linspace(-0.1, 0.5, num=2 * 4 * 5 * 6).reshape(2, 4, 5, 6)
    w, b = np.linspace(-0.2, 0.3, num=120 * 3).reshape(120, 3), np.linspace(-0.3, 0.1, num=3)
    printed = np.array([[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]])
    for kind, affine in (("naive", layers.affine_forward_naive), ("fast", layers.affine_forward_fast)):
        yield error_row(f"affine, forward, {kind}", "9.769849468e-10", rel_error(affine(x, w, b)[0], printed), 1e-8)
    rng = random_state()
    arrays, dout = {"x": rng.randn(10, 2, 3), "w": rng.randn(6, 5), "b": rng.randn(5)}, rng.randn(10, 5)
    theirs = dict.fromkeys(arrays, "e-10 or less")
    yield from gradient_rows("affine", layers.affine_forward, layers.affine_backward, arrays, (), theirs, dout)
    arrays, dout = {"x": rng.randn(10, 10)}, rng.randn(10, 10)
    theirs = {"x": "3.27563491363e-12"}
    yield from gradient_rows("relu", layers.relu_forward, layers.relu_backward, arrays, (), theirs, dout)
    arrays = {"x": rng.randn(2, 3, 4), "w": rng.randn(12, 10), "b": rng.randn(10)}
    sandwich, theirs = (layers.affine_relu_forward, layers.affine_relu_backward), dict.fromkeys(arrays, "e-10 or less")
    yield from gradient_rows("affine_relu", *sandwich, arrays, (), theirs, rng.randn(2, 10))


def relu_forward() -> Rows:
    """Against the course's printed array."""
    x = np.linspace(-0.5, 0.5, num=12).reshape(3, 4)
    printed = np.array([[0, 0, 0, 0], [0, 0, 0.04545455, 0.13636364], [0.22727273, 0.31818182, 0.40909091, 0.5]])
    for kind, relu in (("naive", layers.relu_forward_naive), ("fast", layers.relu_forward_fast)):
        yield fixed_row(f"relu, forward, {kind}", 4.999999798022158e-08, rel_error(relu(x)[0], printed))


def losses() -> Rows:
    """SVM and softmax: their values for small random scores, and their gradients."""
    rng = random_state()
    x, y = 0.001 * rng.randn(50, 10), rng.randint(10, size=50)
    for name, loss, value, error in (
        ("svm_loss", layers.svm_loss, 9.0, "8.18289447289e-10"),
        ("softmax_loss", layers.softmax_loss, 2.3, "9.38467316199e-09"),
    ):
        ours, dx = loss(x, y)
        yield near_row(f"{name}: about {value:g}", value, float(ours), 0.01, digits=5)
        numeric = eval_numerical_gradient(lambda x, loss=loss: loss(x, y)[0], x, verbose=False)
        yield error_row(f"{name}, dx", error, rel_error(numeric, dx), "gradient, smooth")


def _timed(function, *arguments):
    started = time.perf_counter()
    return function(*arguments), time.perf_counter() - started


def _ms(naive_s: float, fast_s: float) -> str:
    return f"{1e3 * naive_s:.0f}, {1e3 * fast_s:.1f} ms"


CHECKS = [
    fast_convolution,
    fast_pooling,
    overfitting,
    dropout,
    relu_forward,
    affine_and_relu,
    losses,
]
