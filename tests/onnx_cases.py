"""The ONNX package's own operator tests, driven through our import; and the list of them on the page about operators.

Each case is a small graph with inputs and the outputs that they must give. The first input is the batch; the others
become initializers, as they are in a network; of several outputs the first is kept. Then it is imported, run, and
compared with the case's own tolerance: it passes, or it is refused, and the page says why.
``python tests/onnx_cases.py`` writes the list anew.
"""

import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

KINDS = ("node", "pytorch-converted", "pytorch-operator", "simple")
"""Of the package's tests: single operators, and models that PyTorch exported, once upon a time."""
PAGE = Path(__file__).parents[1] / "docs" / "onnx-operators.md"
BEGIN, END = "<!-- the list: python tests/onnx_cases.py writes it -->", "<!-- the end of the list -->"


class Case(NamedTuple):
    """A graph, and what it must give for the first of its inputs."""

    name: str
    model: object
    sets: list
    rtol: float
    atol: float

    @property
    def operators(self):
        return [node.op_type for node in self.model.graph.node]


def cases():
    """All of them."""
    import onnx
    from onnx.backend.test.loader import load_model_tests

    state = np.random.get_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their references divide by zero and cast what does not fit
        found = [test for kind in KINDS for test in load_model_tests(kind=kind)]
    np.random.set_state(state)
    for test in found:
        model = test.model or onnx.load(Path(test.model_dir) / "model.onnx")
        sets = test.data_sets or list(_stored_sets(onnx, Path(test.model_dir)))
        yield Case(test.name, model, sets, test.rtol, test.atol)


def why_refused(case):
    """Nothing for a case that passes, else the reason for which it is refused. A wrong answer is an AssertionError."""
    import onnx

    from pellucid.extras.onnx_graph import parts_of
    from pellucid.extras.onnx_import import OnnxImportError, network_of
    from pellucid.extras.onnx_reading import graph_of

    for inputs, outputs in case.sets:
        try:
            parts = parts_of(graph_of(onnx, _with_constants(onnx, case.model, inputs).SerializeToString(), "case"))
            network = network_of(parts, "case")
        except OnnxImportError as error:
            return str(error).removeprefix("case: ")
        x, expected = (_array(onnx, arrays[0]) for arrays in (inputs, outputs))
        if x.shape[1:] != parts.start.sizes:
            x = x.transpose(0, 3, 1, 2)
        found = network.loss(x.reshape(len(x), *parts.input_shape))
        np.testing.assert_allclose(
            found.reshape(expected.shape), expected, rtol=case.rtol, atol=case.atol, err_msg=case.name
        )
    return ""


def outcomes():
    """{case: why it is refused, or nothing} for the cases made of operators that are there, and how many others."""
    from pellucid.extras.onnx_constants import FOLDED
    from pellucid.extras.onnx_operators import OPERATORS

    known, others = {}, {}
    for case in cases():
        operators = set(case.operators)
        ours = operators & set(OPERATORS) and operators <= {*OPERATORS, *FOLDED, "Shape"}
        (known if ours else others)[case.name] = why_refused(case)
    return known, others


def list_of(known, others):
    """The list as it stands on the page."""
    import onnx

    reasons = {}
    for name, reason in sorted(known.items()):
        plain = re.sub(r"^node ('[^']*'|\d+) ", "", reason)
        reasons.setdefault(plain, []).append(f"`{name.removeprefix('test_')}`")
    passed = reasons.pop("")
    lines = [
        BEGIN,
        f"With onnx {onnx.__version__}: **{len(passed)} pass**, {len(known) - len(passed)} made of operators in the "
        f"table are refused for the reasons below, and {len(others)} need an operator that is not there and are "
        "refused by its name, or have an input that is no batch of images, signals or rows. None gives another answer "
        "or another error.",
        "",
        f"Passed: {', '.join(passed)}.",
        "",
        "| refused | because |",
        "| --- | --- |",
        *(f"| {', '.join(names)} | {_cell(reason)} |" for reason, names in sorted(reasons.items())),
        END,
    ]
    return "\n".join(lines)


def listed(page):
    """(the version of onnx, {case: whether it passes}) as the page says."""
    text = page[page.index(BEGIN) : page.index(END)]
    passed, refused = text.split("| --- | --- |")
    version = re.search(r"With onnx ([\w.]+):", text)[1]
    refused = "\n".join(line.split(" | ")[0] for line in refused.splitlines())
    return version, dict.fromkeys(re.findall("`(.*?)`", passed), True) | dict.fromkeys(
        re.findall("`(.*?)`", refused), False
    )


def _cell(reason):
    return reason.replace("|", r"\|").replace("\n", " ")


def _stored_sets(onnx, folder):
    for data in sorted(folder.glob("test_data_set_*")):
        yield tuple(
            [onnx.load_tensor(data / f"{what}_{i}.pb") for i in range(len(list(data.glob(f"{what}_*.pb"))))]
            for what in ("input", "output")
        )


def _with_constants(onnx, model, inputs):
    """The model with all inputs but the first as initializers, and one output."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    there = {tensor.name for tensor in graph.initializer}
    free = [value for value in graph.input if value.name not in there]
    for value, given in list(zip(free, inputs, strict=True))[1:]:
        if isinstance(given, onnx.TensorProto):
            tensor = onnx.TensorProto()
            tensor.CopyFrom(given)
            tensor.name = value.name
        elif isinstance(given, np.ndarray | np.generic):
            tensor = onnx.numpy_helper.from_array(np.asarray(given), value.name)
        else:
            continue  # a sequence stays an input
        graph.initializer.append(tensor)
        if copy.ir_version >= 4:  # before, initializers were among the inputs, too
            graph.input.remove(value)
    del graph.output[1:]
    return copy


def _array(onnx, given):
    """As NumPy has it; bfloat16 as float32."""
    array = onnx.numpy_helper.to_array(given) if isinstance(given, onnx.TensorProto) else np.asarray(given)
    return array if array.dtype.kind in "fiub" else array.astype(np.float32)


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    new = list_of(*outcomes())
    PAGE.write_text(text[: text.index(BEGIN)] + new + text[text.index(END) + len(END) :], encoding="utf-8")
