"""ONNX's operators with windows as our steps: convolution, pooling, padding, every so-manieth pixel.

ONNX gives each side of an image its own padding and each axis its own stride and dilation. Where sides differ, a `Pad`
stands in front; where axes differ, the operator is refused, unless one of them makes no difference: a window that stops
once has no stride, a window of one pixel no dilation. So signals fit, as images of one row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from pellucid.extras.onnx_values import Call, Layer, Value, suggested_name
from pellucid.models import AvgPool, Conv, GlobalAvgPool, GlobalMaxPool, MaxPool, Pad, Subsample
from pellucid.models.step import Step
from pellucid.shapes import output_size, span

AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
OF_WINDOWS = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]
"""Top, left, bottom, right: ONNX's order."""


class Window(NamedTuple):
    """How a window slides over images."""

    size: Pair
    stride: int
    dilation: int
    pads: Sides
    hanging: Pair
    """By how much the last windows hang over the padding below and right of the image."""


def conv(call: Call) -> Value:
    """Conv."""
    x = call.image()
    w, b = call.parameter(1), call.parameter(2) if call.constant(2) is not None else None
    if w.ndim != len(x.sizes) + 1:
        raise call.refused(
            f"its filters have the shape {w.shape}; for what comes in there must be {len(x.sizes) + 1} axes"
        )
    if call.integers("kernel_shape") not in (None, list(w.shape[2:])):
        raise call.refused(f"kernel_shape is {call.integers('kernel_shape')}, but its filters have the shape {w.shape}")
    w = w if w.ndim == 4 else w[:, :, None]  # signals: filters of one row
    groups = call.integer("group", 1)
    if groups < 1 or x.shape[0] != groups * w.shape[1]:
        raise call.refused(f"its filters have the shape {w.shape} and group is {groups}; {x.shape[0]} channels come in")
    window = _window(call, x, (w.shape[2], w.shape[3]))
    even = len(set(window.pads)) == 1
    pad = window.pads[0] if even else 0
    step = Conv(w.shape[0], _plain(window.size), window.stride, pad, window.dilation, groups, bias=b is not None)
    layer = Layer(step, {"w": w} if b is None else {"w": w, "b": b}, suggested_name(call.node.inputs))
    return call.after(x, *([] if even else _padding(window.pads, 0.0)), layer)


def max_pool(call: Call) -> Value:
    """MaxPool. Pixels that are not there are minus infinity: no window chooses one, as each has a pixel."""
    x = call.image()
    window = _pool_window(call, x)
    call.flag("storage_order")  # says how indices are counted, which nobody can read here
    (top, left, bottom, right), (below, behind) = window.pads, window.hanging
    sides = (top, left, bottom + below, right + behind)
    return call.after(x, *_padding(sides, -math.inf), _pool(MaxPool, window))


def average_pool(call: Call) -> Value:
    """AveragePool."""
    x = call.image()
    window = _pool_window(call, x)
    if any(window.hanging):
        raise call.refused(
            "with ceil_mode its last windows hang over the edge and are divided by fewer pixels",
            "available where ceil_mode changes nothing",
        )
    if any(window.pads) and not call.flag("count_include_pad"):
        raise call.refused(
            "its windows are divided by the pixels that are no padding",
            "available with count_include_pad=1 or without padding",
        )
    return call.after(x, *_padding(window.pads, 0.0), _pool(AvgPool, window))


def global_average_pool(call: Call) -> Value:
    """GlobalAveragePool."""
    return whole_image(call, AvgPool, keep_axes=True)


def global_max_pool(call: Call) -> Value:
    """GlobalMaxPool."""
    return whole_image(call, MaxPool, keep_axes=True)


def whole_image(call: Call, step: type[AvgPool | MaxPool], keep_axes: bool) -> Value:
    """One window that sees the whole image, and gives (C, 1, 1) or (C,)."""
    x = call.image()
    C, H, W = x.shape
    if not keep_axes:
        return call.after(x, Layer(GlobalAvgPool() if step is AvgPool else GlobalMaxPool(), {}))
    sizes = (C, *(1 for _ in x.sizes[1:]))
    return call.after(x, Layer(step(_plain((H, W)), stride=1), {}), sizes=sizes)


def global_step(x: Value) -> Step | None:
    """The step that pools the whole image and leaves (C,), if that is what gives x, as (C, 1, 1)."""
    if len(x.layers) != 1 or x.parent is None or x.shape[1:] != (1, 1):
        return None
    step = x.layers[0].step
    if isinstance(step, AvgPool | MaxPool) and tuple(step.pool_param.values())[:2] == x.parent.shape[1:]:
        return GlobalAvgPool() if isinstance(step, AvgPool) else GlobalMaxPool()
    return None


def pad(call: Call) -> Value:
    """Pad, with one value, around images; channels of zeros behind those that come in."""
    x = call.image()
    if call.word("mode", "constant") != "constant":
        raise call.refused(f"mode is {call.word('mode', '')!r}; 'constant' is available")
    pads, value = _pads_and_value(call)
    axes, found = len(x.sizes) + 1, call.integers_in(3, "axes")
    if found is not None:
        spread = [0] * (2 * axes)
        for k, axis in enumerate(found):
            if not -axes <= axis < axes or len(pads) != 2 * len(found):
                raise call.refused(f"axes is {found} and pads is {pads}; they do not fit what comes in")
            spread[axis % axes], spread[axis % axes + axes] = pads[k], pads[k + len(found)]
        pads = spread
    if len(pads) != 2 * axes or min(pads) < 0:
        raise call.refused(f"pads is {pads}; it must be {2 * axes} numbers that are not below zero")
    before, after = pads[:axes], pads[axes:]
    if before[0] or after[0] or before[1]:
        raise call.refused(f"pads is {pads}; around images, and behind the channels, is available")
    sides = _two_axes(before[2:]) + _two_axes(after[2:])
    if not after[1]:
        return call.after(x, *_padding(sides, value))
    if any(sides) or value:
        raise call.refused(f"pads is {pads} with {value}; new channels must be zeros, and the image stay as large")
    return _more_channels(call, x, after[1])


def strided_slice(call: Call) -> Value:
    """Slice, where it takes every so-manieth pixel of the whole image."""
    x = call.image()
    sides = {axis: (0, x.sizes[axis - 1], 1) for axis in range(1, len(x.sizes) + 1)}
    for axis, start, end, step in _slices(call, len(x.sizes) + 1):
        if axis == 0 and not (start == 0 and end >= 2**31 - 1 and step == 1):
            raise call.refused("it takes samples out of the batch")
        if axis:
            sides[axis] = (start, end, step)
    for axis, (start, end, step) in sides.items():
        size = x.sizes[axis - 1]
        whole = start in (0, -size) and end >= size and step >= 1
        if not whole or (axis == 1 and step > 1):
            raise call.refused(
                f"it takes {start}:{end}:{step} of axis {axis}; every so-manieth pixel of the whole image is available"
            )
    steps = {step for axis, (_, _, step) in sides.items() if axis > 1 and x.sizes[axis - 1] > 1} or {1}
    if len(steps) > 1:
        raise call.refused(f"its steps are {sorted(steps)}; the same in both directions is available")
    stride = steps.pop()
    return call.same(x) if stride == 1 else call.after(x, Layer(Subsample(x.shape[0], stride), {}))


def _window(call: Call, x: Value, size: tuple[int, int], ceil: bool = False) -> Window:
    """The window as the node's attributes say."""
    axes, pixels = len(x.sizes) - 1, x.shape[1:]
    strides = _two_axes(call.integers("strides", axes) or [1] * axes, one=1)
    dilations = _two_axes(call.integers("dilations", axes) or [1] * axes, one=1)
    if min(*strides, *dilations, *size) < 1:
        raise call.refused(f"strides are {strides}, dilations {dilations}, the window {size}; all must be at least 1")
    pads = _sides(call, x, size, strides, dilations)
    spans = [span(side, dilation) for side, dilation in zip(size, dilations, strict=True)]
    padded = [pixels[k] + pads[k] + pads[k + 2] for k in (0, 1)]
    if any(covered > there for covered, there in zip(spans, padded, strict=True)):
        raise call.refused(f"its window covers {tuple(spans)}, more than the padded image, {tuple(padded)}")
    stops = [output_size(padded[k], spans[k], strides[k]) for k in (0, 1)]
    if ceil:  # one more for the rest, unless it would begin in the padding behind
        for k in (0, 1):
            rest = (padded[k] - spans[k]) % strides[k]
            stops[k] += bool(rest) and stops[k] * strides[k] < pixels[k] + pads[k]
    hanging = [max(0, (stops[k] - 1) * strides[k] + spans[k] - padded[k]) for k in (0, 1)]
    strides_that_fit = [  # a window that stops once does not mind, as long as it still stops once
        stride
        for stride in sorted(set(strides), reverse=True)
        if all(
            stride == strides[k] or stops[k] == output_size(padded[k] + hanging[k], spans[k], stride) == 1
            for k in (0, 1)
        )
    ]
    dilations_that_fit = {dilation for side, dilation in zip(size, dilations, strict=True) if side > 1} or {1}
    for name, numbers, fitting in (
        ("strides", strides, strides_that_fit[:1]),
        ("dilations", dilations, dilations_that_fit),
    ):
        if len(fitting) != 1:
            raise call.refused(f"{name} is {list(numbers)}; the same in both directions is available")
    return Window(size, strides_that_fit[0], dilations_that_fit.pop(), pads, (hanging[0], hanging[1]))


def _sides(call: Call, x: Value, size: Pair, strides: Pair, dilations: Pair) -> Sides:
    """The padding of the four sides."""
    axes = len(x.sizes) - 1
    auto_pad = call.word("auto_pad", "NOTSET") or "NOTSET"
    if auto_pad not in AUTO_PADS:
        raise call.refused(f"auto_pad is {auto_pad!r}; it must be one of {', '.join(AUTO_PADS)}")
    given = call.integers("pads", 2 * axes) or [0] * (2 * axes)
    if min(given) < 0 or (any(given) and auto_pad != "NOTSET"):
        raise call.refused(f"pads is {given}, auto_pad {auto_pad}; pads must not be below zero, nor beside auto_pad")
    if not auto_pad.startswith("SAME"):
        return _two_axes(given[:axes]) + _two_axes(given[axes:])
    before, after = [], []
    for pixels, window, stride, dilation in zip(x.shape[1:], size, strides, dilations, strict=True):
        stops = -(-pixels // stride)
        missing = max(0, (stops - 1) * stride + span(window, dilation) - pixels)
        before.append(missing // 2 if auto_pad == "SAME_UPPER" else missing - missing // 2)
        after.append(missing - before[-1])
    return before[0], before[1], after[0], after[1]


def _pool_window(call: Call, x: Value) -> Window:
    """The window of a pooling; each must see a pixel."""
    size = call.integers("kernel_shape", len(x.sizes) - 1)
    if size is None:
        raise call.refused("kernel_shape is missing")
    window = _window(call, x, _two_axes(size, one=1), ceil=call.flag("ceil_mode"))
    if window.dilation != 1:
        raise call.refused(f"dilations are {call.integers('dilations')}; pooling without dilation is available")
    height, width = window.size
    if any(pad >= side for pad, side in zip(window.pads, (height, width, height, width), strict=True)):
        raise call.refused(
            f"pads is {list(window.pads)}; its first windows {window.size} would see nothing but padding"
        )
    return window


def _padding(sides: Sides, value: float) -> list[Layer]:
    """A step that pads, where there is something to pad."""
    top, left, bottom, right = sides
    return [Layer(Pad(top, bottom, left, right, value), {})] if any(sides) else []


def _pool(step: type[AvgPool | MaxPool], window: Window) -> Layer:
    height, width = window.size
    stride = None if height == width == window.stride else window.stride
    return Layer(step(_plain(window.size), stride), {})


def _more_channels(call: Call, x: Value, more: int) -> Value:
    """Channels of zeros; together with the pixels taken before, one step."""
    if x.last is not None and isinstance(x.last.step, Subsample) and x.uses == 1:
        before = x.last.step
        return call.instead(x, *x.layers[:-1], Layer(Subsample(before.filters + more, before.stride), {}))
    return call.after(x, Layer(Subsample(x.shape[0] + more, 1), {}))


def _pads_and_value(call: Call) -> tuple[list[int], float]:
    """Attributes at first, inputs since opset 11."""
    if call.graph.opset < 11:
        return call.integers("pads") or [], call.number("value", 0.0)
    pads, value = call.integers_in(1, "pads"), call.constant(2)
    if pads is None:
        raise call.refused("pads is missing")
    if value is None or value.size == 0:
        return pads, 0.0
    if value.size != 1 or value.dtype.kind != "f":
        raise call.refused(f"its value is {value.dtype} of shape {value.shape}; it must be a floating number")
    return pads, float(value.reshape(-1)[0])


def _slices(call: Call, axes: int) -> list[tuple[int, int, int, int]]:
    """Axis, start, end and step of each axis that is sliced: attributes at first, inputs since opset 10."""
    if call.graph.opset < 10:
        starts, ends, along = (call.integers(name) for name in ("starts", "ends", "axes"))
        steps = None
    else:
        starts, ends, along, steps = (
            call.integers_in(k, name) for k, name in ((1, "starts"), (2, "ends"), (3, "axes"), (4, "steps"))
        )
    if starts is None or ends is None:
        raise call.refused("starts or ends is missing")
    along = list(range(len(starts))) if along is None else along
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(along) == len(steps) or not all(-axes <= axis < axes for axis in along):
        raise call.refused(f"starts {starts}, ends {ends}, axes {along} and steps {steps} do not fit together")
    return [(axis % axes, *rest) for axis, *rest in zip(along, starts, ends, steps, strict=True)]  # type: ignore


def _two_axes(numbers: Sequence[int], one: int = 0) -> Pair:
    """Height and width; a signal has no height, which is ``one``."""
    return (one, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _plain(size: tuple[int, int]) -> int | tuple[int, int]:
    """One number for a square."""
    return size[0] if size[0] == size[1] else size
