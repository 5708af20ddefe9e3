"""The tutorial's own checks, in its order: convolution, pooling, sandwiches, the network, training, pictures."""

from __future__ import annotations

import numpy as np

from pellucid import layers
from pellucid.checks.row import SEED, Row, Rows, error_row, fixed_row, gradient_rows, near_row, random_state
from pellucid.data import load_digits
from pellucid.gradcheck import check_model, eval_numerical_gradient, rel_error
from pellucid.inspect import draw_image, visualize_grid
from pellucid.models import ThreeLayerConvNet
from pellucid.training import Solver

PRINTED_CONV = [
    -0.08759809, -0.10987781, -0.18387192, -0.2109216, 0.21027089, 0.21661097, 0.22847626, 0.23004637,
    0.50813986, 0.54309974, 0.64082444, 0.67101435, -0.98053589, -1.03143541, -1.19128892, -1.24695841,
    0.69108355, 0.66880383, 0.59480972, 0.56776003, 2.36270298, 2.36904306, 2.38090835, 2.38247847,
]  # fmt: skip
PRINTED_POOL = [
    -0.26315789, -0.24842105, -0.20421053, -0.18947368, -0.14526316, -0.13052632, -0.08631579, -0.07157895,
    -0.02736842, -0.01263158, 0.03157895, 0.04631579, 0.09052632, 0.10526316, 0.14947368, 0.16421053,
    0.20842105, 0.22315789, 0.26736842, 0.28210526, 0.32631579, 0.34105263, 0.38526316, 0.4,
]  # fmt: skip
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
SAME = {"stride": 1, "pad": 1}


def convolution_forward() -> Rows:
    """Check 1: our distance from the printed array must be the tutorial's."""
    x = np.linspace(-0.1, 0.5, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, num=3 * 3 * 4 * 4).reshape(3, 3, 4, 4)
    b = np.linspace(-0.1, 0.2, num=3)
    for kind, conv in (("naive", layers.conv_forward_naive), ("fast", layers.conv_forward_fast)):
        out, _ = conv(x, w, b, {"stride": 2, "pad": 1})
        error = rel_error(out, np.array(PRINTED_CONV).reshape(out.shape))
        yield fixed_row(f"convolution, forward, {kind}", 2.21214764175e-08, error, digits=9 if kind == "naive" else 8)


def convolution_backward() -> Rows:
    """Check 3."""
    rng = random_state()
    arrays = {"x": rng.randn(4, 3, 5, 5), "w": rng.randn(2, 3, 3, 3), "b": rng.randn(2)}
    dout = rng.randn(4, 2, 5, 5)
    theirs = {"x": "2.63064435662e-09", "w": "5.71755216084e-10", "b": "2.67587467777e-11"}
    for kind in ("naive", "fast"):
        forward, backward = (getattr(layers, f"conv_{way}_{kind}") for way in ("forward", "backward"))
        yield from gradient_rows(f"convolution, {kind}", forward, backward, arrays, (SAME,), theirs, dout)


def pooling_forward() -> Rows:
    """Check 4."""
    x = np.linspace(-0.3, 0.4, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    for kind, pool in (("naive", layers.max_pool_forward_naive), ("fast", layers.max_pool_forward_fast)):
        out, _ = pool(x, POOL)
        error = rel_error(out, np.array(PRINTED_POOL).reshape(out.shape))
        yield fixed_row(f"max pooling, forward, {kind}", 4.16666651573e-08, error)


def pooling_backward() -> Rows:
    """Check 5."""
    rng = random_state()
    arrays, dout = {"x": rng.randn(3, 2, 8, 8)}, rng.randn(3, 2, 4, 4)
    for kind in ("naive", "fast"):
        forward, backward = (getattr(layers, f"max_pool_{way}_{kind}") for way in ("forward", "backward"))
        theirs = {"x": "3.27563441384e-12"}
        yield from gradient_rows(f"max pooling, {kind}", forward, backward, arrays, (POOL,), theirs, dout)


def pooling_ties() -> Rows:
    """Equal maxima: the tutorial hands the whole gradient to each of them, so that it grows."""
    x, dout = np.zeros((1, 1, 2, 4)), np.array([[[[5.0, 7.0]]]])
    x[0, 0, :, 2:] = [[1, 3], [3, 3]]
    for kind in ("naive", "fast"):
        forward, backward = (getattr(layers, f"max_pool_{way}_{kind}") for way in ("forward", "backward"))
        dx = backward(dout, forward(x, POOL)[1])
        ok = np.array_equal(dx[0, 0], [[5, 0, 0, 7], [0, 0, 0, 0]])
        what, ours = f"max pooling, {kind}: a tie's gradient goes to", "the first" if ok else "others"
        yield Row(what, "every maximum", ours, "the first", ok)


def sandwiches() -> Rows:
    """Checks 6 and 7."""
    rng = random_state()
    arrays = {"x": rng.randn(2, 3, 8, 8), "w": rng.randn(3, 3, 3, 3), "b": rng.randn(3)}
    theirs = {"x": "8.63479795379e-09", "w": "1.11675179506e-09", "b": "1.76423143581e-11"}
    dout = rng.randn(2, 3, 8, 8)
    yield from gradient_rows(
        "conv_relu", layers.conv_relu_forward, layers.conv_relu_backward, arrays, (SAME,), theirs, dout
    )
    arrays = {"x": rng.randn(2, 3, 16, 16), "w": rng.randn(3, 3, 3, 3), "b": rng.randn(3)}
    theirs = {"x": "9.39697106034e-08", "w": "6.33831387553e-08", "b": "2.33627428737e-10"}
    forward, backward = layers.conv_relu_pool_forward, layers.conv_relu_pool_backward
    yield from gradient_rows("conv_relu_pool", forward, backward, arrays, (SAME, POOL), theirs, dout)


def initial_losses() -> Rows:
    """Check 8: ln 10, and more with regularisation."""
    rng = random_state()
    model = ThreeLayerConvNet(rng=SEED)
    X, y = rng.randn(50, 3, 32, 32), rng.randint(10, size=50)
    yield near_row("network: initial loss, ln 10", 2.3025846903, float(model.loss(X, y)[0]), 1e-4, digits=11)
    model.reg = 0.5
    # 0.25 * sum(W**2) of 824,904 weights is 0.206226 with a standard deviation of 3e-4
    yield near_row("network: with regularisation", 2.50874836489, float(model.loss(X, y)[0]), 1e-3, digits=11)


def network_gradients() -> Rows:
    """Check 9, by the tutorial's loop and by `check_model`."""
    rng = random_state()
    X, y = rng.randn(2, 3, 16, 16), rng.randint(10, size=2)
    model = ThreeLayerConvNet(
        num_filters=3, filter_size=3, input_dim=(3, 16, 16), hidden_dim=7, dtype=np.float64, rng=SEED + 1
    )
    _, grads = model.loss(X, y)
    theirs = {"W1": "4.383184e-04", "W2": "4.104758e-03", "W3": "6.594642e-05"}
    theirs |= {"b1": "1.075895e-05", "b2": "2.542041e-07", "b3": "1.513297e-09"}
    for name in sorted(grads):
        numeric = eval_numerical_gradient(lambda _: model.loss(X, y)[0], model.params[name], verbose=False, h=1e-6)
        error = rel_error(numeric, grads[name])
        yield error_row(f"network: {name} max relative error", theirs[name], error, "gradient, tutorial's network")
    yield error_row("network: check_model", "-", check_model(model, X, y).worst, "gradient, network")


def training() -> Rows:
    """Check 10's network and settings on digits that need no download: the loss falls, the images are learnt."""
    data = load_digits().split(150)
    model = ThreeLayerConvNet(input_dim=(1, 8, 8), weight_scale=0.001, hidden_dim=500, reg=0.001, rng=SEED)
    solver = Solver(
        model, data, num_epochs=2, batch_size=50, update_rule="adam", optim_config={"learning_rate": 1e-3},
        verbose=False, progress=False, rng=SEED,
    )  # fmt: skip
    solver.train()
    first, last = solver.loss_history[0], float(np.mean(solver.loss_history[-10:]))
    yield Row("training on digits: the loss falls", "falls", f"{first:.3f} to {last:.3f}", "a half", last < first / 2)
    accuracy = solver.best_val_acc
    yield Row(
        "training on digits: validation accuracy", "over 0.40 (CIFAR)", f"{accuracy:.3f}", ">= 0.9", accuracy >= 0.9
    )
    kept = {array.dtype for array in model.params.values()} == {np.dtype(np.float32)}
    yield Row("training: float32 stays float32", "became float64", "float32" if kept else "widened", "the same", kept)


def pictures() -> Rows:
    """Checks 2 and 11, without their photographs: a grid of filters, and what is constant is grey and never NaN."""
    w = random_state().randn(32, 7, 7, 3)
    w[5] = 0.25
    grid = visualize_grid(w)
    ok = grid.shape == (47, 47, 3) and bool(np.isfinite(grid).all()) and bool((grid[0:7, 40:47] == 127.5).all())
    yield Row("filter grid: a constant filter", "NaN", "mid-grey" if ok else "wrong", "the same", ok)
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    draw_image(axes, np.full((4, 4), 7.0))
    ok = bool((np.asarray(axes.images[0].get_array()) == 127).all())
    yield Row("imshow_noax: a constant image", "NaN", "mid-grey" if ok else "wrong", "the same", ok)


CHECKS = [
    convolution_forward,
    convolution_backward,
    pooling_forward,
    pooling_backward,
    pooling_ties,
    sandwiches,
    initial_losses,
    network_gradients,
    training,
    pictures,
]
