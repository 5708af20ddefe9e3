"""Image folders that are not clean: what is left out, with which reason, and when it is too much."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from pellucid.data import load_image_folder, open_dataset
from pellucid.data.listing import FolderListing
from picture_files import both, encoded, numbered, plain, put, three_classes, train_test_val

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, size=(40, 30, 3), dtype=np.uint8)
NO_FORMAT = "cannot be read: it is no picture of the formats PNG, JPEG, BMP, WEBP"


def upright_later():
    """A JPEG that lies on its side: its EXIF note says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(NOISE), "JPEG", exif=exif)


def sound():
    """Pictures of every kind and of odd sizes."""
    palette = Image.fromarray(NOISE).convert("P", palette=Image.Palette.ADAPTIVE)
    return {
        "cat/alpha.png": encoded(Image.new("RGBA", (31, 17), (10, 20, 30, 128))),
        "cat/grey.png": encoded(Image.new("L", (5, 64), 90)),
        "cat/lying.jpg": upright_later(),
        "cat/one pixel.png": plain("red", (1, 1)),
        "cat/sixteen.png": encoded(Image.fromarray(np.full((9, 14), 40_000, np.uint16))),
        "dog/cmyk.jpg": encoded(Image.new("CMYK", (20, 33), (0, 255, 255, 0)), "JPEG"),
        "dog/grey alpha.png": encoded(Image.new("LA", (8, 8), (7, 0))),
        "dog/palette.png": encoded(palette),
        "dog/photo.webp": encoded(Image.fromarray(NOISE), "WEBP"),
        "dog/plain.bmp": encoded(Image.fromarray(NOISE), "BMP"),
        "dog/wide.png": plain("blue", (200, 2)),
    }


def broken():
    """Files that give no picture, and the reasons."""
    whole = encoded(Image.fromarray(NOISE))
    jpeg = encoded(Image.fromarray(NOISE), "JPEG")
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    return {
        "cat/cut.jpg": (jpeg[: len(jpeg) // 2], "cannot be read: image file is truncated.*"),
        "cat/cut.png": (whole[: len(whole) // 2], "cannot be read: .*"),
        "cat/empty.png": (b"", NO_FORMAT),
        "cat/film.mp4": (b"\0\0\0\x18ftypmp42", "is no picture by its name"),
        "dog/gif by another name.png": (encoded(Image.new("L", (6, 4)), "GIF"), NO_FORMAT),
        "dog/moves.png": (
            encoded(frames[0], save_all=True, append_images=frames[1:]),
            "cannot be read: it is animated",
        ),
        "dog/noise.jpg": (RNG.bytes(500), NO_FORMAT),
        "dog/notes.png": (b"remember to take photographs of dogs", NO_FORMAT),
        "dog/scan.gif": (encoded(Image.new("L", (6, 4)), "GIF"), "is no picture by its name"),
    }


def unclean():
    return {**sound(), **{name: content for name, (content, _) in broken().items()}}


@both
def test_broken_files_are_left_out_and_named_with_the_reason(tmp_path, into):
    data = open_dataset(put(tmp_path, unclean(), into), size=(16, 12), max_broken=0.5)
    assert sorted(name for name, _ in data.skipped) == sorted(broken())
    for name, reason in data.skipped:
        assert re.fullmatch(broken()[name][1], reason), (name, reason)
    assert len(data.X_train) + len(data.X_test) == len(sound())
    assert data.classes == ("cat", "dog")
    assert np.bincount(np.concatenate([data.y_train, data.y_test])).tolist() == [5, 6]


@both
def test_what_is_left_is_what_a_clean_folder_holds(tmp_path, into):
    """Each picture is there once, with its own class."""
    files = three_classes(30)
    bad = ["blue/03.png", "green/00.png", "green/29.png", "red/15.png"]
    files.update(dict.fromkeys(bad, b"bad"))
    data = load_image_folder(put(tmp_path, files, into), max_broken=0.1)
    numbers = np.concatenate([data.X_train.pixels, data.X_test.pixels])[:, 0, 0, 0]
    assert sorted(numbers) == sorted(set(range(90)) - {3, 30, 59, 75})
    assert np.array_equal(numbers // 30, np.concatenate([data.y_train, data.y_test]))
    assert sorted(name for name, _ in data.skipped) == bad


def test_the_result_does_not_depend_on_the_threads(tmp_path):
    files = three_classes(80)
    files.update({f"red/{i:02d}.png": b"bad" for i in range(0, 80, 9)})
    path = put(tmp_path, files, "folder")
    one, two = (load_image_folder(path, max_broken=0.2, threads=threads) for threads in (1, 5))
    assert one.skipped == two.skipped
    assert np.array_equal(one.X_train.pixels, two.X_train.pixels)
    assert np.array_equal(one.y_train, two.y_train)


def test_a_clean_folder_skips_nothing_and_is_the_same_under_any_limit(tmp_path):
    path = put(tmp_path, three_classes(10), "folder")
    strict, lenient = load_image_folder(path), load_image_folder(path, max_broken=1)
    assert strict.skipped == lenient.skipped == ()
    assert np.array_equal(strict.X_train.pixels, lenient.X_train.pixels)


@both
def test_without_a_limit_the_first_broken_file_is_an_error(tmp_path, into):
    (tmp_path / "other").mkdir()
    path = put(tmp_path, {**three_classes(10), "red/x.png": b"bad"}, into)
    with pytest.raises(ValueError, match=r"red/x.png cannot be read: .*; replace it or take it out"):
        load_image_folder(path)
    with pytest.raises(ValueError, match=r"red/film.mp4 is no picture by its name"):
        load_image_folder(put(tmp_path / "other", {**three_classes(10), "red/film.mp4": b"x"}, into))


@both
def test_too_many_are_refused_with_count_limit_and_the_first_names(tmp_path, into):
    files = three_classes(30)
    files.update({f"red/{i:02d}.png": b"bad" for i in range(10)})
    files["blue/film.mp4"] = b"x"
    path = put(tmp_path, files, into)
    says = (
        r"load_image_folder: 11 of 91 pictures are broken; with max_broken = 0.1 at most 9 may be: blue/film.mp4 is no "
        r"picture by its name; red/0.\.png cannot be read: it is no .*; and 6 more. Replace them or take them out, or"
    )
    with pytest.raises(ValueError, match=says):
        load_image_folder(path, max_broken=0.1)
    assert len(load_image_folder(path, max_broken=0.125).skipped) == 11


@pytest.mark.parametrize(("share", "fits"), [(0.07, 7), (0.29, 29), (0.069, 6)])
def test_a_share_of_a_hundred_is_that_many(tmp_path, share, fits):
    files = {f"{name}/{i:02d}.png": numbered(i) for name in "ab" for i in range(50)}
    for count in (fits, fits + 1):
        bad = {f"a/{i:02d}.png": b"bad" for i in range(count)}
        path = put(tmp_path / str(count), {**files, **bad}, "folder")
        if count == fits:
            assert len(load_image_folder(path, max_broken=share).skipped) == fits
        else:
            with pytest.raises(ValueError, match=f"at most {fits} may be"):
                load_image_folder(path, max_broken=share)


def test_too_many_are_noticed_before_all_are_decoded(tmp_path):
    files = {f"{name}/{i:03d}.png": b"bad" for name in "ab" for i in range(300)}
    seen = []
    with pytest.raises(ValueError, match=r"64 of 600 pictures are broken after 64 were looked at; .* at most 6 may"):
        load_image_folder(
            put(tmp_path, files, "folder"),
            size=(4, 4),
            max_broken=0.01,
            progress=lambda done, total: seen.append(done),
        )
    assert seen == []


@pytest.mark.parametrize("size", [None, (4, 4)])
def test_a_folder_of_nothing_but_broken_files_is_refused(tmp_path, size):
    files = {f"{name}/{i}.png": b"bad" for name in "ab" for i in range(9)}
    with pytest.raises(ValueError, match=r"broken"):
        load_image_folder(put(tmp_path, files, "folder"), size=size, max_broken=1)


@both
def test_a_class_that_loses_all_its_pictures_is_an_error(tmp_path, into):
    files = three_classes(10)
    files.update({f"green/{i:02d}.png": b"bad" for i in range(10)})
    with pytest.raises(ValueError, match=r"no sound picture left in the class 'green' of the part 'train', all . are"):
        load_image_folder(put(tmp_path, files, into), max_broken=0.5)


def test_a_class_that_loses_all_its_pictures_of_one_part_is_an_error(tmp_path):
    files = {**train_test_val(), "val/red/00.png": b"bad", "val/red/01.png": b"bad"}
    with pytest.raises(ValueError, match=r"in the class 'red' of the part 'val', all 2 are broken"):
        load_image_folder(put(tmp_path, files, "folder"), max_broken=0.5)


def test_a_class_of_strangers_alone_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"no pictures in the class pink"):
        load_image_folder(put(tmp_path, {**three_classes(10), "pink/1.gif": b"x"}, "folder"), max_broken=0.5)


def test_two_sizes_are_no_broken_pictures(tmp_path):
    path = put(tmp_path, {**three_classes(10), "red/x.png": plain("red", (7, 4))}, "folder")
    with pytest.raises(ValueError, match=r"give size=\(height, width\) to bring all to one size"):
        load_image_folder(path, max_broken=0.9)


@both
def test_oversize_files_and_bombs_are_broken(tmp_path, into, monkeypatch):
    monkeypatch.setattr("pellucid.data.listing.MOST_FILE_BYTES", 2_000)
    monkeypatch.setattr("pellucid.data.pictures.MOST_PIXELS", 500)
    files = {**three_classes(10), "red/x.png": bytes(3_000), "red/y.png": plain("red", (50, 50))}
    data = load_image_folder(put(tmp_path, files, into), max_broken=0.1)
    assert dict(data.skipped) == {
        "red/x.png": "has 3,000 bytes, more than 2,000",
        "red/y.png": "cannot be read: it has 50 x 50 pixels, more than 500",
    }


def test_a_file_that_the_system_does_not_read_is_broken(tmp_path, monkeypatch):
    plain_read = FolderListing.read

    def read(self, file):
        if file == ("red", "03.png"):
            raise PermissionError(13, "Permission denied", "red/03.png")
        return plain_read(self, file)

    monkeypatch.setattr(FolderListing, "read", read)
    path = put(tmp_path, three_classes(10), "folder")
    assert load_image_folder(path, max_broken=0.1).skipped == (("red/03.png", "cannot be read: Permission denied"),)
    with pytest.raises(PermissionError):
        load_image_folder(path)


def test_what_is_no_files_fault_is_an_error(tmp_path, monkeypatch):
    def read(self, file):
        raise OSError(24, "Too many open files", "red/03.png")

    monkeypatch.setattr(FolderListing, "read", read)
    with pytest.raises(OSError, match="Too many open files"):
        load_image_folder(put(tmp_path, three_classes(10), "folder"), max_broken=1)


def test_a_damaged_member_of_a_zip_is_broken(tmp_path):
    path = put(tmp_path, three_classes(10), "zip")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        content[archive.getinfo("green/05.png").header_offset + 60] ^= 1
    path.write_bytes(content)
    ((name, reason),) = load_image_folder(path, max_broken=0.1).skipped
    assert name == "green/05.png"
    assert "is damaged (Bad CRC-32" in reason


def test_links_out_of_the_folder_are_errors_under_any_limit(tmp_path):
    path = put(tmp_path, three_classes(10), "folder")
    (path / "red" / "link.png").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="a link out of the folder"):
        load_image_folder(path, max_broken=1)
