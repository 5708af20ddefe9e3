"""Estimators that are copied, pickled and loaded again, here and in another process."""

import copy
import functools
import hashlib
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from estimator_data import digits, quick, rows
from sklearn.base import clone

from pellucid.estimators import ConvNetClassifier
from pellucid.models import Affine, BatchNorm, Conv, Dropout, ReLU, Residual, resnet9

NETWORKS = [
    "small",
    "fully-connected",
    functools.partial(resnet9, width=4),
    [Conv(4, 3, pad=1), BatchNorm(), ReLU(), Residual([Conv(4, 3, pad=1), Dropout(0.8)]), Affine(10)],
]


def digest(found, X):
    return hashlib.sha256(found.predict_proba(X).tobytes()).hexdigest()


@functools.cache
def fitted(which):
    X, y = digits()
    return quick(epochs=1, network=NETWORKS[which], label_smoothing=0.1, update_rule="adam").fit(X[:200], y[:200])


@pytest.mark.parametrize("which", range(len(NETWORKS)))
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_a_pickle_predicts_the_same_and_trains_on_the_same(which, protocol):
    X, y = digits()
    found = copy.deepcopy(fitted(which))
    again = pickle.loads(pickle.dumps(found, protocol))
    assert np.array_equal(found.predict_proba(X[:300]), again.predict_proba(X[:300]))
    assert again.network_ is again._trainee.network
    for one in (found, again):
        one.partial_fit(X[200:400], y[200:400])
    assert np.array_equal(found.predict_proba(X[:300]), again.predict_proba(X[:300])), "dropout and order, too"
    assert found.loss_curve_ == again.loss_curve_


def test_a_copy_shares_nothing():
    X, y = digits()
    found = fitted(0)
    before = found.predict_proba(X[:50])
    copy.deepcopy(found).partial_fit(X[:200], y[:200])
    assert np.array_equal(found.predict_proba(X[:50]), before)


def test_the_memory_of_training_is_not_pickled():
    X, y = digits()
    found = quick(epochs=1, update_rule="sgd").fit(X[:200], y[:200])
    assert found.network_.workspace.allocations > 0
    numbers = sum(w.nbytes for w in found.network_.params.values())
    assert len(pickle.dumps(found)) < numbers + 20_000


def test_a_clone_has_the_settings_and_no_network():
    copied = clone(fitted(3))
    assert not hasattr(copied, "network_")
    assert copied.get_params()["label_smoothing"] == 0.1
    assert [type(step) for step in copied.network] == [type(step) for step in NETWORKS[3]]


CHILD = """
import hashlib, sys
import joblib
from sklearn.datasets import load_digits
X, _ = load_digits(return_X_y=True)
found = joblib.load(sys.argv[1])
print(hashlib.sha256(found.predict_proba(X[:100]).tobytes()).hexdigest())
joblib.dump(found.partial_fit(X[:100], found.predict(X[:100])), sys.argv[2])
"""


def test_from_one_process_to_another_and_back(tmp_path):
    from sklearn.datasets import load_digits

    X, _ = load_digits(return_X_y=True)
    there, back = tmp_path / "there.joblib", tmp_path / "back.joblib"
    found = copy.deepcopy(fitted(0))
    joblib.dump(found, there)
    child = [sys.executable, "-c", CHILD, str(there), str(back)]
    out = subprocess.run(child, capture_output=True, text=True, check=True).stdout
    assert out.strip() == digest(found, X[:100])
    found.partial_fit(X[:100], found.predict(X[:100]))
    assert digest(joblib.load(back), X[:100]) == digest(found, X[:100])


@pytest.mark.parametrize("compress", [0, 3])
def test_joblib_files(tmp_path, compress):
    X, _ = digits()
    joblib.dump(fitted(2), tmp_path / "found.joblib", compress=compress)
    assert digest(joblib.load(tmp_path / "found.joblib"), X[:100]) == digest(fitted(2), X[:100])


def test_a_memory_map_predicts_and_trains_on(tmp_path):
    X, y = digits()
    joblib.dump(fitted(0), tmp_path / "found.joblib")
    mapped = joblib.load(tmp_path / "found.joblib", mmap_mode="r")
    assert isinstance(mapped.network_.params["conv2.w"], np.memmap)
    assert digest(mapped, X[:100]) == digest(fitted(0), X[:100])
    mapped.partial_fit(X[:200], y[:200])
    assert digest(mapped, X[:100]) == digest(copy.deepcopy(fitted(0)).partial_fit(X[:200], y[:200]), X[:100])


def test_a_pickle_of_an_unfitted_estimator():
    X, y = rows()
    again = pickle.loads(pickle.dumps(ConvNetClassifier(epochs=1, random_state=0)))
    assert np.array_equal(again.fit(X, y).predict(X), ConvNetClassifier(epochs=1, random_state=0).fit(X, y).predict(X))
