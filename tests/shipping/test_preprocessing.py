"""From a picture to the network's input: the same way that the training images went."""

import io
import os
import warnings

import numpy as np
import pytest
from PIL import Image

from pellucid.data import load_digits, load_image_folder
from pellucid.shipping import Preprocessing

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (40, 60, 3), np.uint8)


def saved(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


def file_content(pixels, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_a_picture_goes_the_way_of_the_training_images(tmp_path, fit):
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(12):
            saved(tmp_path / "data" / name / f"{i}.png", RNG.integers(0, 256, (20 + i, 31, 3), np.uint8))
    dataset = load_image_folder(tmp_path / "data", size=(16, 16), fit=fit)
    X = dataset.split(2, per_channel=True)["X_train"]
    how = Preprocessing((16, 16), 3, X.mean, X.scale, fit)
    pixels = how.pixels(sorted((tmp_path / "data").glob("*/*.png")))
    seen = {image.tobytes() for image in pixels}
    assert all(image.tobytes() in seen for image in X.pixels)
    np.testing.assert_array_equal(how.floats(X.pixels), X[:])


def test_every_kind_of_picture_gives_the_same_bytes(tmp_path):
    path = saved(tmp_path / "photo.png", PHOTO)
    how = Preprocessing((16, 16))
    right = how.pixels(PHOTO)
    assert right.shape == (1, 16, 16, 3)
    for image in (path, str(path), file_content(PHOTO), Image.fromarray(PHOTO), PHOTO[None], [PHOTO], iter([path])):
        np.testing.assert_array_equal(how.pixels(image), right)
    several = how.pixels([path, file_content(PHOTO), PHOTO, Image.fromarray(PHOTO)])
    np.testing.assert_array_equal(several, np.repeat(right, 4, axis=0))


def test_grey_stays_as_it_is_and_colours_become_grey():
    digits = load_digits().X_test.pixels
    how = Preprocessing((8, 8), 1)
    assert how.pixels(digits) is digits
    np.testing.assert_array_equal(how.pixels([file_content(digit[..., 0]) for digit in digits[:20]]), digits[:20])
    np.testing.assert_array_equal(how.pixels(digits[0, ..., 0]), digits[:1])
    grey = how.pixels(PHOTO)
    assert grey.shape == (1, 8, 8, 1)
    assert 100 < grey.mean() < 155
    np.testing.assert_array_equal(Preprocessing((8, 8)).pixels(digits[:3]), np.repeat(digits[:3], 3, axis=3))


def test_a_picture_that_lies_on_its_side_is_turned(tmp_path):
    image = Image.fromarray(PHOTO)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    how = Preprocessing((60, 40))
    np.testing.assert_array_equal(how.pixels(tmp_path / "turned.png")[0], np.rot90(PHOTO, -1))


def test_arrays_of_more_channels():
    how = Preprocessing((8, 8), 4, mean=np.arange(4), scale=[1, 2, 3, 4])
    pixels = RNG.integers(0, 256, (3, 8, 8, 4), np.uint8)
    floats = how.floats(how.pixels(pixels))
    np.testing.assert_allclose(floats, ((pixels - np.arange(4.0)) / [1, 2, 3, 4]).transpose(0, 3, 1, 2), rtol=1e-6)
    assert floats.dtype == np.float32
    with pytest.raises(ValueError, match="the network reads 4 channels, and a picture has 1 or 3"):
        how.pixels(PHOTO)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"size": 8}, TypeError, r"size is 8; it must be \(height, width\)"),
        ({"size": (8, 0)}, ValueError, "size is 0"),
        ({"size": (8.0, 8)}, TypeError, "size is 8.0"),
        ({"size": (10**5, 10**5)}, ValueError, "more than 64,000,000 numbers"),
        ({"channels": 0}, ValueError, "channels is 0"),
        ({"fit": "Crop"}, ValueError, r"fit is 'Crop'.*did you mean 'crop'"),
        ({"mean": np.zeros(2)}, ValueError, r"mean has shape \(2,\)"),
        ({"mean": "bright"}, TypeError, "mean is 'bright'"),
        ({"mean": np.full(3, np.nan)}, ValueError, "mean holds nan"),
        ({"scale": 0}, ValueError, "scale is 0"),
        ({"scale": [1, -1, 1]}, ValueError, "must be above 0"),
    ],
)
def test_settings_that_do_not_fit(settings, error, message):
    with pytest.raises(error, match=message):
        Preprocessing(**{"size": (8, 8)} | settings)


def test_what_is_no_picture(tmp_path):
    how = Preprocessing((8, 8))
    (tmp_path / "text.png").write_text("no picture")
    os.mkfifo(tmp_path / "pipe")
    for image, error, message in [
        (tmp_path / "none.png", FileNotFoundError, r"none\.png does not exist"),
        (tmp_path, ValueError, "not a regular file"),
        (tmp_path / "pipe", ValueError, "not a regular file"),
        (tmp_path / "text.png", ValueError, r"text\.png cannot be read: it is no picture"),
        (b"", ValueError, "image 0 cannot be read"),
        (file_content(PHOTO)[:-200], ValueError, "image 0 cannot be read"),
        (PHOTO.astype(float), TypeError, "image 0 is a float64 array"),
        (PHOTO[..., :2], ValueError, r"image 0 has shape \(40, 60, 2\); it must be \(8, 8, 3\), or a picture"),
        (PHOTO[:0], TypeError, r"of shape \(0, 60, 3\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), ValueError, "there are no images"),
        ([], ValueError, "there are no images; give paths"),
        (None, TypeError, "image 0 is a NoneType; give paths"),
        ([PHOTO, 3], TypeError, "image 1 is a int"),
    ]:
        with pytest.raises(error, match=message):
            how.pixels(image)


def test_a_picture_of_too_many_pixels_is_refused_without_a_word_of_pillows():
    header = file_content(np.zeros((1, 1), np.uint8))
    claims = header.replace(b"\0\0\0\1\0\0\0\1", (20_000).to_bytes(4, "big") * 2)
    with warnings.catch_warnings(), pytest.raises(ValueError, match="image 0 cannot be read"):
        warnings.simplefilter("error")
        Preprocessing((8, 8)).pixels(claims)
