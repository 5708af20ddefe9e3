"""``cs231n.data_utils``: CIFAR-10 as the course's dictionary and arrays, from the official binary archive.

The course reads pickles, which can run code; here the binary archive takes their place, and `load_pickle` is refused.
"""

from pathlib import Path

from pellucid.data import get_CIFAR10_data, load_cifar10

__all__ = ["get_CIFAR10_data", "load_CIFAR10", "load_pickle"]


def load_CIFAR10(ROOT):
    """All of CIFAR-10: ``Xtr, Ytr, Xte, Yte``.

    Parameters
    ----------
    ROOT : str or Path
        The extracted binary folder ``cifar-10-batches-bin`` or the archive ``cifar-10-binary.tar.gz``.

    Returns
    -------
    Xtr, Xte : uint8 arrays (50000, 32, 32, 3) and (10000, 32, 32, 3)
        In the course these are float64, eight times as large; ``.astype("float32")`` what you need.
    Ytr, Yte : int64 arrays
    """
    dataset = load_cifar10(Path(ROOT))
    return dataset.X_train.pixels, dataset.y_train, dataset.X_test.pixels, dataset.y_test


def load_pickle(f):
    """Refused: reading a pickle can run any code that its author put in."""
    raise ValueError(
        f"load_pickle: {getattr(f, 'name', f)} is a pickle, which can run code when it is read; "
        "fetch the binary version of CIFAR-10 instead: pellucid data --fetch cifar10"
    )
