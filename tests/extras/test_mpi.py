"""Processes that mpiexec started together."""

import os
import subprocess
import sys

import pytest

from mpi_here import every_mpi, one_mpi, second_mpi
from pellucid.extras import mpi as extra


@every_mpi
@pytest.mark.parametrize("size", [2, 3])
def test_sums_and_texts_of_all(mpi, size):
    program = """
import numpy as np
from pellucid.extras.mpi import joined
ranks = joined()
array = np.arange(6, dtype=np.float32).reshape(2, 3) + ranks.rank
started = ranks.start_sum(array)
while not started.poll():
    pass
started.wait()
assert np.array_equal(array, ranks.size * np.arange(6).reshape(2, 3) + sum(range(ranks.size))), array
other = np.ones(5)
ranks.sum(other)
assert (other == ranks.size).all()
texts = ranks.gathered("é" * ranks.rank)
assert texts == ["é" * rank for rank in range(ranks.size)], texts
assert ranks.gathered("") == [""] * ranks.size
assert ranks.all_fail()
if ranks.rank == 0:
    print(ranks.size, ranks.library)
"""
    done = mpi.python(size, program)
    assert done.returncode == 0, done.stderr
    count, library = done.stdout.split(maxsplit=1)
    assert int(count) == size and library.lower().replace(" ", "").startswith(mpi.name)


@every_mpi
def test_every_rank_gets_the_same_bits(mpi):
    """Of float32 sums over three ranks, in sizes that MPI adds in different ways."""
    program = """
import hashlib
import numpy as np
from pellucid.extras.mpi import joined
ranks = joined()
for count in (1, 100, 5000, 400_000):
    array = np.random.default_rng(ranks.rank).standard_normal(count).astype(np.float32)
    ranks.sum(array)
    digest = hashlib.sha256(array).hexdigest()
    assert ranks.gathered(digest) == [digest] * ranks.size, count
"""
    done = mpi.python(3, program)
    assert done.returncode == 0, done.stderr


@one_mpi
def test_one_process_is_alone(mpi):
    done = mpi.python(1, "from pellucid.extras.mpi import joined\nprint(joined())")
    assert done.stdout.strip() == "None"


def test_a_process_that_nobody_started_with_others_is_alone():
    assert extra.joined({}) is None
    assert not extra.was_started_together({"PATH": "/bin"})


def of_a_process(code, **settings):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PMI", "OMPI"))}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment | settings, capture_output=True, text=True, timeout=60
    )


JOIN = """
from pellucid.extras.mpi import joined
try:
    joined({"PMI_RANK": "0", "PMI_SIZE": "2"})
except ValueError as error:
    print(error)
"""


@one_mpi
def test_mpiexec_of_another_mpi(mpi):
    """Every process then sees itself alone: without a word they would all train the same into one folder."""
    done = of_a_process(JOIN, MPI4PY_LIBMPI=mpi.settings["MPI4PY_LIBMPI"])
    assert "mpiexec started 2 processes, but mpi4py, which uses MPICH" in done.stdout, done.stderr
    assert "sees itself alone" in done.stdout


def test_without_mpi4py():
    done = of_a_process("import sys\nsys.modules['mpi4py'] = None\n" + JOIN)
    assert "mpi4py is not installed: pip install 'pellucid[mpi]'" in done.stdout, done.stderr


def test_without_a_library():
    pytest.importorskip("mpi4py")
    done = of_a_process(JOIN, MPI4PY_LIBMPI="/nowhere/libmpi.so")
    assert "mpi4py finds no MPI library" in done.stdout, done.stderr


@every_mpi
def test_one_that_fails_alone_ends_all(mpi):
    """It waits for the others some seconds; they wait in a sum, and are ended with it."""
    program = """
import numpy as np
from pellucid.extras import mpi
mpi.TOGETHER_S = 0.5
ranks = mpi.joined()
if ranks.rank == 1:
    if not ranks.all_fail():
        ranks.abort(7)
else:
    ranks.sum(np.ones(3))
print("went on")
"""
    done = mpi.python(2, program)
    assert done.returncode != 0 and "went on" not in done.stdout


SHRINKING = """
import os, signal
import numpy as np
from pellucid.extras import mpi
from pellucid.training import RankLost
ranks, losses = mpi.joined(), 0
own = ranks.rank
assert ranks.can_lose
for step in range(40):
    if (own, step) in ((1, 10), (0, 25)):
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        array = np.ones(300_000, np.float32)
        started = ranks.start_sum(array)
        started.poll()
        started.wait()
        assert (array == ranks.size).all()
    except RankLost as loss:
        ranks, losses = ranks.without_the_lost(), losses + 1
print(f"{own} is {ranks.rank} of {ranks.size}: {ranks.gathered(str(own))}, {losses} losses")
mpi.leave_without_mpi(0)
"""


@second_mpi
def test_those_that_are_left_can_go_on(mpi):
    mpi = mpi._replace(arguments=(*mpi.arguments, "--with-ft", "ulfm"))
    done = mpi.python(4, SHRINKING)
    lines = sorted(line for line in done.stdout.splitlines() if "losses" in line)
    assert lines == ["2 is 0 of 2: ['2', '3'], 2 losses", "3 is 1 of 2: ['2', '3'], 2 losses"], done.stderr


@one_mpi
def test_an_mpi_that_ends_with_each_process_says_so(mpi):
    done = mpi.python(2, "from pellucid.extras.mpi import joined\nprint(joined().can_lose)")
    assert done.stdout.count("False") == 2, done.stderr


def test_who_ends_all_waits_until_its_words_are_read():
    """Without this, MPICH's mpiexec loses about one error message in forty on a busy machine."""
    reading, writing = os.pipe()
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            os.read(reading, 100)

    os.write(writing, b"a bolt fell out")
    extra.wait_until_read(writing, 5, sleep)
    assert len(naps) == 3
    os.close(reading), os.close(writing)


def test_nobody_waits_for_ever_to_be_read():
    reading, writing = os.pipe()
    os.write(writing, b"a bolt fell out")
    naps = []
    extra.wait_until_read(writing, 0.5, naps.append)
    assert sum(naps) == pytest.approx(0.5)
    os.close(reading), os.close(writing)


def test_a_file_is_not_waited_for(tmp_path):
    with (tmp_path / "log").open("w+") as log:
        log.write("a bolt fell out")
        log.flush()
        log.seek(0)
        extra.wait_until_read(log.fileno(), 5, lambda seconds: pytest.fail("waits for a file"))
