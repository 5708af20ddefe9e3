"""What kernels of all kinds come to, bit by bit, a line for each case: python every_kernel.py OUT.

In one process the code is compiled, in the next it comes from the disk. That must not matter.
"""

import hashlib
import itertools
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import augmentation_cases
import kernel_cases
import pointwise_cases
from pairs import all_cases, results, waves
from pellucid.training import adam, adamw, muon, nesterov, rmsprop, sgd, sgd_momentum

RULES = (sgd, sgd_momentum, nesterov, rmsprop, adam, adamw, muon)
SIZES = ((1, 1), (5, 20), (17, 241))
TYPES = (np.float32, np.float64)
STEPS = 3

lines = []


def keep(what, *arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    lines.append(f"{what} {digest.hexdigest()[:16]}")


def layers_of_all_kinds():
    for dtype, parameters in itertools.product(TYPES, all_cases()):
        operation, case = parameters.values
        found = results(operation, "fast", case, dtype)
        keep(f"{operation}, {case.name}, {np.dtype(dtype)}", *found.values())


def update_rules():
    for dtype, rule, size in itertools.product(TYPES, RULES, SIZES):
        w, config = waves(*size, seed=1, dtype=dtype), {}
        for step in range(STEPS):
            w, config = rule(w, waves(*size, seed=step, dtype=dtype), config)
        keep(f"{rule.__name__}, {size}, {np.dtype(dtype)}", w)


def convolutions():
    """What `kernel_cases` computes on its way to the errors."""
    scaled_error = kernel_cases.scaled_error

    def kept(value, exact):
        keep("convolution", value)
        return scaled_error(value, exact)

    kernel_cases.scaled_error = kept
    for case in kernel_cases.cases(small=True):
        kernel_cases.check(*case)


def pointwise():
    assert_close = pointwise_cases.assert_close

    def kept(ours, right, dtype, what=""):
        keep(f"pointwise, {what}", ours)
        assert_close(ours, right, dtype, what)

    pointwise_cases.assert_close = kept
    pointwise_cases.check_all()


def augmentation():
    changed = augmentation_cases.changed_by_kernel

    def kept(*arguments):
        found = changed(*arguments)
        keep("augmentation", found)
        return found

    augmentation_cases.changed_by_kernel = kept
    augmentation_cases.check_all()


if __name__ == "__main__":
    for part in (layers_of_all_kinds, update_rules, convolutions, pointwise, augmentation):
        part()
    Path(sys.argv[1]).write_text("\n".join(lines))
