"""Parts and splits: who is trained on, who is validated on, and whose mean is subtracted."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.data import ByteImages, Dataset, channel_statistics, mean_image, pixel_deviation
from pellucid.data.dataset import fixed_order

KEYS = ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test"]


def images(count, first=0):
    """Images of which number i is all of the byte first + i."""
    return ByteImages(np.repeat(np.arange(first, first + count, dtype=np.uint8), 12).reshape(count, 2, 2, 3))


def labels(count):
    return np.arange(count) % 2


def dataset(**other):
    return Dataset("toy", ("a", "b"), images(20), labels(20), images(6, 100), labels(6), **other)


def with_validation():
    return dataset(X_val=images(5, 50), y_val=labels(5))


def first_bytes(X):
    """The byte that each image is made of."""
    return X.pixels[:, 0, 0, 0].tolist()


def test_validation_is_the_end_of_the_training_part():
    data = dataset().split(4)
    assert list(data) == KEYS
    assert first_bytes(data["X_train"]) == list(range(16))
    assert first_bytes(data["X_val"]) == [16, 17, 18, 19]
    assert first_bytes(data["X_test"]) == list(range(100, 106))
    assert data["y_train"].tolist() == [0, 1] * 8
    assert data["y_val"].tolist() == [0, 1, 0, 1]
    assert all(np.shares_memory(data[key].pixels, data["X_train"].pixels.base) for key in ("X_train", "X_val"))


def test_all_parts_lose_the_mean_of_what_is_trained_on():
    data = dataset().split(4, scale=2.0)
    assert np.allclose(data["X_train"][:].mean(axis=0), 0, atol=1e-5)
    for key in ("X_train", "X_val", "X_test"):
        assert np.all(data[key].mean == 7.5)
        assert data[key].scale == 2.0
    assert np.all(data["X_test"][0] == (100 - 7.5) / 2)


def test_without_the_mean_the_bytes_come_as_they_are():
    data = dataset().split(4, subtract_mean=False)
    assert data["X_train"].mean is None
    assert np.all(data["X_val"][1] == 17)


def test_fewer_training_images_leave_the_validation_images_the_same():
    data = dataset().split(4, num_training=3)
    assert first_bytes(data["X_train"]) == [0, 1, 2]
    assert len(data["y_train"]) == 3
    assert first_bytes(data["X_val"]) == [16, 17, 18, 19]
    assert np.all(data["X_val"].mean == 1)


def test_the_datas_own_validation_part_is_used():
    data = with_validation().split(3)
    assert first_bytes(data["X_train"]) == list(range(20))
    assert first_bytes(data["X_val"]) == [50, 51, 52]
    assert len(with_validation().split()["y_val"]) == 5


def test_by_default_a_tenth_is_validated_on():
    assert len(dataset().split()["y_val"]) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"num_validation": 20}, "num_validation is 20, but only 19 of 20 images can be spared"),
        ({"num_validation": -1}, "num_validation is -1; it must be at least 0"),
        ({"per_channel": True, "scale": None}, "per_channel subtracts .* scale is None; leave both out"),
        ({"per_channel": True, "scale": 2.0}, "scale is 2.0"),
        ({"per_channel": True, "subtract_mean": False}, "subtract_mean is False"),
        ({"num_validation": 4, "num_training": 17}, "num_training is 17, but only 16 images are left"),
        ({"num_validation": 4, "num_training": 0}, "num_training is 0"),
        ({"num_validation": 4, "scale": 0}, "scale is 0"),
    ],
)
def test_a_split_that_cannot_be_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        dataset().split(**arguments)


def test_without_a_validation_part_all_is_trained_on():
    for data in (dataset(), with_validation()):
        parts = data.split(0)
        assert list(parts) == ["X_train", "y_train", "X_test", "y_test"]
        assert first_bytes(parts["X_train"]) == list(range(20))
        assert np.all(parts["X_test"].mean == 9.5)


def test_per_channel_brings_every_channel_to_mean_0_and_deviation_1():
    rng = np.random.default_rng(0)
    spread = np.array([10, 100, 255])
    part = [ByteImages((rng.random((count, 5, 4, 3)) * spread).astype(np.uint8)) for count in (40, 9)]
    data = Dataset("toy", ("a", "b"), part[0], labels(40), part[1], labels(9)).split(
        10, per_channel=True, num_training=25
    )
    trained_on = part[0].pixels[:25].reshape(-1, 3).astype(np.float64)
    for key in ("X_train", "X_val", "X_test"):
        assert np.allclose(data[key].mean, trained_on.mean(axis=0), rtol=1e-7, atol=0)
        assert np.allclose(data[key].scale, trained_on.std(axis=0), rtol=1e-7, atol=0)
    assert np.allclose(data["X_train"][:].mean(axis=(0, 2, 3)), 0, atol=1e-6)
    assert np.allclose(data["X_train"][:].std(axis=(0, 2, 3)), 1, atol=1e-6)


@pytest.mark.parametrize(("sums", "squares"), [(7, 7), (2**24, 2**22)])
def test_the_statistics_do_not_depend_on_the_blocks(monkeypatch, sums, squares):
    monkeypatch.setattr("pellucid.data.dataset._SUM_BLOCK", sums)
    monkeypatch.setattr("pellucid.data.dataset._SQUARE_BLOCK", squares)
    pixels = np.random.default_rng(0).integers(0, 256, size=(301, 3, 4, 2), dtype=np.uint8)
    mean, deviation = channel_statistics(ByteImages(pixels))
    assert mean.dtype == deviation.dtype == np.float32
    assert np.array_equal(mean, pixels.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32))
    assert np.allclose(deviation, pixels.std(axis=(0, 1, 2), dtype=np.float64), rtol=1e-7, atol=0)
    assert np.array_equal(
        mean_image(ByteImages(pixels)), pixels.mean(axis=0, dtype=np.float64).transpose(2, 0, 1).astype(np.float32)
    )


def test_the_statistics_of_the_brightest_images_do_not_run_over():
    white = ByteImages(np.full((70_000, 1, 1, 1), 255, np.uint8))
    assert [array.tolist() for array in channel_statistics(white)] == [[255.0], [1.0]]
    with pytest.raises(ValueError, match="channel_statistics: images is empty"):
        channel_statistics(images(0))


def test_more_validation_images_than_the_own_part_has_are_refused():
    with pytest.raises(ValueError, match="num_validation is 6, but only 5 images are for validation"):
        with_validation().split(6)


def test_one_training_image_cannot_be_split():
    one = Dataset("one", ("a",), images(1), labels(1), images(1), labels(1))
    with pytest.raises(ValueError, match="only 0 of 1 images can be spared"):
        one.split()


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"y_train": labels(19)}, ValueError, "y_train has shape"),
        ({"y_test": np.full(6, 2)}, ValueError, r"y_test\[0\] is 2.*from 0 to 1"),
        ({"y_test": np.zeros(6)}, TypeError, "labels must be integers"),
        ({"X_train": np.zeros((20, 3, 2, 2))}, TypeError, "X_train is a ndarray; it must be ByteImages"),
        ({"X_val": images(2)}, ValueError, "belong together"),
        (
            {"X_test": ByteImages(np.zeros((6, 2, 1, 3), np.uint8))},
            ValueError,
            r"X_test has images of shape \(3, 2, 1\) but X_train has \(3, 2, 2\)",
        ),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(change, error, says):
    parts = {
        "X_train": images(20),
        "y_train": labels(20),
        "X_test": images(6),
        "y_test": labels(6),
    }
    with pytest.raises(error, match=says):
        Dataset("toy", ("a", "b"), **{**parts, **change})


def test_the_fixed_order_never_changes():
    assert fixed_order(10).tolist() == [6, 5, 8, 9, 2, 3, 1, 4, 0, 7]
    assert sorted(fixed_order(1000)) == list(range(1000))


def test_the_mean_image_of_a_split_is_that_of_its_training_images():
    data = dataset().split(4)
    assert np.array_equal(data["X_test"].mean, mean_image(dataset().X_train.select(slice(16))))


def test_the_deviation_is_that_of_all_pixels_about_the_mean_image():
    pixels = np.random.default_rng(0).integers(0, 256, size=(2500, 3, 4, 2), dtype=np.uint8)
    expected = np.sqrt(np.mean((pixels - pixels.mean(axis=0)) ** 2))
    assert pixel_deviation(ByteImages(pixels)) == pytest.approx(expected, rel=1e-12)
    assert isinstance(pixel_deviation(ByteImages(pixels)), float)


def test_images_that_are_all_alike_are_divided_by_one():
    assert pixel_deviation(ByteImages(np.full((9, 2, 2, 3), 77, np.uint8))) == 1.0
    with pytest.raises(ValueError, match="pixel_deviation: images is empty"):
        pixel_deviation(images(0))


def test_a_split_can_be_scaled_by_the_deviation_of_what_is_trained_on():
    data = dataset().split(4, scale=None)
    assert data["X_test"].scale == pytest.approx(np.std(np.arange(16)))
    assert data["X_train"][:].std() == pytest.approx(1, rel=1e-6)
