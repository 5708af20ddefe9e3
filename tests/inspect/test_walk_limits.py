"""How much is walked at most: the count is never too low, answers are small, and the page says what the server says."""

import json
import re
from pathlib import Path

import pytest

import pellucid
from pellucid.inspect.walk import FUNCTIONS, LINES, LINES_OUTSIDE, MOST_STEPS, _number_of_steps, walk
from pellucid.inspect.walk_examples import MOST, examples_by_name, free_example

PAGE = Path(pellucid.__file__).parent / "studio" / "static" / "rooms" / "convolution" / "sizes.js"
MOST_BYTES = 2_000_000

SHAPES = [
    {"height": 1, "width": 1, "size": 1},
    {"height": 9, "width": 1, "size": 1, "filters": 3},
    {"height": 1, "width": 9, "size": 1, "channels": 3},
    {"height": 7, "width": 6, "size": 3, "filters": 4, "channels": 2},
]


@pytest.mark.parametrize("operation", FUNCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_count_of_steps_is_never_too_low_and_nearly_right(operation, shape):
    request = {"operation": operation, **shape}
    shown = walk(request)
    counted = _number_of_steps(free_example(request), shown["sizes"])
    assert len(shown["steps"]) <= counted <= 1.15 * len(shown["steps"]) + LINES_OUTSIDE


@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "conv_forward", "height": 32, "width": 32, "channels": 8, "size": 1},
        {"operation": "conv_forward", "height": 17, "width": 17, "channels": 8, "filters": 8, "size": 1},
        {"operation": "conv_backward", "height": 22, "width": 22, "channels": 8, "size": 1},
        {"operation": "max_pool_forward", "height": 32, "width": 32, "channels": 8, "size": 1},
        {"operation": "max_pool_backward", "height": 32, "width": 32, "channels": 8, "size": 3, "stride": 2},
        *({"example": name} for name in examples_by_name()),
    ],
    ids=str,
)
def test_the_largest_walks_are_within_the_limits(request_):
    shown = walk(request_)
    assert len(shown["steps"]) <= MOST_STEPS
    assert len(json.dumps(shown, allow_nan=False)) < MOST_BYTES


def test_a_walk_whose_last_lines_would_pass_the_limit_is_refused():
    with pytest.raises(ValueError, match="no more than 8,000"):
        walk({"operation": "conv_forward", "height": 32, "width": 32, "channels": 8, "size": 11, "pad": 8})


@pytest.mark.parametrize("name", MOST)
def test_each_size_has_its_most(name):
    with pytest.raises(ValueError, match=f"{name} is {MOST[name] + 1}; at most {MOST[name]}"):
        walk({"operation": "conv_forward", name: MOST[name] + 1})


def test_the_page_knows_the_same_limits():
    text = PAGE.read_text(encoding="utf-8")
    fields = re.findall(r'name: "(\w+)", symbol: "\w", least: (\d+), most: (\d+)', text)
    assert {name: int(most) for name, _, most in fields} == MOST
    assert {name: int(least) for name, least, _ in fields} == {name: int(name != "pad") for name in MOST}
    assert f"MOST_STEPS = {MOST_STEPS};" in text
    assert f"LINES_OUTSIDE = {LINES_OUTSIDE};" in text
    lines = re.findall(r"(\w+): \[(\d+), (\d+)\]", text)
    assert {operation: (int(a), int(b)) for operation, a, b in lines} == LINES
