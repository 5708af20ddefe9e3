"""A network of steps: its protocol, names, options, freezing, summary, and training with the Solver."""

import copy
import pickle
from typing import ClassVar

import numpy as np
import pytest

from pairs import waves
from pellucid.gradcheck import check_model
from pellucid.layers import svm_loss
from pellucid.models import (
    GELU,
    Affine,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Scale,
    Step,
)
from pellucid.training import Solver
from pellucid.training.weights import weights_of
from stop_at import StopAt

X, Y = waves(5, 3, 8, 8), np.array([0, 2, 1, 1, 0])


def steps():
    return [
        Conv(4, 3, pad=1, name="first"),
        GELU(),
        Conv(4, 3, pad=1, bias=False),
        BatchNorm(),
        ReLU(),
        MaxPool(2),
        Residual([Conv(4, 1), BatchNorm(scale=False), ReLU()], shortcut=[Conv(4, 1, bias=False)]),
        Affine(6),
        ReLU(),
        Dropout(0.8, seed=2),
        Affine(3, bias=False),
        Scale(0.5),
    ]


NAMES = [
    "first.w", "first.b", "conv1.w", "batchnorm1.gamma", "batchnorm1.beta",
    "residual1.conv1.w", "residual1.conv1.b", "residual1.batchnorm1.beta", "residual1.shortcut.conv1.w",
    "affine1.w", "affine1.b", "affine2.w",
]  # fmt: skip


def small(**settings):
    return Network(steps(), (3, 8, 8), **{"rng": 1} | settings)


def test_parameters_have_stable_names_kinds_and_options():
    net = small()
    assert list(net.params) == NAMES
    assert net.groups == {
        "weight": ["first.w", "conv1.w", "residual1.conv1.w", "residual1.shortcut.conv1.w", "affine1.w", "affine2.w"],
        "bias": ["first.b", "residual1.conv1.b", "affine1.b"],
        "scale": ["batchnorm1.gamma"],
        "shift": ["batchnorm1.beta", "residual1.batchnorm1.beta"],
    }
    decays = {name: options.get("weight_decay", True) for name, options in net.param_options.items()}
    assert {name for name, yes in decays.items() if yes} == set(net.groups["weight"])
    assert net.output_shape == (3,)
    assert {array.dtype for array in net.params.values()} == {np.dtype(np.float32)}


def test_the_whole_network_passes_the_gradient_check():
    net = small(dtype=np.float64, reg=0.1)
    before = copy.deepcopy(net.bn_params)
    report = check_model(net, X, Y)
    assert report.passed, f"\n{report}"
    for bn_param, old in zip(net.bn_params, before, strict=True):
        np.testing.assert_array_equal(bn_param["running_mean"], old["running_mean"])


def test_a_step_may_stand_in_several_places_and_networks():
    norm = BatchNorm()
    twice = Network([norm, norm, Affine(3)], (3, 8, 8), rng=0)
    again = Network([norm, Affine(3)], (3, 8, 8), rng=0)
    twice.loss(X, Y)
    assert len(twice.bn_params) == 2
    assert twice.bn_params[0]["running_mean"] is not twice.bn_params[1]["running_mean"]
    assert norm.bn_param is None
    np.testing.assert_array_equal(again.bn_params[0]["running_mean"], 0)


def test_the_same_seed_makes_the_same_network_and_leaves_the_global_state_alone():
    before = np.random.get_state()[1].copy()
    one, other = small(rng=5), small(rng=np.random.default_rng(5))
    for name in NAMES:
        np.testing.assert_array_equal(one.params[name], other.params[name])
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_computes_the_same_and_lives_on_its_own(copied):
    net = small()
    net.loss(X, Y)
    other = copied(net)
    np.testing.assert_array_equal(net.loss(X), other.loss(X))
    statistics = [bn_param["running_mean"].copy() for bn_param in net.bn_params]
    other.loss(2 * X, Y)
    other.params["first.w"] += 1
    for bn_param, old in zip(net.bn_params, statistics, strict=True):
        np.testing.assert_array_equal(bn_param["running_mean"], old)
    assert not np.array_equal(net.params["first.w"], other.params["first.w"])


def test_other_losses_and_the_penalty():
    plain, penalised = small(dtype=np.float64), small(dtype=np.float64, reg=0.3)
    loss, grads = plain.loss(X, Y)
    with_penalty, more = penalised.loss(X, Y)
    weights = plain.groups["weight"]
    expected = 0.15 * sum(np.sum(plain.params[name] ** 2) for name in weights)
    assert with_penalty - loss == pytest.approx(expected)
    for name, gradient in grads.items():
        expected = gradient + 0.3 * plain.params[name] * (name in weights)
        np.testing.assert_allclose(more[name], expected, atol=1e-12)
    hinge = small(dtype=np.float64, loss_function=svm_loss)
    assert check_model(hinge, X, Y, most=10).passed
    squares = Network([Conv(2, 3)], (3, 8, 8), dtype=np.float64, loss_function=lambda s, y: (np.sum(s * s), 2 * s))
    assert check_model(squares, X, Y, most=10).passed
    assert squares.loss(X).shape == (5, 2, 6, 6)


class Counting(Step):
    """Hands on what it gets, and notes what it was asked to leave out, and how often."""

    calls = 0
    skipped = None

    def forward(self, x, params, mode):
        return x, None

    def gradients(self, dout, cache, skip):
        type(self).calls += 1
        type(self).skipped = skip
        return dout, {}


class Learning(Counting):
    """The same with something to learn."""

    def build(self, shape, rng):
        return shape, {"w": np.ones(1), "b": np.ones(1)}

    def gradients(self, dout, cache, skip):
        super().gradients(dout, cache, skip)
        return dout, {"w": np.zeros(1, dout.dtype), "b": np.zeros(1, dout.dtype)}


def test_the_first_step_that_learns_is_told_that_nobody_needs_its_dx():
    blocks = [
        [Learning()],
        [Counting(), Learning()],
        [Residual([Counting(), Learning()], shortcut=[Counting()])],
        [Residual([ReLU()], shortcut=[Learning()])],
    ]
    for block in blocks:
        Network([*block, Affine(3)], (3, 8, 8), rng=0).loss(X, Y)
        assert Learning.skipped == {"x"}
    net = Network([Conv(3, 1), Learning(), Affine(3)], (3, 8, 8), rng=0)
    net.loss(X, Y)
    assert Learning.skipped == set()
    net.freeze(["conv1.*", "learning1.b"])
    net.loss(X, Y)
    assert Learning.skipped == {"x", "b"}


def test_in_test_mode_the_memory_of_a_step_serves_the_next():
    deep = Network([*(Conv(16, 3, pad=1, stride=1) for _ in range(8)), Affine(3)], (16, 16, 16), rng=0)
    deep.loss(waves(8, 16, 16, 16))
    one = Network([Conv(16, 3, pad=1, stride=1), Affine(3)], (16, 16, 16), rng=0)
    one.loss(waves(8, 16, 16, 16))
    assert deep.workspace.allocations <= one.workspace.allocations + 1


def test_frozen_parameters_get_no_gradient_and_what_lies_before_them_no_work():
    body = [Conv(4, 3, name="first"), Counting(), Conv(4, 3), BatchNorm(), ReLU(), Affine(3)]
    net, whole = (Network(body, (3, 8, 8), rng=0, dtype=np.float64) for _ in range(2))
    _, right = whole.loss(X, Y)
    for pattern, gone, calls in (
        ("first.w", {"first.w"}, 1),
        ("first.*", {"first.w", "first.b"}, 0),
        ("conv1.?", {"first.w", "first.b", "conv1.w", "conv1.b"}, 0),
        (["affine1.w", "batchnorm1.gamma"], {"first.w", "first.b", "conv1.w", "conv1.b", "affine1.w",
                                             "batchnorm1.gamma"}, 0),
        ("*", set(net.params), 0),
    ):  # fmt: skip
        net.freeze(pattern)
        Counting.calls = 0
        loss, grads = net.loss(X, Y)
        assert set(grads) == set(net.params) - gone
        assert Counting.calls == calls
        for name, gradient in grads.items():
            np.testing.assert_allclose(gradient, right[name], atol=1e-12)
        assert check_model(net, X, Y, most=5).passed if grads else loss > 0
    net.unfreeze("*")
    assert set(net.loss(X, Y)[1]) == set(net.params)


def test_freezing_inside_of_a_residual_block():
    net = small(dtype=np.float64)
    _, right = net.loss(X, Y)
    names = net.freeze("residual1.*")
    assert len(names) == 4
    _, grads = net.loss(X, Y)
    assert set(grads) == set(NAMES) - set(names)
    for name, gradient in grads.items():
        np.testing.assert_allclose(gradient, right[name], atol=1e-12)
    net.unfreeze("residual1.shortcut.*")
    net.freeze(["first.*", "conv1.w", "batchnorm1.*"])
    _, grads = net.loss(X, Y)
    assert set(grads) == {"residual1.shortcut.conv1.w", "affine1.w", "affine1.b", "affine2.w"}
    np.testing.assert_allclose(grads["residual1.shortcut.conv1.w"], right["residual1.shortcut.conv1.w"], atol=1e-12)


def test_options_of_parameters():
    net = small()
    assert net.set_options(net.groups["shift"], learning_rate=64) == ["batchnorm1.beta", "residual1.batchnorm1.beta"]
    assert net.param_options["batchnorm1.beta"] == {"weight_decay": False, "learning_rate": 64.0}
    net.set_options("affine?.w", weight_decay=0.5)
    assert net.param_options["affine2.w"] == {"weight_decay": 0.5}
    net.freeze("first.w")
    assert net.param_options["first.w"] == {"frozen": True}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda net: net.freeze("frist.w"),
            ValueError,
            r"no parameter has the name 'frist.w' \(did you mean 'first.w'",
        ),
        (lambda net: net.freeze(["first.w", "nothing*"]), ValueError, r"no parameter has the name 'nothing\*'"),
        (lambda net: net.set_options("*", rate=2), ValueError, "unknown key 'rate'"),
        (lambda net: net.set_options("*", learning_rate=-1), ValueError, "learning_rate is -1"),
        (lambda net: net.set_options("*", learning_rate=True), TypeError, "learning_rate is a number"),
        (lambda net: net.set_options("*", weight_decay="no"), TypeError, "weight_decay is 'no'"),
        (lambda net: net.set_options("*", frozen=1), TypeError, "frozen True or False"),
        (lambda net: setattr(net, "rng", None), AttributeError, "rng"),
        (lambda net: net.loss(X[:, :2], Y), ValueError, r"X has shape \(5, 2, 8, 8\); it must be \(N, 3, 8, 8\)"),
        (lambda net: net.loss(X[0]), ValueError, r"X has shape \(3, 8, 8\); it must be"),
        (lambda net: net.loss(X[:0]), ValueError, r"X has shape \(0, 3, 8, 8\); it must be .* N at least 1"),
        (lambda net: net.loss(X.astype(str)), TypeError, "Network.loss: X has type <U"),
        (lambda net: net.loss(X, Y + 1), ValueError, r"y\[1\] is 3; for 3 classes"),
        (lambda net: net.loss(X, Y[:2]), ValueError, r"y has shape \(2,\)"),
    ],
)
def test_bad_calls(call, error, message):
    with pytest.raises(error, match=message):
        call(small())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], (3, 8, 8)), ValueError, "Network: steps is empty"),
        ((ReLU(), (3, 8, 8)), TypeError, "Network: steps is a ReLU; it must be a list of steps"),
        (([Affine(3), ReLU], (3, 8, 8)), TypeError, r"Network: steps\[1\] is the class ReLU; write ReLU\(...\)"),
        (
            ([Affine(3), len], (3, 8, 8)),
            TypeError,
            r"steps\[1\] is a builtin_function_or_method; it must be an instance",
        ),
        (([ReLU(name="a.b"), Affine(3)], (3, 8, 8)), ValueError, r"steps\[0\] has the name 'a.b'; it must be letters"),
        (([ReLU(name="x"), Affine(3, name="x")], (3, 8, 8)), ValueError, "two steps have the name 'x'"),
        (([Affine(3)], 3), TypeError, "input_shape is 3; it must be a tuple"),
        (([Affine(3)], (8, 8)), ValueError, r"input_shape is \(8, 8\); it must be \(C, H, W\)"),
        (([Affine(3)], (3, 8, 0)), ValueError, "input_shape is 0"),
        (([Conv(3)], (3, 8, 8)), ValueError, r"the last step gives \(3, 6, 6\), but the loss needs scores"),
    ],
)
def test_bad_networks(arguments, error, message):
    with pytest.raises(error, match=message):
        Network(*arguments, rng=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dtype": np.float16}, TypeError, "dtype is float16"),
        ({"reg": -1}, ValueError, "reg is -1"),
        ({"rng": "seed"}, TypeError, "rng is a str"),
        ({"loss_function": "softmax"}, TypeError, "loss_function is a str; it must be a function"),
    ],
)
def test_bad_settings(options, error, message):
    with pytest.raises(error, match=f"Network: {message}"):
        small(**options)


def wrong(forward=None, backward=None, build=None):
    """A step that hands on what it gets, but for one function."""

    class Wrong(Step):
        def build(self, shape, rng):
            return (shape, {"a": np.ones(1)}) if build is None else build(shape)

        def forward(self, x, params, mode):
            return (x, None) if forward is None else forward(x)

        def backward(self, dout, cache):
            return (dout, {"a": np.zeros(1, dout.dtype)}) if backward is None else backward(dout)

    return Wrong()


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (wrong(forward=lambda x: x), TypeError, r"step 'wrong1': Wrong.forward returned a ndarray; .* \(out, cache\)"),
        (wrong(forward=lambda x: (x[:, :1], 0)), ValueError, r"forward returned its output of shape \(5, 1, 8, 8\)"),
        (
            wrong(forward=lambda x: (np.float64(2) * x.astype(float), 0)),
            TypeError,
            "made its output float64 from float32",
        ),
        (wrong(forward=lambda x: (x.tolist(), 0)), TypeError, "returned a list as its output"),
        (
            wrong(backward=lambda d: d),
            TypeError,
            r"Wrong.backward returned a ndarray; .* \(dx, gradients by short name\)",
        ),
        (
            wrong(backward=lambda d: (d, {})),
            ValueError,
            "backward returned no gradient for the parameter 'a', but none",
        ),
        (wrong(backward=lambda d: (d, {"b": d})), ValueError, "no gradient for the parameter 'a', but b"),
        (wrong(backward=lambda d: (None, {"a": d})), TypeError, "backward returned a NoneType as dx"),
        (wrong(backward=lambda d: (d.astype(float), {"a": d})), TypeError, "made dx float64 from float32"),
        (wrong(backward=lambda d: (d[:, :1], {"a": d})), ValueError, r"returned dx of shape \(5, 1, 8, 8\)"),
        (wrong(build=lambda s: (s, [1])), TypeError, r"Wrong.build returned \(\(3, 8, 8\), \[1\]\); it must return"),
        (wrong(build=lambda s: ([3], {})), TypeError, r"returned the shape \[3\]; it must be a tuple"),
        (wrong(build=lambda s: ((3, 0), {})), TypeError, r"returned the shape \(3, 0\)"),
        (wrong(build=lambda s: (s, {"a": "b"})), TypeError, "the parameter 'a' is no array of numbers"),
        (wrong(build=lambda s: s), TypeError, r"Wrong.build returned \(3, 8, 8\); it must return"),
        (Step(), NotImplementedError, "Step has no forward"),
    ],
)
def test_a_users_step_that_does_not_keep_the_protocol(step, error, message):
    with pytest.raises(error, match=message):
        Network([Conv(3, 1), step, Affine(3)], (3, 8, 8), rng=0).loss(X, Y)


def test_a_kind_that_does_not_exist():
    class Odd(Step):
        kinds: ClassVar = {"w": "wieght"}

        def build(self, shape, rng):
            return shape, {"w": np.ones(1)}

    with pytest.raises(ValueError, match="the kind of 'w' is 'wieght'; it must be one of"):
        Network([Odd(), Affine(3)], (3, 8, 8))


def test_summary():
    net = small()
    net.freeze("first.*")
    summary = net.summary()
    rows = {row.name: row for row in summary.rows}
    assert rows["first"].parameters == rows["first"].frozen == summary.frozen == 4 * 27 + 4
    assert rows["first"].multiply_adds == 64 * 4 * 27
    assert rows["residual1"].parameters == 0
    assert rows["residual1.shortcut.conv1"].multiply_adds == 16 * 16
    assert rows["residual1.conv1"].depth == 1
    assert rows["affine1"].multiply_adds == 64 * 6
    assert rows["maxpool1"].shape == (4, 4, 4)
    assert summary.parameters == sum(array.size for array in net.params.values())
    assert summary.multiply_adds == 64 * (4 * 27 + 4 * 36) + 2 * 16 * 16 + 64 * 6 + 6 * 3
    text = str(summary)
    assert [line.split()[0] for line in text.splitlines()[3:-3]] == [row.name for row in summary.rows]
    assert "112 of the parameters are frozen" in text
    assert f"{summary.parameters:,}" in text.splitlines()[-2]


def blobs():
    """Images of three classes that a small network tells apart."""
    rng = np.random.default_rng(3)
    y = rng.integers(3, size=140)
    images = 0.5 * rng.standard_normal((140, 3, 8, 8)) + waves(3, 3, 8, 8)[y]
    images = images.astype(np.float32)
    return {"X_train": images[:100], "y_train": y[:100], "X_val": images[100:], "y_val": y[100:]}


def trainer(**settings):
    net = Network(
        [Conv(6, 3, bias=False), BatchNorm(), ReLU(), MaxPool(2), Residual([Conv(6, 1, bias=False), BatchNorm()]),
         Dropout(0.8), Affine(3)],
        (3, 8, 8), rng=5,
    )  # fmt: skip
    defaults = {"batch_size": 13, "num_epochs": 4, "verbose": False, "progress": False, "update_rule": "adam", "rng": 9,
                "optim_config": {"learning_rate": 0.02}}  # fmt: skip
    return Solver(net, blobs(), **{**defaults, **settings})


def state(solver):
    last = solver.last_weights or weights_of(solver.model)
    arrays = {f"p {name}": a.tobytes() for name, a in last.params.items()}
    arrays |= {f"b {i} {key}": a.tobytes() for i, bn in enumerate(last.bn_params) for key, a in bn.items()}
    arrays |= {f"best {i} {key}": a.tobytes() for i, bn in enumerate(solver.best_bn_params) for key, a in bn.items()}
    generator = str(solver.model.rng.bit_generator.state)
    return arrays | {"rng": generator, "loss": solver.loss_history, "val": solver.val_acc_history}


def test_the_solver_trains_it():
    solver = trainer(num_epochs=15)
    solver.train()
    assert solver.best_val_acc > 0.9
    assert solver.loss_history[-1] < solver.loss_history[0]
    assert solver.model.bn_params[0]["running_mean"].any()


def test_a_resumed_run_ends_in_the_same_bits(tmp_path):
    whole = trainer()
    whole.train()
    path = tmp_path / "run.safetensors"
    trainer(checkpoint_path=path, hooks=[StopAt(11)]).train()
    resumed = trainer()
    resumed.model.loss(blobs()["X_train"], blobs()["y_train"])  # moves running statistics and the generator
    resumed.resume(path)
    assert resumed.iteration == 11
    resumed.train()
    assert state(resumed) == state(whole)


def test_flat_samples():
    net = Network([Affine(8), ReLU(), Affine(3)], (10,), rng=0)
    assert net.loss(waves(5, 10), Y)[0] > 0
    assert Network([Flatten()], (3,)).loss(waves(5, 3)).shape == (5, 3)
