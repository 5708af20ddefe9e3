"""ByteImages behaves as the float32 array that it stands for, and holds a quarter of its bytes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.data import ByteImages, mean_image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, size=(7, 5, 4, 3), dtype=np.uint8)
MEAN = RNG.uniform(0, 255, size=(3, 5, 4)).astype(np.float32)


def expected(mean=None, scale=1.0):
    """The float32 array (7, 3, 5, 4) that the images stand for, computed in one go."""
    out = PIXELS.transpose(0, 3, 1, 2).astype(np.float32)
    if mean is not None:
        out = out - np.asarray(mean, np.float32)
    return out / np.float32(scale)


CHANNELS = np.array([125.3, 122.9, 113.9])
DEVIATIONS = [62.993, 62.088, 66.704]


@pytest.mark.parametrize("mean", [None, 0, 120.5, MEAN, CHANNELS[:, None, None] + np.zeros((3, 5, 4))])
@pytest.mark.parametrize("scale", [1, 1.0, 58.4, np.float64(3.0)])
def test_it_is_pixels_less_mean_over_scale_in_float32(mean, scale):
    images = ByteImages(PIXELS, mean, scale)
    assert np.asarray(images).dtype == np.float32
    assert np.array_equal(np.asarray(images), expected(mean, scale))
    assert np.array_equal(images[2:5], expected(mean, scale)[2:5])


@pytest.mark.parametrize("mean", [None, CHANNELS, CHANNELS.tolist(), MEAN])
@pytest.mark.parametrize("scale", [2.5, DEVIATIONS, np.array([1, 2, 3])])
def test_every_channel_may_have_its_own_mean_and_scale(mean, scale):
    images = ByteImages(PIXELS, mean, scale)
    wide_mean, wide_scale = (np.reshape(value, (3, 1, 1)) if np.ndim(value) == 1 else value for value in (mean, scale))
    like = expected() if mean is None else expected() - np.asarray(wide_mean, np.float32)
    like = like / np.asarray(wide_scale, np.float32)
    assert np.array_equal(np.asarray(images), like)
    assert np.array_equal(images[[3, 1]], like[[3, 1]])
    assert np.array_equal(images[4], like[4])
    assert np.array_equal(images[4, 1], like[4, 1])
    assert np.array_equal(images.reshape(7, -1), like.reshape(7, -1))
    assert np.array_equal(images.select([2, 5])[:], like[[2, 5]])


@pytest.mark.parametrize("mean", [None, 0.1, CHANNELS, MEAN])
@pytest.mark.parametrize("scale", [1, 1 / 3, DEVIATIONS])
def test_affine_is_what_an_index_subtracts_and_divides_by(mean, scale):
    images = ByteImages(PIXELS, mean, scale)
    subtract, divide = images.affine
    assert (subtract.shape, divide.shape) == ((5, 4, 3), (3,))
    for array in (subtract, divide):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert not array.flags.writeable
    normalised = (PIXELS.astype(np.float32) - subtract) / divide
    assert np.array_equal(images[:], normalised.transpose(0, 3, 1, 2))
    assert images.affine is images.affine


def test_mean_and_scale_stay_what_was_given():
    images = ByteImages(PIXELS, CHANNELS, DEVIATIONS)
    assert np.array_equal(images.mean, CHANNELS.astype(np.float32))
    assert np.array_equal(images.scale, np.array(DEVIATIONS, np.float32))
    assert ByteImages(PIXELS, 3, 2).mean == 3
    assert type(ByteImages(PIXELS, 3, 2).scale) is float
    assert "mean=[0.5, 1.0, 2.0], scale=[4.0, 5.0, 6.0]" in repr(ByteImages(PIXELS, [0.5, 1, 2], [4, 5, 6]))
    with pytest.raises(ValueError, match="read-only"):
        images.scale[0] = 1


def test_it_looks_like_a_float32_array_but_holds_bytes():
    images = ByteImages(PIXELS, MEAN)
    like = expected()
    assert (images.shape, images.dtype, images.ndim, images.size) == (like.shape, like.dtype, like.ndim, like.size)
    assert len(images) == len(like)
    assert images.nbytes == PIXELS.nbytes + MEAN.nbytes
    assert ByteImages(PIXELS).nbytes == like.nbytes / 4


def test_a_batch_is_an_nchw_view_of_a_channels_last_buffer():
    images = ByteImages(PIXELS, MEAN, 2.0)
    for key in (slice(1, 4), [3, 0, 3], np.array([1, 2]), PIXELS[:, 0, 0, 0] > 100):
        assert images[key].transpose(0, 2, 3, 1).flags.c_contiguous
    assert np.asarray(images).transpose(0, 2, 3, 1).flags.c_contiguous


first_index = st.one_of(
    st.integers(-7, 6),
    st.slices(7),
    st.lists(st.integers(-7, 6), max_size=9),
    hnp.arrays(np.intp, hnp.array_shapes(max_dims=2, max_side=3), elements=st.integers(-7, 6)),
    hnp.arrays(bool, 7),
)
later_index = st.one_of(st.integers(-3, 2), st.slices(3), st.none())


@given(first_index, st.lists(later_index, max_size=3))
@settings(max_examples=300, deadline=None)
def test_every_index_gives_what_the_array_gives(first, rest):
    images, array = ByteImages(PIXELS, MEAN, 3.0), expected(MEAN, 3.0)
    key = (first, *rest) if rest else first
    got = images[key]
    assert isinstance(got, np.ndarray | np.float32)
    assert got.dtype == np.float32
    assert np.array_equal(got, array[key])


@pytest.mark.parametrize("key", [(0, ...), (slice(None), ..., 0), (slice(2), None, 1), (np.int64(3), 1), ()])
def test_ellipsis_and_new_axes_behind_the_first(key):
    if key == ():
        with pytest.raises(TypeError, match="first index"):
            ByteImages(PIXELS)[key]
    else:
        assert np.array_equal(ByteImages(PIXELS, MEAN)[key], expected(MEAN)[key])


@pytest.mark.parametrize(
    ("key", "error", "says"),
    [
        (7, IndexError, "out of bounds"),
        ([0, 7], IndexError, "out of bounds"),
        (np.ones(6, bool), IndexError, r"mask has shape \(6,\); it must be \(7,\)"),
        (np.ones((7, 3), bool), IndexError, "mask"),
        (True, TypeError, "first index is True"),
        (1.0, TypeError, "first index is 1.0"),
        ([0.5], TypeError, "first index"),
        ("train", TypeError, "first index is 'train'"),
        (None, TypeError, "first index"),
        (..., TypeError, "first index"),
        ((0, [0, 1]), TypeError, "behind the first"),
        ((slice(None), np.array([0])), TypeError, "behind the first"),
        ((0, True), TypeError, "behind the first"),
    ],
)
def test_other_indices_are_refused(key, error, says):
    with pytest.raises(error, match=says):
        ByteImages(PIXELS)[key]


def test_iterating_gives_one_image_after_the_other():
    for image, like in zip(ByteImages(PIXELS, MEAN), expected(MEAN), strict=True):
        assert np.array_equal(image, like)


def test_select_of_a_slice_shares_memory_and_keeps_mean_and_scale():
    images = ByteImages(PIXELS, MEAN, 2.0)
    part = images.select(slice(2, 6))
    assert np.shares_memory(part.pixels, PIXELS)
    assert np.array_equal(np.asarray(part), expected(MEAN, 2.0)[2:6])
    assert part.scale == 2.0
    assert np.array_equal(part.mean, MEAN)


@pytest.mark.parametrize("chosen", [[4, 0, 4], np.array([6]), PIXELS[:, 0, 0, 0] > 100, slice(None, None, 2), []])
def test_select_takes_what_an_index_takes(chosen):
    assert np.array_equal(np.asarray(ByteImages(PIXELS).select(chosen)), expected()[chosen])


@pytest.mark.parametrize("chosen", [3, np.zeros((2, 2), int)])
def test_select_needs_a_row_of_images(chosen):
    with pytest.raises(ValueError, match=r"(?s)ByteImages.select: indices is .* a row of images"):
        ByteImages(PIXELS).select(chosen)


def test_it_cannot_be_changed():
    images = ByteImages(PIXELS.copy(), MEAN)
    with pytest.raises(TypeError):
        images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        images.pixels[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        images.mean[0] = 0
    with pytest.raises(AttributeError):
        images.scale = 2.0


def test_a_batch_and_a_mean_are_copies():
    mean = MEAN.copy()
    images = ByteImages(PIXELS, mean)
    mean[:] = 0
    images[:][:] = 0
    assert np.array_equal(np.asarray(images), expected(MEAN))


def test_asarray_honours_dtype_and_copy():
    images = ByteImages(PIXELS, MEAN)
    double = np.asarray(images, dtype=np.float64)
    assert double.dtype == np.float64
    assert np.array_equal(double, expected(MEAN).astype(np.float64))
    assert np.array_equal(np.array(images, copy=True), expected(MEAN))
    with pytest.raises(ValueError, match="copy=False"):
        images.__array__(copy=False)
    for dtype in (np.uint8, int, object, complex):
        with pytest.raises(TypeError, match="float32 or float64"):
            np.asarray(images, dtype=dtype)


def test_astype_and_reshape_give_arrays():
    images, array = ByteImages(PIXELS, MEAN), expected(MEAN)
    assert images.astype(np.float64).dtype == np.float64
    assert np.array_equal(images.astype(np.float32), array)
    for shape in [(7, -1), ((7, -1),), (-1,)]:
        assert np.array_equal(images.reshape(*shape), array.reshape(*shape))
    assert images.reshape(7, -1).flags.c_contiguous


def test_more_images_than_a_block_are_all_there(monkeypatch):
    monkeypatch.setattr("pellucid.data.byte_images._BLOCK", 2048)
    many = np.arange(3000, dtype=np.uint16).view(np.uint8).reshape(3000, 1, 1, 2)
    images = ByteImages(many)
    assert np.array_equal(np.asarray(images), many.transpose(0, 3, 1, 2))
    assert np.array_equal(images.reshape(3000, 2), many.reshape(3000, 2))


@pytest.mark.parametrize(
    ("pixels", "error", "says"),
    [
        (PIXELS.astype(np.float32), TypeError, "a float32 array; it must be a uint8 array"),
        (PIXELS.tolist(), TypeError, "a list; it must be a uint8 array"),
        (PIXELS[0], ValueError, r"shape \(5, 4, 3\); it must have four axes"),
        (PIXELS[:, :0], ValueError, "at least one pixel"),
    ],
)
def test_wrong_pixels_are_refused(pixels, error, says):
    with pytest.raises(error, match=says):
        ByteImages(pixels)


@pytest.mark.parametrize(
    ("mean", "error", "says"),
    [
        (MEAN.transpose(1, 2, 0), ValueError, r"mean has shape \(5, 4, 3\); it must be \(3, 5, 4\)"),
        (MEAN[0, :, 0], ValueError, r"mean has shape \(5,\); it must be \(3,\): one number for each channel"),
        (MEAN[0], ValueError, r"mean has shape \(5, 4\)"),
        ([1.0, np.nan, 2.0], ValueError, "nan"),
        (np.full_like(MEAN, np.nan), ValueError, "nan"),
        (float("nan"), ValueError, "nan"),
        ("grey", TypeError, "mean is 'grey'"),
    ],
)
def test_wrong_means_are_refused(mean, error, says):
    with pytest.raises(error, match=says):
        ByteImages(PIXELS, mean)


@pytest.mark.parametrize("scale", [0, -1.0, float("inf"), float("nan")])
def test_wrong_scales_are_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        ByteImages(PIXELS, None, scale)


@pytest.mark.parametrize(
    ("scale", "error", "says"),
    [
        ([1, 0, 2], ValueError, r"scale is \[1.0, 0.0, 2.0\]; every channel's must be above 0"),
        ([1, -1, 2], ValueError, "above 0"),
        ([1, np.inf, 2], ValueError, "finite"),
        ([1, np.nan, 2], ValueError, "finite"),
        ([1, 1e-60, 2], ValueError, "above 0"),
        ([1, 1e60, 2], ValueError, "finite"),
        ([1, 2], ValueError, r"scale has shape \(2,\); it must be \(3,\)"),
        (np.ones((3, 5, 4)), ValueError, r"scale has shape \(3, 5, 4\)"),
        (["a", "b", "c"], TypeError, "scale is"),
        ("a", TypeError, "scale is 'a'"),
        (None, TypeError, "scale is None"),
    ],
)
def test_wrong_scales_of_channels_are_refused(scale, error, says):
    with pytest.raises(error, match=says):
        ByteImages(PIXELS, None, scale)


def test_the_mean_image_is_the_mean():
    pixels = np.concatenate([PIXELS, np.full((5, 5, 4, 3), 255, np.uint8)])
    mean = mean_image(ByteImages(pixels))
    assert mean.dtype == np.float32
    assert mean.shape == (3, 5, 4)
    assert np.array_equal(mean, pixels.mean(axis=0, dtype=np.float64).transpose(2, 0, 1).astype(np.float32))


def test_the_mean_of_nothing_is_refused():
    with pytest.raises(ValueError, match="mean_image: images is empty"):
        mean_image(ByteImages(PIXELS[:0]))


def test_batches_of_many_images_take_the_memory_of_a_batch():
    images = ByteImages(np.zeros((20_000, 32, 32, 3), np.uint8), MEAN[0, 0, 0])
    order = np.random.default_rng(0).permutation(len(images))
    tracemalloc.start()
    for start in range(0, len(images), 100):
        images[order[start : start + 100]].sum()
    images.select(slice(1, None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 100 * 3072 * 4  # a few batches of floats; all images would be 245 MB
