"""`ConvNetClassifier`: a network in scikit-learn's clothes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from pellucid.estimators import fitting, images, labels, networks, settings
from pellucid.estimators.fitting import Trainee, generators
from pellucid.estimators.images import Images
from pellucid.estimators.settings import WHERE, Settings
from pellucid.estimators.threads import limited
from pellucid.layers import Workspace, softmax
from pellucid.training import scores


class ConvNetClassifier(ClassifierMixin, BaseEstimator):
    """A network, usually a convolutional one, that classifies images or rows of numbers.

    X is rows (N, D), as everywhere in scikit-learn, or images (N, C, H, W). ``image_shape`` says as which images rows
    are read; without it they are rows of features, and nothing is guessed from their number.

    Parameters
    ----------
    network : str, list of Step, or callable
        ``"auto"``: ``"small"`` for images, ``"fully-connected"`` for rows. Other names: ``"tutorial"``, ``"vgg"``,
        ``"resnet9"``, ``"resnet20"``, all of which want images. Or steps of `pellucid.models`, the last of which gives
        a score for each class; or a function that is called with ``num_classes=`` and returns them, such as
        ``functools.partial(resnet9, width=16)``.
    image_shape : (int, int, int), optional
        Channels, height and width of the images in the rows of X, in this order: a row is ``image.ravel()``.
    epochs : int
        Times that ``fit`` goes through the samples.
    batch_size : int
        Samples a step, at most.
    update_rule : str
        sgd, sgd_momentum, nesterov, rmsprop, adam or adamw: see `pellucid.training.optim`.
    learning_rate : float, optional
        The rule's own where None: 0.001 for adam and adamw, 0.01 for the others.
    weight_decay : float, optional
        By which weights shrink a step, times the learning rate. The rule's own where None: 0.01 for adamw, 0 for the
        others.
    schedule : 'constant', 'cosine' or 'triangle'
        How the learning rate changes over ``fit``: see `pellucid.training.schedules`.
    label_smoothing : float
        From 0 to below 1: how much of each label is spread over all classes.
    normalise : 'deviation' or 'none'
        Subtract the mean sample of the data that is fitted, and divide by the standard deviation of all numbers about
        it; or take X as it is.
    flip : 'none', 'random' or 'alternating'
    shift, cutout : int
    brightness, contrast, saturation : float
        How training images are changed each time: see `pellucid.training.Augmentation`. Only for images.
    early_stopping : bool
        Hold a part of the samples back, measure the accuracy on it after each epoch, stop when it no longer rises, and
        keep the weights of the best epoch.
    validation_fraction : float
        The share of the samples, of each class, that is held back.
    n_iter_no_change : int
        Epochs without a better accuracy after which training stops.
    random_state : int, RandomState or None
        Where the initial weights, the order of the samples, dropout and augmentation come from. The same integer and
        the same number of threads give the same bits.
    threads : int, optional
        Threads for the kernels, at most: 1 where joblib runs several fits beside each other. None: all cores.
    warm_start : bool
        Let ``fit`` go on from the weights, and with the normalisation, of the last fit.
    verbose : bool
        Print a line an epoch.

    Attributes
    ----------
    classes_ : array (K,)
    n_features_in_ : int
        D, or C * H * W.
    feature_names_in_ : array of str
        Where X has names of columns.
    image_shape_ : (int, int, int) or None
        The shape of the images; None for rows.
    network_ : pellucid.models.Network
        Takes normalised float32 samples: ``(X - mean_) / scale_``.
    mean_, scale_ : array, float
        The mean has the shape of a sample.
    n_iter_ : int
        Epochs trained in all, by ``partial_fit`` and with ``warm_start``, too.
    loss_curve_ : list of float
        Mean loss of each epoch.
    validation_scores_ : list of float, or None
        With early stopping: the accuracy on what was held back after each epoch of ``fit``.
    best_validation_score_ : float or None
        The highest; the network has the weights of that epoch.

    Notes
    -----
    Everything is computed in float32, whatever X is. Sample weights are not supported: the loss is a plain mean.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = ConvNetClassifier(image_shape=(1, 8, 8), epochs=5, random_state=0)
    >>> classifier.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]) > 0.9
    True
    """

    def __init__(
        self,
        network: Any = "auto",
        *,
        image_shape: Any = None,
        epochs: int = 20,
        batch_size: int = 50,
        update_rule: str = "adamw",
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        schedule: str = "constant",
        label_smoothing: float = 0.0,
        normalise: str = "deviation",
        flip: str = "none",
        shift: int = 0,
        cutout: int = 0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: Any = None,
        threads: int | None = None,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.network = network
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.update_rule = update_rule
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.normalise = normalise
        self.flip = flip
        self.shift = shift
        self.cutout = cutout
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.threads = threads
        self.warm_start = warm_start
        self.verbose = verbose

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def fit(self, X: Any, y: Any) -> ConvNetClassifier:
        """Train a new network, or with ``warm_start`` the one that there is.

        Parameters
        ----------
        X : array-like (N, D), or array (N, C, H, W)
        y : array-like (N,)
            Labels of two classes or more: integers, strings or whatever else can be sorted.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Parameters out of range, or that do not fit the data, and data that cannot be learned from.
        NonFiniteLoss
            Training has diverged.
        """
        wanted = settings.checked(self.get_params(deep=False))
        goes_on = wanted.warm_start and self.__sklearn_is_fitted__()
        X, y, shape = self._read(X, y, wanted, goes_on)
        classes = labels.classes_in(y)
        if goes_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"{WHERE}: y has the classes {labels.listed(classes)}, but with warm_start they must be those of the "
                f"last fit, {labels.listed(self.classes_)}; set warm_start=False for a new network"
            )
        numbers = labels.numbers_of(y, classes)
        if goes_on:
            trainee = self._trainee
            trainee.optim_state = None
            parts = fitting.hold_back(numbers, wanted, trainee.rng)
        else:
            trainee, parts = self._begun(wanted, X, shape, classes, numbers)
        return self._train(trainee, X, numbers, wanted, wanted.epochs, wanted.schedule, parts)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> ConvNetClassifier:
        """Train for one epoch on these samples, at the learning rate as it is set now, without a schedule.

        The first call makes the network, and its samples say how those of all calls are normalised. The update rule's
        state goes on from call to call. After `fit`, training goes on from there.

        Parameters
        ----------
        X : array-like (N, D), or array (N, C, H, W)
        y : array-like (N,)
            Labels, not necessarily of all classes.
        classes : array-like (K,), optional
            All classes that will ever come: needed in the first call.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError, NonFiniteLoss
            As `fit`; and where classes are missing in the first call, or a label is none of them.
        """
        wanted = settings.checked(self.get_params(deep=False))
        if wanted.early_stopping:
            raise ValueError(
                f"{WHERE}: early_stopping is True, but partial_fit trains for one epoch; set it to False, and look at "
                "score between the calls"
            )
        goes_on = self.__sklearn_is_fitted__()
        X, y, shape = self._read(X, y, wanted, goes_on)
        known = labels.classes_given(classes, self.classes_ if goes_on else None)
        numbers = labels.numbers_of(y, known)
        trainee = self._trainee if goes_on else self._begun(wanted, X, shape, known, numbers)[0]
        return self._train(trainee, X, numbers, wanted, epochs=1)

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores, float64 (N, K); for two classes (N,), the second's minus the first's."""
        found = self._scores(X)
        return found[:, 1] - found[:, 0] if found.shape[1] == 2 else found

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes in the order of ``classes_``, float64 (N, K)."""
        return softmax(self._scores(X))

    def predict(self, X: Any) -> np.ndarray:
        """The class with the highest score for each sample of X, (N, D) or (N, C, H, W)."""
        highest = self._scores(X).argmax(axis=1)
        return self.classes_[highest]

    def _read(self, X: Any, y: Any, wanted: Settings, goes_on: bool) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
        """Samples to train on, their labels, and the samples' shape, which must be as before where training goes on."""
        image_shape = self.image_shape_ if goes_on else wanted.image_shape
        X, y, shape = images.read_with_labels(self, X, y, image_shape, reset=not goes_on)
        if goes_on:
            self._check_shape(shape)
        return X, y, shape

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if shape != self.network_.input_shape:  # images that have as many numbers as the rows
            raise ValueError(
                f"{WHERE}: X has images of shape {shape}, but fit saw rows of {self.n_features_in_} features; give "
                "X.reshape(len(X), -1)"
            )

    def _begun(
        self, wanted: Settings, X: np.ndarray, shape: tuple[int, ...], classes: np.ndarray, numbers: np.ndarray
    ) -> tuple[Trainee, fitting.Parts]:
        """A new network for these samples, and which of them to train and to validate on."""
        for_network, rng = generators(self.random_state)
        network = networks.build(self.network, shape, len(classes), wanted.label_smoothing, for_network)
        parts = fitting.hold_back(numbers, wanted, rng)
        return Trainee(network, images.scaling_of(X, shape, wanted.normalise, parts[0]), classes, rng), parts

    def _train(
        self,
        trainee: Trainee,
        X: np.ndarray,
        numbers: np.ndarray,
        wanted: Settings,
        epochs: int,
        schedule: str = "constant",
        parts: fitting.Parts | None = None,
    ) -> ConvNetClassifier:
        """Train, and only when that has gone well say what came of it."""
        with limited(wanted.threads):
            told = fitting.train(trainee, X, numbers, wanted, epochs, schedule, parts)
        self._trainee = trainee
        self.network_ = trainee.network
        self.classes_ = trainee.classes
        self.mean_, self.scale_ = trainee.scaling
        shape = trainee.network.input_shape
        self.image_shape_ = shape if len(shape) == 3 else None
        self.loss_curve_ = trainee.losses
        self.n_iter_ = len(trainee.losses)
        self.validation_scores_ = told.scores or None
        self.best_validation_score_ = max(told.scores) if told.scores else None
        return self

    def _scores(self, X: Any) -> np.ndarray:
        """(N, K), float64, so that probabilities add up to 1 as closely as scikit-learn wants."""
        check_is_fitted(self)
        X, shape = images.read(self, X, self.image_shape_, reset=False)
        self._check_shape(shape)
        network = copy.copy(self.network_)
        network.workspace = Workspace()  # several Python threads may ask at once, and a workspace serves one
        with limited(settings.CHECKS["threads"](WHERE, "threads", self.threads)):
            return scores(network, Images(X, shape, self._trainee.scaling)).astype(np.float64)
