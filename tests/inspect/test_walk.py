"""Naive layers, line by line: what is shown is what ran, and every number is the plain function's."""

import inspect
import sys
import threading

import numpy as np
import pytest

from pellucid.inspect.walk import FUNCTIONS, MOST_STEPS, examples, source_of, traced, walk
from pellucid.layers import conv_forward_naive, max_pool_forward_naive

FREE = [
    {
        "operation": operation,
        "height": 6,
        "width": 5,
        "channels": 2,
        "filters": 2,
        "size": 3,
        "stride": stride,
        "pad": pad,
    }
    for operation in FUNCTIONS
    for stride, pad in ((1, 1), (2, 0))
]
ALL = [*({"example": example["name"]} for example in examples()), *FREE]


def arrays(shown):
    return {name: np.array(value, float) for name, value in shown["arrays"].items()}


def replayed(shown):
    """The result, put together from the steps as the page does: for each line that changes something, its product."""
    a, sizes, texts = arrays(shown), shown["sizes"], {line["number"]: line["text"] for line in shown["source"]}
    D = sizes["D"]
    result = {name: np.zeros(np.shape(a[name])) for name in ("out", "dw") if name in a}
    padded = np.zeros(np.shape(a["x_pad"]))
    for step in shown["steps"]:
        if step["line"] not in shown["work"]:
            continue
        text, i, j = texts[step["line"]].strip(), step["i"], step["j"]
        rows = slice(i * sizes["S"], i * sizes["S"] + (sizes["HH"] - 1) * D + 1, D)
        columns = slice(j * sizes["S"], j * sizes["S"] + (sizes["WW"] - 1) * D + 1, D)
        window = a["x_pad"][:, rows, columns]
        if shown["operation"] == "conv_forward":
            result["out"][step["k"], i, j] = (window * a["w"][step["k"]]).sum() + a["b"][step["k"]]
        elif shown["operation"] == "max_pool_forward":
            result["out"][:, i, j] = window.max(axis=(1, 2))
        elif shown["operation"] == "max_pool_backward":
            at = step["c"], i * sizes["S"] + step["r"], j * sizes["S"] + step["s"]
            padded[at] += a["dout"][step["c"], i, j]
        elif text.startswith("dw"):
            result["dw"][step["k"]] += window * a["dout"][step["k"], i, j]
        else:
            padded[:, rows, columns] += a["w"][step["k"]] * a["dout"][step["k"], i, j]
    P, (_, H, W) = sizes["P"], a["x"].shape
    result["dx"] = padded[:, P : P + H, P : P + W]
    return result


@pytest.mark.parametrize("request_", ALL, ids=str)
def test_the_steps_put_together_give_what_the_function_gives(request_):
    shown = walk(request_)
    built, a = replayed(shown), arrays(shown)
    for name in {"out", "dx", "dw"} & set(a) - ({"out"} if shown["operation"].endswith("backward") else set()):
        np.testing.assert_allclose(built[name], a[name], atol=1e-9, err_msg=name)


@pytest.mark.parametrize("request_", ALL, ids=str)
def test_the_numbers_are_those_of_the_plain_function(request_):
    shown = walk(request_)
    a, sizes = arrays(shown), shown["sizes"]
    if shown["operation"].startswith("conv"):
        conv_param = {"stride": sizes["S"], "pad": sizes["P"], "dilation": sizes["D"]}
        out, _ = conv_forward_naive(a["x"][None], a["w"], a["b"], conv_param)
    else:
        pool_param = {"pool_height": sizes["HH"], "pool_width": sizes["WW"], "stride": sizes["S"]}
        out, _ = max_pool_forward_naive(a["x"][None], pool_param)
    np.testing.assert_array_equal(a["out"], out[0])
    assert out.shape[2:] == (sizes["H_out"], sizes["W_out"])
    assert sizes["H_out"] == (sizes["H"] - sizes["HH"] + 2 * sizes["P"]) // sizes["S"] + 1


@pytest.mark.parametrize("request_", ALL, ids=str)
def test_the_lines_are_the_functions_own_and_run_in_the_loops_order(request_):
    shown = walk(request_)
    function = FUNCTIONS[shown["operation"]]
    file_lines = inspect.getsource(sys.modules[function.__module__]).splitlines()
    for line in shown["source"]:
        assert file_lines[line["number"] - 1] == line["text"]
    numbers = {line["number"] for line in shown["source"]}
    assert {step["line"] for step in shown["steps"]} <= numbers
    assert set(shown["work"]) <= {step["line"] for step in shown["steps"]}
    stops = [(step["i"], step["j"]) for step in shown["steps"] if step["line"] == shown["work"][0]]
    sizes = shown["sizes"]
    if shown["operation"] != "max_pool_backward":  # whose outer loop is over channels
        assert stops == sorted(stops)
    assert set(stops) == {(i, j) for i in range(sizes["H_out"]) for j in range(sizes["W_out"])}
    assert len(shown["steps"]) <= MOST_STEPS


def test_the_first_example_is_the_tutorials():
    """X (11, 11, 4), F = 5, S = 2, P = 0: (11 - 5) / 2 + 1 = 4."""
    shown = walk({"example": "volume"})
    a, sizes = arrays(shown), shown["sizes"]
    assert (sizes["H_out"], sizes["W_out"]) == (4, 4)
    assert a["x"].shape == (4, 11, 11)
    for row in range(4):
        V = np.sum(a["x"][:, 2 * row : 2 * row + 5, :5] * a["w"][0]) + a["b"][0]
        assert a["out"][0, row, 0] == V
    assert sizes["multiply_adds"] == 4 * 4 * 2 * 5 * 5 * 4


def test_the_gradient_of_pooling_goes_where_the_maxima_were():
    shown = arrays(walk({"example": "pool-gradient"}))
    np.testing.assert_array_equal(shown["dx"], [[[2, 0, 0, 0], [0, 0, 0, 8], [0, 4, 0, 0], [0, 0, 6, 0]]])


def test_the_backward_matrix_is_the_turned_filter_over_the_padded_gradient():
    shown = walk({"example": "rotated"})
    a = arrays(shown)
    turned = a["w"][:, :, ::-1, ::-1]
    out, _ = conv_forward_naive(a["dout"][None], turned, np.zeros(1), {"stride": 1, "pad": 1})
    np.testing.assert_array_equal(a["dx"], out[0])
    assert a["dx"].shape == (1, 3, 3)
    assert shown["symbols"]["w"] == [["w11", "w12"], ["w21", "w22"]]


def test_the_photograph_is_grey_by_the_first_filter():
    a = arrays(walk({"example": "photograph"}))
    np.testing.assert_allclose(a["out"][0], np.einsum("c,chw", [0.3, 0.6, 0.1], a["x"]))


@pytest.mark.parametrize(
    ("how", "rows", "columns"),
    [
        ({"height": 8, "width": 7, "size": 3, "stride": 2}, [7], []),
        ({"height": 7, "width": 8, "size": 2, "stride": 3}, [2, 5, 6], [2, 5]),
        ({"height": 6, "width": 5, "size": 2, "stride": 2, "dilation": 3}, [1, 4], [1, 2, 4]),
        ({"height": 4, "width": 5, "size": 3, "stride": 2, "pad": 1}, [5], []),
    ],
    ids=str,
)
def test_pixels_that_no_window_sees_are_named(how, rows, columns):
    sizes = walk({"operation": "conv_forward", **how})["sizes"]
    assert (sizes["unseen_rows"], sizes["unseen_columns"]) == (rows, columns)


def test_pixels_that_no_window_sees_get_no_gradient():
    shown = walk({"operation": "conv_backward", "height": 8, "width": 9, "size": 2, "stride": 3})
    dx, sizes = np.array(shown["arrays"]["dx"][0]), shown["sizes"]
    assert sizes["unseen_rows"] == [2, 5] and sizes["unseen_columns"] == [2, 5, 8]
    assert not dx[sizes["unseen_rows"]].any() and not dx[:, sizes["unseen_columns"]].any()


def test_whoever_traced_before_does_so_afterwards():
    def mine(frame, event, argument):
        return None

    before = sys.gettrace()
    try:
        sys.settrace(mine)
        walk({"example": "pool"})
        assert sys.gettrace() is mine
        with pytest.raises(ZeroDivisionError):
            traced(lambda: 1 / 0)
        assert sys.gettrace() is mine
    finally:
        sys.settrace(before)


def test_another_thread_is_not_traced():
    seen = []
    done = threading.Event()

    def other():
        seen.append(sys.gettrace())
        done.set()

    def function():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    lines, _ = traced(function)
    assert done.is_set() and seen == [None]
    assert len(lines) == 3


def test_docstrings_are_left_out():
    assert not any("Parameters" in text for _, text in source_of(conv_forward_naive))


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (7, TypeError, "request is a int"),
        ({}, ValueError, "operation is None"),
        ({"example": "puppy"}, ValueError, "example is 'puppy'"),
        ({"example": "pool", "stride": 2}, ValueError, "stride"),
        ({"operation": "conv_forward", "strid": 2}, ValueError, "strid"),
        ({"operation": "conv_forward", "stride": 0}, ValueError, "stride is 0"),
        ({"operation": "conv_forward", "size": 2.5}, TypeError, "size"),
        ({"operation": "conv_forward", "height": 10**9}, ValueError, "at most 32"),
        ({"operation": "conv_forward", "size": 9}, ValueError, "window"),
        ({"operation": "conv_forward", "height": 32, "width": 32, "filters": 8}, ValueError, "no more than 8,000"),
    ],
)
def test_bad_requests(request_, error, message):
    with pytest.raises(error, match=message):
        walk(request_)
