"""Learning-rate schedules: their values at known places, and what is refused."""

import numpy as np
import pytest

from pellucid.training import schedules

PLACES = np.linspace(0, 1, 101)


def values(schedule):
    return np.array([schedule(p) for p in PLACES.tolist()])


def test_constant_is_one():
    assert (values(schedules.constant()) == 1).all()


def test_step_falls_tenfold_at_half_and_at_three_quarters():
    found = values(schedules.step())
    np.testing.assert_allclose(found[:50], 1)
    np.testing.assert_allclose(found[50:75], 0.1)
    np.testing.assert_allclose(found[75:], 0.01)


def test_step_with_own_places():
    np.testing.assert_allclose(values(schedules.step(at=[0.2], by=3))[[0, 19, 20, 100]], [1, 1, 3, 3])
    assert (values(schedules.step(at=())) == 1).all()


def test_cosine_goes_from_one_through_the_middle_to_the_end():
    np.testing.assert_allclose(values(schedules.cosine())[[0, 50, 100]], [1, 0.5, 0], atol=1e-15)
    np.testing.assert_allclose(values(schedules.cosine(final=0.2))[[0, 50, 100]], [1, 0.6, 0.2])
    assert (np.diff(values(schedules.cosine())) < 0).all()


def test_triangle_rises_to_its_peak_and_falls_in_straight_lines():
    found = values(schedules.triangle())
    np.testing.assert_allclose(found[[0, 23, 100]], [0.2, 1, 0.07])
    np.testing.assert_allclose(np.diff(found[:24]), 0.8 / 23)
    np.testing.assert_allclose(np.diff(found[23:]), -0.93 / 77)


@pytest.mark.parametrize("peak, expected", [(0, [1, 0.5, 0]), (1, [0, 0.5, 1])])
def test_triangle_with_its_peak_at_an_end(peak, expected):
    np.testing.assert_allclose(values(schedules.triangle(peak, start=0, end=0))[[0, 50, 100]], expected)


def test_names_tell_settings_apart():
    assert schedules.cosine(0.1).__name__ == "cosine(final=0.1)" != schedules.cosine(0.2).__name__
    assert schedules.step().__name__ == schedules.step(at=[0.5, 0.75]).__name__ == "step(at=(0.5, 0.75), by=0.1)"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: schedules.step(at=(0.75, 0.5)), "must rise"),
        (lambda: schedules.step(at=(1.5,)), r"at\[0\] is 1.5"),
        (lambda: schedules.step(by=0), "by is 0"),
        (lambda: schedules.cosine(final=-1), "final is -1"),
        (lambda: schedules.triangle(peak=2), "peak is 2"),
        (lambda: schedules.triangle(start=-1), "start is -1"),
        (lambda: schedules.triangle(end=float("nan")), "end is nan"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
