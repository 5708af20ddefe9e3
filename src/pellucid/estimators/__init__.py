"""Networks as scikit-learn estimators: `ConvNetClassifier` fits, predicts, and goes into pipelines and searches.

Reading order: settings, images, labels, networks, threads, fitting, classifier.
"""

from pellucid.estimators.classifier import ConvNetClassifier
from pellucid.estimators.networks import fully_connected, small

__all__ = [
    "ConvNetClassifier",
    "fully_connected",
    "small",
]
