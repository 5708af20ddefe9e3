"""Small ONNX files, made node by node."""

import numpy as np


def node(op, inputs, outputs="y", **attributes):
    """A node: the names of inputs and outputs are given as words in one string; ``_`` is an input left out."""
    from onnx import helper

    names = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(op, names, outputs.split(), **attributes)


def graph(nodes, arrays=None, shape=("N", 3, 6, 6), out=("N", None), opset=17, elem_type=1, metadata=None, name="x"):
    """A model with the input x and the output y, float32 unless said otherwise."""
    from onnx import helper, numpy_helper

    out_type = 11 if elem_type == 11 else 1 if elem_type == 2 else elem_type
    proto = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, elem_type, shape)],
        [helper.make_tensor_value_info("y", out_type, out)],
        [numpy_helper.from_array(np.asarray(array), key) for key, array in (arrays or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(proto, opset_imports=opsets, ir_version=max(4, helper.find_min_ir_version_for(opsets)))
    helper.set_model_props(model, metadata or {})
    return model


def drawn(*shape, seed=0, dtype=np.float32):
    """Random numbers of deviation 1."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def run_elsewhere(model, x):
    """What ONNX Runtime gives for a batch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    data = model.SerializeToString()
    runs = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return runs.run(["y"], {runs.get_inputs()[0].name: x})[0]
