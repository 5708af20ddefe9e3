"""Many pictures decoded by several threads, in their order, in little memory; broken ones are counted and left out."""

from __future__ import annotations

import errno
import itertools
import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from pellucid.data.layout import Name
from pellucid.data.listing import Listing, one_line
from pellucid.data.memory import Room
from pellucid.data.pictures import MOST_FILE_BYTES, MOST_PIXELS, BrokenPicture, decode_picture

Progress = Callable[[int, int], object]
Skipped = tuple[str, str]

# Pictures handed to a thread at a time: large enough that handing over costs nothing, small enough to report progress.
_CHUNK = 64
# Decoded bytes that a thread holds at a time; large pictures come in smaller chunks.
_CHUNK_BYTES = 2**24
# Chunks decoded or being decoded, for each thread: none waits, and no more than this many are in memory.
_CHUNKS_A_THREAD = 2
# Of all chunks: pictures of 64 million pixels take 192 MB each.
_MOST_WAITING_BYTES = 2**29
# Broken files that a message names.
_MOST_NAMED = 5
# What a system says of one file. Whatever else goes wrong (too many open files, no memory) is not the file's fault.
_OF_THE_FILE = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO, errno.ELOOP, errno.EISDIR)


@dataclass
class Decoder:
    """Decodes pictures; up to a share of them may be broken.

    files : the pictures, in the order in which they are decoded.
    size, fit : see ``decode_picture``; None takes the size of the first picture that can be read, and all must have it.
    max_broken : the share of ``files`` and ``skipped`` that may be broken. 0: the first one is an error.
    threads : how many threads decode. The result does not depend on it.
    skipped : the broken files so far, each with the reason. More are added.
    """

    where: str
    listing: Listing
    files: Sequence[Name]
    size: tuple[int, int] | None
    fit: str
    max_broken: float
    threads: int
    skipped: list[Skipped] = field(default_factory=list)
    _first: tuple[Name, tuple[int, int, int]] | None = None
    # What the threads share, so that any number of them takes no more memory than one large picture does.
    _pixels: Room = field(default_factory=lambda: Room(MOST_PIXELS))
    _bytes: Room = field(default_factory=lambda: Room(MOST_FILE_BYTES))

    def __post_init__(self) -> None:
        self.total = len(self.files) + len(self.skipped)
        # A share of 0.07 of 100 files is 7 of them, though 0.07 * 100 is a little more than 7, and 0.29 * 100 less.
        self.most = math.floor(self.max_broken * self.total + 1e-9)
        self._check_count(0)

    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of all pictures. Without a size, the first that can be read is decoded for it."""
        if self.size is not None:
            return (*self.size, 3)
        return self._first_sound()[1]

    def decode_all(self, write: Callable[[np.ndarray], object], progress: Progress | None) -> None:
        """Hand all sound pictures to ``write`` in their order, a few at a time: uint8 (n, H, W, 3).

        Raises
        ------
        ValueError, naming files, where too many are broken or, without a size, two have different sizes.
        """
        shape = self.picture_shape()
        step = max(1, min(_CHUNK, _CHUNK_BYTES // math.prod(shape)))
        chunks = (self.files[start : start + step] for start in range(0, len(self.files), step))
        done = 0
        with quiet_pillow(), ThreadPoolExecutor(self.threads) as pool:
            waiting: deque[Future[tuple[np.ndarray, list[Skipped]]]] = deque()

            def submit(count: int) -> None:
                waiting.extend(
                    pool.submit(self._decode_chunk, chunk, shape) for chunk in itertools.islice(chunks, count)
                )

            try:
                submit(min(_CHUNKS_A_THREAD * self.threads, max(1, _MOST_WAITING_BYTES // (step * math.prod(shape)))))
                # Results are taken in order, so of several bad pictures it is always the first that is named.
                while waiting:
                    pictures, broken = waiting.popleft().result()
                    submit(1)
                    done += len(pictures) + len(broken)
                    self.skipped += broken
                    self._check_count(done)
                    write(pictures)
                    if progress is not None:
                        progress(done, len(self.files))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if len(self.skipped) == self.total:
            raise self._too_many(done)

    def _decode_chunk(self, files: Sequence[Name], shape: tuple[int, int, int]) -> tuple[np.ndarray, list[Skipped]]:
        """The sound pictures among a few, and the broken ones."""
        pictures = np.empty((len(files), *shape), np.uint8)
        sound, broken = 0, []
        for file in files:
            picture = self._decode(file)
            if isinstance(picture, str):
                broken.append((short_name(file), picture))
                continue
            if picture.shape != shape:
                raise ValueError(self._two_sizes(file, picture.shape))
            pictures[sound] = picture
            sound += 1
        return pictures[:sound], broken

    def _decode(self, file: Name) -> np.ndarray | str:
        """A picture, or what is wrong with it; an error where nothing may be."""
        try:
            with self._bytes.taken(self.listing.stamp(file)[0]):
                name, content = self.listing.full_name(file), self.listing.read(file)
                return decode_picture(self.where, name, content, self.size, self.fit, self._pixels)
        except BrokenPicture as error:
            if self.max_broken == 0:
                raise
            return error.reason
        except OSError as error:
            if self.max_broken == 0 or error.errno not in _OF_THE_FILE:
                raise
            return f"cannot be read: {error.strerror}"

    def _first_sound(self) -> tuple[Name, tuple[int, int, int]]:
        """The first picture that can be read, and its shape."""
        if self._first is None:
            self._first = self._find_first()
        return self._first

    def _find_first(self) -> tuple[Name, tuple[int, int, int]]:
        broken: list[Skipped] = []
        with quiet_pillow():
            for file in self.files:
                picture = self._decode(file)
                if not isinstance(picture, str):
                    H, W, C = picture.shape
                    return file, (H, W, C)
                broken.append((short_name(file), picture))
                if len(self.skipped) + len(broken) > self.most:
                    break
        self.skipped += broken
        raise self._too_many(len(broken))

    def _check_count(self, done: int) -> None:
        if len(self.skipped) > self.most:
            raise self._too_many(done)

    def _too_many(self, done: int) -> ValueError:
        named = "; ".join(f"{one_line(name)} {reason}" for name, reason in self.skipped[:_MOST_NAMED])
        more = f"; and {len(self.skipped) - _MOST_NAMED} more" if len(self.skipped) > _MOST_NAMED else ""
        looked = f" after {done:,} were looked at" if 0 < done < len(self.files) else ""
        return ValueError(
            f"{self.where}: {len(self.skipped):,} of {self.total:,} pictures are broken{looked}; with max_broken = "
            f"{self.max_broken:g} at most {min(self.most, self.total - 1):,} may be: {named}{more}. Replace them or "
            "take them out, or allow more"
        )

    def _two_sizes(self, other: Name, other_shape: tuple[int, ...]) -> str:
        one, one_shape = self._first_sound()
        return (
            f"{self.where}: {self.listing.full_name(one)} is {one_shape[0]} x {one_shape[1]} (height x width) but "
            f"{self.listing.full_name(other)} is {other_shape[0]} x {other_shape[1]}; give size=(height, width) to "
            "bring all to one size (on the command line: --image-size HEIGHT WIDTH)"
        )


def short_name(file: Name) -> str:
    """The name below the folder or the zip file, the same on every system."""
    return "/".join(file)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow only warns of a picture somewhat too large, and of odd EXIF notes.

    The first is ours to refuse, the second is of no concern. The filters hold for all threads, so they are set once.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
