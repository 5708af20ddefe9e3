"""What a trained network gets right, and what it takes for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pellucid import check


@dataclass(frozen=True)
class ClassReport:
    """One class of a `Report`. None stands where there is nothing to divide by, or nothing was mistaken.

    ``count``: images of the class. ``accuracy``: the share of them that was recognised (recall). ``precision``: of the
    images taken for this class, the share that is. ``mistaken_for``: the class that its images were most often taken
    for wrongly, and ``mistaken_count``, how often; the first of several that are equal.
    """

    name: str
    count: int
    accuracy: float | None
    precision: float | None
    mistaken_for: str | None
    mistaken_count: int


@dataclass(frozen=True, eq=False)
class Report:
    """How a network did on images whose classes are known: see `evaluate`.

    Attributes
    ----------
    classes : tuple of str, K
    accuracy : float
        The share of images whose highest score is that of their class.
    loss : float
        Mean cross-entropy; log K where all scores are equal.
    confusion : int64 array (K, K), read-only
        ``confusion[i, j]``: images of class i that were taken for class j.
    """

    classes: tuple[str, ...]
    accuracy: float
    loss: float
    confusion: np.ndarray

    @property
    def per_class(self) -> tuple[ClassReport, ...]:
        """The classes one by one."""
        counts, taken = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        reports = []
        for i, name in enumerate(self.classes):
            mistaken = self.confusion[i].copy()
            mistaken[i] = 0
            worst = int(mistaken.argmax())
            reports.append(
                ClassReport(
                    name=name,
                    count=int(counts[i]),
                    accuracy=_share(self.confusion[i, i], counts[i]),
                    precision=_share(self.confusion[i, i], taken[i]),
                    mistaken_for=self.classes[worst] if mistaken[worst] else None,
                    mistaken_count=int(mistaken[worst]),
                )
            )
        return tuple(reports)

    def as_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries, for JSON; `from_dict` reads it."""
        return {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
            "per_class": [asdict(one) for one in self.per_class],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Report:
        """The report that `as_dict` described; its ``per_class`` is counted again.

        Raises
        ------
        ValueError, TypeError
            Something is missing or does not fit together.
        """
        where = "Report.from_dict"
        allowed = ("accuracy", "loss", "classes", "confusion", "per_class")
        check.known_keys(where, "content", content, allowed, required=allowed[:4])
        classes = _class_names(where, content["classes"])
        accuracy = check.number(where, "accuracy", content["accuracy"], least=0, most=1)
        loss = check.number(where, "loss", content["loss"], least=0)
        return cls(classes, accuracy, loss, _confusion(where, content["confusion"], len(classes)))

    def __str__(self) -> str:
        """A table to read, of plain text."""
        N, right = int(self.confusion.sum()), int(np.trace(self.confusion))
        rows = [("class", "images", "accuracy", "precision", "most often taken for"), *map(_row, self.per_class)]
        return f"accuracy {_percent(self.accuracy)} ({right:,} of {N:,})   loss {self.loss:.4f}\n\n" + _table(rows)


def evaluate(scores: Any, y: Any, classes: Sequence[str]) -> Report:
    """Compare a network's scores with the right classes.

    Parameters
    ----------
    scores : array (N, K)
        The highest in a row is the class that the image is taken for; the first of several that are equal.
    y : integer array (N,)
        The right classes, from 0 to K - 1. A class may be without images.
    classes : sequence of K str
        Their names.

    Raises
    ------
    ValueError, TypeError
        No images; NaN or infinity in the scores; labels out of range; as many names as there are not columns.
    """
    where = "evaluate"
    (scores,) = check.floats(where, scores=scores)
    check.rows(where, "scores", scores)
    check.all_finite(where, "scores", scores)
    N, K = scores.shape
    y = check.labels(where, "y", y, N, K).astype(np.int64)
    names = _class_names(where, classes)
    if len(names) != K:
        raise ValueError(f"{where}: classes has {len(names)} names, but scores has {K} columns; give a name for each")
    taken = scores.argmax(axis=1)
    confusion = np.bincount(y * K + taken, minlength=K * K).reshape(K, K)
    return Report(names, float(np.mean(taken == y)), _cross_entropy(scores, y), _confusion(where, confusion, K))


def _cross_entropy(scores: np.ndarray, y: np.ndarray) -> float:
    """Mean of -log p[n, y[n]], in float64: a report is not the place to save digits."""
    shifted = scores.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum - shifted[np.arange(len(y)), y]))


def _class_names(where: str, classes: Any) -> tuple[str, ...]:
    if isinstance(classes, str) or not isinstance(classes, Sequence) or not all(isinstance(c, str) for c in classes):
        raise TypeError(f"{where}: classes is {classes!r}; it must be a list of names, such as ['cat', 'dog']")
    return tuple(classes)


def _confusion(where: str, confusion: Any, K: int) -> np.ndarray:
    """The counts as a read-only array of their own."""
    try:
        counts = np.asarray(confusion)
    except ValueError:
        raise ValueError(f"{where}: the rows of confusion have different lengths; it must be ({K}, {K})") from None
    check.shape(where, "confusion", counts, (K, K), "the right classes by the classes taken for")
    if counts.dtype.kind not in "iu" or (counts.size and counts.min() < 0):
        raise ValueError(f"{where}: confusion must hold counts: integers from 0")
    counts = counts.astype(np.int64)
    counts.flags.writeable = False
    return counts


def _share(part: Any, whole: Any) -> float | None:
    return float(part) / float(whole) if whole else None


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _row(one: ClassReport) -> tuple[str, ...]:
    mistaken = "–"
    if one.mistaken_for is not None:
        mistaken = f"{one.mistaken_for} ({_percent(_share(one.mistaken_count, one.count))})"
    return one.name, f"{one.count:,}", _percent(one.accuracy), _percent(one.precision), mistaken


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns two blanks apart, words to the left and numbers to the right; widths are those on a terminal."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    lines = []
    for row in rows:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            blanks = " " * (width - cell_len(cell))
            cells.append(cell + blanks if i in (0, last) else blanks + cell)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
