"""scikit-learn's own checks, all of them, with none that is expected to fail."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from pellucid.estimators import ConvNetClassifier, fully_connected
from pellucid.models import Affine, BatchNorm, Dropout, ReLU


class Normalised:
    """Rows through batch norm and dropout: a step with running statistics, and one that draws random numbers."""

    def __call__(self, num_classes):
        return [Affine(50), BatchNorm(), ReLU(), Dropout(0.9), Affine(num_classes)]

    def __repr__(self):
        return "normalised"  # without an address: the tests' names must be the same in every process


class TwoHiddenLayers(Normalised):
    """A network of the package with other settings."""

    def __call__(self, num_classes):
        return fully_connected(num_classes, hidden=(30, 20))

    def __repr__(self):
        return "two hidden layers"


OTHERS = [
    ConvNetClassifier(network=Normalised()),
    ConvNetClassifier(
        TwoHiddenLayers(),
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
