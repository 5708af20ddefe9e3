"""Single pictures: every kind becomes RGB, everything else one error."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pellucid.data import load_image_folder
from pellucid.data import pictures as pictures_module
from pellucid.data.pictures import decode_picture
from picture_files import encoded, plain, put


def decode(content, size=None, fit="crop"):
    return decode_picture("test", "x.png", content, size, fit)


RAMP = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_exact_formats_come_back_exactly(kind):
    pixels = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=2)
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode(encoded(Image.fromarray(pixels), kind, **options)), pixels)


def test_jpeg_comes_back_nearly():
    pixels = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    assert np.abs(decode(encoded(Image.fromarray(pixels), "JPEG")).astype(int) - pixels).max() < 5


def test_grey_and_black_and_white_become_rgb():
    grey = np.repeat(RAMP[..., None], 3, axis=2)
    assert np.array_equal(decode(encoded(Image.fromarray(RAMP))), grey)
    assert np.array_equal(decode(encoded(Image.fromarray(RAMP > 100))), np.where(grey > 100, 255, 0))


def test_of_sixteen_bits_the_upper_eight_are_taken():
    sixteen = RAMP.astype(np.uint16) * 256 + 200
    assert np.array_equal(decode(encoded(Image.fromarray(sixteen)))[..., 1], RAMP)


def test_a_palette_becomes_its_colours():
    picture = Image.new("RGB", (6, 4), (250, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.array_equal(decode(encoded(picture))[0, 0], [250, 20, 30])


def test_what_is_transparent_is_laid_on_white():
    clear = Image.new("RGBA", (6, 4), (10, 20, 30, 0))
    half = Image.new("LA", (6, 4), (0, 128))
    palette = Image.new("P", (6, 4), 0)
    palette.putpalette([10, 20, 30])
    assert decode(encoded(clear)).min() == 255
    assert np.all(np.abs(decode(encoded(half)).astype(int) - 127) <= 1)
    assert decode(encoded(palette, transparency=0)).min() == 255
    assert decode(encoded(palette, transparency=bytes([0]))).min() == 255
    assert decode(encoded(Image.new("RGB", (6, 4), (1, 2, 3)), transparency=(1, 2, 3))).min() == 255
    assert decode(encoded(Image.new("L", (6, 4), 7), transparency=7)).min() == 255


def test_cmyk_becomes_rgb():
    picture = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red = decode(encoded(picture, "JPEG"))[8, 8].astype(int)
    assert red[0] > 200
    assert red[1:].max() < 60


def test_a_picture_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    got = decode(encoded(Image.fromarray(pixels), "PNG", exif=exif))
    assert got.shape == (16, 8, 3)
    assert got[:8].min() == 255
    assert got[8:].max() == 0


def test_size_keeps_proportions_and_takes_the_middle():
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 40:80] = 200  # the middle third is all that is left of it, its edges a little darker
    middle = decode(encoded(Image.fromarray(pixels)), (10, 10))
    assert middle[:, 1:-1].min() == 200
    assert middle.min() > 150
    assert decode(encoded(Image.fromarray(pixels)), (5, 20)).shape == (5, 20, 3)
    assert decode(encoded(Image.fromarray(pixels)), (100, 50)).shape == (100, 50, 3)


def test_stretch_brings_both_sides_to_size():
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 60:] = 200  # the right half stays the right half
    got = decode(encoded(Image.fromarray(pixels)), (10, 10), "stretch")
    assert got.shape == (10, 10, 3)
    assert got[:, :4].max() == 0
    assert got[:, 6:].min() == 200


def test_pad_keeps_the_whole_picture_and_its_mean():
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 40:] = (200, 100, 50)
    got = decode(encoded(Image.fromarray(pixels)), (20, 20), "pad")
    assert got.shape == (20, 20, 3)
    assert np.all(got[:5] == (100, 50, 25))  # 10 rows of picture, 5 of its mean above and below
    assert np.all(got[15:] == (100, 50, 25))
    assert got[5:15, :9].max() == 0
    assert np.all(got[5:15, 11:] == (200, 100, 50))
    assert np.allclose(got.mean(axis=(0, 1)), (100, 50, 25), atol=1)


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (1, 1), (7, 5), (33, 64)])
@pytest.mark.parametrize("size", [(9, 9), (1, 12), (40, 3)])
def test_every_shape_comes_to_every_size(fit, shape, size):
    grey = np.full(shape, 77, np.uint8)
    assert np.array_equal(decode(encoded(Image.fromarray(grey)), size, fit), np.full((*size, 3), 77))


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_a_picture_of_the_right_size_is_left_alone_by_every_rule(fit):
    pixels = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=2)
    assert np.array_equal(decode(encoded(Image.fromarray(pixels)), (4, 6), fit), pixels)


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_a_picture_is_turned_upright_before_it_is_fitted(fit):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    got = decode(encoded(Image.fromarray(pixels), "PNG", exif=exif), (16, 8), fit)
    assert got[:8].min() == 255
    assert got[8:].max() == 0


@pytest.mark.parametrize("size", [(30, 40), (300, 400)])
def test_a_large_jpeg_is_shrunk_to_nearly_what_the_whole_would_give(size):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, size=(120, 160), dtype=np.uint8)
    large = Image.fromarray(coarse).resize((1600, 1200), Image.Resampling.NEAREST)
    quick = decode(encoded(large, "JPEG", quality=95), size).astype(int)
    exact = decode(encoded(large, "PNG"), size).astype(int)
    assert np.abs(quick - exact).mean() < 6


def png_of_claimed_size(width, height):
    """A PNG of a few bytes that claims a size."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8_001, 9_400, 10_000, 14_000, 60_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, side):
    bomb = png_of_claimed_size(side, side)
    path = put(tmp_path, {"a/1.png": bomb, "a/2.png": bomb, "b/1.png": bomb}, "folder")
    with pytest.raises(ValueError, match=r"/.\.png cannot be read: (it has \d+ x \d+ pixels, more than 64|Image size)"):
        load_image_folder(path)


def test_the_pixel_cap_lets_just_enough_through(monkeypatch):
    monkeypatch.setattr(pictures_module, "MOST_PIXELS", 24)
    assert decode(plain("red", (6, 4))).shape == (4, 6, 3)
    with pytest.raises(ValueError, match="it has 5 x 5 pixels, more than 24"):
        decode(plain("red", (5, 5)))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_moves_is_refused(kind):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    with pytest.raises(ValueError, match="it is animated"):
        decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))


def test_of_a_jpeg_with_a_second_picture_the_first_is_taken():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    got = decode(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert got[0, 0, 0] > 200


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "ICO", "PPM"])
def test_other_formats_are_refused_whatever_the_name(kind):
    with pytest.raises(ValueError, match=r"x.png cannot be read: it is no picture of the formats PNG, JPEG, BMP, WEBP"):
        decode(encoded(Image.new("RGB", (16, 16)), kind))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_a_picture_cut_short_is_refused(kind):
    rng = np.random.default_rng(0)
    whole = encoded(Image.fromarray(rng.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)), kind)
    for length in (0, 3, 20, len(whole) // 3, len(whole) * 2 // 3):
        with pytest.raises(ValueError, match=r"test: x.png cannot be read"):
            decode(whole[:length])


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_mutated_pictures_raise_nothing_but_value_errors(data):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "BMP", "WEBP"]))
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if kind == "BMP" else {"exif": exif}
    raw = bytearray(encoded(Image.fromarray(np.stack([RAMP] * 3, axis=2)), kind, **options))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(bytes(raw), (5, 5)).shape == (5, 5, 3)
    except ValueError as error:
        assert "x.png" in str(error)
