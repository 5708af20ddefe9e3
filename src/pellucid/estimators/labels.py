"""Classes of any kind, which can be sorted, and their numbers from 0 upwards, which the losses take."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d

from pellucid.estimators.settings import WHERE


def classes_in(y: np.ndarray) -> np.ndarray:
    """The classes of labels (N,), sorted; there must be two."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"{WHERE}: y has only one class, {listed(classes)}; give samples of two classes or more")
    return classes


def classes_given(classes: Any, known: np.ndarray | None) -> np.ndarray:
    """What ``partial_fit`` was told, sorted: needed in the first call, and no different in those to come."""
    if classes is None:
        if known is None:
            raise ValueError(
                f"{WHERE}: classes is None in the first call of partial_fit; give all classes that will ever come, "
                "such as np.unique(y)"
            )
        return known
    classes = np.unique(column_or_1d(classes))
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"{WHERE}: classes is {listed(classes)}, but the first call had {listed(known)}; leave classes out, or "
            "begin anew with a clone of the estimator"
        )
    if len(classes) < 2:
        raise ValueError(f"{WHERE}: classes has only one class, {listed(classes)}; give two or more")
    return classes


def numbers_of(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Where each label stands in the sorted classes: int64 (N,)."""
    strange = ~np.isin(y, classes)
    if strange.any():
        raise ValueError(
            f"{WHERE}: y[{int(strange.argmax())}] is {listed(y[strange][:1])}, which is none of the classes "
            f"{listed(classes)}"
        )
    return np.searchsorted(classes, y).astype(np.int64)


def listed(classes: np.ndarray) -> str:
    """For messages; not all of many."""
    shown = [repr(label) for label in classes[:10].tolist()]
    return ", ".join(shown + ["..."] if len(classes) > 10 else shown)
