"""Pictures and image folders for tests."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

COLOURS = {"blue": (0, 0, 250), "green": (0, 250, 0), "red": (250, 0, 0)}


def encoded(picture, kind="PNG", **options):
    """The bytes of a picture file."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def plain(colour, size=(6, 4)):
    """A PNG of one colour, 4 high and 6 wide."""
    return encoded(Image.new("RGB", size, colour))


def numbered(i):
    """A PNG whose every byte is i."""
    return plain((i, i, i))


def put(root, files, into):
    """Write {name: bytes} into a folder or, if ``into`` is "zip", into a zip file; returns its path."""
    if into == "zip":
        path = root / "pictures.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    path = root / "pictures"
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        file = path / name
        if name.endswith("/"):
            file.mkdir(parents=True, exist_ok=True)
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


both = pytest.mark.parametrize("into", ["folder", "zip"])


def three_classes(count=10, above=""):
    """``count`` pictures in each of three classes, numbered through in the order of their names."""
    names = [f"{above}{name}/{i:02d}.png" for name in COLOURS for i in range(count)]
    return {name: numbered(i) for i, name in enumerate(names)}


def train_test_val(val="val"):
    files = {}
    for offset, (part, count) in enumerate({"train": 8, "test": 3, val: 2}.items()):
        for i, (name, content) in enumerate(three_classes(count, f"{part}/").items()):
            files[name] = numbered(100 * offset // 2 + i) if content else content
    return files


def with_file(name, content=b"x", **changes):
    return {**three_classes(3), name: content, **changes}
