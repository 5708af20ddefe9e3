"""Sums, products and what they build up: residual blocks, scales, biases, SiLU and GELU, normalisation written out.

What only makes sense as a part (the sigmoid in x * sigmoid(x), the variance in a layer norm) becomes a value with a
`Form`; the node that completes it makes the step. A part that nothing completes is refused by its own name.
"""

from __future__ import annotations

import math

import numpy as np

from pellucid.extras.onnx_norms import fresh_norm, is_fresh
from pellucid.extras.onnx_values import Call, Form, Layer, Value, as_written, suggested_name
from pellucid.models import GELU, Affine, Conv, GroupNorm, LayerNorm, ReLU, Scale, SiLU
from pellucid.models.step import Shape, Step

ROUNDING = 2.5e-7
"""Two roundings of float32: a factor that is so near to 1 was meant to be 1, as in sqrt(2) * 0.70710677."""
GATES = {"Sigmoid": "x * Sigmoid(x)", "Erf": "GELU, 0.5 * x * (1 + Erf(x / sqrt 2))"}
WRITTEN_OUT = "a layer norm, (x - mean) / sqrt(variance + eps) over a whole sample"
MOST_TERMS = 16


def add(call: Call) -> Value:
    """Add and Sum: a residual block where both depend on the input, else a bias."""
    if len(call.inputs) > MOST_TERMS or any(value is None for value in call.inputs):
        raise call.refused(f"it adds {len(call.inputs)} tensors; up to {MOST_TERMS} are available, all of them there")
    values = [value for value in call.inputs if isinstance(value, Value)]
    arrays = [_spread(call, array) for array in call.inputs if isinstance(array, np.ndarray)]
    if len(values) == 1 and len(arrays) == 1:
        return _plus_constant(call, values[0], arrays[0])
    if arrays:
        raise call.refused("it adds several values and a constant", "export it with one Add for each")
    total = _whole(call, values[0])
    for value in [_whole(call, value) for value in values[1:]]:
        total = times(call, total, 2.0) if total is value else call.sum(total, value)
    return call.same(total) if len(values) == 1 else total


def subtract(call: Call) -> Value:
    """Sub: a bias, or the first part of a layer norm that is written out."""
    one, other = call.two()
    if isinstance(one, Value) and isinstance(other, np.ndarray):
        return _plus_constant(call, one, -_spread(call, call.numbers(other, "what it takes away")))
    if isinstance(other, Value) and isinstance(one, np.ndarray):
        raise call.refused("it takes its input from a constant; only x - constant is available")
    x, mean = call.raw(0), call.raw(1)
    if mean.form is None or mean.form.kind != "mean" or mean.form.of is not x:
        raise call.refused("it takes one branch from another", f"available in {WRITTEN_OUT}; branches may be added")
    return call.part(x, Form("centred", x, WRITTEN_OUT))


def multiply(call: Call) -> Value:
    """Mul: a factor for everything or for each channel; SiLU, GELU."""
    one, other = call.two()
    if isinstance(one, Value) and isinstance(other, Value):
        return _product(call, one, other)
    x, factor = (one, other) if isinstance(one, Value) else (other, one)
    assert isinstance(x, Value) and isinstance(factor, np.ndarray)
    return _times_constant(call, x, call.numbers(_spread(call, factor), "its factor"))


def divide(call: Call) -> Value:
    """Div: as Mul; the last but two of a layer norm that is written out."""
    one, other = call.two()
    if not isinstance(one, Value):
        raise call.refused("it divides a constant by its input; only x / constant is available")
    if isinstance(other, np.ndarray):
        divisor = call.numbers(_spread(call, other), "what it divides by")
        if not divisor.all() or np.abs(divisor).min(initial=1) < np.finfo(divisor.dtype).tiny:
            raise call.refused("it divides by zero, or by next to nothing")
        return _times_constant(call, one, 1 / divisor.astype(np.float64))
    top, bottom = call.raw(0).form, call.raw(1).form
    if top is None or bottom is None or (top.kind, bottom.kind) != ("centred", "deviation") or top.of is not bottom.of:
        raise call.refused("it divides one branch by another", f"available in {WRITTEN_OUT}")
    x = top.of
    (eps,) = bottom.settings
    return call.after(x, fresh_norm(call, LayerNorm(eps), x.shape), sizes=x.sizes)


def negate(call: Call) -> Value:
    """Neg."""
    return times(call, call.data(), -1.0)


def power(call: Call) -> Value:
    """Pow: the square in a layer norm that is written out."""
    x, exponent = call.raw(), call.constant(1)
    if exponent is None or exponent.size != 1 or float(exponent.reshape(-1)[0]) != 2:
        raise call.refused("only squares are available", f"in {WRITTEN_OUT}")
    return _squares(call, x)


def sigmoid(call: Call) -> Value:
    """Sigmoid."""
    return _gate(call, "Sigmoid")


def erf(call: Call) -> Value:
    """Erf."""
    return _gate(call, "Erf")


def root(call: Call) -> Value:
    """Sqrt: the standard deviation in a layer norm that is written out."""
    form = call.raw().form
    if form is None or form.kind != "variance" or not form.settings:
        raise call.refused(f"available only as a part of {WRITTEN_OUT}")
    return call.part(call.raw(), form._replace(kind="deviation"))


def reduced_to_mean(call: Call, x: Value) -> Value:
    """ReduceMean over the whole sample: the mean or the variance in a layer norm that is written out."""
    kinds = {None: "mean", "squares": "variance"}
    kind = None if x.form is None else x.form.kind
    if kind not in kinds:
        raise call.refused(f"available over the whole sample only as a part of {WRITTEN_OUT}")
    of = x if x.form is None else x.form.of
    return call.part(x, Form(kinds[kind], of, WRITTEN_OUT), tuple(1 for _ in x.sizes))


def greater(call: Call) -> Value:
    """Max, of x and zero."""
    arrays = [array for array in call.inputs if isinstance(array, np.ndarray)]
    if len(call.inputs) != 2 or len(arrays) != 1 or np.any(arrays[0]) or arrays[0].size != 1:
        raise call.refused("only Max(x, 0) is available, as ReLU")
    return call.after(call.data(0 if arrays[0] is call.inputs[1] else 1), Layer(ReLU(), {}))


def clip(call: Call) -> Value:
    """Clip, from zero upwards or not at all."""
    if call.graph.opset < 11:
        there = call.node.attributes
        least = call.number("min", 0.0) if "min" in there else -math.inf
        most = call.number("max", 0.0) if "max" in there else math.inf
    else:
        least, most = (_bound(call, place, name) for place, name in ((1, "min"), (2, "max")))
    if most < float(np.finfo(np.float32).max) or least not in (0.0, -math.inf):
        raise call.refused(f"it keeps numbers from {least:g} to {most:g}; from 0 upwards is available, as ReLU")
    return call.after(call.data(), Layer(ReLU(), {})) if least == 0 else call.same(call.data())


def gated(call: Call, step: type[SiLU | GELU], x: Value, inner: float, outer: float) -> Value:
    """outer * step(inner * x)."""
    layers = [Layer(step(), {})]
    if not near(inner, 1):
        layers.insert(0, Layer(Scale(inner), {}))
    if not near(outer, 1):
        layers.append(Layer(Scale(outer), {}))
    return call.after(x, *layers)


def times(call: Call, x: Value, factor: float) -> Value:
    """x times a number; joined with a factor in front of it."""
    if x.last is not None and isinstance(x.last.step, Scale) and x.uses == 1:
        factor *= x.last.step.factor
        return call.instead(x, *x.layers[:-1], *([] if near(factor, 1) else [Layer(Scale(factor), {})]))
    return call.after(x, Layer(Scale(factor), {}))


def near(number: float, other: float) -> bool:
    """The same but for rounding."""
    return abs(number - other) <= ROUNDING * abs(other)


def _spread(call: Call, array: np.ndarray) -> np.ndarray:
    """The constant in the position that it is added or multiplied in: old opsets could begin at any axis."""
    axis = call.node.attributes.get("axis")
    if call.graph.opset >= 7 or not isinstance(axis, int):
        return array
    rank = max(len(value.sizes) + 1 for value in call.inputs if isinstance(value, Value))
    more = rank - axis % rank - array.ndim
    return array.reshape(array.shape + (1,) * max(0, more))


def _whole(call: Call, value: Value | np.ndarray | None) -> Value:
    return call.data(next(i for i, found in enumerate(call.inputs) if found is value))


# Constants.


def _plus_constant(call: Call, x: Value, array: np.ndarray) -> Value:
    """A bias, for what gives x or as a step of its own."""
    constant = call.numbers(array, "what it adds")
    if x.form is not None:
        return _plus_part(call, x, x.form, constant)
    name = suggested_name(call.node.inputs)
    last, sizes = x.last, x.sizes
    if constant.size == 1 and not constant.any():
        return call.same(x)
    if last is not None and x.uses == 1:
        joined = _with_bias(call, x, last, constant, name)
        if joined is not None:
            return call.instead(x, *x.layers[:-1], joined, sizes=sizes)
    channels = _by_channel(x, constant)
    if channels is None:
        raise call.refused(
            f"it adds a constant of shape {constant.shape} to {sizes} a sample",
            "available: one number a channel of images, or a bias behind Gemm or MatMul",
        )
    one = np.broadcast_to(np.ones((), call.dtype), (x.shape[0], 1, 1, 1))
    return call.after(x, Layer(_one_by_one(x, bias=True), {"w": one, "b": channels}))


def _with_bias(call: Call, x: Value, last: Layer, constant: np.ndarray, name: str) -> Layer | None:
    """What gives x with the constant in it, where it has or may have a bias."""
    step = last.step
    name = last.name or name
    if isinstance(step, LayerNorm) and _suits(constant, x.sizes):
        return last._replace(arrays={**last.arrays, "beta": last.arrays["beta"] + constant.reshape(x.shape)}, name=name)
    flat = _by_channel(x, constant)
    if flat is None and isinstance(step, Affine) and _suits_row(constant, x.sizes):
        flat = np.broadcast_to(constant.reshape(-1), x.sizes)
    if flat is None:
        return None
    if isinstance(step, GroupNorm):
        return last._replace(arrays={**last.arrays, "beta": last.arrays["beta"] + flat}, name=name)
    if isinstance(step, Conv | Affine) and not step.bias:
        return Layer(_biased(step), {**last.arrays, "b": flat}, name)
    if isinstance(step, Affine):
        return last._replace(arrays={**last.arrays, "b": last.arrays["b"] + flat})
    return None


def _biased(step: Conv | Affine) -> Step:
    if isinstance(step, Affine):
        return Affine(step.units)
    return Conv(step.filters, step.size, step.stride, step.pad, step.dilation, step.groups)


def _times_constant(call: Call, x: Value, factor: np.ndarray) -> Value:
    """A factor for everything or for each channel; or for the scale of a norm that has none yet."""
    if x.form is not None:
        return _times_part(call, x, x.form, factor)
    last = x.last
    if last is not None and isinstance(last.step, GroupNorm | LayerNorm) and x.uses == 1 and is_fresh(last):
        scale = factor.reshape(x.shape) if _suits(factor, x.sizes) else _by_channel(x, factor)
        if scale is not None and scale.shape == last.arrays["gamma"].shape and factor.ndim > 0:
            name = suggested_name(call.node.inputs)
            arrays = {**last.arrays, "gamma": scale.astype(call.dtype)}
            return call.instead(x, *x.layers[:-1], last._replace(arrays=arrays, name=name), sizes=x.sizes)
    if factor.size == 1 and factor.ndim <= len(x.sizes) + 1:
        number = float(factor.reshape(-1)[0])
        return times(call, x, as_written(number) if call.dtype == np.float32 else number)
    channels = _by_channel(x, factor)
    if channels is None:
        raise call.refused(
            f"it multiplies {x.sizes} a sample by a constant of shape {factor.shape}",
            "available: one number, or one a channel of images",
        )
    w = channels.astype(call.dtype).reshape(-1, 1, 1, 1)
    return call.after(x, Layer(_one_by_one(x, bias=False), {"w": w}))


def _one_by_one(x: Value, bias: bool) -> Conv:
    """A convolution that gives each channel its own factor and bias: exactly that, in training, too."""
    return Conv(x.shape[0], 1, groups=x.shape[0], bias=bias)


def _by_channel(x: Value, constant: np.ndarray) -> np.ndarray | None:
    """One number a channel of images (C,), if the constant is that: (C, 1, 1), (1, C, 1, 1), or one number for all."""
    if len(x.sizes) < 2:
        return None
    C, ones = x.sizes[0], (1,) * (len(x.sizes) - 1)
    if constant.size == 1 and constant.ndim <= len(x.sizes) + 1:
        return np.broadcast_to(constant.reshape(-1), (C,))
    if constant.shape in ((C, *ones), (1, C, *ones)):
        return constant.reshape(C)
    return None


def _suits(constant: np.ndarray, sizes: Shape) -> bool:
    """It has a number for every number of a sample."""
    return constant.shape in (sizes, (1, *sizes))


def _suits_row(constant: np.ndarray, sizes: Shape) -> bool:
    return _suits(constant, sizes) or (constant.size == 1 and constant.ndim <= len(sizes) + 1)


# Parts.


def _gate(call: Call, kind: str) -> Value:
    x = call.data()
    factor, base = _unscaled(x)
    return call.part(x, Form(kind, base, GATES[kind], factor))


def _unscaled(x: Value) -> tuple[float, Value]:
    """x as a factor times what the factor was applied to."""
    if len(x.layers) == 1 and isinstance(x.layers[0].step, Scale) and x.parent is not None:
        return x.layers[0].step.factor, x.parent
    return 1.0, x


def _plus_part(call: Call, x: Value, form: Form, constant: np.ndarray) -> Value:
    if form.kind == "Erf" and form.times == 1 and constant.size == 1 and constant.reshape(-1)[0] == 1:
        return call.part(x, form._replace(kind="1 + Erf"))
    if form.kind == "variance" and not form.settings and constant.size == 1:
        eps = float(constant.reshape(-1)[0])
        return call.part(x, form._replace(settings=(as_written(eps),)))
    raise call.refused(f"it adds a constant to a part of {form.whole}")


def _times_part(call: Call, x: Value, form: Form, factor: np.ndarray) -> Value:
    if form.kind in ("Sigmoid", "1 + Erf") and factor.size == 1:
        return call.part(x, form._replace(times=form.times * float(factor.reshape(-1)[0])))
    raise call.refused(f"it multiplies a part of {form.whole} by a constant")


def _product(call: Call, one: Value, other: Value) -> Value:
    """x * sigmoid(x), or GELU, whatever factors stand around; the square in a layer norm."""
    if one is other:
        return _squares(call, one)
    gate, x = (one, other) if one.form is not None else (other, one)
    if gate.form is None or x.form is not None or gate.form.kind not in ("Sigmoid", "1 + Erf"):
        raise call.refused(
            "it multiplies two branches", f"available: {' and '.join(GATES.values())}; branches are added"
        )
    factor, base = _unscaled(x) if gate.form.of is not x else (1.0, x)
    inner = gate.form.factor
    if base is not gate.form.of or inner == 0:
        raise call.refused(
            f"it multiplies a branch by the {gate.form.kind} of another", f"available: {gate.form.whole}"
        )
    outer = factor * gate.form.times / inner
    if gate.form.kind == "Sigmoid":
        return gated(call, SiLU, base, inner, outer)
    # k x (1 + erf(c x)) = 2 k / s gelu(s x) with s = sqrt(2) c; ``inner`` was divided by above
    return gated(call, GELU, base, inner * math.sqrt(2), outer * math.sqrt(2))


def _squares(call: Call, x: Value) -> Value:
    if x.form is None or x.form.kind != "centred":
        raise call.refused(f"squares are available only in {WRITTEN_OUT}")
    return call.part(x, x.form._replace(kind="squares"))


def _bound(call: Call, place: int, name: str) -> float:
    array = call.constant(place)
    if array is None:
        return -math.inf if name == "min" else math.inf
    if array.size != 1 or array.dtype.kind != "f" or np.isnan(array).any():
        raise call.refused(f"{name} is {array.dtype} of shape {array.shape}; it must be one floating number")
    return float(array.reshape(-1)[0])
