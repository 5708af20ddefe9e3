"""Output sizes against counting, and random draws against the course's calls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import draws
from pellucid.shapes import output_size, tap, window


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_output_size_is_the_number_of_stops_that_fit(size, window_size, stride, pad, dilation):
    padded = list(range(size + 2 * pad))
    last_tap = dilation * (window_size - 1)
    stops = [start for start in range(0, len(padded), stride) if start + last_tap < len(padded)]
    assert max(0, output_size(size, window_size, stride, pad, dilation)) == len(stops)
    for i, start in enumerate(stops):
        assert padded[window(i, window_size, stride, dilation)] == [start + dilation * t for t in range(window_size)]
    for t in range(window_size if stops else 0):
        assert padded[tap(t, len(stops), stride, dilation)] == [start + dilation * t for start in stops]


def test_the_tutorials_sizes():
    assert output_size(11, 5, 2) == 4
    assert output_size(224, 2, 2) == 112


@pytest.mark.parametrize("draw", [
    (lambda: draws.normal(None, (2, 3)), lambda: np.random.randn(2, 3)),
    (lambda: draws.uniform(None, (2, 3)), lambda: np.random.rand(2, 3)),
    (lambda: draws.pick(None, 10, 5), lambda: np.random.choice(10, 5)),
    (lambda: draws.shuffled(None, 10), lambda: np.random.permutation(10)),
])  # fmt: skip
def test_without_a_generator_draws_are_the_courses_calls(draw):
    ours, course = draw
    np.random.seed(231)
    expected = course()
    np.random.seed(231)
    np.testing.assert_array_equal(ours(), expected)


@pytest.mark.parametrize(
    "rng",
    [
        None,
        np.random.default_rng(1),
        np.random.Generator(np.random.MT19937(2)),
        np.random.Generator(np.random.Philox(3)),
    ],
)
def test_a_saved_state_goes_on_with_the_same_numbers(rng):
    import json

    draws.normal(rng, (3,))
    saved = json.loads(json.dumps(draws.state(rng)))
    expected = draws.normal(rng, (5,)), draws.uniform(rng, (5,))
    draws.restore("test", rng, saved)
    np.testing.assert_array_equal(draws.normal(rng, (5,)), expected[0])
    np.testing.assert_array_equal(draws.uniform(rng, (5,)), expected[1])


def test_a_state_of_another_kind_is_refused():
    with pytest.raises(
        ValueError, match="here: the saved random state is of NumPy's global state, but this run uses PCG64"
    ):
        draws.restore("here", np.random.default_rng(1), draws.state(None))
    with pytest.raises(ValueError, match="is of a PCG64 generator, but this run uses MT19937"):
        draws.restore("here", None, draws.state(np.random.default_rng(1)))
