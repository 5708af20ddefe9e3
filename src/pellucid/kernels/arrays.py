"""Arrays as kernels take them."""

from __future__ import annotations

import numpy as np


def flat(array: np.ndarray) -> np.ndarray:
    """The numbers of a contiguous array in one row, as kernels take them."""
    if not array.flags.c_contiguous:
        raise ValueError(
            f"flat: the array's strides are {array.strides} for shape {array.shape}; it must be contiguous"
        )
    if not array.flags.writeable:  # another type for the compiler, which would compile everything twice
        array = np.asarray(_Unlocked(array))
    return array.reshape(-1)


class _Unlocked:
    """A read-only array's memory as a writable one. Kernels never write into their inputs."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__ | {"data": (array.ctypes.data, False)}
