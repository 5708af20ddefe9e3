"""What a run consists of: gathered from a `Solver` for a checkpoint, and put back so that the run goes on exactly."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import check, draws
from pellucid.training.checkpoint import CheckpointError, load_checkpoint
from pellucid.training.groups import schedule_name
from pellucid.training.optim import check_settings, settings_known
from pellucid.training.weights import Weights, put, weights_of

if TYPE_CHECKING:
    from pellucid.training.solver import Solver

HISTORIES = ("loss_history", "train_acc_history", "val_acc_history")
COUNTERS = ("epoch", "iteration", "first_epoch", "num_epochs")


def collect(solver: Solver) -> dict[str, Any]:
    """Everything that the rest of the run depends on, as nested plain data; the arrays are not copied."""
    return {
        "model": type(solver.model).__name__,  # for people; it is not looked up
        "settings": _settings(solver),
        **collect_changing(solver),
    }


def collect_changing(solver: Solver) -> dict[str, Any]:
    """The part of it that a step changes."""
    weights = solver.last_weights or weights_of(solver.model)
    return {
        "params": weights.params,
        "bn_params": weights.bn_params,
        "best_params": solver.best_params,
        "best_bn_params": solver.best_bn_params,
        "best_val_acc": solver.best_val_acc,
        "optim_configs": solver.optim_configs,
        "average": None if solver.average_weights is None else list(solver.average_weights),
        "epoch_order": solver.epoch_order,
        **{name: np.asarray(getattr(solver, name), np.float64) for name in HISTORIES},
        **{name: getattr(solver, name) for name in COUNTERS},
        "randomness": _random_states(solver),
    }


def restore(solver: Solver, path: str | os.PathLike[str]) -> None:
    """Put a checkpoint's run into the solver; on any error the solver is as it was."""
    saved = _of_a_solver(path)
    random_before = _random_states(solver)
    try:
        different = _differences(saved, solver)
        if not different:
            restore_changing(solver, saved)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        _set_random_states(solver, random_before)
        raise CheckpointError(f"{path}: its parts do not fit together ({error}); use another checkpoint") from None
    if different:
        raise CheckpointError(
            f"Solver.resume: {path} is of another run: {'; '.join(different)}. Build the model, the data and the "
            "Solver as they were, or use load_weights to take only the weights"
        )


def restore_changing(solver: Solver, saved: dict[str, Any]) -> None:
    """Put back what `collect_changing` gathered; the solver gets arrays of its own, and all of it or nothing."""
    last, attributes = _attributes(saved, solver.model)
    _set_random_states(solver, saved["randomness"])
    put(last, solver.model)
    for name, value in attributes.items():
        setattr(solver, name, value)


def load_weights(
    path: str | os.PathLike[str], which: str = "best"
) -> tuple[dict[str, np.ndarray], list[dict[str, np.ndarray]], dict[str, Any]]:
    """Only the weights out of a checkpoint.

    Parameters
    ----------
    path : str or path
    which : 'best' or 'last'
        Those with the highest validation accuracy so far, or those of the last step.

    Returns
    -------
    params : dict
        Arrays by name, to be put into ``model.params``.
    bn_params : list of dict
        running_mean and running_var for each dictionary of ``model.bn_params``.
    info : dict
        model (the name of its class), epoch, iteration, best_val_acc, settings, and the three histories as lists.

    Raises
    ------
    CheckpointError
        As `load_checkpoint`; and where the file has no best weights, having been written before the first step.
    """
    check.one_of("load_weights", "which", which, ("best", "last"))
    saved = _of_a_solver(path)
    prefix = "best_" if which == "best" else ""
    if not saved[f"{prefix}params"]:
        raise CheckpointError(f"{path}: has no best weights, for none were evaluated yet; take which='last'")
    info = {name: saved[name] for name in ("model", "epoch", "iteration", "best_val_acc", "settings")}
    info |= {name: saved[name].tolist() for name in HISTORIES}
    return saved[f"{prefix}params"], saved[f"{prefix}bn_params"], info


def _of_a_solver(path: str | os.PathLike[str]) -> dict[str, Any]:
    saved = load_checkpoint(path)
    needed = {"model", "params", "bn_params", "best_params", "best_bn_params", "best_val_acc", "optim_configs"}
    needed |= {"epoch_order", "settings", "randomness", *HISTORIES, *COUNTERS}
    if needed - saved.keys():
        raise CheckpointError(
            f"{path}: not the checkpoint of a Solver: it lacks {', '.join(sorted(needed - saved.keys()))}"
        )
    return saved


def _settings(solver: Solver) -> dict[str, Any]:
    """What must be the same for a run to go on as if it had never stopped."""
    rule = solver.update_rule.__name__
    config = {key: value for key, value in solver.optim_config.items() if key in settings_known(rule)}
    return {
        "update_rule": rule,
        "optim_config": check_settings(rule, config, "Solver"),
        "groups": {name: group.described() for name, group in solver.groups.items() if group.name},
        "lr_decay": solver.lr_decay,
        "schedule": schedule_name(solver.schedule),
        "augmentation": repr(solver.augmentation),
        "average": repr(solver.average),
        "keep": solver.keep,
        "batch_size": solver.batch_size,
        "shuffle": solver.shuffle,
        "num_train_samples": solver.num_train_samples,
        "num_val_samples": solver.num_val_samples,
        "number of training images": len(solver.y_train),
        "number of validation images": 0 if solver.X_val is None else len(solver.y_val),
        "training data": _fingerprint(solver.X_train, solver.y_train),
        "validation data": None if solver.X_val is None else _fingerprint(solver.X_val, solver.y_val),
        **{
            f"{name}'s random numbers": "NumPy's global state" if rng is None else type(rng.bit_generator).__name__
            for name, rng in _sources(solver).items()
        },
    }


def digest_of(solver: Solver) -> str:
    """A short text that is the same for solvers that would train the same: settings and data."""
    return hashlib.sha256(json.dumps(_settings(solver), sort_keys=True, default=str).encode()).hexdigest()


def _sources(solver: Solver) -> dict[str, np.random.Generator | None]:
    """Where random numbers come from. A model without a generator may draw from NumPy's global state."""
    return {"solver": solver.rng, "model": getattr(solver.model, "rng", None)}


def _random_states(solver: Solver) -> dict[str, Any]:
    return {name: draws.state(rng) for name, rng in _sources(solver).items()}


def _set_random_states(solver: Solver, states: dict[str, Any]) -> None:
    for name, rng in _sources(solver).items():
        draws.restore("Solver.resume", rng, states[name])


def _fingerprint(X: Any, y: np.ndarray, samples: int = 16) -> str:
    """A digest of all labels and of a few images, spread evenly."""
    digest = hashlib.sha256(y.astype("<i8").tobytes())
    for i in np.linspace(0, len(y) - 1, min(samples, len(y))).astype(int).tolist():
        image = np.asarray(X[i : i + 1])
        digest.update(f"{image.shape} {image.dtype.str}".encode() + image.tobytes())
    return digest.hexdigest()


def _differences(saved: dict[str, Any], solver: Solver) -> list[str]:
    """In words, what is another in the checkpoint than here."""
    found = []
    ours, theirs = ({n: f"{a.dtype} {a.shape}" for n, a in p.items()} for p in (solver.model.params, saved["params"]))
    for name in ours.keys() | theirs.keys():
        if ours.get(name) != theirs.get(name):
            there, here = theirs.get(name, "missing"), ours.get(name, "missing")
            found.append(f"parameter {name!r} is {there} in the checkpoint but {here} here")
    layers = len(getattr(solver.model, "bn_params", None) or [])
    if layers != len(saved["bn_params"]):
        found.append(f"bn_params has {len(saved['bn_params'])} layers in the checkpoint but {layers} here")
    for name, here in _settings(solver).items():
        there = saved["settings"].get(name)
        if there != here:
            found.append(f"{name} is {there!r} in the checkpoint but {here!r} here")
    if solver.num_epochs < saved["num_epochs"]:
        found.append(
            f"num_epochs is {saved['num_epochs']} in the checkpoint but {solver.num_epochs} here: it may only grow"
        )
    return sorted(found)


def _attributes(saved: dict[str, Any], model: Any) -> tuple[Weights, dict[str, Any]]:
    """The last weights, and the values of the solver's attributes by name."""
    params = model.params
    attributes = {
        "best_params": {name: _array_like(params[name], array) for name, array in saved["best_params"].items()},
        "best_bn_params": _own(saved["best_bn_params"]),
        "best_val_acc": saved["best_val_acc"],
        "optim_configs": {
            name: {
                key: _array_like(w, value) if isinstance(value, np.ndarray) else value
                for key, value in saved["optim_configs"][name].items()
            }
            for name, w in params.items()
        },
        "average_weights": _average_weights(saved.get("average"), params),
        "epoch_order": np.array(saved["epoch_order"]),
        "last_weights": None,
        **{name: saved[name].tolist() for name in HISTORIES},
        **{name: check.whole_number("Solver.resume", name, saved[name]) for name in COUNTERS if name != "num_epochs"},
    }
    last = {name: _array_like(params[name], array) for name, array in saved["params"].items()}
    return Weights(last, _own(saved["bn_params"])), attributes


def _average_weights(saved: Any, params: dict[str, np.ndarray]) -> Weights | None:
    if saved is None:
        return None
    arrays, statistics = saved
    return Weights({name: _array_like(w, arrays[name]) for name, w in params.items()}, _own(statistics))


def _own(bn_params: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    return [{key: np.array(array) for key, array in layer.items()} for layer in bn_params]


def _array_like(model_array: np.ndarray, saved: np.ndarray) -> np.ndarray:
    """The saved numbers, laid out in memory as the model's are, for the last bit of a sum can depend on it."""
    if saved.shape != model_array.shape:
        raise ValueError(f"shapes {saved.shape} and {model_array.shape}")
    array = np.empty_like(model_array)
    array[...] = saved
    return array
