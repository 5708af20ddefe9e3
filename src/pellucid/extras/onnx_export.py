"""Networks as ONNX files, which other runtimes read: ``pip install 'pellucid[onnx]'``.

::

    exported = export_onnx(network, "digits.onnx", classes=[str(i) for i in range(10)])
    print(exported)

The file is written once ONNX's checker has passed it and ONNX Runtime, with it, gave the scores that the network gives.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import __version__, check
from pellucid.extras import onnx_nodes, onnx_verify
from pellucid.files import write_atomically
from pellucid.models import Network, as_network
from pellucid.models.description import statistics_of
from pellucid.shipping import Model, Preprocessing

OPSET = 17
"""Of 2022: it has every operator that we need but two, and old runtimes read it."""
OLDEST_OPSET = {"float32": 13, "float64": 14}
"""Before 13, Softmax meant something else. ONNX's evaluator, which compares doubles, has a wrong batch norm in 13."""
MOST_BYTES = 2**31 - 2**20
"""protobuf's limit for a file, less room for all but the numbers."""
IMAGES, ROWS, PIXELS = "images", "rows", "pixels"
SCORES, PROBABILITIES = "scores", "probabilities"


@dataclass(frozen=True)
class Exported:
    """What was written, and how it was checked; ``print`` it."""

    path: Path
    bytes: int
    opset: int
    input: str
    """The name of the input: images, rows or pixels."""
    outputs: tuple[str, ...]
    largest_difference: float | None
    """Between a score or probability there and here; None where nothing was compared."""
    images: int
    """How many samples were compared."""
    compared_with: str
    """What ran the file, and its version."""

    def __str__(self) -> str:
        text = f"{self.path}: {self.bytes:,} bytes, opset {self.opset}, {self.input} -> {', '.join(self.outputs)}; "
        if self.largest_difference is None:
            return text + "not compared"
        return text + (
            f"compared with {self.compared_with} on {self.images} samples, largest difference "
            f"{self.largest_difference:.1e}"
        )


def export_onnx(
    network: Any,
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    opset: int = OPSET,
    pixels: bool = False,
    probabilities: bool = True,
    images: Any = None,
    verify: bool = True,
) -> Exported:
    """Write a network as an ONNX file, for any number of images at a time.

    The file's input is ``images``, float32 (N, C, H, W) as the network takes them (``rows`` (N, D) where it takes
    rows), or ``pixels``; its outputs are ``scores`` and ``probabilities``. A float64 network's file is of doubles all
    through, which ONNX Runtime has no convolution for. Dropout is left out. Batch norms stay nodes of their own:
    runtimes fold them away when they load the file, and whoever trains on finds them. Initializers have the names of
    the network's parameters. What is known of classes and preprocessing is in the file's metadata as JSON, under these
    names.

    Parameters
    ----------
    network : Network, one of the course's networks, or Model
        A `Model` has classes and preprocessing.
    path : str or path
        Where to; a file that is there is replaced, once everything else has gone well.
    classes : sequence of str, optional
        The classes' names, in the order of the scores.
    preprocessing : Preprocessing, optional
        How pixels become the network's input.
    opset : int
        The version of ONNX's operators, from 13 to the newest that the installed onnx knows.
    pixels : bool
        Put the preprocessing into the graph: the input is ``pixels``, uint8 (N, H, W, C) with channels last, of the
        network's size, and bit for bit the same becomes of them as here.
    probabilities : bool
        Whether there is an output of these, where there are two or more scores for a sample. Of a network that ends in
        `Softmax` they are the scores themselves.
    images : array, optional
        Images to compare on beside random ones: floats (N, C, H, W) as the network takes them, or, with
        ``preprocessing``, pictures: whatever `Preprocessing.pixels` takes.
    verify : bool
        Compare the file with the network in ONNX Runtime before it is written.

    Returns
    -------
    Exported

    Raises
    ------
    ImportError
        onnx or onnxruntime is not installed.
    ValueError, TypeError
        A step that ONNX has no words for; an argument that does not fit; a file that gives other scores. Nothing is
        written.
    OSError
        The file could not be written.
    """
    where = "export_onnx"
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{where}: path is a {type(path).__name__}; it must be a file's name")
    pixels, probabilities = check.flag(where, "pixels", pixels), check.flag(where, "probabilities", probabilities)
    verify = check.flag(where, "verify", verify)
    network, classes, preprocessing = _parts(where, network, classes, preprocessing)
    if pixels and preprocessing is None:
        raise ValueError(f"{where}: pixels is True; then preprocessing must say how pixels become numbers")
    onnx = onnx_nodes.package(where, "onnx")
    opset = _checked_opset(where, onnx, opset, network.dtype)
    onnx_nodes.check_steps(where, network)
    batches = _batches(where, network, preprocessing, pixels, images) if verify else None

    several = len(network.output_shape) == 1 and network.output_shape[0] > 1
    outputs = [SCORES, PROBABILITIES] if probabilities and several else [SCORES]
    graph, source = _graph(where, onnx, network, opset, preprocessing if pixels else None, outputs)
    data = _serialised(where, onnx, graph, opset, _metadata(classes, preprocessing))
    agreement = onnx_verify.NOT_COMPARED
    if batches is not None:
        agreement = onnx_verify.agreement(where, network, data, outputs, batches)
    write_atomically(path, data)
    return Exported(Path(path), len(data), opset, source, tuple(outputs), *agreement)


def _graph(
    where: str, onnx: Any, network: Network, opset: int, preprocessing: Any, outputs: list[str]
) -> tuple[Any, str]:
    """The graph as ONNX's message, and the name of its input."""
    arrays = network.params | statistics_of(network)
    _check_size(where, arrays)
    source = PIXELS if preprocessing is not None else IMAGES if len(network.input_shape) == 3 else ROWS
    g = onnx_nodes.Graph(onnx, opset, network.dtype, arrays, {source, *outputs})
    info = onnx.helper.make_tensor_value_info
    if preprocessing is None:
        x, given = source, info(source, g.type, ["N", *network.input_shape])
    else:
        C, H, W = network.input_shape
        given = info(source, onnx.TensorProto.UINT8, ["N", H, W, C])
        x = onnx_nodes.write_preprocessing(g, source, preprocessing.mean, preprocessing.scale)
    g.rename_last(SCORES, onnx_nodes.write_network(g, network, x))
    if PROBABILITIES in outputs:
        onnx_nodes.write_probabilities(g, network, SCORES, PROBABILITIES)
    shape = ["N", *network.output_shape]
    results = [info(name, g.type, shape) for name in outputs]
    return onnx.helper.make_graph(g.nodes, "pellucid", [given], results, g.initializers), source


def _serialised(where: str, onnx: Any, graph: Any, opset: int, metadata: dict[str, str]) -> bytes:
    """The whole file, passed by ONNX's checker."""
    helper = onnx.helper
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="pellucid",
        producer_version=__version__,
    )
    helper.set_model_props(model, metadata)
    data = model.SerializeToString()
    try:
        onnx.checker.check_model(data, full_check=True)
    except Exception as error:  # the checker's, and that of shape inference
        said = onnx_nodes.in_a_line(error)
        raise ValueError(
            f"{where}: ONNX's checker does not pass the file: {said}. Nothing was written; please report it with the "
            "network's summary()"
        ) from error
    return data


def _metadata(classes: list[str] | None, preprocessing: Any) -> dict[str, str]:
    metadata = {}
    if classes is not None:
        metadata["classes"] = json.dumps(classes, ensure_ascii=False)
    if preprocessing is not None:
        mean, scale = (
            value if value is None else np.asarray(value, np.float32).tolist()
            for value in (preprocessing.mean, preprocessing.scale)
        )
        settings = {
            "size": list(preprocessing.size),
            "channels": preprocessing.channels,
            "mean": mean,
            "scale": scale,
            "fit": preprocessing.fit,
        }
        metadata["preprocessing"] = json.dumps(settings)
    return metadata


def _batches(
    where: str, network: Network, preprocessing: Preprocessing | None, pixels: bool, images: Any
) -> onnx_verify.Batches:
    """Random ones, and those that were given."""
    batches = onnx_verify.random_batches(network, preprocessing, pixels)
    if images is None:
        return batches
    if preprocessing is not None and np.dtype(getattr(images, "dtype", object)).kind != "f":
        images = preprocessing.pixels(images, where)
    elif pixels:
        raise TypeError(f"{where}: images is an array of {images.dtype}; with pixels=True it must be pictures or uint8")
    else:
        (images,) = check.floats(where, images=images)
        if images.shape[1:] != network.input_shape or images.ndim == 0:
            needed = ", ".join(map(str, ("N", *network.input_shape)))
            raise ValueError(f"{where}: images has shape {images.shape}; it must be ({needed})")
    most = onnx_verify.MOST_AT_ONCE
    given = [images[start : start + most] for start in range(0, len(images), most)]
    more = onnx_verify.fed_with(network, preprocessing, pixels, given)
    return onnx_verify.Batches(batches.fed + more.fed, batches.floats + more.floats)


def _parts(
    where: str, network: Any, classes: Any, preprocessing: Any
) -> tuple[Network, list[str] | None, Preprocessing | None]:
    """The network, the names of its classes, and its preprocessing, which go together."""
    if isinstance(network, Model):
        classes = network.classes if classes is None else classes
        preprocessing = network.preprocessing if preprocessing is None else preprocessing
        network = network.network
    if not isinstance(preprocessing, Preprocessing | None):
        raise TypeError(f"{where}: preprocessing is a {type(preprocessing).__name__}; it must be a Preprocessing")
    shape = None if preprocessing is None else preprocessing.image_shape
    network = as_network(network, shape)
    if shape is not None and shape != network.input_shape:
        raise ValueError(
            f"{where}: preprocessing makes images {shape} (C, H, W), but the network reads {network.input_shape}; give "
            "the size and the channels that it was trained with"
        )
    return network, _checked_classes(where, classes, network), preprocessing


def _checked_opset(where: str, onnx: Any, opset: Any, dtype: np.dtype) -> int:
    opset = check.whole_number(where, "opset", opset)
    oldest, newest = OLDEST_OPSET[dtype.name], onnx.defs.onnx_opset_version()
    if not oldest <= opset <= newest:
        raise ValueError(
            f"{where}: opset is {opset}; for a {dtype} network it must be from {oldest} to {newest}, the newest that "
            f"onnx {onnx.__version__} knows"
        )
    return opset


def _checked_classes(where: str, classes: Any, network: Network) -> list[str] | None:
    if classes is None:
        return None
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"{where}: classes is {classes!r}; it must be a list of names")
    if network.output_shape != (len(classes),):
        raise ValueError(
            f"{where}: classes has {len(classes)} names, but the network's scores have the shape "
            f"{network.output_shape}; give one name for each score"
        )
    return list(classes)


def _check_size(where: str, arrays: dict[str, np.ndarray]) -> None:
    needed = sum(array.nbytes for array in arrays.values())
    if needed > MOST_BYTES:
        raise ValueError(
            f"{where}: the network has {needed:,} bytes of parameters, but an ONNX file holds at most {MOST_BYTES:,} "
            "beside the rest (protobuf's limit); save it as a model file instead, or make it smaller"
        )
