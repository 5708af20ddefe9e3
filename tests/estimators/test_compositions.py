"""A `ConvNetClassifier` within scikit-learn's own tools, in this process, in Python threads and in other processes."""

import functools
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from estimator_data import digits, quick, rows
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pellucid.estimators import ConvNetClassifier, fully_connected, small
from pellucid.kernels import jit

JOBS = [("loky", 2), ("threading", 2)]


def few(N=300):
    X, y = digits()
    return X[:N], y[:N]


def test_in_a_pipeline():
    X, y = rows(N=120, classes=("a", "b", "c"))
    X = X * np.array([1, 1e-3, 1e3, 10])
    pipeline = make_pipeline(StandardScaler(), ConvNetClassifier(epochs=40, random_state=0)).fit(X[:90], y[:90])
    assert pipeline.score(X[90:], y[90:]) > 0.95
    assert pipeline.predict_proba(X[90:]).shape == (30, 3)
    assert pipeline[-1].n_features_in_ == 4


def test_cross_validation():
    X, y = few()
    scores = cross_val_score(quick(epochs=12), X, y, cv=3)
    assert scores.shape == (3,)
    assert scores.mean() > 0.8
    assert cross_val_predict(quick(epochs=1), X, y, cv=3, method="predict_proba").shape == (300, 10)


@pytest.mark.parametrize(("backend", "n_jobs"), JOBS)
def test_a_grid_search_is_the_same_wherever_it_runs(backend, n_jobs):
    X, y = few(400)
    grid = {"epochs": [1, 8], "network": ["small", functools.partial(small, width=8)]}
    search = GridSearchCV(quick(), grid, cv=2, error_score="raise")
    here = clone(search).fit(X, y)
    with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
        there = clone(search).fit(X, y)
    assert here.best_index_ == there.best_index_
    assert here.best_params_["epochs"] == 8
    for name in ("split0_test_score", "split1_test_score"):
        assert np.array_equal(here.cv_results_[name], there.cv_results_[name])
    assert np.array_equal(here.predict_proba(X), there.predict_proba(X))


def test_a_search_through_a_pipeline_at_random():
    X, y = rows(N=120, classes=("a", "b", "c"))
    pipeline = make_pipeline(StandardScaler(), ConvNetClassifier(epochs=2, random_state=0, threads=1))
    settings = {
        "convnetclassifier__learning_rate": [1e-3, 1e-2],
        "convnetclassifier__batch_size": np.array([8, 16]),  # NumPy's numbers, as scipy's distributions give them
        "convnetclassifier__network": [functools.partial(fully_connected, hidden=hidden) for hidden in ((8,), (16, 8))],
    }
    search = RandomizedSearchCV(pipeline, settings, n_iter=3, cv=2, random_state=0, error_score="raise").fit(X, y)
    assert search.score(X, y) > 0.5


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method):
    X, y = few()
    found = CalibratedClassifierCV(quick(epochs=15), method=method, cv=2).fit(X, y)
    p = found.predict_proba(X)
    assert np.allclose(p.sum(axis=1), 1)
    assert found.score(X, y) > 0.8


def test_ensembles():
    X, y = few()
    bagged = BaggingClassifier(quick(epochs=2), n_estimators=2, random_state=0).fit(X, y)
    assert bagged.score(X, y) > 0.5
    voting = VotingClassifier([("rows", quick(image_shape=None)), ("images", quick())], voting="soft").fit(X, y)
    assert voting.score(X, y) > 0.5


def test_names_of_columns_are_known():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y = rows()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    found = ConvNetClassifier(epochs=1).fit(frame, y)
    assert list(found.feature_names_in_) == list("abcd")
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        found.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        found.predict(frame[list("dcba")])


def test_several_threads_may_ask_one_estimator():
    X, y = few(200)
    found = quick(epochs=1).fit(X, y)
    want = found.predict_proba(X)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: found.predict_proba(X), range(24)))
    assert all(np.array_equal(answer, want) for answer in answers)


def test_several_threads_may_fit_with_limits_of_their_own():
    X, y = few(60)
    before = jit._state.threads
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: quick(epochs=1 + i % 3, threads=1).fit(X, y).predict_proba(X), range(12)))
    assert jit._state.threads == before
    assert all(np.array_equal(answers[i], answers[i % 3]) for i in range(12))
