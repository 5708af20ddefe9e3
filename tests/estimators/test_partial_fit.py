"""Training by the batch: what goes on from call to call, and what is asked of the first."""

import numpy as np
import pytest
from estimator_data import digits, quick, rows

from pellucid.estimators import ConvNetClassifier


def test_many_calls_learn():
    X, y = digits()
    found = quick()
    for _ in range(4):
        for start in range(0, 1400, 350):
            found.partial_fit(X[start : start + 350], y[start : start + 350], classes=np.arange(10))
    assert found.n_iter_ == len(found.loss_curve_) == 16
    assert found.score(X[1400:], y[1400:]) > 0.93


def test_one_call_is_one_epoch_of_fit():
    X, y = digits()
    by_fit = quick(epochs=1).fit(X[:300], y[:300])
    by_call = quick().partial_fit(X[:300], y[:300], classes=range(10))
    assert np.array_equal(by_fit.predict_proba(X), by_call.predict_proba(X))


def test_the_rules_state_goes_on():
    X, y = rows()
    found = ConvNetClassifier(update_rule="adam", random_state=0, batch_size=20)
    for _ in range(3):
        found.partial_fit(X, y, classes=["no", "yes"])
    state = found._trainee.optim_state["affine1.w"]
    assert state["t"] == 9, "three steps a call"
    assert state["m"].any()
    assert state["learning_rate"] == 1e-3
    found.set_params(learning_rate=1e-4).partial_fit(X, y)
    state = found._trainee.optim_state["affine1.w"]
    assert (state["t"], state["learning_rate"]) == (12, 1e-4), "a new rate, the old state"
    found.set_params(update_rule="sgd_momentum").partial_fit(X, y)
    assert set(found._trainee.optim_state["affine1.w"]) == {"learning_rate", "momentum", "velocity"}


def test_it_goes_on_after_fit():
    X, y = digits()
    found = quick().fit(X[:500], y[:500])
    network, mean = found.network_, found.mean_
    found.partial_fit(X[500:900] + 3, y[500:900])
    assert found.network_ is network
    assert found.mean_ is mean, "normalised as in fit"
    assert found.n_iter_ == 4
    assert found._trainee.optim_state["conv1.w"]["t"] == 3 * 10 + 8


def test_a_batch_need_not_have_every_class():
    X, y = rows(classes=("a", "b", "c"))
    found = ConvNetClassifier(random_state=0).partial_fit(X[y != "c"], y[y != "c"], classes=["c", "a", "b"])
    assert np.array_equal(found.classes_, ["a", "b", "c"])
    for _ in range(30):
        found.partial_fit(X[y == "c"], y[y == "c"]).partial_fit(X, y)
    assert found.score(X, y) == 1


def test_augmentation_differs_from_call_to_call():
    X, y = digits()
    found = quick(shift=1, learning_rate=1e-30, weight_decay=0).partial_fit(X[:50], y[:50], classes=range(10))
    found.partial_fit(X[:50], y[:50])
    assert not np.isclose(*found.loss_curve_, rtol=1e-5), "one batch of the same samples, moved another way"


@pytest.mark.parametrize(
    ("settings", "labels", "classes", "message"),
    [
        ({}, None, None, "ConvNetClassifier: classes is None in the first call of partial_fit; give all classes"),
        ({}, None, ["no"], r"ConvNetClassifier: classes has only one class, 'no'; give two or more"),
        ({}, None, ["no", "maybe"], r"ConvNetClassifier: y\[1\] is 'yes', which is none of the classes 'maybe', 'no'"),
        ({"early_stopping": True}, None, ["no", "yes"], "ConvNetClassifier: early_stopping is True, but partial_fit"),
    ],
)
def test_first_calls_that_cannot_be(settings, labels, classes, message):
    X, y = rows()
    with pytest.raises(ValueError, match=message):
        ConvNetClassifier(**settings).partial_fit(X, y, classes=classes)


def test_later_calls_that_cannot_be():
    X, y = rows()
    found = ConvNetClassifier(epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"classes is 'no', 'si', but the first call had 'no', 'yes'; leave classes"):
        found.partial_fit(X, y, classes=["no", "si"])
    with pytest.raises(ValueError, match=r"y\[0\] is 'si', which is none of the classes 'no', 'yes'"):
        found.partial_fit(X, np.where(y == "no", "si", y))
    with pytest.raises(ValueError, match="X has 3 features, but ConvNetClassifier is expecting 4 features"):
        found.partial_fit(X[:, :3], y)
    with pytest.raises(ValueError, match=r"X has images of shape \(1, 2, 2\), but fit saw rows of 4 features"):
        found.partial_fit(X.reshape(-1, 1, 2, 2), y)
    assert found.partial_fit(X, y, classes=["yes", "no"]).n_iter_ == 2
