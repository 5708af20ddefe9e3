"""Where each tensor of a PyTorch state dictionary stands in a network, and how the two lay it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.models import Affine, BatchNorm, Conv, GroupNorm, LayerNorm
from pellucid.models.step import STATISTICS
from pellucid.shipping.torch_names import Module, Node, walk

TENSORS = (
    (Conv, {"w": "weight", "b": "bias"}),
    (Affine, {"w": "weight", "b": "bias"}),
    (BatchNorm, {"gamma": "weight", "beta": "bias"}),
    (LayerNorm, {"gamma": "weight", "beta": "bias"}),
    (GroupNorm, {"gamma": "weight", "beta": "bias"}),
)
"""PyTorch's names of the arrays; those of a step of one's own keep theirs."""
COUNT = "num_batches_tracked"
ROUNDING = 1e-6
"""How far from 1 or 0 a number may be that the network has no array for."""

Change = tuple[dict[str, Any], str, np.ndarray]
"""A dictionary of the network, a key in it, and the new array."""


@dataclass(frozen=True)
class Slot:
    """An array of the network, and how it differs from PyTorch's."""

    home: dict[str, Any]
    """Which holds it: the network's params, or a norm's statistics."""
    key: str
    transposed: bool = False
    orders: tuple[np.ndarray | None, ...] = ()
    """For each of PyTorch's first axes: for each of our channels, which one it is there."""
    required = written = True
    ignored = False

    @property
    def shape(self) -> tuple[int, ...]:
        """PyTorch's."""
        shape = self.home[self.key].shape
        return shape[::-1] if self.transposed else shape

    def to_torch(self) -> np.ndarray:
        """Our array as PyTorch has it: a contiguous copy."""
        array = self.home[self.key].T if self.transposed else self.home[self.key]
        for axis, order in enumerate(self.orders):
            if order is not None:
                array = array.take(np.argsort(order), axis)
        return np.array(array, order="C")

    def from_torch(self, array: np.ndarray) -> np.ndarray:
        """The reverse: a contiguous copy."""
        for axis, order in enumerate(self.orders):
            if order is not None:
                array = array.take(order, axis)
        return np.array(array.T if self.transposed else array, order="C")


@dataclass(frozen=True)
class Filler:
    """A tensor of PyTorch's for which the network has no array: all of it is one number."""

    shape: tuple[int, ...]
    number: float
    dtype: Any
    written: bool = True
    ignored: bool = False
    """Whatever a state has here, it does not matter."""
    norm: BatchNorm | None = None
    """Behind it, and taking it away again: the running mean takes it in."""
    required = False

    def to_torch(self) -> np.ndarray:
        """The number everywhere."""
        return np.full(self.shape, self.number, self.dtype)


def modules_by_hand(where: str, nodes: list[Node], names: Mapping[str, str]) -> list[Module]:
    """The modules under names that the user gave, by those of the steps."""
    holding = {node.name: node for node in walk(nodes) if node.has_arrays}
    check.known_keys(where, "names", names, tuple(holding), required=tuple(holding))
    if not all(isinstance(name, str) for name in names.values()) or len(set(names.values())) < len(names):
        raise ValueError(f"{where}: names has {list(names.values())}; they must be strings, all different")
    return [Module(names[name], node) for name, node in holding.items()]


def slots_of(modules: list[Module], params: dict[str, np.ndarray]) -> dict[str, Slot | Filler]:
    """What stands behind every name of the state dictionary, in PyTorch's order."""
    return {
        f"{module.name}.{tensor}" if module.name else tensor: slot
        for module in modules
        for tensor, slot in _slots(module, params)
    }


def _slots(module: Module, params: dict[str, np.ndarray]) -> Iterator[tuple[str, Slot | Filler]]:
    step, arrays = module.node.step, module.node.arrays
    theirs: dict[str, str] = next((own for kind, own in TENSORS if isinstance(step, kind)), {})
    statistics = step.bn_param or {}
    if isinstance(step, BatchNorm) and not step.scale:
        yield "weight", Filler(statistics["running_mean"].shape, 1, statistics["running_mean"].dtype)
    for short, full in arrays.items():
        array = params[full]
        orders = (module.outputs, module.inputs)[: array.ndim]
        yield theirs.get(short, short), Slot(params, full, isinstance(step, Affine) and array.ndim == 2, orders)
    if isinstance(step, Conv | Affine) and not step.bias and (module.zero_bias or module.node.norm):
        w = params[arrays["w"]]
        units = w.shape[1] if isinstance(step, Affine) else w.shape[0]
        yield "bias", Filler((units,), 0, w.dtype, module.zero_bias, norm=module.node.norm)
    if isinstance(step, BatchNorm) and not step.shift:
        yield "bias", Filler(statistics["running_mean"].shape, 0, statistics["running_mean"].dtype)
    for key in STATISTICS:
        if key in statistics:
            yield key, Slot(statistics, key, orders=(module.outputs,))
    if isinstance(step, BatchNorm):
        yield COUNT, Filler((), 0, np.int64, ignored=True)


def new_arrays(
    where: str, placed: Mapping[str, Slot | Filler], read: Callable[[str], np.ndarray], dtype: np.dtype
) -> list[Change]:
    """What the network gets, with every number checked; nothing is changed yet.

    Parameters
    ----------
    placed : dict
        Where the tensors belong, by the names that ``read`` knows them under.
    read : callable
        name -> array of floats, of the right shape.
    dtype : float32 or float64
        The network's.
    """
    changes: dict[tuple[int, str], Change] = {}
    biases: list[tuple[BatchNorm, np.ndarray]] = []
    for name, slot in placed.items():
        if slot.ignored:
            continue
        with np.errstate(over="ignore"):  # looked for behind it
            array = read(name).astype(dtype)
        if not np.isfinite(array).all():
            raise ValueError(f"{where}: {name} holds numbers that are not finite in {dtype}")
        if isinstance(slot, Slot):
            if slot.key == "running_var" and (array < 0).any():
                raise ValueError(f"{where}: {name} holds {array.min():g}; a variance cannot be negative")
            changes[id(slot.home), slot.key] = slot.home, slot.key, slot.from_torch(array)
        elif slot.norm is not None:
            biases.append((slot.norm, array))
        elif np.abs(array - slot.number).max() > ROUNDING:
            what = "scale" if slot.number else "shift"
            raise ValueError(
                f"{where}: {name} must be {slot.number} everywhere, because the network's BatchNorm there has "
                f"{what}=False; build the network with {what}=True"
            )
    for norm, bias in biases:
        home, key, mean = changes[id(norm.bn_param), "running_mean"]
        changes[id(home), key] = home, key, mean - bias
    return list(changes.values())
