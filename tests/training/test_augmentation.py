"""What is drawn for augmentation, and what becomes of the images."""

import numpy as np
import pytest

from pellucid.data import ByteImages
from pellucid.training import Augmentation
from pellucid.training.augmentation import changed

ALL = np.arange(1000)
SIZE = (32, 30)


def draw(augmentation, epoch=0, first=0, chosen=ALL, count=1000, size=SIZE):
    return augmentation.draw(epoch, first, chosen, count, size)


def mirrored(**settings):
    return draw(Augmentation(**settings.pop("of")), **settings).moves[:, 2]


def test_nothing_is_drawn_where_nothing_is_asked_for():
    moves, tones = draw(Augmentation())
    assert not moves[:, :3].any()
    np.testing.assert_array_equal(tones, np.tile(np.float32([1, 1, 0]), (1000, 1)))


def test_alternating_flip_shows_every_image_both_ways_in_any_two_epochs():
    of = {"flip": "alternating", "seed": 3}
    first, second, third = (mirrored(of=of, epoch=epoch) for epoch in range(3))
    np.testing.assert_array_equal(second, 1 - first)
    np.testing.assert_array_equal(third, first)
    assert 400 < first.sum() < 600


def test_alternating_flip_belongs_to_the_image_and_not_to_its_place():
    of = {"flip": "alternating"}
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(mirrored(of=of, chosen=order), mirrored(of=of)[order])


def test_random_flip_is_drawn_anew_each_epoch():
    of = {"flip": "random"}
    first, second = mirrored(of=of, epoch=0), mirrored(of=of, epoch=1)
    assert 400 < first.sum() < 600
    assert 400 < (first != second).sum() < 600


def test_shifts_and_squares_reach_everywhere_they_may_and_no_further():
    moves, _ = draw(Augmentation(shift=3, cutout=9))
    assert {*moves[:, 0]} == {*moves[:, 1]} == {*range(-3, 4)}
    assert {*moves[:, 3]} == {*range(32 - 9 + 1)}
    assert {*moves[:, 4]} == {*range(30 - 9 + 1)}


def test_tones_spread_evenly_about_no_change():
    _, tones = draw(Augmentation(contrast=0.3, saturation=0.5, brightness=2.0))
    centre, spread = np.array([1, 1, 0]), np.array([0.3, 0.5, 2.0])
    share = (tones - centre) / spread
    assert np.abs(share).max() <= 1.0001
    assert np.abs(share).max(axis=0).min() > 0.98
    assert np.abs(share.mean(axis=0)).max() < 0.06


@pytest.mark.parametrize("flip", ["random", "alternating"])
def test_what_happens_depends_on_the_place_and_not_on_how_the_epoch_is_cut_into_batches(flip):
    augmentation = Augmentation(flip=flip, shift=4, cutout=5, brightness=0.1, contrast=0.1, saturation=0.1, seed=7)
    order = np.random.default_rng(1).permutation(1000)
    whole = draw(augmentation, epoch=5, chosen=order)
    for first, last in ((0, 300), (300, 301), (301, 1000)):
        part = draw(Augmentation(**vars(augmentation)), epoch=5, first=first, chosen=order[first:last])
        np.testing.assert_array_equal(part.moves, whole.moves[first:last])
        np.testing.assert_array_equal(part.tones, whole.tones[first:last])


def test_seeds_and_epochs_draw_apart():
    draws = [draw(Augmentation(shift=8, seed=s), epoch=e).moves[:, 0] for s in range(3) for e in range(3)]
    for i, one in enumerate(draws):
        for other in draws[:i]:
            assert (one != other).mean() > 0.8


def test_bytes_and_floats_are_changed_alike_and_lie_channels_last():
    pixels = np.random.default_rng(2).integers(256, size=(20, 12, 10, 3), dtype=np.uint8)
    images = ByteImages(pixels, mean=np.float32([100, 110, 120]), scale=np.float32([50, 60, 70]))
    augmentation = Augmentation(flip="random", shift=2, cutout=4, contrast=0.2, seed=1)
    chosen = np.array([3, 3, 19, 0])
    changes = augmentation.draw(2, 5, chosen, 20, (12, 10))
    from_bytes, from_floats = (changed(X, chosen, changes, 4) for X in (images, np.asarray(images)))
    assert from_bytes.shape == (4, 3, 12, 10)
    assert from_bytes.dtype == np.float32
    assert from_bytes.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_allclose(from_bytes, from_floats, atol=1e-6)
    assert changed(np.asarray(images).astype(np.float64), chosen, changes, 4).dtype == np.float64


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"flip": "alternate"}, ValueError, r"flip is 'alternate'; .* \(did you mean 'alternating'\?\)"),
        ({"flip": True}, ValueError, "flip is True"),
        ({"shift": -1}, ValueError, "shift is -1; it must be at least 0"),
        ({"shift": 1.5}, TypeError, "shift"),
        ({"cutout": "8"}, TypeError, "cutout"),
        ({"brightness": -0.1}, ValueError, "brightness"),
        ({"contrast": 1.1}, ValueError, "contrast"),
        ({"saturation": float("nan")}, ValueError, "saturation"),
        ({"seed": None}, TypeError, "seed"),
    ],
)
def test_bad_settings_are_one_clear_error(settings, kind, message):
    with pytest.raises(kind, match=f"^Augmentation: {message}"):
        Augmentation(**settings)


def test_images_that_are_too_small_or_no_images_are_refused():
    with pytest.raises(ValueError, match=r"shift is 8 and cutout 0, but the images have 8x9 pixels"):
        Augmentation(shift=8).check_images((5, 3, 8, 9))
    with pytest.raises(ValueError, match=r"cutout 10"):
        Augmentation(cutout=10).check_images((5, 3, 12, 9))
    with pytest.raises(ValueError, match=r"the images have shape \(5, 3\)"):
        Augmentation().check_images((5, 3))
