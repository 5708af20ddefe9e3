"""Kernels called from several threads, in forked children, and with fewer threads."""

import os
import subprocess
import sys
import textwrap

import pytest

from pellucid.kernels import jit

COMMON = textwrap.dedent(
    """
    import numpy as np
    from pellucid.layers.convolution import conv_backward_fast, conv_forward_fast
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((4, 3, 9, 9)), rng.standard_normal((5, 3, 3, 3)), rng.standard_normal(5)
    def work():
        out, cache = conv_forward_fast(x, w, b, {"stride": 1, "pad": 1})
        return [out, *conv_backward_fast(out, cache)]
    def same(a, b):
        return all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))
    """
)


def run(program, **settings):
    done = subprocess.run(
        [sys.executable, "-c", COMMON + textwrap.dedent(program)],
        env=os.environ | settings, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_many_threads_may_call_at_once(layer):
    program = """
    from concurrent.futures import ThreadPoolExecutor
    import numba
    right = work()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: work(), range(200)))
    assert all(same(result, right) for result in results)
    print(numba.threading_layer())
    """
    if layer == "omp":
        pytest.importorskip("numba.np.ufunc.omppool", reason="no OpenMP here")
    assert run(program, NUMBA_THREADING_LAYER=layer).strip() == layer


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@needs_fork
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_a_forked_child_computes_the_same(layer):
    run(
        """
        import multiprocessing
        right = work()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.starmap(work, [()] * 4)
        assert all(np.allclose(a, b, rtol=0, atol=1e-12) for result in results for a, b in zip(result, right))
        assert same(work(), right)  # and the parent goes on
        """,
        NUMBA_THREADING_LAYER=layer,
    )


@needs_fork
def test_a_child_forked_in_mid_kernel_does_not_wait_for_ever():
    run(
        """
        import multiprocessing, threading, time
        right = work()
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                work()
        thread = threading.Thread(target=busy)
        thread.start()
        context = multiprocessing.get_context("fork")
        for _ in range(5):
            child = context.Process(target=work)
            child.start()
            child.join(50)
            assert child.exitcode == 0, child.exitcode
        stop.set()
        thread.join()
        """
    )


@needs_fork
def test_a_child_forked_before_the_first_kernel_has_all_threads():
    out = run(
        """
        import multiprocessing
        from pellucid.kernels import jit
        def child(queue):
            work()
            queue.put(jit.threads())
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        print(queue.get(timeout=100))
        process.join()
        """,
        NUMBA_NUM_THREADS="2",
    )
    assert out.strip() == "2"


def test_fewer_threads_give_the_same_to_rounding():
    run(
        """
        from pellucid.kernels import jit
        both = []
        for count in (1, 2):
            jit.set_threads(count)
            assert jit.threads() == count
            both.append(work())
        assert all(np.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(*both))
        """,
        NUMBA_NUM_THREADS="2",
    )


@pytest.mark.parametrize("count", [0, -1, 10_000, 1.5])
def test_impossible_numbers_of_threads_are_refused(count):
    with pytest.raises((ValueError, TypeError), match=r"set_threads: count"):
        jit.set_threads(count)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="only Linux tells what a thread has done")  # noqa: PTH112
def test_threads_beyond_the_limit_do_no_work_and_do_not_wait_on_a_core():
    """Counted are the processor's ticks of every thread but the one that calls."""
    program = """
    import os
    from pathlib import Path
    from pellucid.kernels import jit
    def ticks():
        stats = [Path(f"/proc/self/task/{t}/stat").read_text().split() for t in os.listdir("/proc/self/task")]
        return sum(int(s[13]) + int(s[14]) for s in stats if int(s[0]) != os.getpid())
    work()
    with jit.at_most_threads(1):
        work()
        before = ticks()
        for _ in range(3000):
            work()
        print(ticks() - before)
    """
    assert int(run(program, NUMBA_NUM_THREADS="2", GOMP_SPINCOUNT="10000")) <= 2
