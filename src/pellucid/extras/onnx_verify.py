"""An ONNX file's scores beside the network's own, on the same images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pellucid.extras.onnx_nodes import gives_probabilities, in_a_line, package
from pellucid.layers import softmax
from pellucid.models import Network

ABSOLUTE, RELATIVE = 1e-4, 1e-3
"""How far a score y may be off: ABSOLUTE + RELATIVE * abs(y). Other orders of summation stay far below, mistakes far
above. Where one score leads by more than twice that, it leads in both."""
BATCHES = (1, 2, 5)
"""Random samples at a time: more than one size, as the file says that any will do."""
MOST_AT_ONCE = 64
"""Of the images that are handed over."""


class Agreement(NamedTuple):
    """What was compared, and how far apart the two were."""

    largest_difference: float | None
    images: int
    compared_with: str


NOT_COMPARED = Agreement(None, 0, "")


class Batches(NamedTuple):
    """What the file takes, and what the network takes for it."""

    fed: list[np.ndarray]
    floats: list[np.ndarray]


def agreement(where: str, network: Network, data: bytes, outputs: list[str], batches: Batches) -> Agreement:
    """Run both on the same batches.

    Parameters
    ----------
    where : str
        Who asks, for errors.
    network : Network
    data : bytes
        The ONNX file.
    outputs : list of str
        "scores", and perhaps "probabilities".
    batches : Batches

    Raises
    ------
    ValueError
        A score or probability is further off than ABSOLUTE + RELATIVE * abs(y), or no number; or the file cannot be
        run.
    """
    run, runtime = _runner(where, data, outputs, network.dtype)
    largest, images = 0.0, 0
    for fed, floats in zip(*batches, strict=True):
        scores = np.asarray(network.loss(floats), np.float64)
        if not np.isfinite(scores).all():
            raise ValueError(
                f"{where}: the network's own scores hold {scores[~np.isfinite(scores)][0]}, so there is nothing to "
                "compare with; look for NaN in its parameters and in the images. Nothing was written"
            )
        right = {"scores": scores, "probabilities": scores if gives_probabilities(network) else softmax(scores)}
        for output, theirs in zip(outputs, run(fed), strict=True):
            largest = max(largest, _difference(where, runtime, output, theirs, right[output]))
        images += len(fed)
    return Agreement(largest, images, runtime)


def random_batches(network: Network, preprocessing: Any, pixels: bool, seed: int = 0) -> Batches:
    """Random pixels where we know how they become floats, else numbers of deviation 1."""
    rng = np.random.default_rng(seed)
    if preprocessing is None:
        floats = [rng.standard_normal((N, *network.input_shape)).astype(network.dtype) for N in BATCHES]
        return Batches(floats, floats)
    C, H, W = network.input_shape
    fed = [rng.integers(0, 256, (N, H, W, C), dtype=np.uint8) for N in BATCHES]
    return fed_with(network, preprocessing, pixels, fed)


def fed_with(network: Network, preprocessing: Any, pixels: bool, fed: list[np.ndarray]) -> Batches:
    """Batches of bytes, or of floats as the network takes them."""
    floats = [
        (preprocessing.floats(batch) if batch.dtype == np.uint8 else batch).astype(network.dtype, order="C")
        for batch in fed
    ]
    return Batches([np.ascontiguousarray(batch) for batch in fed] if pixels else floats, floats)


def _runner(where: str, data: bytes, outputs: list[str], dtype: np.dtype) -> tuple[Callable[[Any], list[Any]], str]:
    """What runs the file: batch -> outputs, and its name. ONNX Runtime, or ONNX's own evaluator in NumPy."""
    onnxruntime = package(where, "onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # it raises its errors and need not print them, nor what it optimises
    runtime = f"ONNX Runtime {onnxruntime.__version__}"

    def refused(error: Exception) -> ValueError:
        return ValueError(
            f"{where}: {runtime} cannot run the file: {in_a_line(error)}; another opset may help, such as 17, or a "
            "newer onnxruntime. Nothing was written"
        )

    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class of their own
        if dtype == np.float64 and "NOT_IMPLEMENTED" in str(error):  # it has no double convolution, among others
            return _evaluator(where, data, outputs)
        raise refused(error) from error
    name = session.get_inputs()[0].name

    def run(batch: np.ndarray) -> list[Any]:
        try:
            return session.run(outputs, {name: batch})
        except Exception as error:
            raise refused(error) from error

    return run, runtime


def _evaluator(where: str, data: bytes, outputs: list[str]) -> tuple[Callable[[Any], list[Any]], str]:
    onnx = package(where, "onnx")
    evaluator = package(where, "onnx.reference").ReferenceEvaluator(onnx.load_model_from_string(data))
    name = evaluator.input_names[0]
    return (lambda batch: evaluator.run(outputs, {name: batch})), f"the reference evaluator of onnx {onnx.__version__}"


def _difference(where: str, runtime: str, output: str, theirs: Any, right: np.ndarray) -> float:
    """The largest difference of two outputs, which must be within bounds."""
    theirs = np.asarray(theirs, np.float64)
    if theirs.shape != right.shape:
        raise ValueError(
            f"{where}: {runtime} gives {output} of shape {theirs.shape}, the network {right.shape}. Nothing was written"
        )
    differences = np.abs(theirs - right)
    bad = ~(differences <= ABSOLUTE + RELATIVE * np.abs(right))  # NaN is bad too
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{where}: {runtime} and the network disagree in {int(bad.sum())} of {bad.size} {output}: {place} is "
            f"{theirs[place]:.6g} there and {right[place]:.6g} here. Nothing was written; please report it with the "
            "network's summary()"
        )
    return float(differences.max())
