"""ONNX Runtime's side of inference: the folded network as a graph, built node by node."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from benchmarks.networks import CLASSES, Network, Residual, Sandwich

OPSET = 20
"""The first that has Gelu."""
IR_VERSION = 10
"""Which every ONNX Runtime since 2024 reads."""
ACTIVATIONS = {"relu": "Relu", "gelu": "Gelu"}


class Graph:
    """Nodes in order; every result has the number of its node as its name."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []

    def add(self, operation: str, *inputs: str, **attributes: object) -> str:
        """One node; returns the name of its result."""
        result = f"r{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [result], **attributes))
        return result

    def pool(self, x: str, size: int) -> str:
        """Max pool with windows side by side."""
        return self.add("MaxPool", x, kernel_shape=[size, size], strides=[size, size])

    def sandwich(self, name: str, sandwich: Sandwich, x: str) -> str:
        """A folded sandwich."""
        x = self.add("Conv", x, f"{name}_w", f"{name}_b", pads=[sandwich.pad] * 4)
        if sandwich.pool and sandwich.pool_first:
            x = self.pool(x, sandwich.pool)
        x = self.add(ACTIVATIONS[self.network.activation], x)
        return self.pool(x, sandwich.pool) if sandwich.pool and not sandwich.pool_first else x


def model_bytes(network: Network, weights: dict[str, np.ndarray], shape: tuple[int, ...]) -> bytes:
    """The folded network for images of this shape, as an ONNX file's contents."""
    graph = Graph(network)
    x = "images"
    for i, step in enumerate(network.steps):
        if isinstance(step, Residual):
            first = graph.sandwich(f"{i}_first", step.first, x)
            x = graph.add("Add", x, graph.sandwich(f"{i}_second", step.second, first))
        else:
            x = graph.sandwich(str(i), step, x)
    x = graph.add("MatMul", graph.add("Flatten", graph.pool(x, network.last_pool)), "linear")
    made = helper.make_graph(
        graph.nodes,
        network.name,
        [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, (shape[0], CLASSES))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def inference(
    network: Network, weights: dict[str, np.ndarray], x: np.ndarray, threads: int
) -> Callable[[], np.ndarray]:
    """Scores, by a session with all optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(model_bytes(network, weights, x.shape), options, ["CPUExecutionProvider"])
    images = {"images": np.ascontiguousarray(x)}
    return lambda: session.run(None, images)[0]
