"""The Solver: trains any model with ``params`` and ``loss(X, y=None)``, and remembers the best."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import ExitStack
from typing import Any

import numpy as np

from pellucid import check, draws
from pellucid.training import checkpoint, inputs, optim, state
from pellucid.training.augmentation import Augmentation
from pellucid.training.averaging import Average, averaged
from pellucid.training.batches import Batches, Wanted, share_of_epoch
from pellucid.training.groups import (
    group_of_each,
    options_of,
    options_restored,
    settings_of_each,
    standing_still,
)
from pellucid.training.hooks import Hook, standard_hooks
from pellucid.training.interrupt import HeldSignals, stopped_by
from pellucid.training.nonfinite import NonFiniteLoss
from pellucid.training.schedules import Schedule
from pellucid.training.scoring import accuracy
from pellucid.training.together import ALONE, Alone
from pellucid.training.updating import check_gradients, update
from pellucid.training.weights import Weights, copied, not_finite, put, weights_of


class Solver:
    """Train a model on images with labels.

    ::

        solver = Solver(model, data, update_rule="adam", optim_config={"learning_rate": 1e-3}, num_epochs=5)
        solver.train()

    Parameters
    ----------
    model : object
        ``params``, a dictionary of float32 or float64 arrays by name, and ``loss(X, y=None)``, which returns scores
        (N, classes) without ``y`` and ``(loss, grads)`` with it. Optional: ``bn_params``, a list of dictionaries with
        running_mean and running_var; ``rng``, the generator that it draws from in training; ``param_options``, for
        each parameter ``learning_rate`` and ``weight_decay``, factors, and ``frozen``: what is frozen stays as it is.
    data : dict
        X_train (N, ...), y_train (N,), X_val, y_val. The images may be anything with shape, dtype, len and indexing by
        slices and integer arrays that returns arrays; only batches are taken from them, with ``shuffle`` by a thread in
        the background. Without X_val and y_val nothing is validated, and the last weights are kept.
    update_rule : str
        sgd, sgd_momentum, nesterov, rmsprop, adam, adamw or muon: see `pellucid.training.optim`.
    optim_config : dict, optional
        The rule's settings, above all learning_rate.
    groups : dict of dict, optional
        Parameters that are trained in another way, by any name: ``params``, a pattern ("conv*.w") or several; and what
        is different for them: ``update_rule``, ``schedule``, ``until`` (the share of the run over which the schedule
        is stretched, and after which they stay as they are), settings of the rule. The first group that names a
        parameter has it.
    lr_decay : float
        The learning rate is multiplied by it after each epoch.
    batch_size, num_epochs : int
        Without ``shuffle`` an epoch is N // batch_size steps (at least one) whose images are drawn with replacement.
    num_train_samples, num_val_samples : int or None
        Images to measure the accuracies with, drawn at random each time; all of them where None.
    checkpoint_name : str, optional
        Write a checkpoint ``<name>_epoch_<epoch>.safetensors`` at each look at the accuracies (the course writes a
        pickle there), and ``<name>_last.safetensors`` where training is stopped between two.
    print_every, verbose
        Print the loss each so many steps; print at all.
    rng : Generator or int, optional
        Where batches and samples are drawn from. None: NumPy's global state, by the course's very calls.
    shuffle : bool
        Go through the images in a new random order each epoch, each image once, in ceil(N / batch_size) batches whose
        sizes differ by one image at most, so that none is short; a batch_size above N means N.
    schedule : callable, optional
        The learning rate is multiplied by schedule(progress): see `pellucid.training.schedules`.
    augmentation : Augmentation, optional
        How training images are changed. Accuracies are measured on the images as they are.
    average : Average, optional
        A moving average of the weights, to measure accuracies with and to keep.
    keep : 'best' or 'last'
        Which weights the model has after training: those with the best validation accuracy, or those of the end.
    hooks : list of Hook
        Told of each step: see `pellucid.training.hooks`.
    progress : bool, optional
        False: no progress bar, even in a terminal.
    reduce_gradients : callable, optional
        grads -> grads, once a step, between ``loss`` and the update. A `Together` averages them over all processes that
        train with this one, each of which computes a part of every batch.
    checkpoint_path : str or path, optional
        One file that always holds the newest checkpoint, written at each look at the accuracies and where training
        stops, and after each ``checkpoint_every`` steps.
    checkpoint_every : int, optional

    Attributes
    ----------
    loss_history, train_acc_history, val_acc_history : list of float
        One loss a step; one accuracy after the first step and one after each epoch.
    best_params, best_bn_params, best_val_acc
        The weights to keep, their running statistics and validation accuracy: of all looks at the accuracies the one
        with the highest, or the newest where ``keep`` is "last" or nothing is validated.
    average_weights : Weights or None
    epoch, iteration : int
        Whole epochs and steps done.
    optim_configs : dict
        The rule's settings and state for each parameter.

    Raises
    ------
    ValueError, TypeError
        Unknown arguments, settings out of range, data that does not fit together, NaN or infinity in it: all when the
        solver is made.
    """

    def __init__(
        self,
        model: Any,
        data: dict[str, Any],
        *,
        update_rule: str = "sgd",
        optim_config: dict[str, Any] | None = None,
        groups: Mapping[str, Mapping[str, Any]] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_train_samples: int | None = 1000,
        num_val_samples: int | None = None,
        checkpoint_name: str | os.PathLike[str] | None = None,
        print_every: int = 10,
        verbose: bool = True,
        rng: Any = None,
        shuffle: bool = False,
        schedule: Schedule | None = None,
        augmentation: Augmentation | None = None,
        average: Average | None = None,
        keep: str = "best",
        hooks: Iterable[Hook] = (),
        progress: bool | None = None,
        reduce_gradients: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None,
        checkpoint_path: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        **unknown: Any,
    ) -> None:
        inputs.check_names(unknown, inspect.signature(Solver).parameters, update_rule)
        inputs.check_model(model)
        self.model = model
        self.X_train, self.y_train, self.X_val, self.y_val = inputs.check_data(data)

        self.update_rule = optim.RULES[update_rule]
        self.optim_config = {} if optim_config is None else optim_config
        check.known_keys("Solver", "optim_config", self.optim_config, optim.settings_known(update_rule))
        self.lr_decay = check.number("Solver", "lr_decay", lr_decay, above=0)
        self.batch_size = check.whole_number("Solver", "batch_size", batch_size, least=1)
        self.num_epochs = check.whole_number("Solver", "num_epochs", num_epochs)
        self.num_train_samples = inputs.check_count("num_train_samples", num_train_samples)
        self.num_val_samples = inputs.check_count("num_val_samples", num_val_samples)
        self.checkpoint_name = inputs.check_file("checkpoint_name", checkpoint_name)
        self.print_every = check.whole_number("Solver", "print_every", print_every, least=1)
        self.verbose = bool(verbose)
        self.rng = draws.generator("Solver", rng)
        self.shuffle = bool(shuffle)
        self.schedule = inputs.check_schedule(schedule, self.lr_decay)
        self.augmentation = inputs.check_kind("augmentation", augmentation, Augmentation)
        self.average = inputs.check_kind("average", average, Average)
        check.one_of("Solver", "keep", keep, ("best", "last"))
        self.keep = "last" if self.X_val is None else keep
        self._batches = Batches(self.X_train, self.y_train, self.augmentation)
        self.groups = group_of_each(model.params, groups, update_rule, self.optim_config, self.schedule)
        self.hooks = inputs.check_hooks(hooks)
        self.progress = progress
        self.reduce_gradients = inputs.check_callable("reduce_gradients", reduce_gradients)
        self.together = reduce_gradients if isinstance(reduce_gradients, Alone) else ALONE
        self.checkpoint_path = inputs.check_file("checkpoint_path", checkpoint_path)
        self.checkpoint_every = inputs.check_every(checkpoint_every, self.checkpoint_path)
        inputs.check_parts(self.together.size, self.batch_size, len(self.y_train), self.iterations_per_epoch)
        self._reset()

    def _reset(self) -> None:
        """Forget all training; the model's weights stay as they are."""
        self.epoch = 0
        self.iteration = 0
        self.first_epoch = 0  # where the present call of train, or the one to come, began
        self.best_val_acc = 0.0
        self.best_params: dict[str, np.ndarray] = {}
        self.best_bn_params: list[dict[str, np.ndarray]] = []
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.optim_configs = settings_of_each(self.groups, options_of(self.model))
        self.average_weights: Weights | None = None
        self.epoch_order = np.zeros(0, np.int64)
        self.last_weights: Weights | None = None  # while the model has the best ones, after training
        self.last_checkpoint: str | None = None
        self._reached_goal = self._stop_requested = False
        self._running_hooks: list[Hook] = []

    @property
    def iterations_per_epoch(self) -> int:
        """Steps in an epoch."""
        N = len(self.y_train)
        return -(-N // self.batch_size) if self.shuffle else max(N // self.batch_size, 1)

    @property
    def end_epoch(self) -> int:
        """The epoch that the present call of ``train`` goes to."""
        return self.first_epoch + self.num_epochs

    @property
    def num_iterations(self) -> int:
        """Steps from the very beginning to ``end_epoch``."""
        return self.end_epoch * self.iterations_per_epoch

    @property
    def evaluated(self) -> bool:
        """Whether the accuracies are looked at after the step just done: the first, and each epoch's last."""
        return self.iteration == 1 or (self.iteration > 0 and self.iteration % self.iterations_per_epoch == 0)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step; the largest where parameters have several."""
        progress = self.progress_share
        return max(self.groups[name].factor(progress) * c["learning_rate"] for name, c in self.optim_configs.items())

    @property
    def progress_share(self) -> float:
        """The share of the run that is done, from 0 to 1."""
        return min(1.0, self.iteration / max(1, self.num_iterations))

    def train(self, stop_on_sigterm: bool = False) -> None:
        """Train to the end of ``num_epochs``, then give the model the weights with the best validation accuracy.

        Called again, it goes on for ``num_epochs`` more, from the last weights rather than the best, so that twice five
        epochs are the same as ten (but a schedule is stretched over all of them); where it was stopped early, it goes
        on to the end that it had.

        Parameters
        ----------
        stop_on_sigterm : bool
            Treat SIGTERM, and SIGUSR1 where the system has it, as Ctrl-C.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C (its subclass Terminated: SIGTERM): the step in progress was finished and the checkpoint written; the
            model has that step's weights. A second one raises at once.
        NonFiniteLoss
            The loss or a gradient is not finite: no update is made with it, and no checkpoint written after it.
        """
        inputs.check_folder("checkpoint_name", self.checkpoint_name)
        inputs.check_folder("checkpoint_path", self.checkpoint_path)
        if self._reached_goal:
            self.first_epoch, self._reached_goal = self.epoch, False
        if self.last_weights is not None:
            put(self.last_weights, self.model)
            self.last_weights = None
        if self.average is not None and self.average_weights is None:
            self.average_weights = self.average.start(self.model)
        self._stop_requested = False
        self._running_hooks = [*standard_hooks(self), *self.hooks]
        with HeldSignals(stop_on_sigterm) as held, ExitStack() as at_exit:
            at_exit.callback(self._running_hooks.clear)
            at_exit.callback(self._batches.close)
            at_exit.enter_context(options_restored(self.model))
            at_exit.callback(self.together.end, self.model)
            self.together.begin(self.model)
            for hook in self._running_hooks:
                at_exit.callback(hook.on_exit, self)
            self._tell("on_train_begin")
            agreed = self.together.agreed(self._stop_requested, held.signum)
            while self.iteration < self.num_iterations and not any(agreed):
                self._step()
                if self.evaluated:
                    self._evaluate()
                self._tell("on_step")
                if self.evaluated:
                    self._tell("on_epoch")
                agreed = self.together.agreed(self._stop_requested, held.signum)
            self._tell("on_train_end")
            self._reached_goal = self.iteration >= self.num_iterations
            if self._reached_goal or agreed.stop:
                own = weights_of(self.model)
                put(copied(self._kept_weights()), self.model)
                self.last_weights = own
        if agreed.signum:
            raise stopped_by(agreed.signum, self.iteration, self.num_iterations, self.last_checkpoint)

    def stop(self) -> None:
        """End training after this step, as if it were the last: for hooks."""
        self._stop_requested = True

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint of the whole run: see `resume`.

        Raises NonFiniteLoss where a weight is not finite, and OSError where the file cannot be written; what was there
        before stays.
        """
        if (broken := not_finite(self.last_weights or weights_of(self.model))) is not None:
            raise NonFiniteLoss(f"{broken!r} holds NaN or infinity", self.iteration, self)
        checkpoint.save_checkpoint(path, state.collect(self))
        self.last_checkpoint = os.fspath(path)
        self._tell("on_save", self.last_checkpoint)

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Take over the run in a checkpoint, so that ``train`` goes on to the bit as if it had never stopped.

        The model, the data and the solver must have been made with the settings of that run; only ``num_epochs`` may
        have grown. With ``rng=None`` NumPy's global state is set, too.

        Raises
        ------
        CheckpointError
            The file is damaged, or is of another run: what differs is named. The solver is as it was.
        OSError
            The file cannot be read.
        """
        state.restore(self, path)
        self.last_checkpoint = os.fspath(path)
        self._reached_goal = False

    def check_accuracy(self, X: Any, y: Any, num_samples: int | None = None, batch_size: int = 100) -> float:
        """See `pellucid.training.accuracy`."""
        return accuracy(self.model, X, y, num_samples, batch_size, self.rng, together=self.together)

    def _step(self) -> None:
        """One update. Where it raises, the weights are as they were."""
        still = standing_still(self.model, self.groups, self.progress_share)
        wanted, following = self._batch(self.iteration), self._following()
        own = self.together.part
        X, y = self._batches.take(own(wanted), following and own(following))
        self.together.before_step(self.model, wanted)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            loss, grads = inputs.check_loss(self.model.loss(X, y))
            del X
            if self.reduce_gradients is not None:
                grads = self.reduce_gradients(grads)
            loss = self.together.after_step(self.model, loss)
            if not np.isfinite(loss):
                raise NonFiniteLoss(f"the loss is {loss}", self.iteration + 1, self)
            self._update(grads, still)
        self.loss_history.append(loss)
        self.iteration += 1
        if self.average is not None and self.average_weights is not None:
            self.average.update(self.average_weights, self.model, self.iteration, self.num_iterations)

    def _batch(self, iteration: int) -> Wanted:
        """The images of a step. The first step of an epoch draws the order of all."""
        N = len(self.y_train)
        epoch, i = divmod(iteration, self.iterations_per_epoch)
        if not self.shuffle:
            return Wanted(epoch, i * self.batch_size, draws.pick(self.rng, N, self.batch_size))
        if i == 0:
            self.epoch_order = draws.shuffled(self.rng, N)
        return share_of_epoch(self.epoch_order, epoch, i, self.iterations_per_epoch)

    def _following(self) -> Wanted | None:
        """The images of the step after this one, where they are known already, that is within an epoch."""
        is_epochs_last = (self.iteration + 1) % self.iterations_per_epoch == 0
        return None if is_epochs_last or not self.shuffle else self._batch(self.iteration + 1)

    def _update(self, grads: dict[str, np.ndarray], still: Set[str]) -> None:
        """Move every parameter that does not stand still along its gradient."""
        moving = {name: w for name, w in self.model.params.items() if name not in still}
        if (broken := check_gradients(moving, grads)) is not None:
            raise NonFiniteLoss(f"the gradient of {broken!r} holds NaN or infinity", self.iteration + 1, self)
        settings = self.groups, self.optim_configs, self.update_rule, self.progress_share
        update(self.model.params, list(moving), grads, *settings)

    def _evaluate(self) -> None:
        """Look at the accuracies, keep the best weights, and close the epoch if this was its last step."""
        self.together.check_same(self.model, f"after step {self.iteration}")
        with averaged(self.model, self.average, self.average_weights):
            train_acc = self.check_accuracy(self.X_train, self.y_train, num_samples=self.num_train_samples)
            self.train_acc_history.append(train_acc)
            val_acc = 0.0
            if self.X_val is not None:
                val_acc = self.check_accuracy(self.X_val, self.y_val, num_samples=self.num_val_samples)
                self.val_acc_history.append(val_acc)
            # while nothing is right yet, the newest are best
            if self.keep == "last" or val_acc > self.best_val_acc or self.best_val_acc == 0:
                self.best_val_acc = val_acc
                self.best_params, self.best_bn_params = copied(weights_of(self.model))
        if self.iteration % self.iterations_per_epoch == 0:
            self.epoch += 1
            for config in self.optim_configs.values():
                config["learning_rate"] *= self.lr_decay

    def _kept_weights(self) -> Weights:
        """What the model is to have after training; not copied."""
        if self.keep == "best" and self.best_params:
            return Weights(self.best_params, self.best_bn_params)
        with averaged(self.model, self.average, self.average_weights):
            return weights_of(self.model)

    def _tell(self, event: str, *details: Any) -> None:
        for hook in self._running_hooks:
            getattr(hook, event)(self, *details)
