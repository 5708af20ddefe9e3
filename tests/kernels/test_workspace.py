"""Memory that is used again, and never twice at once."""

import copy
import gc
import pickle
import threading

import numpy as np
import pytest

from pellucid.kernels.workspace import ALIGNMENT, LARGE_BYTES, Workspace, empty, zeros

SHAPE = (64, 1024)


def test_memory_comes_back_when_the_last_view_is_gone():
    workspace = Workspace()
    with workspace:
        x = empty(SHAPE, np.float32)
        address, view = x.ctypes.data, x.reshape(-1)[6:].reshape(2, -1).T
        del x
        assert workspace.free_bytes() == 0
        other = empty(SHAPE, np.float32)
        assert other.ctypes.data != address
        del view
        assert empty(SHAPE, np.float32).ctypes.data == address
    assert workspace.allocations == 2


def test_the_same_requests_again_allocate_nothing():
    workspace = Workspace()

    def step():
        kept = [empty((n, 1000), np.float32) for n in (30, 50, 70)]
        return [empty((n, 1000), np.float64).sum() for n in (20, 40)], kept

    for repetition in range(50):
        with workspace:
            step()
        if repetition == 0:
            first = workspace.allocations
    assert workspace.allocations == first


def test_a_much_larger_buffer_is_not_spent_on_a_small_array():
    workspace = Workspace()
    with workspace:
        del_me = empty((1000, 1000), np.float32)
        del del_me
        empty((100, 1000), np.float32)
    assert workspace.allocations == 2


@pytest.mark.parametrize("shape", [1, (3,), (50_000,), (7, 11, 13, 17), (1 << 20, 2), ()], ids=str)
def test_arrays_start_on_a_cache_line(shape):
    for context in (Workspace(), None):
        if context is None:
            x = empty(shape, np.float32)
        else:
            with context:
                x = empty(shape, np.float32)
        assert x.ctypes.data % ALIGNMENT == 0
        assert x.shape == (shape if isinstance(shape, tuple) else (shape,))
        assert x.dtype == np.float32
        assert x.flags.c_contiguous
        assert x.flags.writeable
        x.fill(3)


def test_zeros_are_zero_also_in_used_memory():
    with Workspace():
        empty(SHAPE, np.float32).fill(7)
        assert not zeros(SHAPE, np.float32).any()


def test_outside_of_a_workspace_nothing_is_kept():
    workspace = Workspace()
    with workspace:
        pass
    empty(SHAPE, np.float32)
    assert workspace.allocations == 0


def test_small_arrays_are_left_to_numpy():
    workspace = Workspace()
    with workspace:
        empty((LARGE_BYTES // 4 - 1,), np.float32)
    assert workspace.allocations == 0


def test_workspaces_nest_and_end_with_an_exception():
    outer, inner = Workspace(), Workspace()
    with outer:
        with pytest.raises(RuntimeError), inner:
            empty(SHAPE, np.float32)
            raise RuntimeError
        empty(SHAPE, np.float32)
    assert (outer.allocations, inner.allocations) == (1, 1)


def test_another_thread_has_its_own_current_workspace():
    workspace = Workspace()
    with workspace:
        thread = threading.Thread(target=empty, args=(SHAPE, np.float32))
        thread.start()
        thread.join()
    assert workspace.allocations == 0


def test_copies_of_a_model_do_not_share_or_carry_memory():
    workspace = Workspace()
    with workspace:
        empty(SHAPE, np.float32)
    for other in (copy.deepcopy(workspace), pickle.loads(pickle.dumps(workspace))):
        assert other.allocations == 0
        with other:
            empty(SHAPE, np.float32)


def test_arrays_outlive_their_workspace():
    workspace = Workspace()
    with workspace:
        x = zeros(SHAPE, np.float32)
    del workspace
    gc.collect()
    x += 1
    assert x.sum() == x.size


def test_clear_gives_back_what_is_not_in_use():
    workspace = Workspace()
    with workspace:
        kept = empty(SHAPE, np.float32)
        empty(SHAPE, np.float32)
    assert workspace.free_bytes() > 0
    workspace.clear()
    assert workspace.free_bytes() == 0
    kept.fill(1)
