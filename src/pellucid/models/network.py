"""A network as a list of steps.

::

    net = Network([
        Conv(64, 3, pad=1, bias=False), BatchNorm(), ReLU(), MaxPool(2),
        Residual([Conv(64, 3, pad=1, bias=False), BatchNorm(), ReLU()]),
        GlobalMaxPool(), Affine(10),
    ], input_shape=(3, 32, 32), rng=0)
    print(net.summary())
    Solver(net, data).train()
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from pellucid import check, draws
from pellucid.layers import Workspace, add_l2_penalty, softmax_loss
from pellucid.models.chain import Chain, Place
from pellucid.models.parameters import as_input, float_type
from pellucid.models.step import KINDS, STATISTICS, Shape, Step
from pellucid.models.summary import Summary, summary_of

OPTIONS = ("learning_rate", "weight_decay", "frozen")


class Network:
    """Steps in a row, and a loss behind them: a model that the `pellucid.training.Solver` trains.

    Parameters
    ----------
    steps : list of Step
        See `pellucid.models`; a user's own among them: see `pellucid.models.step`. They are copied.
    input_shape : tuple
        Of a sample: (C, H, W) for images, (D,) for rows.
    loss_function : callable
        (scores, y) -> (loss, gradient for the scores).
    reg : float
        Strength of the L2 penalty 0.5 * reg * sum(w**2) on the weights, as in the course.
    dtype : float32 or float64
        Type of the parameters, and of everything computed with them.
    rng : Generator or int, optional
        Where initial weights and dropout come from; NumPy's global state where absent.
    fuse : bool
        Run steps together that have a common fast form (`pellucid.models.fusion`). False: one by one, for comparison.

    Attributes
    ----------
    steps : list of Step
        As given.
    input_shape, output_shape : tuple
    params : dict
        Arrays by name: "conv1.w", "batchnorm1.beta", "residual1.conv1.w".
    kinds : dict
        What each parameter is, by name: weight, bias, scale or shift.
    param_options : dict
        What the solver should know of each parameter, by name; no key means the default. ``learning_rate``: a factor on
        the rate; ``weight_decay``: a factor on it, or False; ``frozen``: True for a parameter that does not move. At
        the start only weights decay. See `set_options` and `freeze`.
    rng : Generator or None
    chain : Chain
        The steps where they stand; `places` walks over them.
    workspace : Workspace
        The memory of a training step: what one step used, the next uses again.
    loss_scale : float
        A factor on the loss in training and on its gradients, but for the penalty's: 1, unless the batch is a part of a
        larger one whose other parts weigh more or less.
    on_gradients : callable or None
        Told of gradients by name as soon as they are there, step by step, while the rest of the backward pass is still
        to come.

    Raises
    ------
    ValueError, TypeError
        Steps that do not fit together: which one, and why.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        input_shape: Iterable[int],
        *,
        loss_function: Callable[[np.ndarray, Any], tuple[Any, np.ndarray]] = softmax_loss,
        reg: float = 0.0,
        dtype: Any = np.float32,
        rng: Any = None,
        fuse: bool = True,
    ) -> None:
        where = "Network"
        self.dtype = float_type(where, dtype)
        self.reg = check.number(where, "reg", reg, least=0)
        self.input_shape = _checked_shape(where, input_shape)
        if not callable(loss_function):
            raise TypeError(f"{where}: loss_function is a {type(loss_function).__name__}; it must be a function")
        self.loss_function = loss_function
        self._rng = draws.generator(where, rng)
        self.chain = Chain(where, steps)
        self.output_shape, params = self.chain.build(self.input_shape, self._rng)
        if loss_function is softmax_loss and len(self.output_shape) != 1:
            raise ValueError(
                f"{where}: the last step gives {self.output_shape}, but the loss needs scores (classes,): "
                "end with Affine, Flatten or a global pooling"
            )
        self.params = {name: np.array(array, self.dtype, order="C") for name, array in params.items()}
        for bn_param in self.bn_params:
            bn_param.update({key: bn_param[key].astype(self.dtype) for key in STATISTICS})
        self.kinds = {
            f"{prefix}{place.name}.{short}": place.step.kind(short)
            for _, prefix, place in self.places()
            if not place.step.chains()
            for short in place.arrays
        }
        self.param_options: dict[str, dict[str, Any]] = {
            name: {} if self.kinds[name] == "weight" else {"weight_decay": False} for name in self.params
        }
        self.workspace = Workspace()
        self.loss_scale = 1.0
        self.on_gradients: Callable[[dict[str, np.ndarray]], None] | None = None
        if fuse:
            self.chain.fuse()

    @property
    def steps(self) -> list[Step]:
        """The steps, as the user wrote them."""
        return list(self.chain.steps)

    @property
    def rng(self) -> np.random.Generator | None:
        """Where dropout draws from; it keeps being the one that the network was made with."""
        return self._rng

    @property
    def bn_params(self) -> list[dict[str, Any]]:
        """The dictionaries with running statistics, in the steps' order. Assigned to, they take over the numbers."""
        return [place.step.bn_param for _, _, place in self.places() if place.step.bn_param is not None]

    @bn_params.setter
    def bn_params(self, statistics: list[dict[str, Any]]) -> None:
        for bn_param, new in zip(self.bn_params, statistics, strict=True):
            bn_param.update(new)

    def places(self) -> Iterator[tuple[int, str, Place]]:
        """Every step where it stands: how deep in blocks, what precedes its name, the place.

        Steps in a block follow it.
        """
        return self.chain.walk()

    @property
    def groups(self) -> dict[str, list[str]]:
        """The names of the parameters of each kind: weight, bias, scale, shift."""
        return {kind: [name for name, own in self.kinds.items() if own == kind] for kind in KINDS}

    def loss(self, X: Any, y: Any = None) -> Any:
        """Scores, or the loss and its gradients.

        Parameters
        ----------
        X : array ``(N, *input_shape)``
        y : array, optional
            What ``loss_function`` compares the scores with: integer labels (N,).

        Returns
        -------
        scores : array ``(N, *output_shape)``
            Where ``y`` is None: in test mode, with the running statistics and without dropout.
        loss, grads : scalar, dict
            Otherwise, in train mode; ``grads`` has a gradient for each of ``params`` that is not frozen. Running
            statistics are updated.
        """
        X = self.checked_input("Network.loss", X)
        with self.workspace:
            if y is None:
                return self.chain.forward(X, self.params, "test")[0]
            scores, caches = self.chain.forward(X, self.params, "train")
            loss, dscores = self.loss_function(scores, y)
            if self.loss_scale != 1:
                loss, dscores = loss * self.loss_scale, dscores * self.loss_scale
            penalties: list[float] = []

            def ready(grads: dict[str, np.ndarray]) -> None:
                penalties.extend(self._penalties(grads))
                if self.on_gradients is not None:
                    self.on_gradients(grads)

            frozen = {name for name, options in self.param_options.items() if options.get("frozen")}
            _, grads = self.chain.gradients(dscores, caches, frozen | {"x"}, ready)
            return loss + sum(penalties), grads

    def _penalties(self, grads: dict[str, np.ndarray]) -> Iterator[Any]:
        """What each weight adds to the loss; its gradient is added to those given."""
        for name, gradient in grads.items():
            if self.reg and self.kinds[name] == "weight":
                yield add_l2_penalty(self.params[name], gradient, float(self.reg))

    def checked_input(self, where: str, X: Any) -> np.ndarray:
        """Some samples in the network's type, or an error of ``where`` that says what is wrong with them."""
        X = as_input(where, X, self.dtype)
        if X.shape[1:] != self.input_shape or X.ndim == 0 or len(X) == 0:
            needed = ", ".join(map(str, ("N", *self.input_shape)))
            raise ValueError(f"{where}: X has shape {X.shape}; it must be ({needed}), with N at least 1")
        return X

    def set_options(self, pattern: str | Iterable[str], **options: Any) -> list[str]:
        """Say how some parameters are trained; returns their names.

        Parameters
        ----------
        pattern : str or list of str
            A name with ``*`` and ``?`` as in file names (``"conv1.*"``, ``"*.beta"``), or several:
            ``net.groups["shift"]``.
        learning_rate : float
            A factor on the solver's rate.
        weight_decay : bool or float
            A factor on the solver's weight decay; False for none.
        frozen : bool
            Do not train: no gradient is computed.
        """
        where = "Network.set_options"
        check.known_keys(where, "options", options, OPTIONS)
        for name in ("learning_rate", "weight_decay"):
            if name in options and not isinstance(options[name], bool):
                options[name] = check.number(where, name, options[name], least=0)
        if isinstance(options.get("learning_rate"), bool) or not isinstance(options.get("frozen", False), bool):
            raise TypeError(f"{where}: learning_rate is a number and frozen True or False; got {options}")
        names = self._matching(where, pattern)
        for name in names:
            self.param_options[name].update(options)
        return names

    def freeze(self, pattern: str | Iterable[str]) -> list[str]:
        """Let some parameters stay as they are: see `set_options`."""
        return self.set_options(pattern, frozen=True)

    def unfreeze(self, pattern: str | Iterable[str]) -> list[str]:
        """Train them again."""
        return self.set_options(pattern, frozen=False)

    def summary(self) -> Summary:
        """Name, step, shape, parameters and multiply-adds of every step; print it."""
        return summary_of(self.places(), self.input_shape, self.params, self.param_options)

    def _matching(self, where: str, pattern: str | Iterable[str]) -> list[str]:
        patterns = [pattern] if isinstance(pattern, str) else list(pattern)
        for one in patterns:
            if not any(fnmatch.fnmatchcase(name, one) for name in self.params):
                hint = check.did_you_mean(one, self.params)
                raise ValueError(
                    f"{where}: no parameter has the name {one!r}{hint}; there are {', '.join(self.params)}"
                )
        return [name for name in self.params if any(fnmatch.fnmatchcase(name, one) for one in patterns)]


def _checked_shape(where: str, shape: Any) -> Shape:
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise TypeError(f"{where}: input_shape is {shape!r}; it must be a tuple: (C, H, W), or (D,) for rows")
    shape = tuple(check.whole_number(where, "input_shape", size, least=1) for size in shape)
    if len(shape) not in (1, 3):
        raise ValueError(f"{where}: input_shape is {shape}; it must be (C, H, W), or (D,) for rows")
    return shape
