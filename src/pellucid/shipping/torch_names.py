"""What PyTorch calls the modules of a network: every public implementation has names of its own.

sequential
    Any network: the indices of an ``nn.Sequential`` of PyTorch's own modules. It has an ``nn.Flatten`` in front of an
    affine layer that reads images, and one behind a global pooling (``nn.AdaptiveMaxPool2d(1), nn.Flatten()``). A
    residual block is a module of one's own whose branches are ``nn.Sequential`` under ``steps`` and ``shortcut``.
vgg
    ``features.0`` ... and ``classifier``, as in kuangliu/pytorch-cifar (torchvision's has three affine layers). Its
    convolutions have a bias in front of batch norm, which ours leave out: zeros are written.
resnet20
    ``conv1``, ``bn1``, ``layer1.0.conv1`` ... ``linear``, as in Y. Idelbayev's akamaster/pytorch_resnet_cifar10, and
    with projections in kuangliu/pytorch-cifar. Where the shortcut is the identity, the former puts the new channels of
    zeros around those that come in, half of them on each side, and `pellucid.models.Subsample` puts them behind: the
    same network with its channels in another order. What is written and read is in the order of that implementation;
    for one with the zeros behind, give the names as a dictionary, which changes no order.
torchvision
    The same with ``downsample`` for projections and ``fc`` for the last layer, as in torchvision's ResNet and
    chenyaofo/pytorch-cifar-models.
resnet9
    ``prep_conv``, ``prep_bn``, ``layer1_conv``, ``layer1_residual_res1_conv`` ... ``linear``, as in
    davidcpage/cifar10-fast, where the network comes from.
airbench
    ``0`` (whitening), ``2.conv1``, ``2.norm1`` ... ``7``, as in airbench94.py, airbench95.py and airbench96.py of
    KellerJordan/cifar10-airbench.
airbench_muon
    ``whiten``, ``layers.1.conv1`` ... ``head``, as in airbench94_muon.py there.

A state dictionary holds arrays only. ``eps`` of the norms, strides, paddings and factors such as that on the scores
must be right in the network itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pellucid.models import (
    GELU,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Network,
    ReLU,
    Scale,
    SiLU,
    Step,
    Subsample,
)
from pellucid.models.chain import Place
from pellucid.models.residual import SHORTCUT
from pellucid.models.vgg import CONVOLUTIONS


@dataclass(frozen=True)
class Node:
    """A step of a network under its full name, and the branches inside of it."""

    name: str
    step: Step
    in_shape: tuple[int, ...]
    arrays: dict[str, str]
    """The full names of its own parameters by their short ones."""
    branches: dict[str, list[Node]]
    """Of a residual block: "steps", and "shortcut" where it has one."""
    norm: BatchNorm | None
    """The next step, if it is a batch norm, which takes a bias away again."""

    @property
    def has_arrays(self) -> bool:
        """Parameters or running statistics of its own: PyTorch has a named module for it."""
        return bool(self.arrays) or (not self.branches and self.step.bn_param is not None)


class Module(NamedTuple):
    """A PyTorch module with weights, and the step that it stands for."""

    name: str
    node: Node
    zero_bias: bool = False
    """The module has a bias where the step has none."""
    inputs: np.ndarray | None = None
    """For each of our channels that come in, which one it is there; None where the order is the same."""
    outputs: np.ndarray | None = None
    """The same for the channels that it gives."""


class Convention(NamedTuple):
    """Names for the networks whose steps, written as letters, match the whole pattern."""

    pattern: str
    names: Callable[[str], list[str]]
    """The letters -> the names of the modules with weights, in the order of `walk`."""
    zero_biases: bool = False
    """Its convolutions have a bias in front of batch norm."""


def nodes_of(network: Network) -> list[Node]:
    """The network's steps, with the branches of residual blocks inside of them."""
    return _nodes("", [place for depth, _, place in network.places() if depth == 0])


def _nodes(prefix: str, places: list[Place]) -> list[Node]:
    nodes = []
    for i, (name, step, in_shape, _, arrays) in enumerate(places):
        branches = {
            "shortcut" if label == SHORTCUT else "steps": _nodes(f"{prefix}{name}.{label}", chain.places)
            for label, chain in step.chains().items()
        }
        own = {} if branches else {short: prefix + full for short, full in arrays.items()}
        following = places[i + 1].step if i + 1 < len(places) else None
        norm = following if isinstance(following, BatchNorm) else None
        nodes.append(Node(prefix + name, step, in_shape, own, branches, norm))
    return nodes


def walk(nodes: list[Node]) -> Iterator[Node]:
    """Every node, and after it those in its branches."""
    for node in nodes:
        yield node
        for branch in node.branches.values():
            yield from walk(branch)


def modules_of(nodes: list[Node], convention: str) -> list[Module] | None:
    """The modules under a convention's names; None where the network is not one that the convention is for."""
    holding = [node for node in walk(nodes) if node.has_arrays]
    if convention == "sequential":
        return [Module(name, node) for name, node in zip(_sequential(nodes), holding, strict=True)]
    pattern, names, zero_biases = CONVENTIONS[convention]
    letters = "".join(_letters(nodes))
    if not re.fullmatch(pattern, letters):
        return None
    modules = [
        Module(name, node, zero_biases and isinstance(node.step, Conv))
        for name, node in zip(names(letters), holding, strict=True)
    ]
    return _reordered(modules, nodes) if "Z" in letters else modules


LETTERS: tuple[tuple[str, tuple[type[Step], ...]], ...] = (
    ("C", (Conv,)),
    ("N", (BatchNorm,)),
    ("A", (ReLU, GELU, SiLU)),
    ("P", (MaxPool, AvgPool)),
    ("G", (GlobalMaxPool, GlobalAvgPool)),
    ("L", (Affine,)),
    ("S", (Scale,)),
    ("Z", (Subsample,)),
)
"""How a pattern writes the steps. A residual block is its branches in brackets: (CNACN) or (CNACN|CN)."""


def _letters(nodes: list[Node]) -> Iterator[str]:
    for node in nodes:
        if node.branches:
            yield "(" + "|".join("".join(_letters(branch)) for branch in node.branches.values()) + ")"
        else:
            yield next((letter for letter, kinds in LETTERS if isinstance(node.step, kinds)), "?")


def _sequential(nodes: list[Node], prefix: str = "") -> Iterator[str]:
    index = 0
    for i, node in enumerate(nodes):
        if isinstance(node.step, Affine) and len(node.in_shape) > 1:
            index += 1  # nn.Flatten
        if node.has_arrays:
            yield f"{prefix}{index}"
        for label, branch in node.branches.items():
            yield from _sequential(branch, f"{prefix}{index}.{label}.")
        flattened = i + 1 < len(nodes) and isinstance(nodes[i + 1].step, Flatten)
        if isinstance(node.step, GlobalMaxPool | GlobalAvgPool) and not flattened:
            index += 1  # nn.Flatten
        index += 1


def _vgg(letters: str) -> list[str]:
    return [f"features.{i}" for i, letter in enumerate(letters) if letter in "CN"] + ["classifier"]


def _resnet20(letters: str, shortcut: str = "shortcut", head: str = "linear") -> list[str]:
    names = ["conv1", "bn1"]
    stage, i = 1, -1
    for block in re.findall(r"\(.*?\)", letters):
        stage, i = (stage + 1, 0) if "|" in block else (stage, i + 1)
        inside = ["conv1", "bn1", "conv2", "bn2"]
        if "|C" in block:
            inside += [f"{shortcut}.0", f"{shortcut}.1"]
        names += [f"layer{stage}.{i}.{name}" for name in inside]
    return [*names, head]


def _torchvision(letters: str) -> list[str]:
    return _resnet20(letters, "downsample", "fc")


def _resnet9(letters: str) -> list[str]:
    first = ("prep", "layer1", "layer1_residual_res1", "layer1_residual_res2")
    last = ("layer2", "layer3", "layer3_residual_res1", "layer3_residual_res2")
    return [f"{name}_{kind}" for name in (*first, *last) for kind in ("conv", "bn")] + ["linear"]


def _airbench_blocks(letters: str, first: int) -> list[str]:
    """The names inside of the blocks, which are modules of a Sequential from this index on."""
    return [
        f"{i}.{kind}{k}"
        for i, block in enumerate(re.findall(_AIRBENCH_BLOCK, letters), first)
        for k in range(1, block.count("C") + 1)
        for kind in ("conv", "norm")
    ]


def _airbench(letters: str) -> list[str]:
    blocks = len(re.findall(_AIRBENCH_BLOCK, letters))
    return ["0", *_airbench_blocks(letters, 2), f"{blocks + 4}"]


def _airbench_muon(letters: str) -> list[str]:
    return ["whiten", *(f"layers.{name}" for name in _airbench_blocks(letters, 1)), "head"]


_STAGES = "|".join("P".join("CNA" * count for count in counts) for counts in CONVOLUTIONS.values())
_BLOCK, _PROJECTION, _IDENTITY = (rf"\(CNACN{shortcut}\)A" for shortcut in ("", r"\|CN", r"\|Z"))
_RESNET = rf"CNA(?:{_BLOCK})+(?:{_PROJECTION}(?:{_BLOCK})*)+GL"
_AIRBENCH_BLOCK = r"CPNA(?:CNA|\(CNACN\)A)"

CONVENTIONS = {
    "vgg": Convention(rf"(?:{_STAGES})GL", _vgg, zero_biases=True),
    "resnet20": Convention(rf"{_RESNET}|CNA(?:{_BLOCK})+(?:{_IDENTITY}(?:{_BLOCK})*)+GL", _resnet20),
    "torchvision": Convention(_RESNET, _torchvision),
    "resnet9": Convention(r"CNACNAP\(CNACNA\)CNAPCNAP\(CNACNA\)GLS", _resnet9),
    "airbench": Convention(rf"CA(?:{_AIRBENCH_BLOCK})+GLS", _airbench),
    "airbench_muon": Convention(rf"CA(?:{_AIRBENCH_BLOCK})+GLS", _airbench_muon),
}
"""The first whose pattern a network matches is the one that it is written with; "sequential" where none does."""
NAMES = (*CONVENTIONS, "sequential")


def _reordered(modules: list[Module], nodes: list[Node]) -> list[Module] | None:
    """The same modules, knowing the order in which the channels pass from block to block in akamaster's network.

    None where that network cannot be of such a width, or where groups of channels would be torn apart.
    """
    if any(isinstance(module.node.step, Conv) and module.node.step.groups > 1 for module in modules):
        return None
    changed: dict[str, dict[str, Any]] = {}
    order: np.ndarray | None = None
    for node in nodes:
        if node.branches:
            entering = order
            for step, C in ((own.step, own.in_shape[0]) for own in node.branches.get("shortcut", [])):
                if isinstance(step, Subsample):
                    before = step.filters // 4  # as it is written there
                    if step.stride != 2 or C + 2 * before != step.filters:
                        return None
                    there = np.arange(C) if order is None else order
                    order = np.concatenate([before + there, np.r_[:before, before + C : step.filters]])
            conv1, _, _, conv2, bn2 = node.branches["steps"]
            changed |= {conv1.name: {"inputs": entering}, conv2.name: {"outputs": order}, bn2.name: {"outputs": order}}
        elif isinstance(node.step, Affine):
            changed[node.name] = {"inputs": order}
    return [module._replace(**changed.get(module.node.name, {})) for module in modules]
