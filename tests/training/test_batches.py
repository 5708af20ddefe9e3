"""Batches made in the background are those that would have been made at once."""

import threading

import numpy as np
import pytest

from pellucid.training import Augmentation
from pellucid.training.batches import Batches, Wanted

X = np.random.default_rng(0).standard_normal((30, 3, 6, 5)).astype(np.float32)
Y = np.arange(30) % 4
AUGMENTATION = Augmentation(flip="random", shift=2, cutout=2, seed=4)


def wanted(epoch, first, count=7):
    order = np.random.default_rng(epoch).permutation(30)
    return Wanted(epoch, first, order[first : first + count])


@pytest.mark.parametrize("augmentation", [None, AUGMENTATION], ids=["as they are", "changed"])
def test_what_was_begun_early_is_what_would_be_made_now(augmentation):
    ahead, at_once = Batches(X, Y, augmentation), Batches(X, Y, augmentation)
    steps = [wanted(epoch, first) for epoch in range(2) for first in (0, 7, 14)]
    for now, following in zip(steps, [*steps[1:], None], strict=True):
        images, labels = ahead.take(now, following)
        expected, _ = at_once.take(now, None)
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, Y[now.chosen])
    ahead.close()


def test_a_batch_that_was_begun_but_is_not_wanted_after_all_is_let_go():
    batches = Batches(X, Y, AUGMENTATION)
    batches.take(wanted(0, 0), wanted(0, 7))
    images, _ = batches.take(wanted(3, 14), None)
    expected, _ = Batches(X, Y, AUGMENTATION).take(wanted(3, 14), None)
    np.testing.assert_array_equal(images, expected)
    batches.close()


def test_the_next_batch_is_made_while_this_one_is_worked_on():
    made_by = []

    class Noting:
        shape = X.shape

        def __getitem__(self, chosen):
            made_by.append(threading.current_thread().name)
            return X[chosen]

    batches = Batches(Noting(), Y, None)
    batches.take(wanted(0, 0), wanted(0, 7))
    batches.take(wanted(0, 7), None)
    batches.close()
    assert made_by[0] == threading.current_thread().name
    assert made_by[1].startswith("pellucid-batches")


def test_closing_ends_the_thread_and_may_be_done_twice():
    batches = Batches(X, Y, None)
    batches.take(wanted(0, 0), wanted(0, 7))
    batches.close()
    batches.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("pellucid-batches")]
    batches.take(wanted(0, 0), None)


def test_an_error_in_the_background_comes_out_where_the_batch_is_wanted():
    class Failing:
        shape = X.shape

        def __getitem__(self, chosen):
            if len(chosen) == 6:
                raise OSError("the disk is gone")
            return X[chosen]

    batches = Batches(Failing(), Y, None)
    batches.take(wanted(0, 0), wanted(0, 7, count=6))
    with pytest.raises(OSError, match="the disk is gone"):
        batches.take(wanted(0, 7, count=6), None)
    batches.close()


def test_batches_that_are_in_use_are_not_written_over():
    batches = Batches(X, Y, AUGMENTATION)
    steps = [wanted(0, first) for first in (0, 7, 14)]
    held = [batches.take(now, following)[0] for now, following in zip(steps, [*steps[1:], None], strict=True)]
    again = [Batches(X, Y, AUGMENTATION).take(now, None)[0] for now in steps]
    for one, other in zip(held, again, strict=True):
        np.testing.assert_array_equal(one, other)
    batches.close()
