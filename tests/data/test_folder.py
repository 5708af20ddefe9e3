"""Image folders and zips: their layouts, and names that do not add up."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.data import load_image_folder, open_dataset
from picture_files import both, encoded, numbered, plain, put, three_classes, train_test_val, with_file


def check_labels(X, y, first, count):
    """Every picture number first + i, of class i // count, is there once, with that label."""
    numbers = X.pixels[:, 0, 0, 0].astype(int) - first
    assert sorted(numbers) == list(range(3 * count))
    assert np.array_equal(numbers // count, y)


@both
@pytest.mark.parametrize("wrap", ["", "wrapping/"])
@pytest.mark.parametrize("val", ["val", "valid", "validation", "Val"])
def test_parts_become_parts(tmp_path, into, wrap, val):
    files = {wrap + name: content for name, content in train_test_val(val).items()}
    data = load_image_folder(put(tmp_path, files, into))
    assert data.name == "pictures"
    assert data.classes == ("blue", "green", "red")
    assert data.X_train.shape == (24, 3, 4, 6)
    check_labels(data.X_train, data.y_train, 0, 8)
    check_labels(data.X_test, data.y_test, 50, 3)
    check_labels(data.X_val, data.y_val, 100, 2)


@both
@pytest.mark.parametrize("wrap", ["", "wrapping/"])
def test_without_a_test_part_a_tenth_is_set_aside(tmp_path, into, wrap):
    data = load_image_folder(put(tmp_path, three_classes(10, wrap), into))
    assert (len(data.X_train), len(data.X_test), data.X_val) == (27, 3, None)
    numbers = np.concatenate([data.X_train.pixels, data.X_test.pixels])[:, 0, 0, 0]
    assert sorted(numbers) == list(range(30))
    assert np.array_equal(numbers // 10, np.concatenate([data.y_train, data.y_test]))


@both
def test_a_train_folder_alone_is_a_training_part(tmp_path, into):
    data = load_image_folder(put(tmp_path, three_classes(10, "train/"), into))
    assert (data.classes, len(data.X_train), len(data.X_test)) == (("blue", "green", "red"), 27, 3)


def test_folder_and_zip_give_the_same_whatever_the_threads(tmp_path):
    files = three_classes(60)
    one, two, three = (
        load_image_folder(put(tmp_path, files, into), threads=threads)
        for into, threads in [("folder", 1), ("folder", 4), ("zip", 3)]
    )
    for other in (two, three):
        assert np.array_equal(one.X_train.pixels, other.X_train.pixels)
        assert np.array_equal(one.y_test, other.y_test)


def test_the_validation_part_is_not_of_one_class(tmp_path):
    data = load_image_folder(put(tmp_path, three_classes(60), "folder")).split(30)
    assert set(data["y_val"]) == {0, 1, 2}
    assert set(data["y_test"]) == {0, 1, 2}


def test_the_order_is_the_same_every_time_and_not_that_of_the_disk(tmp_path, monkeypatch):
    path = put(tmp_path, three_classes(10), "folder")
    first = load_image_folder(path)
    plain_scandir = os.scandir

    class Backwards:
        def __init__(self, folder):
            with plain_scandir(folder) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("os.scandir", Backwards)
    assert np.array_equal(load_image_folder(path).X_train.pixels, first.X_train.pixels)


def test_progress_counts_the_pictures(tmp_path):
    seen = []
    load_image_folder(put(tmp_path, three_classes(50), "zip"), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 150), (128, 150), (150, 150)]


@both
def test_what_systems_leave_behind_is_left_out(tmp_path, into):
    junk = {
        ".DS_Store": b"x",
        "blue/.DS_Store": b"x",
        "blue/._01.png": b"x",
        "__MACOSX/blue/01.png": b"x",
        ".hidden/x.png": b"x",
        "green/Thumbs.db": b"x",
        "red/desktop.ini": b"x",
        "red/notes.txt": b"x",
        "README.md": b"x",
        "labels.csv": b"x",
    }
    data = load_image_folder(put(tmp_path, {**three_classes(10), **junk}, into))
    assert len(data.X_train) + len(data.X_test) == 30
    assert data.classes == ("blue", "green", "red")


def test_class_names_may_be_any_text(tmp_path):
    files = {f"{name}/{i}.png": numbered(i) for name in ["猫", "a b", "Ünï", "new\nline"] for i in range(4)}
    assert load_image_folder(put(tmp_path, files, "folder")).classes == ("a b", "new\nline", "Ünï", "猫")


def test_one_accent_in_two_spellings_is_one_class(tmp_path):
    files = {"train/caf\u00e9/1.png": numbered(1), "train/tea/1.png": numbered(2), "test/cafe\u0301/1.png": numbered(3)}
    data = load_image_folder(put(tmp_path, files, "folder"))
    assert data.classes == ("caf\u00e9", "tea")
    assert data.y_test.tolist() == [0]


@both
@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "has no pictures"),
        ({"README.md": b"x"}, "has no pictures"),
        ({"a/": b"", "b/": b""}, "has no pictures"),
        ({"a/1.png": numbered(1), "a/2.png": numbered(2)}, "has one class only, 'a'"),
        ({"w/a/1.png": numbered(1)}, "has one class only, 'a'"),
        (with_file("empty/"), "has no pictures in the class empty"),
        (with_file("empty/notes.txt"), "has no pictures in the class empty"),
        (with_file("red/film.mp4"), "red/film.mp4 is no picture by its name.*convert it or take it out"),
        (with_file("red/scan.gif"), "red/scan.gif is no picture by its name"),
        (with_file("red/noending"), "red/noending is no picture by its name"),
        (with_file("red/x.png", b"no picture"), "red/x.png cannot be read: it is no picture of the formats PNG, JPEG"),
        (with_file("red/x.png", numbered(7)[:-30]), "red/x.png cannot be read"),
        (with_file("red/x.png", b""), "red/x.png cannot be read"),
        (with_file("red/x.gif.png", encoded(Image.new("L", (6, 4)), "GIF")), "red/x.gif.png cannot be read: it is no"),
        (with_file("x.png", numbered(7)), "x.png lies above the classes' folders"),
        (with_file("red/more/x.png", numbered(7)), "red/more/x.png lies below the classes' folders"),
        (with_file("red/more/x.mp4"), "red/more/x.mp4 lies below"),
        (with_file("train/red/x.png"), "has the part 'train' beside 'blue'"),
        (three_classes(2, "test/"), "has test but no train folder"),
        ({**train_test_val(), **three_classes(2, "valid/")}, "has val and valid, which mean the same"),
        ({**train_test_val(), "test/pink/1.png": numbered(0)}, "has the class test/pink but no train/pink"),
        ({**train_test_val(), "test/red/": b"", "val/pink/": b""}, "the class val/pink but no train/pink"),
        ({**three_classes(2, "train/"), "test/red/": b""}, "has no pictures in the class test/red"),
    ],
)
def test_names_that_do_not_add_up_are_refused(tmp_path, into, files, says):
    with pytest.raises(ValueError, match=f"load_image_folder: .*{says}"):
        load_image_folder(put(tmp_path, files, into))


@both
def test_two_sizes_are_refused_with_both_files_and_the_remedy(tmp_path, into):
    files = {"a/1.png": plain("red", (6, 4)), "a/2.png": plain("red", (6, 4)), "b/1.png": plain("red", (6, 5))}
    says = (
        r"a/.\.png is 4 x 6 .height x width. but .*b/1.png is 5 x 6; give size=|b/1.png is 5 x 6 .* a/.\.png is 4 x 6"
    )
    path = put(tmp_path, files, into)
    with pytest.raises(ValueError, match=says):
        load_image_folder(path)
    data = load_image_folder(path, size=(4, 5))
    assert data.X_train.shape[1:] == (3, 4, 5)


def test_of_several_bad_pictures_it_is_always_the_same_that_is_named(tmp_path):
    files = three_classes(100)
    for i in range(5, 100, 7):
        files[f"red/{i:02d}.png"] = b"bad"
    path = put(tmp_path, files, "folder")
    messages = set()
    for threads in (1, 2, 5, 8):
        with pytest.raises(ValueError, match="cannot be read") as caught:
            load_image_folder(path, threads=threads)
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_a_damaged_exif_note_is_of_no_concern(tmp_path):
    """Pillow warns of it, which is an error in these tests."""
    note = b"Exif\0\0II*\0\x08\0\0\0\xff\xff"
    files = three_classes(10)
    files["red/00.png"] = encoded(Image.new("RGB", (6, 4)), exif=note)
    data = load_image_folder(put(tmp_path, files, "folder"))
    assert len(data.X_train) + len(data.X_test) == 30


@pytest.mark.parametrize(
    ("size", "error"),
    [((0, 4), ValueError), ((4.0, 4), TypeError), (4, TypeError), ((4,), TypeError), ("44", TypeError)],
)
def test_a_wrong_size_is_refused(tmp_path, size, error):
    with pytest.raises(error, match="load_image_folder: size is"):
        load_image_folder(put(tmp_path, three_classes(2), "folder"), size=size)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"fit": "squeeze", "size": (4, 4)}, ValueError, "fit is 'squeeze'; it must be one of crop, stretch, pad"),
        ({"fit": None}, ValueError, "fit is None"),
        ({"fit": "pad"}, ValueError, r"fit is 'pad', but there is no size to fit pictures to; give size="),
        ({"max_broken": -0.1}, ValueError, "max_broken is -0.1; it must be at least 0"),
        ({"max_broken": 5}, ValueError, "max_broken is 5; it must be at least 0 and at most 1"),
        ({"max_broken": "all"}, TypeError, "max_broken is 'all'"),
        ({"threads": 0}, ValueError, "threads is 0"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, given, error, says):
    with pytest.raises(error, match=f"load_image_folder: {says}"):
        load_image_folder(put(tmp_path, three_classes(2), "folder"), **given)


@both
@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_every_rule_brings_all_to_one_size(tmp_path, into, fit):
    files = {"a/1.png": plain("red", (6, 4)), "a/2.png": plain("red", (4, 9)), "b/1.png": plain("red", (6, 5))}
    data = open_dataset(put(tmp_path, files, into), size=(4, 5), fit=fit)
    assert data.image_shape == (3, 4, 5)
    assert np.all(data.X_train.pixels == (255, 0, 0))


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_image_folder(tmp_path / "nothing")


# The real thing


def test_open_dataset_takes_folders_and_zips(tmp_path):
    for into in ("folder", "zip"):
        data = open_dataset(put(tmp_path / into, three_classes(10), "folder"), size=(2, 3))
        assert data.X_train.shape == (27, 3, 2, 3)


def shared_zip():
    """CIFAR-10 as 60,000 JPEG files, where a developer has it."""
    given_folder = os.environ.get("PELLUCID_TEST_DATA")
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    for folder in [Path(given_folder)] if given_folder else [beside]:
        if (folder / "cifar10-images.zip").is_file():
            return folder / "cifar10-images.zip"
    return None


@pytest.mark.slow
@pytest.mark.skipif(
    shared_zip() is None, reason="cifar10-images.zip is neither in $PELLUCID_TEST_DATA nor ../shared/data"
)
def test_sixty_thousand_jpegs_load_as_they_are():
    data = load_image_folder(shared_zip())
    assert data.X_train.shape == (50_000, 3, 32, 32)
    assert data.X_test.shape == (10_000, 3, 32, 32)
    assert np.bincount(data.y_train).tolist() == [5_000] * 10
    assert np.bincount(data.y_test).tolist() == [1_000] * 10
    with zipfile.ZipFile(shared_zip()) as archive:
        first = archive.read("cifar10/test/airplane/0000.jpg")
    picture = np.asarray(Image.open(io.BytesIO(first)).convert("RGB"))
    airplanes = data.X_test.pixels[data.y_test == 0]
    assert (airplanes == picture).all(axis=(1, 2, 3)).any()
