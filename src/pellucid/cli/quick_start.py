"""The first answer, sooner: most of it is imports."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_start() -> Iterator[None]:
    """Leave out what nobody needs until the first answer is there.

    The garbage collector would look again and again through all that imports make (0.1 s). Numba, when it loads its
    first kernel, imports SciPy's linear algebra to see whether there is a BLAS (0.12 s), which no kernel uses.
    """
    collecting = gc.isenabled()
    gc.disable()
    hidden = "scipy.linalg" not in sys.modules
    if hidden:
        sys.modules["scipy.linalg"] = None  # type: ignore[assignment]  # an import of it fails at once
    try:
        yield
    finally:
        if hidden:
            del sys.modules["scipy.linalg"]
        if collecting:
            gc.enable()
