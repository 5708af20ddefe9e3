"""scikit-learn's own checks, all of them, with none that is expected to fail."""

import functools

from sklearn.utils.estimator_checks import parametrize_with_checks

from pellucid.estimators import ConvNetClassifier, fully_connected
from pellucid.models import Affine, BatchNorm, Dropout, ReLU


def normalised(num_classes):
    """Rows through batch norm and dropout: a step with running statistics, and one that draws random numbers."""
    return [Affine(50), BatchNorm(), ReLU(), Dropout(0.9), Affine(num_classes)]


OTHERS = [
    ConvNetClassifier(network=normalised),
    ConvNetClassifier(
        functools.partial(fully_connected, hidden=(30, 20)),
        update_rule="sgd_momentum",
        schedule="triangle",
        label_smoothing=0.1,
        normalise="none",
        threads=1,
    ),
]


@parametrize_with_checks([ConvNetClassifier(), *OTHERS])
def test_scikit_learns_checks(estimator, check):
    check(estimator)
