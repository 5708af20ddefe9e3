"""A data set from a folder of pictures, or from a zip file of one, read in place."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import check
from pellucid.data import places
from pellucid.data.byte_images import ByteImages
from pellucid.data.cache import Record, cache_name, fingerprint_of, make_cache, open_cache
from pellucid.data.dataset import Dataset, fixed_order
from pellucid.data.decoding import Decoder, Progress, Skipped, short_name
from pellucid.data.layout import Layout, Name, find_layout
from pellucid.data.listing import FolderListing, Listing, ZipListing
from pellucid.data.memory import available_bytes
from pellucid.data.pictures import FITS

# Where there is no test part, one picture in so many is set aside for it.
TEST_SHARE = 10
# Pixels that take more than this share of the available memory are kept in a file: the network needs room, too.
MEMORY_SHARE = 0.5
Parts = dict[str, list[tuple[Name, int]]]


def load_image_folder(
    path: Any,
    *,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    max_broken: float = 0.0,
    cache: Any = None,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Dataset:
    """A data set from a folder of pictures or a zip file of one: 3 x H x W, a class for each folder.

    Every picture becomes 8-bit RGB: it is turned upright as its EXIF note says, grey, palette and CMYK are converted,
    what is transparent is laid on white, and of 16 bits the upper 8 are taken.

    Parameters
    ----------
    path : a folder or a zip file, laid out as ``<class>/<picture>`` or ``{train,test,val}/<class>/<picture>`` (see
        ``pellucid.data.layout``), pictures in PNG, JPEG, BMP or WebP.
    size : (height, width) to bring every picture to. None: all pictures must have one size already.
    fit : how a picture of other proportions is brought to size. "crop": scaled in proportion until the shorter side
        fits, then the middle cut out. "stretch": scaled to size, whatever its proportions. "pad": scaled in proportion
        until the longer side fits, then laid in the middle of a picture of its own mean colour.
    max_broken : the share of all pictures that may be broken, from 0 to 1. Broken is what cannot be read or decoded, is
        cut short, moves, has more than 64 million pixels or 256 MB, or lies in a class's folder and is no picture of
        the four formats. Such files are left out and named in ``Dataset.skipped``. 0: the first one is an error. Links
        out of the folder, devices and the like are always errors.
    cache : where to keep the decoded pixels, for data larger than memory and for a start without decoding. The name of
        a file, ``*.npy``, which ``numpy.load(..., mmap_mode="r")`` opens, or a folder to keep it in. The images are
        then a memory map of the file. It is used again when neither the pictures' names, sizes and times of change nor
        size, fit and max_broken have changed, and made anew otherwise, or when it is damaged. None: the pixels are kept
        in memory if they take less than half of what is available, else cached in ``$PELLUCID_DATA`` or the user's
        cache folder.
    progress : called as ``progress(done_pictures, total_pictures)``.
    threads : how many threads decode; None takes one for each processor. The result does not depend on it.

    Returns
    -------
    Dataset
        Of one byte for each pixel and colour. Classes are sorted by name. The pictures of every part are shuffled by
        ``fixed_order``, for folders come sorted by class, and a validation part cut off the end would else be all of
        one class. Where there is no test part, the last tenth of the shuffled pictures becomes it.

    Raises
    ------
    FileNotFoundError
    ValueError
        Naming the file, for whatever is not as it should be; where more than ``max_broken`` are broken, or where a
        class has lost all its pictures.
    OSError
        Where the cache cannot be written.
    """
    where = "load_image_folder"
    source = places.existing(where, "path", path)
    wanted = _checked_size(where, size)
    _check_fit(where, fit, wanted)
    share = check.number(where, "max_broken", max_broken, least=0, most=1)
    count = check.whole_number(where, "threads", (os.cpu_count() or 1) if threads is None else threads, least=1)
    cache_path = None if cache is None else _checked_cache(where, cache, source)
    if not source.is_dir():
        places.regular_file_size(where, source)
    listing: Listing = FolderListing(where, source) if source.is_dir() else ZipListing(where, source)
    try:
        layout = find_layout(where, str(source), listing, strangers=share > 0)
        own_test = "test" in layout.parts
        parts = _ordered_parts(layout)
        strangers = [(short_name(file), "is no picture by its name") for file in layout.strangers]
        decoder = Decoder(where, listing, list(_flat(parts)), wanted, fit, share, count, strangers)
        pixels, skipped = _decoded(decoder, source, cache_path, progress)
    finally:
        listing.close()
    kept = _without(parts, skipped)
    _check_losses(where, source, layout.classes, parts, kept, own_test)
    return _dataset(source, layout.classes, kept, pixels, skipped)


def _checked_size(where: str, size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise TypeError(f"{where}: size is {size!r}; it must be (height, width), such as (32, 32)")
    H, W = (check.whole_number(where, "size", side, least=1) for side in size)
    return H, W


def _check_fit(where: str, fit: Any, size: tuple[int, int] | None) -> None:
    check.one_of(where, "fit", fit, FITS)
    if fit != "crop" and size is None:
        raise ValueError(f"{where}: fit is {fit!r}, but there is no size to fit pictures to; give size=(height, width)")


def _ordered_parts(layout: Layout) -> Parts:
    """The parts, a test part among them, each shuffled by ``fixed_order``."""
    if "test" not in layout.parts:
        _set_aside_test(layout.parts)
    return {part: [files[i] for i in fixed_order(len(files))] for part, files in sorted(layout.parts.items())}


def _set_aside_test(parts: Parts) -> None:
    """Move the last tenth of the shuffled training pictures, at least one, to a test part."""
    files = parts["train"]
    order = fixed_order(len(files))
    num_test = max(1, len(files) // TEST_SHARE)
    parts["train"] = [files[i] for i in sorted(order[:-num_test])]
    parts["test"] = [files[i] for i in sorted(order[-num_test:])]


def _flat(parts: Parts) -> Iterator[Name]:
    for files in parts.values():
        for file, _ in files:
            yield file


def _checked_cache(where: str, cache: Any, source: Path) -> Path:
    """The cache's file, or the folder to keep it in."""
    path = places.as_path(where, "cache", cache)
    if path.suffix != ".npy" and path.is_file():
        raise ValueError(f"{where}: cache is the file {str(path)!r}; it must be a name that ends in .npy, or a folder")
    if source.is_dir() and path.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{where}: cache is {str(path)!r}, in the folder of the pictures; put it elsewhere")
    return path


def _decoded(
    decoder: Decoder, source: Path, cache: Path | None, progress: Progress | None
) -> tuple[np.ndarray, Sequence[Skipped]]:
    """All sound pictures, uint8 (N, H, W, 3), in memory or in a cache, and the broken ones."""
    if cache is None and not _is_large(decoder):
        return _in_memory(decoder, progress)
    settings = {"size": decoder.size, "fit": decoder.fit, "max_broken": decoder.max_broken}
    folder = places.data_folder() / "decoded" if cache is None else cache
    path = folder if folder.suffix == ".npy" and not folder.is_dir() else folder / cache_name(source, settings)
    files = ((short_name(file), decoder.listing.stamp(file)) for file in decoder.files)
    fingerprint = fingerprint_of({**settings, "skipped": decoder.skipped}, files)
    found = open_cache(path, fingerprint)
    if found is None or not _fits(decoder, *found):

        def fill(write: Callable[[np.ndarray], object]) -> tuple[Skipped, ...]:
            decoder.decode_all(write, progress)
            return tuple(decoder.skipped)

        found = make_cache(decoder.where, path, fingerprint, len(decoder.files), decoder.picture_shape(), fill)
    pixels, record = found
    return pixels, record.skipped


def _fits(decoder: Decoder, pixels: np.ndarray, record: Record) -> bool:
    """Whether a cache holds as many pictures as its record leaves of the files, and of the right size."""
    skipped = {name for name, _ in record.skipped}
    kept = sum(short_name(file) not in skipped for file in decoder.files)
    return len(pixels) == kept and pixels.shape[1:] == (*(decoder.size or pixels.shape[1:3]), 3)


def _is_large(decoder: Decoder) -> bool:
    """Whether the pixels take more than their share of the memory that is available."""
    available = available_bytes()
    needed = len(decoder.files) * math.prod(decoder.picture_shape())
    return available is not None and needed > available * MEMORY_SHARE


def _in_memory(decoder: Decoder, progress: Progress | None) -> tuple[np.ndarray, Sequence[Skipped]]:
    """All sound pictures, uint8 (N, H, W, 3), and the broken ones."""
    pixels = np.empty((len(decoder.files), *decoder.picture_shape()), np.uint8)
    filled = 0

    def write(pictures: np.ndarray) -> None:
        nonlocal filled
        pixels[filled : filled + len(pictures)] = pictures
        filled += len(pictures)

    decoder.decode_all(write, progress)
    return pixels[:filled], decoder.skipped


def _without(parts: Parts, skipped: Sequence[Skipped]) -> Parts:
    """The parts without the broken files."""
    names = {name for name, _ in skipped}
    return {part: [file for file in files if short_name(file[0]) not in names] for part, files in parts.items()}


def _check_losses(
    where: str, source: Path, classes: tuple[str, ...], parts: Parts, kept: Parts, own_test: bool
) -> None:
    """No class has lost all its pictures in a part that the folder itself has, and no part is empty."""
    for part, files in parts.items():
        lost = {label for _, label in files} - {label for _, label in kept[part]}
        if lost and (part != "test" or own_test):
            label = min(lost)
            count = sum(1 for _, other in files if other == label)
            raise ValueError(
                f"{where}: {source} has no sound picture left in the class {classes[label]!r} of the part {part!r}, "
                f"all {count} are broken; replace them, or remove the class's folder"
            )
        if not kept[part]:
            raise ValueError(
                f"{where}: {source} has no sound picture left to test on; replace the broken ones or take them out"
            )


def _dataset(
    source: Path, classes: tuple[str, ...], parts: Parts, pixels: np.ndarray, skipped: Sequence[Skipped]
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
        tuple(skipped),
    )
