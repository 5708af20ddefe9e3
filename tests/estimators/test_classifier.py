"""What a `ConvNetClassifier` learns, and what it says of itself."""

import doctest
import functools

import numpy as np
import pytest
from estimator_data import SHAPE, digits, quick, rows
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError

from pellucid.estimators import ConvNetClassifier, classifier, fully_connected, small
from pellucid.estimators.fitting import Epochs
from pellucid.models import Affine, Conv, Network, ReLU, resnet20, tutorial
from pellucid.training import NonFiniteLoss


def test_it_learns_the_digits():
    X, y = digits()
    found = quick(epochs=6).fit(X[:1400], y[:1400])
    assert found.score(X[1400:], y[1400:]) > 0.95
    assert isinstance(found.network_, Network)
    assert list(found.network_.params)[:2] == ["conv1.w", "batchnorm1.gamma"]
    assert found.image_shape_ == SHAPE
    assert found.n_features_in_ == 64
    assert found.n_iter_ == len(found.loss_curve_) == 6
    assert found.loss_curve_[-1] < found.loss_curve_[0] / 3


def test_rows_are_not_guessed_to_be_images():
    X, y = digits()
    found = ConvNetClassifier(random_state=0).fit(X[:1400], y[:1400])
    assert found.image_shape_ is None
    assert list(found.network_.params) == ["affine1.w", "affine1.b", "affine2.w", "affine2.b"]
    assert found.network_.input_shape == (64,)
    assert found.score(X[1400:], y[1400:]) > 0.94


def test_images_and_the_rows_that_hold_them_are_the_same():
    X, y = digits()
    images = X.reshape(-1, *SHAPE)
    of_rows = quick(epochs=1).fit(X[:300], y[:300])
    of_images = quick(epochs=1, image_shape=None).fit(images[:300], y[:300])
    assert of_images.image_shape_ == SHAPE
    assert of_images.n_features_in_ == of_rows.n_features_in_ == 64
    want = of_rows.predict_proba(X[300:400])
    for found in (of_rows, of_images):
        for seen in (X, images, images.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)):
            assert np.array_equal(found.predict_proba(seen[300:400]), want)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.uint8])
def test_any_numbers_will_do(dtype):
    X, y = digits()
    want = quick(epochs=1).fit(X[:200], y[:200]).predict_proba(X[:50])  # whole numbers to 16: every type holds them
    assert np.array_equal(quick(epochs=1).fit(X[:200].astype(dtype), y[:200]).predict_proba(X[:50].astype(dtype)), want)


def test_answers_agree_with_each_other():
    X, y = digits()
    found = quick(epochs=1).fit(X[:400], y[:400])
    scores, p = found.decision_function(X[400:]), found.predict_proba(X[400:])
    assert scores.shape == p.shape == (len(X) - 400, 10)
    assert scores.dtype == p.dtype == np.float64
    assert np.allclose(p, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))
    assert np.allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert np.array_equal(found.predict(X[400:]), found.classes_[p.argmax(axis=1)])
    network_says = found.network_.loss(((X[400:410] - found.mean_.ravel()) / found.scale_).reshape(-1, *SHAPE))
    assert np.allclose(scores[:10], network_says, atol=1e-5)


def test_two_classes_have_one_score():
    X, y = rows()
    found = ConvNetClassifier(random_state=0).fit(X, y)
    scores, p = found.decision_function(X), found.predict_proba(X)
    assert scores.shape == (60,)
    assert np.allclose(p[:, 1], 1 / (1 + np.exp(-scores)))
    assert np.array_equal(found.classes_, ["no", "yes"])
    assert np.array_equal(found.predict(X), y)


@pytest.mark.parametrize(
    "classes", [(3, -1, 7), ("b", "a", "c"), (True, False), (0.0, 1.0), (np.array(["x", "yy"], object))]
)
def test_classes_may_be_anything_that_sorts(classes):
    X, y = rows(classes=classes)
    found = ConvNetClassifier(epochs=60, random_state=0).fit(X, y)
    assert np.array_equal(found.classes_, np.unique(y))
    assert np.array_equal(found.predict(X), y)
    assert found.predict(X).dtype == y.dtype


def test_the_same_seed_gives_the_same_bits():
    X, y = digits()
    X, y = X[:300], y[:300]
    settings = {"shift": 1, "early_stopping": True}

    def answer(random_state):
        return quick(random_state=random_state, **settings).fit(X, y).predict_proba(X)

    assert np.array_equal(answer(3), answer(3))
    assert not np.array_equal(answer(3), answer(4))
    assert np.array_equal(answer(np.random.RandomState(5)), answer(np.random.RandomState(5)))
    state = np.random.RandomState(5)
    assert not np.array_equal(answer(state), answer(state))
    assert not np.array_equal(answer(None), answer(None))


def test_training_touches_nothing_global_and_no_input():
    X, y = digits()
    X, y = X[:100].copy(), y[:100].copy()
    before, state = (X.copy(), y.copy()), np.random.get_state()[1].copy()
    quick(epochs=1).fit(X, y).predict(X)
    assert np.array_equal(X, before[0])
    assert np.array_equal(y, before[1])
    assert np.array_equal(np.random.get_state()[1], state)


def test_normalisation_is_that_of_the_fitted_data():
    X, y = digits()
    found = quick(epochs=1).fit(X[:300], y[:300])
    assert found.mean_.shape == SHAPE
    assert np.allclose(found.mean_.ravel(), X[:300].mean(axis=0))
    assert np.isclose(found.scale_, np.sqrt(np.mean(np.square(X[:300] - X[:300].mean(axis=0)))))
    far = quick(epochs=1).fit(1e6 * X[:300] + 1e5, y[:300])
    assert np.allclose(far.predict_proba(1e6 * X[:300] + 1e5), found.predict_proba(X[:300]), atol=1e-3)
    plain = quick(epochs=1, normalise="none").fit(X[:300], y[:300])
    assert not plain.mean_.any()
    assert plain.scale_ == 1


def test_samples_that_are_all_alike_are_no_division_by_zero():
    X, y = np.full((20, 3), 7.0), np.arange(20) % 2
    found = ConvNetClassifier(epochs=1, random_state=0).fit(X, y)
    assert found.scale_ == 1
    assert np.isfinite(found.predict_proba(X)).all()


def test_early_stopping_keeps_the_best_epoch():
    X, y = digits()
    found = quick(epochs=60, early_stopping=True, n_iter_no_change=2, validation_fraction=0.25).fit(X[:800], y[:800])
    scores = found.validation_scores_
    assert 3 <= found.n_iter_ == len(scores) == len(found.loss_curve_) < 60
    assert found.best_validation_score_ == max(scores)
    assert scores[:-2].index(max(scores)) == len(scores) - 3, "two epochs without a better one, and no more"
    assert not np.allclose(found.mean_.ravel(), X[:800].mean(axis=0)), "what is held back says nothing of the mean"
    assert quick(epochs=1).fit(X[:99], y[:99]).validation_scores_ is None


def test_the_weights_of_the_first_step_are_not_kept(monkeypatch):
    seen = []

    class Watched(Epochs):
        def on_step(self, solver):
            seen.append(solver.model.params["affine1.w"].copy())

    monkeypatch.setattr("pellucid.estimators.fitting.Epochs", Watched)
    X, y = rows()
    found = ConvNetClassifier(epochs=1, batch_size=10, early_stopping=True, learning_rate=1e-9, random_state=0).fit(
        X, y
    )
    assert len(seen) == 6
    assert not np.array_equal(seen[0], seen[-1])
    assert np.array_equal(found.network_.params["affine1.w"], seen[-1]), "as accurate as after the first step"


def test_a_warm_start_goes_on():
    X, y = digits()
    X, y = X[:500], y[:500]
    found = quick(warm_start=True).fit(X, y)
    network, loss = found.network_, found.loss_curve_[-1]
    found.fit(X[:400] + 1, y[:400])
    assert found.network_ is network
    assert found.n_iter_ == len(found.loss_curve_) == 6
    assert found.loss_curve_[3] < loss
    assert np.allclose(found.mean_.ravel(), X.mean(axis=0)), "normalised as in the first fit"
    with pytest.raises(ValueError, match="y has the classes 0, 1, 2, but with warm_start they must be those"):
        found.fit(X[y < 3], y[y < 3])
    with pytest.raises(ValueError, match="X has 3 features, but ConvNetClassifier is expecting 64"):
        found.fit(X[:, :3], y)
    cold = found.set_params(warm_start=False).fit(X[:, :64][y < 3], y[y < 3])
    assert cold.n_iter_ == 3
    assert len(cold.classes_) == 3


@pytest.mark.parametrize(
    ("network", "names"),
    [
        ("tutorial", ["conv1", "affine1", "affine2"]),
        ("fully-connected", ["affine1", "affine2"]),
        (functools.partial(small, width=4), ["conv1", "batchnorm1", "conv2", "batchnorm2", "affine1"]),
        (functools.partial(fully_connected, hidden=(9, 8)), ["affine1", "affine2", "affine3"]),
        ([Conv(4, 3, name="look"), ReLU(), Affine(10)], ["look", "affine1"]),
        (lambda num_classes: tutorial(num_filters=2, num_classes=num_classes), ["conv1", "affine1", "affine2"]),
        (functools.partial(resnet20, blocks=1, width=4), None),
    ],
)
def test_networks_by_name_by_steps_and_by_function(network, names):
    X, y = digits()
    found = clone(quick(epochs=1, network=network)).fit(X[:100], y[:100])
    if names is not None:
        assert list(dict.fromkeys(name.split(".")[0] for name in found.network_.params)) == names
    assert found.predict_proba(X[:5]).shape == (5, 10)


def test_steps_are_copied_so_that_two_fits_share_nothing():
    X, y = digits()
    steps = [Conv(4, 3), ReLU(), Affine(10)]
    one, two = (quick(network=steps, epochs=epochs).fit(X[:100], y[:100]) for epochs in (1, 2))
    assert not np.shares_memory(one.network_.params["conv1.w"], two.network_.params["conv1.w"])
    assert not np.array_equal(one.network_.params["conv1.w"], two.network_.params["conv1.w"])


def test_augmentation_changes_what_is_learned_from():
    X, y = digits()
    plain, shifted = (quick(epochs=1, shift=shift).fit(X[:200], y[:200]) for shift in (0, 1))
    assert not np.array_equal(plain.network_.params["conv1.w"], shifted.network_.params["conv1.w"])


def test_verbose_prints_a_line_an_epoch(capsys):
    X, y = digits()
    quick(epochs=2, verbose=True).fit(X[:100], y[:100])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]
    quick(epochs=1, verbose=1, early_stopping=True).fit(X[:100], y[:100])
    assert "validation accuracy 0." in capsys.readouterr().out
    quick(epochs=1).fit(X[:100], y[:100]).partial_fit(X[:100], y[:100])
    assert capsys.readouterr() == ("", "")


def test_a_column_of_labels_is_taken_with_a_warning():
    X, y = rows()
    with pytest.warns(DataConversionWarning):
        found = ConvNetClassifier(epochs=1).fit(X, y[:, None])
    assert found.predict(X).shape == (60,)


def test_a_failed_fit_leaves_an_unfitted_estimator_unfitted():
    X, y = digits()
    found = quick(update_rule="sgd", learning_rate=1e30)
    with pytest.raises(NonFiniteLoss, match="learning rate"):
        found.fit(X[:100], y[:100])
    with pytest.raises(NotFittedError):
        found.predict(X)


def test_the_example_in_the_docstring_is_true():
    assert doctest.testmod(classifier).attempted >= 4
    assert not doctest.testmod(classifier).failed
