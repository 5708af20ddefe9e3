"""Against PyTorch itself: its modules take our files with strict=True and score alike, and the other way round."""

import numpy as np
import pytest
from hypothesis import given, settings

from pellucid.models import (
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Network,
    Pad,
    Residual,
    Scale,
    Softmax,
    Subsample,
    ThreeLayerConvNet,
    airbench,
    resnet9,
    resnet20,
    tutorial,
    vgg,
)
from pellucid.shipping.torch_weights import load_torch_state, read_torch_weights, torch_state, write_torch_weights
from random_networks import fill, images_for, networks, worst

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(1)


class Does(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def conv_norm(before, filters, stride=1):
    return nn.Conv2d(before, filters, 3, stride, padding=1, bias=False), nn.BatchNorm2d(filters)


# The published networks, written afresh: their modules' names are what matters


class Block(nn.Module):
    """Of akamaster/pytorch_resnet_cifar10: option A or B; as in torchvision with its names."""

    def __init__(self, before, filters, stride, option, shortcut):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(before, filters, stride)
        self.conv2, self.bn2 = conv_norm(filters, filters)
        self.add = lambda x: x
        if stride != 1 and option == "A":
            sides = (0, 0, 0, 0, filters // 4, filters // 4)
            self.add = lambda x: F.pad(x[:, :, ::2, ::2], sides)
        elif stride != 1:
            projection = nn.Sequential(nn.Conv2d(before, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))
            self.add_module(shortcut, projection)
            self.add = lambda x: projection(x)

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.add(x))


class ResNet(nn.Module):
    def __init__(self, blocks, width, option, shortcut="shortcut", head="linear"):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(3, width)
        before = width
        for stage in range(3):
            filters = width << stage
            row = [Block(before if i == 0 else filters, filters, 2 if stage and i == 0 else 1, option, shortcut)
                   for i in range(blocks)]  # fmt: skip
            setattr(self, f"layer{stage + 1}", nn.Sequential(*row))
            before = filters
        self.add_module(head, nn.Linear(before, 10))
        self.head = [getattr(self, head)]

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.head[0](x.mean((2, 3)))


class ConvGroup(nn.Module):
    """Of airbench94, and with three convolutions of airbench96."""

    def __init__(self, before, filters, convolutions=2):
        super().__init__()
        self.convolutions = convolutions
        for i in range(1, convolutions + 1):
            setattr(self, f"conv{i}", nn.Conv2d(before if i == 1 else filters, filters, 3, padding="same", bias=False))
            setattr(self, f"norm{i}", nn.BatchNorm2d(filters, eps=1e-12))

    def forward(self, x):
        x = first = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        x = self.norm2(self.conv2(x))
        if self.convolutions == 3:
            x = first + self.norm3(self.conv3(F.gelu(x)))
        return F.gelu(x)


def airbench_module(widths, convolutions=2):
    groups = [ConvGroup(a, b, convolutions) for a, b in zip((24, *widths), widths, strict=False)]
    return nn.Sequential(
        nn.Conv2d(3, 24, 2), nn.GELU(), *groups, nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(widths[-1], 10, bias=False), Does(lambda x: x / 9),
    )  # fmt: skip


class Muon(nn.Module):
    """CifarNet of airbench94_muon."""

    def __init__(self, widths):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        groups = [ConvGroup(a, b) for a, b in zip((24, *widths), widths, strict=False)]
        self.layers = nn.Sequential(nn.GELU(), *groups, nn.AdaptiveMaxPool2d(1))
        self.head = nn.Linear(widths[-1], 10, bias=False)

    def forward(self, x):
        return self.head(self.layers(self.whiten(x)).flatten(1)) / self.head.in_features


class ResNet9(nn.Module):
    """Of cifar10-fast."""

    def __init__(self, width):
        super().__init__()
        before = 3
        for i, layer in enumerate(("prep", "layer1", "layer2", "layer3")):
            self.pair(layer, before, width << i)
            before = width << i
        for layer, filters in (("layer1", 2 * width), ("layer3", 8 * width)):
            self.pair(f"{layer}_residual_res1", filters, filters)
            self.pair(f"{layer}_residual_res2", filters, filters)
        self.linear = nn.Linear(before, 10, bias=False)

    def pair(self, name, before, filters):
        conv, norm = conv_norm(before, filters)
        self.add_module(f"{name}_conv", conv)
        self.add_module(f"{name}_bn", norm)

    def run(self, name, x):
        return F.relu(getattr(self, f"{name}_bn")(getattr(self, f"{name}_conv")(x)))

    def forward(self, x):
        for layer in ("prep", "layer1", "layer2", "layer3"):
            x = self.run(layer, x)
            x = x if layer == "prep" else F.max_pool2d(x, 2)
            if layer in ("layer1", "layer3"):
                x = x + self.run(f"{layer}_residual_res2", self.run(f"{layer}_residual_res1", x))
        return self.linear(x.amax((2, 3))) * 0.125


class VGG(nn.Module):
    """Of kuangliu/pytorch-cifar: its convolutions have biases."""

    def __init__(self, widths):
        super().__init__()
        layers, before = [], 3
        for width in widths:
            if width == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                before = width
        self.features = nn.Sequential(*layers, nn.AvgPool2d(1))
        self.classifier = nn.Linear(before, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


PUBLISHED = {
    # the convention, our steps, an image's side, their module
    "vgg": ("vgg", vgg(11, (4, 5, 6, 7, 8)), 32, lambda: VGG([4, "M", 5, "M", 6, 6, "M", 7, 7, "M", 8, 8, "M"])),
    "option A": ("resnet20", resnet20(2, 4), 16, lambda: ResNet(2, 4, "A")),
    "option B": ("resnet20", resnet20(2, 4, shortcut="projection"), 16, lambda: ResNet(2, 4, "B")),
    "torchvision": (
        "torchvision", resnet20(2, 4, shortcut="projection"), 16, lambda: ResNet(2, 4, "B", "downsample", "fc")
    ),
    "resnet9": ("resnet9", resnet9(4), 32, lambda: ResNet9(4)),
    "airbench94": ("airbench", airbench((4, 5, 6)), 32, lambda: airbench_module((4, 5, 6))),
    "airbench96": ("airbench", airbench((4, 5, 6), convolutions=3), 32, lambda: airbench_module((4, 5, 6), 3)),
    "airbench94_muon": ("airbench_muon", airbench((4, 5, 8), scale=1 / 8), 32, lambda: Muon((4, 5, 8))),
}  # fmt: skip


def random_state(module, seed=3):
    """Every parameter and running statistic random, as in a trained module."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.4, 2, generator=generator)
        elif tensor.dtype.is_floating_point:
            spread = 0.4 if tensor.ndim == 1 else tensor[0].numel() ** -0.5
            tensor.normal_(1 if tensor.ndim == 1 and name.endswith("weight") else 0, spread, generator=generator)


def scores(module, X):
    module.eval()
    with torch.no_grad():
        return module(torch.from_numpy(X)).numpy()


@pytest.mark.parametrize(("names", "steps", "side", "make"), PUBLISHED.values(), ids=PUBLISHED)
def test_published_networks_take_our_file(names, steps, side, make, tmp_path):
    net, module = fill(Network(steps, (3, side, side), rng=0)), make()
    write_torch_weights(net, tmp_path / "w.safetensors", names)
    module.load_state_dict(load_file(tmp_path / "w.safetensors"), strict=True)
    X = images_for(net)
    assert worst(scores(module, X), net.loss(X)) < 1e-5


@pytest.mark.parametrize(("names", "steps", "side", "make"), PUBLISHED.values(), ids=PUBLISHED)
def test_we_take_the_file_of_published_networks(names, steps, side, make, tmp_path):
    net, module = Network(steps, (3, side, side), rng=0), make()
    random_state(module)
    if "airbench" in names:  # there the scale of batch norm is not trained, and ours have none
        for own in module.modules():
            if isinstance(own, nn.BatchNorm2d):
                own.weight.data.fill_(1)
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    assert read_torch_weights(net, tmp_path / "w.safetensors") == names
    X = images_for(net)
    assert worst(net.loss(X), scores(module, X)) < 1e-5


# Any network, as nn.Sequential


class Sum(nn.Module):
    """A residual block."""

    def __init__(self, steps, shortcut):
        super().__init__()
        self.steps = steps
        if shortcut is not None:
            self.shortcut = shortcut

    def forward(self, x):
        return self.steps(x) + (self.shortcut(x) if hasattr(self, "shortcut") else x)


def sequential(steps, shape):
    """The same steps in PyTorch's modules."""
    modules = []
    for i, step in enumerate(steps):
        out_shape = step.plan(shape)[0]
        if isinstance(step, Affine) and len(shape) == 3:
            modules.append(nn.Flatten())
        modules.append(in_torch(step, shape))
        flattened = i + 1 < len(steps) and isinstance(steps[i + 1], Flatten)
        if isinstance(step, GlobalMaxPool | GlobalAvgPool) and not flattened:
            modules.append(nn.Flatten())
        shape = out_shape
    return nn.Sequential(*modules)


def in_torch(step, shape):
    kind, C = type(step).__name__, shape[0]
    if isinstance(step, Conv):
        more = {"stride": step.stride, "padding": step.pad, "dilation": step.dilation, "groups": step.groups}
        return nn.Conv2d(C, step.filters, step.size, bias=step.bias, **more)
    if isinstance(step, Affine):
        return nn.Linear(int(np.prod(shape)), step.units, bias=step.bias)
    if isinstance(step, BatchNorm):
        return (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(C, step.eps, 1 - step.momentum)
    if isinstance(step, MaxPool | AvgPool):
        return getattr(nn, f"{kind}2d")(step.size, step.stride)
    if isinstance(step, Pad):
        return nn.ConstantPad2d((step.left, step.right, step.top, step.bottom), step.value)
    if isinstance(step, Residual):
        return Sum(sequential(step.steps, shape), step.shortcut and sequential(step.shortcut, shape))
    if isinstance(step, Subsample):
        extra = (0, 0, 0, 0, 0, step.filters - C)
        return Does(lambda x: F.pad(x[:, :, :: step.stride, :: step.stride], extra))
    simple = {
        LayerNorm: lambda: nn.LayerNorm(shape, step.eps),
        GroupNorm: lambda: nn.GroupNorm(step.groups, C, step.eps),
        Dropout: lambda: nn.Dropout(1 - step.keep),
        Scale: lambda: Does(lambda x: step.factor * x),
        Softmax: lambda: nn.Softmax(1),
        GlobalMaxPool: lambda: nn.AdaptiveMaxPool2d(1),
        GlobalAvgPool: lambda: nn.AdaptiveAvgPool2d(1),
    }
    return simple[type(step)]() if type(step) in simple else getattr(nn, kind)()


@given(networks())
@settings(max_examples=100, deadline=None)
def test_any_network_is_a_sequential(net):
    module = sequential(net.steps, net.input_shape)
    module = module.double() if net.dtype == np.float64 else module
    module.load_state_dict({name: torch.from_numpy(array) for name, array in torch_state(net).items()}, strict=True)
    X = images_for(net)
    right = scores(module, X)
    assert worst(net.loss(X), right) < 1e-5
    copy = Network(net.steps, net.input_shape, dtype=net.dtype, rng=5)
    load_torch_state(copy, module.state_dict())
    assert worst(copy.loss(X), right) < 1e-5


def test_the_courses_network(tmp_path):
    net = ThreeLayerConvNet((3, 8, 8), 4, 3, 5, weight_scale=0.3, rng=0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 5), nn.ReLU(),
        nn.Linear(5, 10),
    )  # fmt: skip
    net.params["W2"] = np.asfortranarray(net.params["W2"])
    write_torch_weights(net, tmp_path / "w")
    module.load_state_dict(load_file(tmp_path / "w"), strict=True)
    X = np.random.default_rng(0).standard_normal((3, 3, 8, 8)).astype(np.float32)
    assert worst(scores(module, X), net.loss(X)) < 1e-5
    copy = Network(tutorial(4, 3, 5), (3, 8, 8), rng=1)
    load_torch_state(copy, module.state_dict())
    assert worst(copy.loss(X), net.loss(X)) < 1e-5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_from_torch(dtype, tmp_path):
    module = ResNet(1, 4, "B")
    random_state(module)
    module = module.to(getattr(torch, dtype))
    save_file(module.state_dict(), tmp_path / "w")
    net = Network(resnet20(1, 4, shortcut="projection"), (3, 16, 16), rng=0)
    read_torch_weights(net, tmp_path / "w")
    X = images_for(net)
    assert worst(net.loss(X), scores(module.float(), X)) < 1e-5


def test_what_makes_no_array():
    net = Network([Affine(2, bias=False)], (3,), rng=0)
    with pytest.raises(TypeError, match=r"0\.weight is a Parameter that makes no array \(.*; give "):
        load_torch_state(net, {"0.weight": nn.Parameter(torch.zeros(2, 3))})
    with pytest.raises(TypeError, match=r"0\.weight is a Tensor that makes no array \(.*BFloat16.*; give "):
        load_torch_state(net, {"0.weight": torch.zeros(2, 3, dtype=torch.bfloat16)})


def test_torchs_own_files_are_refused(tmp_path):
    module = nn.Sequential(nn.Linear(3, 2, bias=False))
    net = Network([Affine(2, bias=False)], (3,), rng=0)
    for i, new in enumerate((True, False)):
        torch.save(module.state_dict(), tmp_path / f"{i}.pt", _use_new_zipfile_serialization=new)
        with pytest.raises(ValueError, match=r"it is a pickle, as torch\.save writes them"):
            read_torch_weights(net, tmp_path / f"{i}.pt")
