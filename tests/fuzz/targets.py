"""The readers of files from outside, each with sound files to start from."""

import gzip
import io
import os
import struct
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from fuzz.mutations import sound_again, sound_png, sound_tar
from pellucid import recipes
from pellucid.data import cifar10
from pellucid.data.cache import make_cache, open_cache
from pellucid.data.folder import load_image_folder
from pellucid.data.idx import read_idx
from pellucid.data.pictures import decode_picture
from pellucid.models import Affine, BatchNorm, Conv, Dropout, GlobalAvgPool, MaxPool, Network, Pad, ReLU, Residual
from pellucid.shipping import Model, Preprocessing, read_torch_weights, write_torch_weights
from pellucid.shipping.model_file import decoded, encoded
from pellucid.training import Views
from pellucid.training.checkpoint import decode, encode

RNG = np.random.default_rng(0)
MEMORY_FOLDER = Path("/dev/shm")


@dataclass
class Target:
    """A reader.

    read : takes bytes; gives an answer, or raises one of ``refusals``.
    seeds : sound files, or what ``wrap`` makes them of.
    wrap : what is done to the bytes after they were changed, half of the time: a compression around them, a digest.
    """

    read: Callable[[bytes], object]
    seeds: list[bytes]
    wrap: Callable[[bytes], bytes] | None = None
    refusals: tuple[type[Exception], ...] = field(default=(ValueError, TypeError, OSError))


_folders = []


def clean_up():
    """Remove all scratch files, where the process will not end as Python does."""
    for folder in _folders:
        folder.cleanup()


class Scratch:
    """A file, in memory where the system has such a place, that readers which want a path are given."""

    def __init__(self, suffix):
        folder = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-", dir=folder)
        _folders.append(self._folder)
        self.path = Path(self._folder.name) / f"fuzz{suffix}"

    def write(self, data):
        self.path.write_bytes(data)
        return self.path


def network():
    steps = [
        *(Pad(1, 0, 1, 0), Conv(4, 3, pad=1, bias=False), BatchNorm(), ReLU(), MaxPool(2), Dropout(0.9)),
        *(Residual([Conv(4, 1), ReLU()], shortcut=[Conv(4, 1, bias=False)]), GlobalAvgPool(), Affine(3)),
    ]
    return Network(steps, (1, 6, 6), rng=0)


def joined(pieces):
    return b"".join(map(bytes, pieces))


def model():
    how = [Preprocessing((6, 6), 1, RNG.uniform(0, 255, (1, 6, 6)), 3.0), Preprocessing((6, 6), 1, 128, [64.0])]
    seeds = [joined(encoded(Model(network(), list("abc"), one, {"epochs": 1}, Views()))) for one in how]
    return Target(decoded, seeds, sound_again)


def checkpoint():
    tree = {"params": {"w": np.ones((2, 3), np.float32)}, "epoch": 3, "list": [1, {"mean": np.zeros(2)}, None, True]}
    return Target(lambda data: decode(data, Path("fuzz")), [joined(encode(tree))], sound_again)


def torch_weights():
    scratch, ours = Scratch(".safetensors"), network()
    write_torch_weights(ours, scratch.path)
    return Target(lambda data: read_torch_weights(ours, scratch.write(data)), [scratch.path.read_bytes()], sound_again)


def onnx():
    from pellucid.extras.onnx_export import export_onnx
    from pellucid.extras.onnx_import import import_onnx

    scratch, seeds = Scratch(".onnx"), []
    for settings in ({}, {"pixels": True, "opset": 20}):
        parts = {"classes": list("abc"), "preprocessing": Preprocessing((6, 6), 1, 100.0, 60.0)}
        export_onnx(network(), scratch.path, verify=False, **parts, **settings)
        seeds.append(scratch.path.read_bytes())
    return Target(lambda data: import_onnx(scratch.write(data)), seeds)


def idx():
    images = struct.pack(">HBB3I", 0, 8, 3, 2, 3, 4) + bytes(range(24))
    labels = struct.pack(">HBB1I", 0, 8, 1, 5) + bytes(5)
    scratch = Scratch("-idx3-ubyte")
    return Target(lambda data: read_idx(scratch.write(data)), [images, labels], lambda data: gzip.compress(data, 1))


def cifar():
    records = b"".join(bytes([i]) + RNG.integers(0, 256, 3072, np.uint8).tobytes() for i in range(2))
    scratch = Scratch(".tar.gz")

    def wrap(data):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
            for name in cifar10.FILES:
                member = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
                content = data if name == cifar10.FILES[0] else records
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return stream.getvalue()

    def read(data):
        return cifar10.load_cifar10(scratch.write(data), records_per_file=2)

    tar = gzip.decompress(wrap(records))
    return Target(read, [wrap(records), tar], lambda data: gzip.compress(sound_tar(data), 1))


def pictures():
    pixels = RNG.integers(0, 256, (9, 7, 3), np.uint8)
    seeds = []
    for kind in ("PNG", "JPEG", "BMP", "WEBP"):
        for image in (Image.fromarray(pixels), Image.fromarray(pixels[..., 0]), Image.fromarray(pixels).convert("P")):
            stream = io.BytesIO()
            image = image.convert("RGB") if kind in ("JPEG", "WEBP") and image.mode == "P" else image
            image.save(stream, kind)
            seeds.append(stream.getvalue())
    return Target(lambda data: decode_picture("fuzz", "picture", data, (8, 8)), seeds, sound_png)


SOUND_NAMES = ("a/1.png", "a/2.png", "b/1.png", "b/2.png")
WILD_NAMES = (
    "../x/1.png",
    "/a/1.png",
    "a/1.PNG",
    "a",
    "a/1.png/2.png",
    "C:\\a\\1.png",
    "é/\n.png",
    "a/1.png",
    "",
    "a//b.png",
)


def zips():
    scratch = Scratch(".zip")
    picture = pictures().seeds[0]

    def packed(members):
        stream = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")  # two of one name
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name), content)
        return stream.getvalue()

    def wrap(data):
        """The bytes as a picture among sound ones; now and then they choose its name, too."""
        names = WILD_NAMES if len(data) % 3 == 0 else ("a/3.png",)
        others = [(name, picture) for name in SOUND_NAMES]
        return packed([*others, (names[len(data) % len(names)], data)])

    def read(data):
        return load_image_folder(scratch.write(data), size=(4, 4), threads=1)

    return Target(read, [packed([(name, picture) for name in SOUND_NAMES]), picture], wrap)


def cache():
    """Two files: the bytes of the record up to the first zero byte, and then those of the pixels."""
    scratch, shape = Scratch(".npy"), (2, 4, 4, 3)

    def fill(write):
        write(RNG.integers(0, 256, shape, np.uint8))
        return (("a/1.png", "is broken"),)

    make_cache("fuzz", scratch.path, "print", 2, shape[1:], fill)
    record = scratch.path.with_name(scratch.path.name + ".json")

    def read(data):
        written, _, pixels = data.partition(b"\0")
        record.write_bytes(written)
        found = open_cache(scratch.write(pixels), "print")
        if found is None:
            raise ValueError("there is no sound cache: it is made anew")
        return found[0].sum()

    return Target(read, [record.read_bytes() + b"\0" + scratch.path.read_bytes()])


def recipe():
    seeds = [recipes.text(name).encode() for name in recipes.names()]

    def read(data):
        try:
            content = data.decode()
        except UnicodeDecodeError:
            return None
        return recipes.from_text("fuzz", content)

    return Target(read, seeds)


TARGETS = {
    "model": model,
    "checkpoint": checkpoint,
    "torch": torch_weights,
    "onnx": onnx,
    "idx": idx,
    "cifar": cifar,
    "picture": pictures,
    "zip": zips,
    "cache": cache,
    "recipe": recipe,
}
