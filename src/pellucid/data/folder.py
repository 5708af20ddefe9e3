"""A data set from a folder of pictures, or from a zip file of one, read in place."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import check
from pellucid.data import places
from pellucid.data.byte_images import ByteImages
from pellucid.data.dataset import Dataset, fixed_order
from pellucid.data.layout import Name, find_layout
from pellucid.data.listing import FolderListing, Listing, ZipListing
from pellucid.data.pictures import decode_picture

# Where there is no test part, one picture in so many is set aside for it.
TEST_SHARE = 10
# Pictures handed to a thread at a time: large enough that handing over costs nothing, small enough to report progress.
_CHUNK = 64


def load_image_folder(
    path: Any,
    *,
    size: tuple[int, int] | None = None,
    progress: Callable[[int, int], object] | None = None,
    threads: int | None = None,
) -> Dataset:
    """A data set from a folder of pictures or a zip file of one: 3 x H x W, a class for each folder.

    Parameters
    ----------
    path : a folder or a zip file, laid out as ``<class>/<picture>`` or ``{train,test,val}/<class>/<picture>`` (see
        ``pellucid.data.layout``), pictures in PNG, JPEG, BMP or WebP.
    size : (height, width) to bring every picture to: scaled in proportion until the shorter side fits, then the middle
        cut out. None: all pictures must have one size already.
    progress : called as ``progress(done_pictures, total_pictures)``.
    threads : how many threads decode; None takes one for each processor. The result does not depend on it.

    Returns
    -------
    A Dataset of one byte for each pixel and colour. Classes are sorted by name. The pictures of every part are shuffled
    by ``fixed_order``, for folders come sorted by class, and a validation part cut off the end would else be all of one
    class. Where there is no test part, the last tenth of the shuffled pictures becomes it.

    Raises
    ------
    FileNotFoundError; ValueError naming the file for whatever is not as it should be.
    """
    where = "load_image_folder"
    source = places.existing(where, "path", path)
    wanted = _checked_size(where, size)
    count = check.whole_number(where, "threads", (os.cpu_count() or 1) if threads is None else threads, least=1)
    if not source.is_dir():
        places.regular_file_size(where, source)
    listing: Listing = FolderListing(where, source) if source.is_dir() else ZipListing(where, source)
    try:
        layout = find_layout(where, str(source), listing)
        if "test" not in layout.parts:
            _set_aside_test(layout.parts)
        shuffled = {part: [files[i] for i in fixed_order(len(files))] for part, files in sorted(layout.parts.items())}
        pixels = _decode_all(where, listing, list(_flat(shuffled)), wanted, progress, count)
    finally:
        listing.close()
    return _dataset(source, layout.classes, shuffled, pixels)


def _checked_size(where: str, size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise TypeError(f"{where}: size is {size!r}; it must be (height, width), such as (32, 32)")
    H, W = (check.whole_number(where, "size", side, least=1) for side in size)
    return H, W


def _set_aside_test(parts: dict[str, list[tuple[Name, int]]]) -> None:
    """Move the last tenth of the shuffled training pictures, at least one, to a test part."""
    files = parts["train"]
    order = fixed_order(len(files))
    num_test = max(1, len(files) // TEST_SHARE)
    parts["train"] = [files[i] for i in sorted(order[:-num_test])]
    parts["test"] = [files[i] for i in sorted(order[-num_test:])]


def _flat(parts: dict[str, list[tuple[Name, int]]]) -> Iterator[Name]:
    for files in parts.values():
        for file, _ in files:
            yield file


def _decode_all(
    where: str,
    listing: Listing,
    files: list[Name],
    size: tuple[int, int] | None,
    progress: Callable[[int, int], object] | None,
    threads: int,
) -> np.ndarray:
    """All pictures, uint8 (N, H, W, 3), decoded by several threads straight into their places."""
    from PIL import Image

    def decode(file: Name) -> np.ndarray:
        return decode_picture(where, listing.full_name(file), listing.read(file), size)

    def decode_chunk(start: int) -> int:
        chunk = files[start : start + _CHUNK]
        for i, file in enumerate(chunk, start):
            picture = decode(file)
            if picture.shape != out.shape[1:]:
                raise ValueError(_two_sizes(where, listing, files[0], out.shape[1:3], file, picture.shape[:2]))
            out[i] = picture
        return len(chunk)

    # Pillow only warns of a picture somewhat too large, and of odd EXIF notes: the first is ours to refuse, the second
    # is of no concern. The filters hold for all threads, so they are set once, here.
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        out = _room(where, len(files), decode(files[0]).shape)
        done = 0
        try:
            # map returns results in order, so of several bad pictures it is always the first that is named.
            for count in pool.map(decode_chunk, range(0, len(files), _CHUNK)):
                done += count
                if progress is not None:
                    progress(done, len(files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return out


def _room(where: str, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """An array for all pictures, if the machine's memory can hold it."""
    needed = count * int(np.prod(shape))
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > memory:
            raise ValueError(
                f"{where}: {count:,} pictures of {shape[0]} x {shape[1]} take {needed:,} bytes, more than this "
                f"machine's {memory:,}; give a smaller size=(height, width)"
            )
    return np.empty((count, *shape), np.uint8)


def _two_sizes(
    where: str, listing: Listing, one: Name, one_size: tuple[int, ...], other: Name, other_size: tuple[int, ...]
) -> str:
    return (
        f"{where}: {listing.full_name(one)} is {one_size[0]} x {one_size[1]} (height x width) but "
        f"{listing.full_name(other)} is {other_size[0]} x {other_size[1]}; give size=(height, width) to bring all to "
        "one size (on the command line: --image-size HEIGHT WIDTH)"
    )


def _dataset(
    source: Path, classes: tuple[str, ...], parts: dict[str, list[tuple[Name, int]]], pixels: np.ndarray
) -> Dataset:
    """The parts, each a view of its stretch of the pictures."""
    images, labels, start = {}, {}, 0
    for part, files in parts.items():
        images[part] = ByteImages(pixels[start : start + len(files)])
        labels[part] = np.array([label for _, label in files], np.int64)
        start += len(files)
    return Dataset(
        source.stem if source.is_file() else source.resolve().name,
        classes,
        images["train"],
        labels["train"],
        images["test"],
        labels["test"],
        images.get("val"),
        labels.get("val"),
    )
