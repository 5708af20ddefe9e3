"""The limit on threads: the smallest of those in force, and afterwards what was there before."""

import multiprocessing
import sys

import numba
import pytest
from estimator_data import rows

from pellucid.estimators import ConvNetClassifier
from pellucid.estimators.threads import limited
from pellucid.kernels import jit
from pellucid.training import Hook

MOST = numba.config.NUMBA_NUM_THREADS


@pytest.fixture(autouse=True)
def nothing_was_set():
    """Whatever ran in this process before."""
    before = jit._state.threads
    jit.set_threads(None)
    yield
    jit.set_threads(before)


def test_no_limit_changes_nothing():
    before = jit.threads()
    with limited(None):
        assert jit.threads() == before
    assert jit.threads() == before


def test_more_than_there_are_is_all_of_them():
    with limited(10_000):
        assert jit.threads() == MOST
    assert jit._state.threads is None


def test_limits_may_end_in_any_order():
    first, second = limited(1), limited(10_000)
    first.__enter__()
    second.__enter__()
    assert jit.threads() == 1
    first.__exit__(None, None, None)
    assert jit.threads() == MOST
    second.__exit__(None, None, None)
    assert jit._state.threads is None


def test_what_was_set_before_comes_back():
    jit.set_threads(1)
    try:
        with limited(10_000), limited(2):
            assert jit.threads() == 1
        assert jit._state.threads == 1
    finally:
        jit.set_threads(None)


def test_an_error_ends_a_limit(monkeypatch):
    X, y = rows()
    seen = []

    class Broken(Hook):
        def on_step(self, solver):
            seen.append(jit._state.threads)
            raise RuntimeError("stop here")

    monkeypatch.setattr("pellucid.estimators.fitting.Epochs", lambda *_: Broken())
    with pytest.raises(RuntimeError, match="stop here"):
        ConvNetClassifier(threads=1).fit(X, y)
    assert seen == [1]
    assert jit._state.threads is None


def in_a_child(queue):
    with limited(1):
        queue.put(jit.threads())


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_forgets_the_parents_limits():
    fork = multiprocessing.get_context("fork")
    queue = fork.SimpleQueue()
    with limited(1):
        child = fork.Process(target=in_a_child, args=(queue,))
        child.start()
        child.join(30)
    assert child.exitcode == 0
    assert queue.get() == 1


def test_threads_do_not_change_what_is_predicted():
    X, y = rows()
    found = ConvNetClassifier(epochs=1, random_state=0).fit(X, y)
    assert (found.predict(X) == found.set_params(threads=1).predict(X)).all()
