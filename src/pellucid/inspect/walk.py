"""A naive layer, walked through line by line: the lines that really ran, in their order, with the loops' variables.

`walk` runs one of the package's own naive functions on a small example while it is traced, so that what a page lights
is what was computed. Everything it returns is plain data.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import numpy as np

from pellucid import check
from pellucid.inspect.walk_examples import Example, examples_by_name, free_example
from pellucid.layers import (
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
)
from pellucid.shapes import output_size, window

WHERE = "walk"
VARIABLES = ("n", "c", "i", "j", "k", "r", "s")
"""Of the loops; r and s are where a pooling window's maximum is."""

MOST_STEPS = 8000
LINES = {"conv_forward": (3, 3), "conv_backward": (9, 5), "max_pool_forward": (3, 0), "max_pool_backward": (4, 0)}
"""So many lines run at each stop, and so many more for each filter: never fewer than really do, or the limit leaks."""

LINES_OUTSIDE = 20
"""Of the loops."""

WORK = {
    "conv_forward": ("out[:, k, i, j] =",),
    "conv_backward": ("dw[k] +=", "dx_window[:, seen] +="),
    "max_pool_forward": ("out[:, :, i, j] =",),
    "max_pool_backward": ("dx[n, c,",),
}
"""What the lines look like that change a result."""

FILTERS = ("w", "b", "dw", "db")
"""The arrays that have no axis of images."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv_forward": conv_forward_naive,
    "conv_backward": conv_backward_naive,
    "max_pool_forward": max_pool_forward_naive,
    "max_pool_backward": max_pool_backward_naive,
}


def examples() -> list[dict[str, Any]]:
    """The examples that `walk` knows by name: the tutorial's own."""
    return [
        {"name": name, "operation": example.operation, "sizes": _sizes(example)}
        for name, example in examples_by_name().items()
    ]


def walk(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a naive layer line by line.

    Parameters
    ----------
    request : mapping
        ``{"example": name}``, one of `examples`; or ``{"operation": "conv_forward", ...}`` (conv_backward,
        max_pool_forward, max_pool_backward) with ``height``, ``width``, ``channels``, ``filters``, ``size``,
        ``stride``, ``pad``, ``dilation``, each with a default. The numbers are then small integers.

    Returns
    -------
    dict
        ``operation``; ``function``, its name; ``source``, lines with their numbers, without the docstring; ``work``,
        the numbers of the lines that change a result; ``steps``, for each line that ran its number and the loops'
        variables;
        ``arrays`` (x, x_pad, w, b, out, dout, dx, dw, db: those that there are, of one image); ``symbols``, names for
        numbers where an example has them; ``sizes``: N, C, H, W, K, HH, WW, S, P, D, H_out, W_out, multiply_adds, and
        ``unseen_rows`` and ``unseen_columns``: those of the padded input that no window sees, because the last step
        would not fit, or because steps or taps are farther apart than the window is wide.

    Raises
    ------
    ValueError, TypeError
        An example or a size that there is not; more than a page can show.
    """
    if not isinstance(request, Mapping):
        raise TypeError(f"{WHERE}: request is a {type(request).__name__}; it must be a mapping")
    example = _example(request)
    sizes = _sizes(example)
    if _number_of_steps(example, sizes) > MOST_STEPS:
        raise ValueError(
            f"{WHERE}: this would be {_number_of_steps(example, sizes):,} steps, and no more than {MOST_STEPS:,} are "
            "walked; take a smaller image, fewer filters, or a larger stride"
        )
    function = FUNCTIONS[example.operation]
    arrays, arguments = _ready(example)
    lines, found = traced(function, *arguments)
    every = arrays | _results(example.operation, found)
    source = source_of(function)
    return {
        "operation": example.operation,
        "function": function.__name__,
        "source": [{"number": number, "text": text} for number, text in source],
        "work": [number for number, text in source if any(text.strip().startswith(w) for w in WORK[example.operation])],
        "steps": lines,
        "arrays": {name: _plain(name, array) for name, array in every.items()},
        "symbols": {name: list(map(list, rows)) for name, rows in example.symbols.items()},
        "sizes": sizes,
    }


def traced(function: Callable[..., Any], *arguments: Any) -> tuple[list[dict[str, int]], Any]:
    """Call a function and note each of its own lines that runs, with the loops' variables as they then are.

    Only this thread is traced, only this function; whoever traced before does so afterwards.
    """
    lines: list[dict[str, int]] = []

    def each_line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            here = frame.f_locals
            lines.append(
                {"line": frame.f_lineno} | {name: int(here[name]) for name in VARIABLES if _is_number(here.get(name))}
            )
        return each_line

    def each_call(frame: FrameType, event: str, argument: Any) -> Any:
        return each_line if frame.f_code is function.__code__ else None

    before = sys.gettrace()
    sys.settrace(each_call)
    try:
        found = function(*arguments)
    finally:
        sys.settrace(before)
    return lines, found


def source_of(function: Callable[..., Any]) -> list[tuple[int, str]]:
    """A function's lines with their numbers in the file, without its docstring."""
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines)))
    body = tree.body[0]
    assert isinstance(body, ast.FunctionDef)
    doc = body.body[0]
    hidden = range(0)
    if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant) and isinstance(doc.value.value, str):
        hidden = range(doc.lineno, (doc.end_lineno or doc.lineno) + 1)
    return [(first + i, line.rstrip()) for i, line in enumerate(lines) if i + 1 not in hidden]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _example(request: Mapping[str, Any]) -> Example:
    if "example" in request:
        check.known_keys(WHERE, "request", dict(request), ("example",))
        known = examples_by_name()
        check.one_of(WHERE, "example", request["example"], tuple(known))
        return known[request["example"]]
    check.one_of(WHERE, "operation", request.get("operation"), tuple(FUNCTIONS))
    return free_example(dict(request))


def _sizes(example: Example) -> dict[str, Any]:
    """The numbers of (W - F + 2P) / S + 1, and what comes of them."""
    C, H, W = example.x.shape
    K, HH, WW = example.window
    S, P, D = example.stride, example.pad, example.dilation
    H_out, W_out = output_size(H, HH, S, P, D), output_size(W, WW, S, P, D)
    taps = HH * WW * (C if example.is_convolution else 1)
    return {
        "N": 1, "C": C, "H": H, "W": W, "K": K, "HH": HH, "WW": WW, "S": S, "P": P, "D": D,
        "H_out": H_out, "W_out": W_out,
        "unseen_rows": _unseen(H + 2 * P, HH, S, D),
        "unseen_columns": _unseen(W + 2 * P, WW, S, D),
        "multiply_adds": H_out * W_out * K * taps if example.is_convolution else 0,
    }  # fmt: skip


def _unseen(length: int, window_size: int, stride: int, dilation: int) -> list[int]:
    """The places along one padded axis that no window sees."""
    stops = output_size(length, window_size, stride, dilation=dilation)
    seen = {p for i in range(stops) for p in range(length)[window(i, window_size, stride, dilation)]}
    return [p for p in range(length) if p not in seen]


def _number_of_steps(example: Example, sizes: dict[str, Any]) -> int:
    """No fewer than the lines that will run: those outside of the loops, two for each row, and each stop's."""
    rows, columns = sizes["H_out"], sizes["W_out"]
    lines, for_a_filter = LINES[example.operation]
    looped = 2 * (rows + 1) + rows * columns * (lines + for_a_filter * sizes["K"])
    return LINES_OUTSIDE + looped * (sizes["C"] if example.operation == "max_pool_backward" else 1)


def _ready(example: Example) -> tuple[dict[str, np.ndarray], tuple[Any, ...]]:
    """The arrays by name, and what the function is called with."""
    x = example.x[None]
    P = example.pad
    arrays = {"x": x, "x_pad": np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))}
    if example.is_convolution:
        conv_param = {"stride": example.stride, "pad": P, "dilation": example.dilation}
        arrays |= {"w": example.w, "b": example.b}
        out, cache = conv_forward_naive(x, example.w, example.b, conv_param)
        forward: tuple[Any, ...] = (x, example.w, example.b, conv_param)
    else:
        _, HH, WW = example.window
        pool_param = {"pool_height": HH, "pool_width": WW, "stride": example.stride}
        out, cache = max_pool_forward_naive(x, pool_param)
        forward = (x, pool_param)
    arrays["out"] = out
    if example.operation.endswith("forward"):
        return arrays, forward
    arrays["dout"] = check.upstream(WHERE, example.dout[None], x, out.shape)
    return arrays, (arrays["dout"], cache)


def _results(operation: str, found: Any) -> dict[str, np.ndarray]:
    if operation == "conv_backward":
        return dict(zip(("dx", "dw", "db"), found, strict=True))
    return {"dx": found} if operation == "max_pool_backward" else {"out": found[0]}


def _plain(name: str, array: np.ndarray) -> Any:
    """Nested lists; of the one image where there is an axis of images."""
    return (array if name in FILTERS else array[0]).tolist()
