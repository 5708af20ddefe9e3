"""Processes that train together, played by threads: what `pellucid.training.ranks` asks for, without MPI."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np


class Meeting:
    """Where the threads meet: each leaves what it has, and all read what all have left."""

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.left = [None] * size

    def exchanged(self, rank, value):
        self.left[rank] = value
        self.barrier.wait()
        everything = list(self.left)
        self.barrier.wait()
        return everything


class ThreadRanks:
    """One of them."""

    def __init__(self, meeting, rank):
        self.meeting, self.rank, self.size = meeting, rank, meeting.size
        self.sums = 0

    def total(self, numbers):
        """What the layers call."""
        self.sums += 1
        return sum(self.meeting.exchanged(self.rank, np.array(numbers, np.float64)))

    def sum(self, array):
        array[...] = sum(self.meeting.exchanged(self.rank, array.copy()))

    def start_sum(self, array):
        return Started(self, array)

    def gathered(self, text):
        return self.meeting.exchanged(self.rank, text)


class Started:
    """A sum that was begun: it is done when it is waited for, which all do in the same order."""

    def __init__(self, ranks, array):
        self.ranks, self.array = ranks, array

    def poll(self):
        return False

    def wait(self):
        self.ranks.sum(self.array)


def in_ranks(size, function):
    """``function(ranks)`` in as many threads as there are ranks; their results in order."""
    meeting = Meeting(size)

    def one(rank):
        try:
            return function(ThreadRanks(meeting, rank))
        except BaseException:
            meeting.barrier.abort()  # or the others would wait
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(one, rank) for rank in range(size)]
        for future in futures:
            error = future.exception()
            if error is not None and not isinstance(error, threading.BrokenBarrierError):
                raise error
        return [future.result() for future in futures]
