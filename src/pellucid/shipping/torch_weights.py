"""Weights to PyTorch and from it: state dictionaries, saved as safetensors under PyTorch's names. Needs no PyTorch.

    write_torch_weights(net, "weights.safetensors")
    read_torch_weights(net, "weights.safetensors")

and there

    module.load_state_dict(safetensors.torch.load_file("weights.safetensors"))
    safetensors.torch.save_file(module.state_dict(), "weights.safetensors")

Which names: `pellucid.shipping.torch_names`. How the two differ, an array at a time: `pellucid.shipping.torch_state`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import check
from pellucid.files import write_atomically
from pellucid.models import Network, as_network
from pellucid.shipping.torch_names import NAMES, modules_of, nodes_of
from pellucid.shipping.torch_state import Filler, Slot, modules_by_hand, new_arrays, slots_of
from pellucid.tensors import DamagedFile, Header, encoded, header_of, read_bytes

Names = str | Mapping[str, str] | None
Slots = dict[str, Slot | Filler]

METADATA = {"format": "pt"}
"""What safetensors.torch and those who read its files look for."""
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Types of a file's numbers, in NumPy's words. It has none for bfloat16, which is the upper half of a float32."""
MOST_HEADER_BYTES = 16_000_000
LEAST_LIMIT_BYTES = 256_000_000
"""Files up to this size are read whatever the network: that of another network gets a better error so."""

_WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put in front of every name
_SHOWN = 6
_LONGEST_NAME = 200
_STRANGERS = 1000  # with more names than that too many, a state is not that of the network
_CONVERT = (
    "it is a pickle, as torch.save writes them; pickles can run code and are not read. Convert it with PyTorch: "
    "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
)


def torch_state(network: Any, names: Names = None) -> dict[str, np.ndarray]:
    """The network's parameters and running statistics under PyTorch's names and in its layout.

    Parameters
    ----------
    network : Network, or one of the course's classes
    names : str or dict, optional
        A convention of `pellucid.shipping.torch_names`: "sequential", "vgg", "resnet20", "torchvision", "resnet9",
        "airbench", "airbench_muon". Or the names of PyTorch's modules by those of the steps that have arrays:
        ``{"conv1": "features.0", "affine1": "head"}``. Where absent, the convention of the ready-made network that this
        one is, else "sequential".

    Returns
    -------
    state : dict
        Arrays of their own, contiguous: affine weights (units, D), filters (F, C, height, width), for batch norm
        weight, bias, running_mean, running_var and num_batches_tracked (0). Where the network has no scale or no shift,
        the weights are ones, the biases zeros.

    Raises
    ------
    ValueError
        An unknown convention, or one that is for other networks.
    TypeError
        No such network.
    """
    where = "torch_state"
    _, slots = _choices(where, as_network(network), names)[0]
    return {name: slot.to_torch() for name, slot in slots.items() if slot.written}


def load_torch_state(network: Network, state: Mapping[str, Any], names: Names = None) -> str:
    """Put a PyTorch state dictionary into the network: all of it, or nothing and an error.

    Parameters
    ----------
    network : Network
        Of the same layers. Its ``params`` and ``bn_params`` get the new arrays, in the network's type.
    state : dict
        Arrays by PyTorch's names, float16, bfloat16, float32 or float64. A common prefix of DataParallel ("module.")
        or torch.compile is taken off. Of numbers in names only the order counts: other modules without weights may
        stand between those of a Sequential.
    names : str or dict, optional
        As for `torch_state`; where absent, the convention that the names fit best.

    Returns
    -------
    names : str
        The convention, or "by hand".

    Notes
    -----
    A bias in front of a batch norm, where the network has none, is taken off the running mean: at test time that is the
    same. ``num_batches_tracked`` is not looked at.

    Raises
    ------
    ValueError
        Names that are missing or too many, other shapes; numbers that are not finite, negative variances, scales of
        other than 1 where the network has none.
    TypeError
        Something that is no array of floats.
    """
    where = "load_torch_state"
    _check_network(where, network)
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise TypeError(f"{where}: state is a {type(state).__name__}; it must be a dictionary of arrays by name")
    arrays = {name: _as_array(where, name, value) for name, value in state.items()}
    convention, placed = _placed(where, network, {name: array.shape for name, array in arrays.items()}, names)
    _put(new_arrays(where, placed, lambda name: _as_floats(where, name, arrays[name]), network.dtype))
    return convention


def write_torch_weights(network: Any, path: str | os.PathLike[str], names: Names = None) -> None:
    """Write `torch_state` as the safetensors file ``path``, whole or not at all.

    Raises
    ------
    ValueError, TypeError
        See `torch_state`.
    OSError
        The file could not be written: see `pellucid.files.write_atomically`.
    """
    write_atomically(path, encoded(torch_state(network, names), METADATA, digest=False))


def read_torch_weights(network: Network, path: str | os.PathLike[str], names: Names = None) -> str:
    """Put the state dictionary of the safetensors file ``path`` into the network: see `load_torch_state`.

    The header is compared with the network before any number is read. Files much larger than the network's own are not
    read, nor are pickles.

    Raises
    ------
    ValueError
        No sound safetensors file, or one that does not fit.
    OSError
        The file cannot be read.
    """
    where = "read_torch_weights"
    _check_network(where, network)
    path = Path(path)
    try:
        data = read_bytes(path, _most_bytes(network), MOST_HEADER_BYTES)
        header = header_of(data)
        convention, placed = _placed(f"{where}: {path}", network, header.shapes, names)
        for name, slot in placed.items():
            if not slot.ignored and header.types[name] not in TYPES:
                kind = header.types[name][:_LONGEST_NAME]
                raise ValueError(f"{where}: {path}: {name} has the type {kind}; it must be {', '.join(TYPES)}")
        read = _reader(data, header)
    except DamagedFile as error:
        raise ValueError(f"{where}: {path}: {_CONVERT if _is_pickle(path) else _not_sound(error)}") from None
    _put(new_arrays(f"{where}: {path}", placed, read, network.dtype))
    return convention


def _put(changes: list[tuple[dict[str, Any], str, np.ndarray]]) -> None:
    for home, key, array in changes:
        home[key] = array


def _check_network(where: str, network: Any) -> None:
    if not isinstance(network, Network):
        raise TypeError(
            f"{where}: network is a {type(network).__name__}; it must be a Network: make one of the course's classes "
            "with pellucid.models.as_network"
        )


def _choices(where: str, network: Network, names: Names) -> list[tuple[str, Slots]]:
    """The conventions that come into question, and what each calls the network's arrays; the likeliest first."""
    nodes = nodes_of(network)
    if names is None:
        found = ((convention, modules_of(nodes, convention)) for convention in NAMES)
        return [(convention, slots_of(modules, network.params)) for convention, modules in found if modules is not None]
    if isinstance(names, Mapping):
        return [("by hand", slots_of(modules_by_hand(where, nodes, names), network.params))]
    check.one_of(where, "names", names, NAMES)
    modules = modules_of(nodes, names)
    if modules is None:
        raise ValueError(
            f"{where}: names is {names!r}, but the network's steps are not those of the networks that these names are "
            "for (pellucid.shipping.torch_names); leave names out, or give 'sequential' or a dictionary"
        )
    return [(names, slots_of(modules, network.params))]


def _placed(
    where: str, network: Network, shapes: Mapping[str, tuple[int, ...]], names: Names
) -> tuple[str, dict[str, Slot | Filler]]:
    """The convention, and for each name of the state where it belongs; names and shapes are right."""
    choices = [(convention, slots, _assigned(slots, shapes)) for convention, slots in _choices(where, network, names)]
    convention, slots, assigned = max(choices, key=lambda choice: _fit(choice[1], choice[2], shapes))
    found = set(assigned.values())
    missing = [name for name, slot in slots.items() if slot.required and name not in found]
    unexpected = [name for name in shapes if name not in assigned]
    if missing or unexpected:
        lacks = f"; it lacks {_some(missing)}" if missing else ""
        other = f"; it has {_some(unexpected, hints=missing)}, which the network has not" if unexpected else ""
        raise ValueError(
            f"{where}: the names are not those of this network ({convention!r} comes nearest){lacks}{other}. Give a "
            "network of the same layers, or the names of the modules as a dictionary names="
        )
    placed = {name: slots[own] for name, own in assigned.items()}
    wrong = [
        f"{name} {str(shapes[name])[:_LONGEST_NAME]} instead of {slot.shape}"
        for name, slot in placed.items()
        if not slot.ignored and shapes[name] != slot.shape
    ]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise ValueError(f"{where}: the shapes are not those of this network: {', '.join(wrong[:_SHOWN])}{more}")
    return convention, placed


def _fit(slots: Slots, assigned: dict[str, str], shapes: Mapping[str, Any]) -> tuple[bool, int]:
    required = {name for name, slot in slots.items() if slot.required}
    return len(assigned) == len(shapes) and required <= set(assigned.values()), len(assigned)


def _assigned(slots: Slots, given: Mapping[str, Any]) -> dict[str, str]:
    """The convention's name for each given one that has a place, by itself or by the order of the numbers in it."""
    bare = _without_wrappers(given)
    exact = {name: own for name, own in bare.items() if own in slots}
    if len(exact) == len(bare) or len(bare) > len(slots) + _STRANGERS or max(map(len, bare)) > _LONGEST_NAME:
        return exact
    ranked = {rank: own for own, rank in _by_rank(slots).items()}
    ranks = _by_rank(bare.values())
    by_order: dict[str, str] = {}
    for name, own in bare.items():
        place = ranked.pop(ranks[own], None)
        if place is not None:
            by_order[name] = place
    return max(exact, by_order, key=len)


def _without_wrappers(given: Mapping[str, Any]) -> dict[str, str]:
    bare = {name: name for name in given}
    for wrapper in 2 * _WRAPPERS:  # in either order
        if all(name.startswith(wrapper) for name in bare.values()):
            bare = {name: own.removeprefix(wrapper) for name, own in bare.items()}
    return bare


def _by_rank(names: Any) -> dict[str, str]:
    """Each name with its numbers replaced by which ones they are among their like: 0, 3, 5 become 0, 1, 2."""
    split = {name: name.split(".") for name in names}
    numbers: dict[tuple[str, ...], set[int]] = {}
    for parts in split.values():
        for i, part in enumerate(parts):
            if _is_index(part):
                numbers.setdefault(tuple(parts[:i]), set()).add(int(part))
    ranks = {parent: {n: str(i) for i, n in enumerate(sorted(own))} for parent, own in numbers.items()}
    return {
        name: ".".join(ranks[tuple(parts[:i])][int(part)] if _is_index(part) else part for i, part in enumerate(parts))
        for name, parts in split.items()
    }


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) < 10


def _some(names: list[str], hints: list[str] | None = None) -> str:
    """The first names, each with the one that may have been meant, and how many more there are."""
    shown = [name[:_LONGEST_NAME] for name in names[:_SHOWN]]
    text = ", ".join(f"{name!r}{check.did_you_mean(name, hints or [])}" for name in shown)
    return text + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def _as_array(where: str, name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except (TypeError, RuntimeError, ValueError) as error:
        raise TypeError(
            f"{where}: {name} is a {type(value).__name__} that makes no array ({error}); give state.float().numpy()"
        ) from None


def _as_floats(where: str, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.name == "bfloat16":  # of the package ml_dtypes
        return array.astype(np.float32)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise TypeError(f"{where}: {name} has type {array.dtype}; it must be float16, bfloat16, float32 or float64")
    return array


def _most_bytes(network: Network) -> int:
    numbers = sum(array.size for array in network.params.values())
    numbers += sum(4 * len(bn_param["running_mean"]) for bn_param in network.bn_params)
    return max(LEAST_LIMIT_BYTES, 2 * 8 * numbers + MOST_HEADER_BYTES)


def _reader(data: bytes, header: Header) -> Callable[[str], np.ndarray]:
    """A function name -> array, of a file whose places and types the safetensors package has checked."""
    from safetensors import SafetensorError, deserialize

    try:
        entries = dict(deserialize(data))
    except (SafetensorError, ValueError) as error:
        raise DamagedFile(f"it is not a whole safetensors file: {str(error)[:200]}") from None

    shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
    if shapes != header.shapes or {name: entry["dtype"] for name, entry in entries.items()} != header.types:
        raise DamagedFile("its header says two things of one tensor")

    def read(name: str) -> np.ndarray:
        entry = entries[name]
        array = np.frombuffer(entry["data"], TYPES[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array

    return read


def _is_pickle(path: Path) -> bool:
    """By its first bytes: those of a pickle, or of the zip that PyTorch has packed them into since version 1.6."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4).startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))


def _not_sound(error: DamagedFile) -> str:
    return f"not a sound file of weights: {error}. It may have been cut short, or be of another kind"
