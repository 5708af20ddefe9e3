"""ONNX's operators that only give a sample another shape, or take the mean or the largest of its pixels.

Only two shapes of a sample are ours, images and rows, and only from one to the other can we go. What else there is must
amount to no change, or be a part of a group norm or of a flattening with channels last.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from pellucid.extras import onnx_arithmetic as arithmetic
from pellucid.extras import onnx_windows as windows
from pellucid.extras.onnx_norms import fresh_norm
from pellucid.extras.onnx_values import OPEN_BATCH, Call, Form, Layer, Value, our_shape
from pellucid.models import AvgPool, Dropout, Flatten, GroupNorm, MaxPool
from pellucid.models.step import Shape

GROUPS = "a group norm, written as Reshape, InstanceNormalization and Reshape"
CHANNELS_LAST = "a flattening in the order rows, columns, channels"
TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def flatten(call: Call) -> Value:
    """Flatten from the first axis of a sample on."""
    x = call.raw()
    axis, axes = call.integer("axis", 1), len(x.sizes) + 1
    if axis not in (1, 1 - axes):
        raise call.refused(f"axis is {axis}; every sample as one row, axis=1, is available")
    return _reshaped(call, x, (math.prod(x.sizes),))


def reshape(call: Call) -> Value:
    """Reshape to rows, or what amounts to no change."""
    x = call.raw()
    target = call.integers_in(1, "its shape")
    if not target or (call.flag("allowzero") and 0 in target):
        raise call.refused(f"its shape is {target}; it must be that of a batch of samples")
    kept = [call.batch or OPEN_BATCH, *x.sizes]
    sizes = [kept[i] if size == 0 and i < len(kept) else size for i, size in enumerate(target)]
    if sizes[0] == -1 and -1 not in sizes[1:] and math.prod(sizes[1:]) == math.prod(x.sizes):
        sizes[0] = call.batch or OPEN_BATCH
    if sizes[0] not in (OPEN_BATCH, call.batch):
        raise call.refused(
            f"its shape is {target}; the batch must stay the first axis, of any size",
            "export the model with an open batch, as x.flatten(1) gives it",
        )
    sample = sizes[1:]
    if sample.count(-1) == 1:
        known = -math.prod(sample)
        sample[sample.index(-1)] = math.prod(x.sizes) // known if known > 0 else 0
    if not sample or min(sample) < 1 or math.prod(sample) != math.prod(x.sizes):
        raise call.refused(f"its shape is {target}, which does not fit {x.sizes} a sample")
    return _reshaped(call, x, tuple(sample))


def squeeze(call: Call) -> Value:
    """Squeeze: axes of one number go."""
    x = call.raw()
    axes = _axes(call, 1, 13)
    if axes is None:
        axes = [axis for axis, size in enumerate(x.sizes, 1) if size == 1]
        if call.batch in (None, 1):
            raise call.refused("it leaves out every axis of one number, perhaps the batch's", "export it with axes")
    left = [size for axis, size in enumerate(x.sizes, 1) if axis not in _positive(call, axes, len(x.sizes) + 1)]
    if 0 in _positive(call, axes, len(x.sizes) + 1) or not left or math.prod(left) != math.prod(x.sizes):
        raise call.refused(f"axes is {axes} for {x.sizes} a sample; an axis of one number, not the batch, may go")
    return _reshaped(call, x, tuple(left))


def unsqueeze(call: Call) -> Value:
    """Unsqueeze: what comes out must be what we have already, a signal as an image of one row."""
    x, axes = call.raw(), _axes(call, 1, 13) or []
    rank = len(x.sizes) + 1 + len(axes)
    new = _positive(call, axes, rank)
    rest = iter(x.sizes)
    if 0 in new or len(new) != len(axes) or rank > 4:
        raise call.refused(f"axes is {axes}; the batch must stay first, of at most four axes")
    return _reshaped(call, x, tuple(1 if axis in new else next(rest) for axis in range(1, rank)))


def transpose(call: Call) -> Value:
    """Transpose, to channels last in front of a flattening, and back."""
    x = call.raw()
    rank = len(x.sizes) + 1
    order = call.integers("perm", rank) or list(range(rank))[::-1]
    if order == list(range(rank)):
        return call.same(call.data())
    if x.form is not None and x.form.kind == "channels last" and order == TO_FIRST:
        return call.same(x.form.of)
    if x.form is None and order == TO_LAST:
        C, H, W = x.sizes
        return call.part(x, Form("channels last", x, CHANNELS_LAST), (H, W, C))
    raise call.refused(f"perm is {order}", f"available: at the input from (N, H, W, C), and in {CHANNELS_LAST}")


def reduce_mean(call: Call) -> Value:
    """ReduceMean over images' pixels."""
    return _reduced(call, AvgPool)


def reduce_max(call: Call) -> Value:
    """ReduceMax over images' pixels."""
    return _reduced(call, MaxPool)


def _reshaped(call: Call, x: Value, sizes: Shape) -> Value:
    """The same numbers as rows, or in a shape that is the same for us; or the groups of a group norm."""
    if len(sizes) <= 3 and our_shape(sizes) == x.shape and x.form is None:
        return call.same(x) if sizes == x.sizes else call.after(x, sizes=sizes)
    form = x.form
    if form is not None and form.kind == "normalised groups" and sizes == form.of.sizes:
        groups, eps, gamma, beta = form.settings
        layer = fresh_norm(call, GroupNorm(groups, eps), (form.of.shape[0],))
        if (gamma != 1).any() or beta.any():
            each = form.of.shape[0] // groups
            layer = layer._replace(arrays={"gamma": np.repeat(gamma, each), "beta": np.repeat(beta, each)})
        return call.after(form.of, layer, sizes=sizes)
    if form is not None and form.kind == "channels last" and len(sizes) == 1:
        return call.part(x, form._replace(kind="channels last, flat"), sizes)
    x = call.data()
    if len(sizes) == 1:
        return _flat(call, x)
    if call.node.op == "Reshape" and len(x.sizes) > 1 and x.shape[0] % sizes[0] == 0:
        return call.part(x, Form("groups", x, GROUPS), sizes)
    raise call.refused(f"it makes {sizes} of {x.sizes} a sample", "every sample as one row is available")


def _flat(call: Call, x: Value) -> Value:
    """Rows; a pooling of the whole image in front gives them itself."""
    between: tuple[Layer, ...] = ()
    pooled = x
    if x.last is not None and isinstance(x.last.step, Dropout) and x.parent is not None and len(x.layers) == 1:
        between, pooled = x.layers, x.parent
    step = windows.global_step(pooled)
    if step is None:
        return call.after(x, Layer(Flatten(), {}))
    return call.instead(pooled, Layer(step, {}), *between)


def _reduced(call: Call, step: type[AvgPool | MaxPool]) -> Value:
    x, keep = call.raw(), call.flag("keepdims", True)
    found = _axes(call, 1, 18)
    axes = sorted(_positive(call, found or [], len(x.sizes) + 1))
    pixels = [2, 3][: len(x.sizes) - 1]
    if not found:
        raise call.refused("it reduces over everything, the batch too", "over the pixels of images is available")
    if x.form is not None and x.form.kind == "channels last" and axes == [1, 2] and not keep:
        return windows.whole_image(_reading(call, x.form.of), step, keep_axes=False)
    if step is AvgPool and axes == list(range(1, len(x.sizes) + 1)) and keep:
        return arithmetic.reduced_to_mean(call, x)
    if axes != pixels or not pixels:
        raise call.refused(f"it reduces over the axes {axes} of {x.sizes} a sample; over all pixels is available")
    return windows.whole_image(call, step, keep_axes=keep)


def _reading(call: Call, x: Value) -> Call:
    """The same node as if it read another value."""
    return dataclasses.replace(call, inputs=[x])


def _axes(call: Call, place: int, since: int) -> list[int] | None:
    """An attribute at first, an input since some opset."""
    return call.integers("axes") if call.graph.opset < since else call.integers_in(place, "axes")


def _positive(call: Call, axes: list[int], rank: int) -> set[int]:
    if not all(-rank <= axis < rank for axis in axes):
        raise call.refused(f"axes is {axes}; what is there has {rank} axes")
    return {axis % rank for axis in axes}
