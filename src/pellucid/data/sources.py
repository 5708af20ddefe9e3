"""One door to all data: a name of the catalogue, or a path to whatever can be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid import check
from pellucid.data import cifar10, idx, places
from pellucid.data.catalogue import CATALOGUE, Entry
from pellucid.data.dataset import Dataset
from pellucid.data.digits import load_digits
from pellucid.data.fetch import Progress, fetch_entry
from pellucid.data.folder import load_image_folder


def open_dataset(
    what: Any,
    *,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    max_broken: float = 0.0,
    cache: Any = None,
    fetch: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """A data set from its name or from a path.

    Parameters
    ----------
    what : "cifar10", "mnist", "fashion-mnist" or "digits"; or the path of a folder or zip file of pictures, of
        CIFAR-10's binary archive or its folder, or of a folder with MNIST's four files. A name wins over a folder that
        is called like it: write ``./mnist`` for that.
    size, fit, max_broken, cache : how pictures become one size, how many may be broken, and where to keep them decoded;
        only for folders and zip files of pictures: see ``load_image_folder``.
    fetch : download a data set that is asked for by name and is not on this machine. False gives an error instead,
        which says how to get it.
    progress : called as ``progress(done, total)``, in bytes while downloading, in pictures while decoding them.

    Raises
    ------
    FileNotFoundError, ValueError
    OSError
        Where a download fails.
    """
    where = "open_dataset"
    for_pictures: dict[str, Any] = {"size": size, "fit": fit, "max_broken": max_broken, "cache": cache}
    if isinstance(what, str) and what in CATALOGUE:
        _not_for_pictures(where, what, for_pictures)
        return _by_name(what, fetch, progress)
    path = places.as_path(where, "what", what)
    if not path.exists():
        _not_there(where, what, path)
    if path.is_dir():
        kind = _folder_kind(path)
    else:
        kind = _file_kind(where, path)
    if kind is None:
        return load_image_folder(path, **for_pictures, progress=progress)
    _not_for_pictures(where, str(path), for_pictures)
    return kind(path)


def _by_name(name: str, fetch: bool, progress: Progress | None) -> Dataset:
    if name == "digits":
        return load_digits()
    loaders: dict[str, Callable[..., Dataset]] = {
        "cifar10": cifar10.load_cifar10,
        "mnist": idx.load_mnist,
        "fashion-mnist": idx.load_fashion_mnist,
    }
    return loaders[name](fetch=fetch, progress=progress)


def holds_pictures(what: Any) -> bool:
    """Whether this is the path of a folder or zip file of pictures, which may be brought to another size."""
    if isinstance(what, str) and what in CATALOGUE:
        return False
    path = places.existing("open_dataset", "what", what)
    return (_folder_kind(path) if path.is_dir() else _file_kind("open_dataset", path)) is None


def _not_for_pictures(where: str, name: str, given: dict[str, Any]) -> None:
    """Refuse what only folders of pictures need, where it was given."""
    for argument, usual in (("size", None), ("fit", "crop"), ("max_broken", 0), ("cache", None)):
        if given[argument] != usual:
            raise ValueError(
                f"{where}: {argument} is {given[argument]!r}, but {name} is no folder of pictures and has a size "
                f"of its own; leave {argument} out"
            )


def _not_there(where: str, what: Any, path: Path) -> None:
    """Say what was probably meant: a path if it looks like one, else a name."""
    names = ", ".join(CATALOGUE)
    if not isinstance(what, str) or os.sep in what or "/" in what or path.suffix:
        raise FileNotFoundError(f"{where}: {str(path)!r} does not exist (looked from {Path.cwd()})")
    near = check.did_you_mean(what.lower(), CATALOGUE)
    raise ValueError(f"{where}: {what!r} is neither a data set ({names}){near} nor a path that exists")


def _folder_kind(path: Path) -> Callable[[Path], Dataset] | None:
    """The reader of a folder; None for pictures."""
    if cifar10.is_cifar10_folder(path):
        return cifar10.load_cifar10
    if idx.is_idx_folder(path):
        return idx.load_idx_folder
    return None


def _file_kind(where: str, path: Path) -> Callable[[Path], Dataset] | None:
    """The reader of a file, by its first bytes; None for a zip file of pictures."""
    places.regular_file_size(where, path)
    with path.open("rb") as stream:
        start = stream.read(4)
    if start[:2] == b"PK":
        return None
    if any(path.name.startswith(part.split("-idx")[0]) for part in idx.PARTS):
        raise ValueError(f"{where}: {path} is one of four files; give the folder that holds them, {path.parent}")
    if start[:2] == b"\x1f\x8b":
        return cifar10.load_cifar10
    raise ValueError(
        f"{where}: {path} is neither a zip file of pictures nor {cifar10.ARCHIVE} (it starts with {start!r}); give one "
        "of these, or a folder"
    )


@dataclass(frozen=True)
class Row:
    """One line of ``pellucid data``. ``where`` is None for what is not on this machine."""

    name: str
    title: str
    images: int
    classes: int
    image_shape: tuple[int, int, int]
    where: str | None
    bytes_to_fetch: int
    note: str


def describe() -> list[Row]:
    """What can be opened by name, and where it is. Looks at names only, reads and fetches nothing."""
    return [_row(entry) for entry in CATALOGUE.values()]


def fetch_dataset(name: str, *, progress: Progress | None = None) -> str:
    """Download a data set of the catalogue, unless it is here already; returns where it is.

    ``name``: as in the catalogue, such as "cifar10"; ``progress``: called with the bytes that are here
    and the bytes in all.

    Raises
    ------
    ValueError
        For a name that is not in the catalogue.
    OSError
        Where the download fails.
    """
    check.one_of("fetch_dataset", "name", name, tuple(CATALOGUE))
    found = _row(CATALOGUE[name]).where
    return found or str(fetch_entry(CATALOGUE[name], progress=progress))


def _row(entry: Entry) -> Row:
    if entry.name == "digits":
        where: str | None = "scikit-learn"
    else:
        found = cifar10.find_cifar10() if entry.name == "cifar10" else idx.find_idx(entry)
        where = None if found is None else str(found)
    to_fetch = 0 if where else sum(file.size_bytes for file in entry.files)
    shape, classes = entry.image_shape, len(entry.classes)
    return Row(entry.name, entry.title, entry.images, classes, shape, where, to_fetch, entry.note)
