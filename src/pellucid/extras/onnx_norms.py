"""ONNX's operators that normalise, as our steps."""

from __future__ import annotations

import numpy as np

from pellucid.extras.onnx_values import Call, Layer, Value, suggested_name
from pellucid.models import BatchNorm, GroupNorm, LayerNorm
from pellucid.models.step import Shape, Step


def batch_norm(call: Call) -> Value:
    """BatchNormalization, with running statistics."""
    x = call.data()
    is_test = call.flag("is_test", call.graph.opset > 6) and not call.flag("training_mode")
    if not is_test or any(call.node.outputs[1:]) or not call.flag("spatial", True):
        raise call.refused("it normalises by the batch, or by pixel", "export the model for inference")
    gamma, beta, mean, variance = (call.parameter(place) for place in (1, 2, 3, 4))
    eps, momentum = call.number("epsilon", 1e-5), call.number("momentum", 0.9)
    C = x.shape[0]
    if any(array.shape != (C,) for array in (gamma, beta, mean, variance)):
        raise call.refused(f"scale, shift, mean and variance must have the shape {(C,)}")
    if not (variance.min() >= 0 and variance.min() + np.asarray(eps, call.dtype) > 0):
        raise call.refused(f"the variance holds {variance.min()}, with epsilon {eps:g}; it must be above zero")
    scale, shift = _is_written(call, 1, "ones", gamma, 1), _is_written(call, 2, "zeros", beta, 0)
    arrays = {"running_mean": mean, "running_var": variance}
    arrays |= {"gamma": gamma} if scale else {}
    arrays |= {"beta": beta} if shift else {}
    step = BatchNorm(momentum, eps, scale, shift)
    return call.after(x, Layer(step, arrays, suggested_name(call.node.inputs)), sizes=x.sizes)


def layer_norm(call: Call) -> Value:
    """LayerNormalization over the whole sample."""
    x = call.data()
    axis, axes = call.integer("axis", -1), len(x.sizes) + 1
    if axis % axes != 1 or not -axes <= axis < axes or call.integer("stash_type", 1) != 1:
        raise call.refused(f"axis is {axis}; over the whole sample, axis=1, is available")
    layer = fresh_norm(call, LayerNorm(call.number("epsilon", 1e-5)), x.shape)
    arrays = dict(layer.arrays)
    for place, name in ((1, "gamma"), (2, "beta")):
        if call.constant(place) is not None:
            arrays[name] = _spread(call, call.parameter(place), x.sizes).reshape(x.shape)
    return call.after(x, Layer(layer.step, arrays, suggested_name(call.node.inputs)), sizes=x.sizes)


def group_norm(call: Call) -> Value:
    """GroupNormalization, of opset 21; the checker refuses the one before, which had a scale for each group."""
    x = call.image()
    groups, C = call.integer("num_groups", 0), x.shape[0]
    if groups < 1 or C % groups or call.integer("stash_type", 1) != 1:
        raise call.refused(f"num_groups is {groups}; it must divide the {C} channels that come in")
    arrays = {"gamma": call.parameter(1), "beta": call.parameter(2)}
    step = GroupNorm(groups, call.number("epsilon", 1e-5))
    return call.after(x, Layer(step, arrays, suggested_name(call.node.inputs)))


def instance_norm(call: Call) -> Value:
    """InstanceNormalization: of each channel; or of each group, where a Reshape has made channels of groups."""
    x, eps = call.raw(), call.number("epsilon", 1e-5)
    gamma, beta = call.parameter(1), call.parameter(2)
    if x.form is not None and x.form.kind == "groups":
        groups = x.sizes[0]
        form = x.form._replace(kind="normalised groups", settings=(groups, eps, gamma, beta))
        _of_shape(call, gamma, (groups,)), _of_shape(call, beta, (groups,))
        return call.part(x, form)
    image = call.image()
    return call.after(image, Layer(GroupNorm(image.shape[0], eps), {"gamma": gamma, "beta": beta}))


def fresh_norm(call: Call, step: Step, shape: Shape) -> Layer:
    """A norm with scale 1 and shift 0; both are taken over from a Mul and an Add that follow."""
    one, zero = np.ones((), call.dtype), np.zeros((), call.dtype)
    return Layer(step, {"gamma": np.broadcast_to(one, shape), "beta": np.broadcast_to(zero, shape)})


def is_fresh(layer: Layer) -> bool:
    """A norm whose scale and shift nobody has set."""
    return layer.arrays["gamma"].strides == (0,) * layer.arrays["gamma"].ndim


def _of_shape(call: Call, array: np.ndarray, shape: Shape) -> np.ndarray:
    if array.shape != shape:
        raise call.refused(f"its scale or shift has the shape {array.shape}; it must have {shape}")
    return array


def _spread(call: Call, array: np.ndarray, sizes: Shape) -> np.ndarray:
    try:
        return np.broadcast_to(array, sizes)
    except ValueError:
        raise call.refused(f"its scale or shift has the shape {array.shape}; it must have {sizes}") from None


def _is_written(call: Call, place: int, word: str, array: np.ndarray, value: float) -> bool:
    """Whether a batch norm has this parameter: our own files have ``name.ones`` for a scale that is not there."""
    return not (call.node.inputs[place].endswith(f".{word}") and bool((array == value).all()))
