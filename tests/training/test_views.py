"""Test-time augmentation: the mean over views, for all images or only for those in doubt."""

import numpy as np
import pytest

from pellucid.training import Views, accuracy, scores
from pellucid.training.views import least_certain

X = np.random.default_rng(0).standard_normal((11, 2, 5, 6)).astype(np.float32)


class Corner:
    """Its scores are pixels of the image's corner: they show what was seen."""

    def __init__(self):
        self.images = 0

    def loss(self, X, y=None):
        self.images += len(X)
        return X[:, :, 0, :3].reshape(len(X), -1)


def seen(images):
    return Corner().loss(np.ascontiguousarray(images))


def moved(down, right):
    padded = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    return padded[:, :, 1 - down : 6 - down, 1 - right : 7 - right]


def test_without_views_each_image_is_seen_once():
    model = Corner()
    np.testing.assert_array_equal(scores(model, X, batch_size=4), seen(X))
    assert model.images == 11


def test_flip_is_the_mean_of_both():
    expected = (seen(X) + seen(X[..., ::-1])) / 2
    np.testing.assert_allclose(scores(Corner(), X, Views(flip=True), batch_size=3), expected, atol=1e-6)


def test_shift_is_half_the_image_and_a_quarter_each_way():
    expected = seen(X) / 2 + seen(moved(1, 1)) / 4 + seen(moved(-1, -1)) / 4
    np.testing.assert_allclose(scores(Corner(), X, Views(flip=False, shift=1)), expected, atol=1e-6)


def test_both_are_six_views():
    model = Corner()
    both = lambda images: (seen(images) + seen(images[..., ::-1])) / 2  # noqa: E731
    expected = both(X) / 2 + both(moved(1, 1)) / 4 + both(moved(-1, -1)) / 4
    np.testing.assert_allclose(scores(model, X, Views(shift=1), batch_size=4), expected, atol=1e-6)
    assert model.images == 11 * 7


def test_only_the_least_certain_are_looked_at_again():
    model = Corner()
    plain = seen(X)
    p = np.exp(plain) / np.exp(plain).sum(axis=1, keepdims=True)
    margin = np.diff(np.sort(p, axis=1)[:, -2:], axis=1)[:, 0]
    doubtful = np.argsort(margin)[:3]
    result = scores(model, X, Views(share=0.25), batch_size=2)
    assert model.images == 11 + 2 * 3
    changed = np.flatnonzero(np.any(result != plain, axis=1))
    assert set(changed) == set(doubtful)
    np.testing.assert_allclose(result[doubtful], (plain[doubtful] + seen(X[doubtful][..., ::-1])) / 2, atol=1e-6)


def test_a_share_of_nothing_is_the_plain_scores():
    np.testing.assert_array_equal(scores(Corner(), X, Views(share=0)), seen(X))


def test_certainty_with_one_class_and_with_ties():
    np.testing.assert_array_equal(least_certain(np.zeros((4, 1)), 0.5), np.arange(4))
    np.testing.assert_array_equal(least_certain(np.zeros((4, 3)), 0.5), [0, 1])
    np.testing.assert_array_equal(least_certain(np.array([[0, 9.0], [0, 0.1], [5.0, 0]]), 1 / 3), [1])


def test_accuracy_takes_views():
    y = scores(Corner(), X, Views(shift=1)).argmax(axis=1)
    assert accuracy(Corner(), X, y, views=Views(shift=1)) == 1
    assert accuracy(Corner(), X, y) < 1


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"flip": 1}, TypeError, "flip is 1"),
        ({"shift": -1}, ValueError, "shift is -1"),
        ({"share": 1.1}, ValueError, "share is 1.1"),
    ],
)
def test_bad_views_are_one_clear_error(settings, kind, message):
    with pytest.raises(kind, match=f"^Views: {message}"):
        Views(**settings)


def test_views_of_what_is_no_image_or_too_small_are_refused():
    with pytest.raises(ValueError, match=r"X has shape \(4, 6\); views need images"):
        scores(type("Rows", (), {"loss": lambda self, X: X})(), np.zeros((4, 6)), Views())
    with pytest.raises(ValueError, match="shift is 5; it must be smaller than the images"):
        scores(Corner(), X, Views(shift=5))
    with pytest.raises(ValueError, match="X has no images"):
        scores(Corner(), X[:0])
