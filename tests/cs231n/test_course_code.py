"""Code written for the course runs after replacing ``cs231n`` by ``pellucid.cs231n``."""

import inspect

import numpy as np
import pytest

from pellucid.cs231n import data_utils, fast_layers, gradient_check, layer_utils, layers, optim, solver, vis_utils
from pellucid.cs231n.classifiers import cnn, fc_net
from pellucid.cs231n.gradient_check import rel_error

NAMES = {
    layers: """affine_forward affine_backward relu_forward relu_backward batchnorm_forward batchnorm_backward
        batchnorm_backward_alt layernorm_forward layernorm_backward dropout_forward dropout_backward conv_forward_naive
        conv_backward_naive max_pool_forward_naive max_pool_backward_naive spatial_batchnorm_forward
        spatial_batchnorm_backward spatial_groupnorm_forward spatial_groupnorm_backward svm_loss softmax_loss""",
    fast_layers: """conv_forward_fast conv_backward_fast max_pool_forward_fast max_pool_backward_fast
    conv_forward_im2col
        conv_backward_im2col conv_forward_strides conv_backward_strides max_pool_forward_reshape
        max_pool_backward_reshape max_pool_forward_im2col max_pool_backward_im2col""",
    layer_utils: """affine_relu_forward affine_relu_backward conv_relu_forward conv_relu_backward conv_bn_relu_forward
        conv_bn_relu_backward conv_relu_pool_forward conv_relu_pool_backward conv_forward_fast affine_forward""",
    gradient_check: """eval_numerical_gradient eval_numerical_gradient_array eval_numerical_gradient_blobs
        eval_numerical_gradient_net grad_check_sparse""",
    optim: "sgd sgd_momentum rmsprop adam",
    solver: "Solver",
    data_utils: "get_CIFAR10_data load_CIFAR10 load_pickle",
    vis_utils: "visualize_grid vis_grid vis_nn",
    cnn: "ThreeLayerConvNet",
    fc_net: "TwoLayerNet FullyConnectedNet",
}


@pytest.mark.parametrize("module", NAMES, ids=lambda m: m.__name__)
def test_names_are_the_courses(module):
    for name in NAMES[module].split():
        assert callable(getattr(module, name)), name


@pytest.mark.parametrize(
    ("function", "names", "defaults"),
    [
        (gradient_check.eval_numerical_gradient, "f x verbose h", (True, 1e-5)),
        (gradient_check.eval_numerical_gradient_array, "f x df h", (1e-5,)),
        (gradient_check.eval_numerical_gradient_blobs, "f inputs output h", (1e-5,)),
        (optim.adam, "w dw config", (None,)),
        (layers.spatial_groupnorm_forward, "x gamma beta G gn_param", ()),
        (layer_utils.conv_bn_relu_forward, "x w b gamma beta conv_param bn_param", ()),
        (vis_utils.visualize_grid, "Xs ubound padding", (255.0, 1)),
        (data_utils.get_CIFAR10_data, "num_training num_validation num_test subtract_mean", (49000, 1000, 1000, True)),
    ],
)
def test_signatures_and_defaults_are_the_courses(function, names, defaults):
    parameters = list(inspect.signature(function).parameters.values())
    assert [p.name for p in parameters][: len(names.split())] == names.split()
    given = [p.default for p in parameters if p.default is not p.empty]
    assert tuple(given)[: len(defaults)] == defaults
    assert all(p.default is not p.empty for p in parameters[len(names.split()) :]), "what we added is optional"


def test_the_convolution_notebook_in_short(capsys):
    """The course's cells, with its seed, on random images in place of CIFAR-10."""
    np.random.seed(231)
    x = np.random.randn(3, 3, 7, 7)
    w, b = np.random.randn(4, 3, 3, 3), np.random.randn(4)
    dout = np.random.randn(3, 4, 4, 4)
    conv_param = {"stride": 2, "pad": 1}
    out_naive, cache_naive = layers.conv_forward_naive(x, w, b, conv_param)
    out_fast, cache_fast = fast_layers.conv_forward_fast(x, w, b, conv_param)
    assert rel_error(out_naive, out_fast) < 1e-9
    for a, c in zip(
        layers.conv_backward_naive(dout, cache_naive), fast_layers.conv_backward_fast(dout, cache_fast), strict=True
    ):
        assert rel_error(a, c) < 1e-9

    data = {
        "X_train": np.random.randn(60, 3, 8, 8),
        "y_train": np.random.randint(4, size=60),
        "X_val": np.random.randn(20, 3, 8, 8),
        "y_val": np.random.randint(4, size=20),
    }
    model = cnn.ThreeLayerConvNet(
        input_dim=(3, 8, 8), num_classes=4, weight_scale=1e-2, filter_size=3, num_filters=8, hidden_dim=50
    )
    trainer = solver.Solver(
        model, data, num_epochs=40, batch_size=20, update_rule="adam", optim_config={"learning_rate": 3e-3},
        verbose=True, print_every=1,
    )  # fmt: skip
    trainer.train()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("(Iteration 1 / 120) loss: 1.3")
    assert lines[1].startswith("(Epoch 0 / 40) train acc: 0.")
    assert len(trainer.loss_history) == 120
    assert len(trainer.train_acc_history) == 41
    assert trainer.train_acc_history[-1] > 0.9


def test_the_seed_draws_minibatches_as_the_course_does():
    """Batches by np.random.choice, then accuracies by np.random.choice, all from the global state, in this order."""
    data = {
        "X_train": np.arange(40.0).reshape(40, 1), "y_train": np.zeros(40, int),
        "X_val": np.zeros((5, 1)), "y_val": np.zeros(5, int),
    }  # fmt: skip
    seen = []

    class Watches:
        def __init__(self):
            self.params = {"W": np.zeros((1, 2))}

        def loss(self, X, y=None):
            if y is None:
                return np.zeros((len(X), 2))
            seen.append(X[:, 0].astype(int).tolist())
            return 1.0, {"W": np.zeros((1, 2))}

    np.random.seed(231)
    solver.Solver(Watches(), data, num_epochs=1, batch_size=10, num_train_samples=8, verbose=False).train()
    after = np.random.rand()
    course = np.random.RandomState(231)
    expected = []
    for t in range(4):
        expected.append(course.choice(40, 10).tolist())
        if t in (0, 3):
            course.choice(40, 8)
    assert seen == expected
    assert after == course.rand()


def test_arguments_of_earlier_years():
    keep = {"hidden_dims": [4], "input_dim": 6}
    assert fc_net.FullyConnectedNet(**keep, dropout=0.75).dropout_param["p"] == 0.75  # 2018 to 2020: keep
    assert fc_net.FullyConnectedNet(**keep, dropout=0.75, use_batchnorm=False).dropout_param["p"] == 0.25  # 2017: drop
    assert not fc_net.FullyConnectedNet(**keep, dropout=1).use_dropout
    assert not fc_net.FullyConnectedNet(**keep, dropout=0).use_dropout
    assert fc_net.FullyConnectedNet(**keep, use_batchnorm=True).normalization == "batchnorm"
    with pytest.raises(ValueError, match="dropout_keep_ratio or the older dropout, not both"):
        fc_net.FullyConnectedNet(**keep, dropout=0.5, dropout_keep_ratio=0.5)
    with pytest.raises(ValueError, match="normalization or the older use_batchnorm, not both"):
        fc_net.FullyConnectedNet(**keep, use_batchnorm=True, normalization="layernorm")


@pytest.mark.parametrize("module", ["fc_net", "cnn"])
def test_a_star_import_of_a_classifier_brings_the_layers_and_numpy(module):
    """Several of the course's notebooks import nothing else."""
    names = {}
    exec(f"from pellucid.cs231n.classifiers.{module} import *", names)
    needed = "np batchnorm_forward batchnorm_backward_alt layernorm_forward dropout_forward affine_forward svm_loss"
    assert set(needed.split()) <= names.keys()


def test_a_seed_makes_dropout_repeatable_beside_a_generator():
    model = fc_net.FullyConnectedNet([9], 6, 3, dropout_keep_ratio=0.5, seed=3, rng=0)
    X, y = np.ones((4, 6)), np.array([0, 1, 2, 0])
    assert model.loss(X, y)[0] == model.loss(X, y)[0]


def test_blobs():
    class Blob:
        def __init__(self, vals):
            self.vals, self.diffs = vals, np.ones_like(vals)

    x, y, out = Blob(np.array([1.0, 2.0])), Blob(np.array([3.0, 4.0])), Blob(np.zeros(2))

    def multiply(x, y, out):
        out.vals[:] = x.vals * y.vals

    for ours, right in zip(gradient_check.eval_numerical_gradient_blobs(multiply, (x, y), out), (y, x), strict=True):
        np.testing.assert_allclose(ours, right.vals, rtol=1e-9)


def test_pickles_are_refused(tmp_path):
    with pytest.raises(ValueError, match="data --fetch cifar10"):
        data_utils.load_pickle("data_batch_1")
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"x")
    with pytest.raises(ValueError, match="binary"):
        data_utils.load_CIFAR10(tmp_path / "cifar-10-batches-py")
