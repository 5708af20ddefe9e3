"""What PyTorch calls the modules of each network: against small tables written out by hand."""

import numpy as np
import pytest

from pellucid.models import (
    GELU,
    Affine,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    FullyConnectedNet,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Scale,
    Step,
    Subsample,
    ThreeLayerConvNet,
    airbench,
    resnet9,
    resnet20,
    tutorial,
    vgg,
)
from pellucid.shipping.torch_weights import torch_state

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def shapes_of(network, names=None):
    return {name: array.shape for name, array in torch_state(network, names).items()}


def table(*rows):
    """{PyTorch's name: shape} of rows (name of the module, shape of its weight, and "bias" or "norm")."""
    shapes = {}
    for name, weight, *more in rows:
        shapes[f"{name}.weight"] = weight
        if "bias" in more:
            shapes[f"{name}.bias"] = weight[:1]
        if "norm" in more:
            shapes |= {f"{name}.{tensor}": weight if tensor in NORM[:4] else () for tensor in NORM}
    return shapes


VGG11 = table(
    ("features.0", (2, 3, 3, 3), "bias"), ("features.1", (2,), "norm"),
    ("features.4", (3, 2, 3, 3), "bias"), ("features.5", (3,), "norm"),
    ("features.8", (4, 3, 3, 3), "bias"), ("features.9", (4,), "norm"),
    ("features.11", (4, 4, 3, 3), "bias"), ("features.12", (4,), "norm"),
    ("features.15", (5, 4, 3, 3), "bias"), ("features.16", (5,), "norm"),
    ("features.18", (5, 5, 3, 3), "bias"), ("features.19", (5,), "norm"),
    ("features.22", (6, 5, 3, 3), "bias"), ("features.23", (6,), "norm"),
    ("features.25", (6, 6, 3, 3), "bias"), ("features.26", (6,), "norm"),
    ("classifier", (7, 6), "bias"),
)  # fmt: skip


def resnet(head, shortcut=None):
    """ResNet-8: a block in each of the three stages."""
    rows = [("conv1", (4, 3, 3, 3)), ("bn1", (4,), "norm")]
    for stage, (before, filters) in enumerate([(4, 4), (4, 8), (8, 16)], start=1):
        block = f"layer{stage}.0"
        rows += [
            (f"{block}.conv1", (filters, before, 3, 3)), (f"{block}.bn1", (filters,), "norm"),
            (f"{block}.conv2", (filters, filters, 3, 3)), (f"{block}.bn2", (filters,), "norm"),
        ]  # fmt: skip
        if shortcut and stage > 1:
            rows += [(f"{block}.{shortcut}.0", (filters, before, 1, 1)), (f"{block}.{shortcut}.1", (filters,), "norm")]
    return table(*rows, (head, (7, 16), "bias"))


RESNET9 = table(
    ("prep_conv", (2, 3, 3, 3)), ("prep_bn", (2,), "norm"),
    ("layer1_conv", (4, 2, 3, 3)), ("layer1_bn", (4,), "norm"),
    ("layer1_residual_res1_conv", (4, 4, 3, 3)), ("layer1_residual_res1_bn", (4,), "norm"),
    ("layer1_residual_res2_conv", (4, 4, 3, 3)), ("layer1_residual_res2_bn", (4,), "norm"),
    ("layer2_conv", (8, 4, 3, 3)), ("layer2_bn", (8,), "norm"),
    ("layer3_conv", (16, 8, 3, 3)), ("layer3_bn", (16,), "norm"),
    ("layer3_residual_res1_conv", (16, 16, 3, 3)), ("layer3_residual_res1_bn", (16,), "norm"),
    ("layer3_residual_res2_conv", (16, 16, 3, 3)), ("layer3_residual_res2_bn", (16,), "norm"),
    ("linear", (7, 16)),
)  # fmt: skip


def airbench_table(first, blocks, last, convolutions=2):
    """``blocks``: the names of the three blocks."""
    rows = [(first, (24, 3, 2, 2), "bias")]
    before = 24
    for block, filters in zip(blocks, (4, 5, 6), strict=True):
        for i in range(1, convolutions + 1):
            rows += [(f"{block}.conv{i}", (filters, before, 3, 3)), (f"{block}.norm{i}", (filters,), "norm")]
            before = filters
    return table(*rows, (last, (7, 6)))


MUON = ("layers.1", "layers.2", "layers.3")
READY_MADE = {
    # steps, a fitting image's side, names (None: found by itself), table
    "vgg11": (vgg(11, (2, 3, 4, 5, 6), 7), 16, None, VGG11),
    "resnet": (resnet20(1, 4, 7), 8, None, resnet("linear")),
    "resnet, projections": (resnet20(1, 4, 7, shortcut="projection"), 8, None, resnet("linear", "shortcut")),
    "torchvision": (
        resnet20(1, 4, 7, shortcut="projection"), 8, "torchvision", resnet("fc", "downsample")
    ),
    "resnet9": (resnet9(2, 7), 16, None, RESNET9),
    "airbench": (airbench((4, 5, 6), 7), 18, None, airbench_table("0", "234", "7")),
    "airbench96": (airbench((4, 5, 6), 7, convolutions=3), 18, None, airbench_table("0", "234", "7", 3)),
    "airbench_muon": (airbench((4, 5, 6), 7), 18, "airbench_muon", airbench_table("whiten", MUON, "head")),
    "tutorial": (
        tutorial(2, 3, 5, 7), 8, None, table(("0", (2, 3, 3, 3), "bias"), ("4", (5, 32), "bias"), ("6", (7, 5), "bias"))
    ),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "side", "names", "expected"), READY_MADE.values(), ids=READY_MADE)
def test_ready_made_networks_have_the_names_of_their_implementations(steps, side, names, expected):
    assert shapes_of(Network(steps, (3, side, side), rng=0), names) == expected


def test_published_sizes():
    names = list(torch_state(Network(resnet20(), (3, 32, 32), rng=0)))
    assert len(names) == 116
    assert "layer3.2.conv2.weight" in names
    names = shapes_of(Network(airbench(), (3, 32, 32), rng=0))
    assert names["4.conv2.weight"] == (256, 256, 3, 3)
    assert names["7.weight"] == (10, 256)
    names = shapes_of(Network(vgg(), (3, 32, 32), rng=0))
    assert names["features.40.weight"] == (512, 512, 3, 3)
    assert names["classifier.weight"] == (10, 512)


def test_other_depths_of_airbench_end_at_other_indices():
    names = list(torch_state(Network(airbench((4, 5)), (3, 18, 18), rng=0)))
    assert names[-1] == "6.weight"


def test_a_sequential_flattens_where_images_become_rows():
    block = [Conv(4, 3, pad=1, bias=False), BatchNorm(), Residual([Conv(4, 1), GELU(), GroupNorm(2)])]
    net = Network(
        [Conv(4), LayerNorm(), Residual(block, shortcut=[Conv(4, 1), BatchNorm()]), GlobalAvgPool(), Affine(3),
         Dropout(0.5), ReLU(), Affine(2)],
        (3, 6, 6), rng=0,
    )  # fmt: skip
    assert shapes_of(net) == {
        "0.weight": (4, 3, 3, 3), "0.bias": (4,),
        "1.weight": (4, 4, 4), "1.bias": (4, 4, 4),
        **table(("2.steps.0", (4, 4, 3, 3)), ("2.steps.1", (4,), "norm")),
        **table(("2.steps.2.steps.0", (4, 4, 1, 1), "bias"), ("2.steps.2.steps.2", (4,), "bias")),
        **table(("2.shortcut.0", (4, 4, 1, 1), "bias"), ("2.shortcut.1", (4,), "norm")),
        **table(("5", (3, 4), "bias"), ("8", (2, 3), "bias")),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "index"),
    [
        ([Affine(2)], 1),
        ([Flatten(), Affine(2)], 1),
        ([MaxPool(2), Affine(2)], 2),
        ([GlobalMaxPool(), Affine(2)], 2),
        ([GlobalMaxPool(), Flatten(), Affine(2)], 2),
        ([GlobalMaxPool(), ReLU(), Affine(2)], 3),
    ],
)
def test_every_way_from_images_to_rows(steps, index):
    assert list(torch_state(Network(steps, (3, 4, 4), rng=0))) == [f"{index}.weight", f"{index}.bias"]


def test_the_courses_classes_are_sequential():
    conv = ThreeLayerConvNet((3, 8, 8), 2, 3, 5, 7, rng=0)
    state = torch_state(conv)
    assert list(state) == ["0.weight", "0.bias", "4.weight", "4.bias", "6.weight", "6.bias"]
    np.testing.assert_array_equal(state["4.weight"], conv.params["W2"].T)
    rows = FullyConnectedNet([5, 4], 6, 3, normalization="batchnorm", rng=0)
    assert shapes_of(rows) == table(
        ("0", (5, 6), "bias"), ("1", (5,), "norm"), ("3", (4, 5), "bias"), ("4", (4,), "norm"), ("6", (3, 4), "bias")
    )


class Halves(Step):
    """A step of one's own: with a parameter, and no place in PyTorch."""

    def build(self, shape, rng):
        return shape, {"factor": np.array(0.5), "moves": np.ones((2, *shape))}

    def forward(self, x, params, mode):
        return x * params["factor"], None


def test_a_step_of_ones_own_keeps_its_names_and_layout():
    net = Network([Affine(4), Halves(), Affine(2)], (3,), rng=0)
    assert shapes_of(net) == {
        "0.weight": (4, 3), "0.bias": (4,), "1.factor": (), "1.moves": (2, 4), "2.weight": (2, 4), "2.bias": (2,)
    }  # fmt: skip


ALMOST = {
    "vgg with dropout": ([*vgg(11, (2, 3, 4, 5, 6))[:-1], Dropout(0.5), Affine(3)], (3, 16, 16)),
    "a network that only looks like vgg": ([Conv(3, bias=False), BatchNorm(), ReLU(), GlobalMaxPool(), Affine(2)],
                                           (3, 8, 8)),
    "airbench without a factor on the scores": (airbench((4, 5))[:-1], (3, 12, 12)),
    "resnet9 with an affine layer more": ([*resnet9(2), Affine(3)], (3, 16, 16)),
    "resnet20 of a width that akamaster's cannot have": (resnet20(1, 3), (3, 8, 8)),
    "resnet20 that subsamples by three": (
        [*resnet20(1, 4)[:5], Residual([Conv(8, 3, stride=3, pad=1), BatchNorm(), ReLU(), Conv(8, 3, pad=1),
                                        BatchNorm()], shortcut=[Subsample(8, 3)]), ReLU(), GlobalAvgPool(), Affine(2)],
        (3, 8, 8),
    ),
    "resnet20 with groups, whose channels cannot change places": (
        [*resnet20(1, 4)[:5], Residual([Conv(8, 3, stride=2, pad=1, groups=2), BatchNorm(), ReLU(), Conv(8, 3, pad=1),
                                        BatchNorm()], shortcut=[Subsample(8)]), ReLU(), GlobalAvgPool(), Affine(2)],
        (3, 8, 8),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "shape"), ALMOST.values(), ids=ALMOST)
def test_a_network_that_is_not_quite_ready_made_is_sequential(steps, shape):
    net = Network(steps, shape, rng=0)
    assert list(torch_state(net)) == list(torch_state(net, "sequential"))


def test_names_by_hand():
    net = Network([Conv(2, name="stem"), ReLU(), Affine(3), Scale(2.0)], (1, 4, 4), rng=0)
    state = torch_state(net, {"stem": "body.0", "affine1": ""})
    assert list(state) == ["body.0.weight", "body.0.bias", "weight", "bias"]


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("resnet2", ValueError, r"torch_state: names is 'resnet2'; .*did you mean 'resnet20'"),
        ("vgg", ValueError, "names is 'vgg', but the network's steps are not those"),
        (7, ValueError, "names is 7; it must be one of"),
        ({"conv1": "a"}, ValueError, "names lacks the key 'affine1'"),
        ({"conv1": "a", "affine1": "b", "afine2": "c"}, ValueError, r"unknown key 'afine2' \(did you mean 'affine"),
        ({"conv1": "a", "affine1": "b", "affine2": "a"}, ValueError, "must be strings, all different"),
        ({"conv1": "a", "affine1": "b", "affine2": 3}, ValueError, "must be strings, all different"),
    ],
)
def test_bad_names(names, error, message):
    with pytest.raises(error, match=message):
        torch_state(Network(tutorial(2, 3, 5), (3, 8, 8), rng=0), names)


def test_only_networks():
    with pytest.raises(TypeError, match="as_network: model is a list; it must be a Network"):
        torch_state(tutorial())
