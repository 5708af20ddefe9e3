"""Every operation: both twins exist, agree, keep their inputs, their type and their layout, and have the right
gradient."""

import inspect

import numpy as np
import pytest

import pellucid.layers as layers
from pairs import CASES, all_cases, operations, results, twin, upstream
from pellucid.gradcheck import check_layer
from pellucid.tolerances import TOLERANCES

ALL = pytest.mark.parametrize(("operation", "case"), all_cases())
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
KINDS = pytest.mark.parametrize("kind", ["naive", "fast"])


def scaled_error(a, b):
    """The largest difference, divided by the largest value or by 1, the size of dout: the gradient of a bias in front
    of batch norm is exactly zero, and what is left of it is rounding.
    """
    return np.max(np.abs(a - b)) / max(1.0, float(np.max(np.abs(b))))


def test_every_operation_has_both_twins():
    names = [name for name in dir(layers) if name.endswith(("_naive", "_fast"))]
    assert len(names) >= 60
    for name in names:
        stem, _, kind = name.rpartition("_")
        other = f"{stem}_{'fast' if kind == 'naive' else 'naive'}"
        assert other in names, f"{name} has no twin {other}"


def test_every_forward_has_its_backward():
    for name in dir(layers):
        if "_forward_" in name:
            assert name.replace("_forward_", "_backward_") in dir(layers), name


def test_every_operation_has_cases():
    assert set(operations()) == set(CASES)


def test_twins_have_the_same_signature():
    for name in dir(layers):
        if name.endswith("_naive"):
            naive, fast = getattr(layers, name), getattr(layers, name.replace("_naive", "_fast"))
            assert inspect.signature(naive) == inspect.signature(fast), name


def test_the_fast_twin_names_whose_twin_it_is():
    for name in dir(layers):
        if name.endswith("_fast"):
            assert f"`{name.replace('_fast', '_naive')}`" in getattr(layers, name).__doc__, name


def test_the_bare_name_is_the_fast_one():
    for name in dir(layers):
        if name.endswith(("_forward", "_loss")):
            assert getattr(layers, name) is getattr(layers, f"{name}_fast"), name


@ALL
@TYPES
def test_twins_agree(operation, case, dtype):
    bound = TOLERANCES[f"twins, {np.dtype(dtype).name}"].bound
    naive, fast = (results(operation, kind, case, dtype) for kind in ("naive", "fast"))
    for name in naive:
        assert np.shape(fast[name]) == np.shape(naive[name]), name
        assert scaled_error(fast[name], naive[name]) <= bound, name


@ALL
@TYPES
@KINDS
def test_the_type_stays(operation, case, dtype, kind):
    for name, array in results(operation, kind, case, dtype).items():
        assert array.dtype == dtype, name


@ALL
@KINDS
def test_gradients_have_the_shape_of_their_arrays(operation, case, kind):
    found = results(operation, kind, case)
    for name, array in case.arrays.items():
        assert found[f"d{name}"].shape == array.shape, name


@ALL
@KINDS
def test_inputs_are_not_changed(operation, case, kind):
    forward, backward = twin(operation, kind)
    arrays = [array.copy() for array in case.arrays.values()]
    for array in arrays:
        array.setflags(write=False)
    params = [dict(p) if isinstance(p, dict) else p for p in case.params]
    out, cache = forward(*arrays, *params)
    dout = upstream(out)
    dout.setflags(write=False)
    backward(dout, cache)
    for array, before in zip(arrays, case.arrays.values(), strict=True):
        np.testing.assert_array_equal(array, before)


def laid_out(layout, array):
    """The same numbers, differently in memory."""
    if layout == "channels last" and array.ndim > 1:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    if layout == "reversed":
        return array[::-1].copy()[::-1]
    if layout == "every second":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    return np.asfortranarray(array)


@ALL
@KINDS
@pytest.mark.parametrize("layout", ["channels last", "reversed", "every second", "column major"])
def test_any_memory_layout_gives_the_same(operation, case, kind, layout):
    plain = results(operation, kind, case)
    other = results(operation, kind, case, prepare=lambda name, array: laid_out(layout, array))
    for name in plain:
        assert scaled_error(other[name], plain[name]) <= TOLERANCES["twins, float64"].bound, name


@pytest.mark.parametrize(("operation", "case"), [p for p in all_cases() if p.values[1].smooth])
@KINDS
def test_gradients_pass_the_numerical_check(operation, case, kind):
    forward, backward = twin(operation, kind)
    through_norm = operation.startswith("conv") and "_bn_" in operation
    kind_of_bound = "gradient, through batch norm" if through_norm else "gradient, smooth"
    report = check_layer(forward, backward, case.arrays, *case.params, tolerance=TOLERANCES[kind_of_bound].bound)
    assert report.passed, f"\n{report}"
    assert all(row.index is not None for row in report.rows), f"nothing but kinks:\n{report}"


@pytest.mark.parametrize("operation", [op for op in CASES if not op.endswith("_loss")])
@KINDS
def test_a_gradient_off_by_a_thousandth_fails_the_numerical_check(operation, kind):
    forward, backward = twin(operation, kind)
    case = next(case for case in CASES[operation] if case.smooth)

    def wrong(dout, cache):
        grads = backward(dout, cache)
        return tuple(1.001 * g for g in grads) if isinstance(grads, tuple) else 1.001 * grads

    assert not check_layer(forward, wrong, case.arrays, *case.params).passed


@pytest.mark.parametrize("operation", ["conv", "max_pool", "avg_pool", "spatial_batchnorm", "conv_relu_pool"])
def test_fast_results_are_channels_last(operation):
    found = results(operation, "fast", CASES[operation][0])
    for name in ("out", "dx"):
        assert found[name].transpose(0, 2, 3, 1).flags.c_contiguous or name == "dx", name
        assert found[name].strides[1] == found[name].itemsize, f"{name}: channels do not lie side by side"


def test_two_forms_of_batchnorm_backward_agree():
    for case in CASES["batchnorm"]:
        _, cache = case.call(layers.batchnorm_forward)
        dout = upstream(case.arrays["x"])
        forms = (layers.batchnorm_backward, layers.batchnorm_backward_alt, layers.batchnorm_backward_naive)
        first, *others = (form(dout, cache) for form in forms)
        for other in others:
            for a, b in zip(first, other, strict=True):
                assert scaled_error(a, b) <= TOLERANCES["twins, float64"].bound


@pytest.mark.parametrize("operation", ["batchnorm", "spatial_batchnorm"])
def test_running_statistics_agree_and_follow_the_formula(operation):
    for case in CASES[operation]:
        written = []
        for kind in ("naive", "fast"):
            bn_param = dict(case.params[0])
            twin(operation, kind)[0](*case.arrays.values(), bn_param)
            written.append(bn_param)
        naive, fast = written
        assert set(naive) == set(fast)
        if case.params[0]["mode"] == "test":
            for key in ("running_mean", "running_var"):
                assert naive[key] is fast[key] is case.params[0][key]
            continue
        momentum = case.params[0].get("momentum", 0.9)
        x = case.arrays["x"]
        pixels = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
        for bn_param in written:
            np.testing.assert_allclose(bn_param["running_mean"], (1 - momentum) * pixels.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(bn_param["running_var"], (1 - momentum) * pixels.var(axis=0), rtol=1e-12)


@pytest.mark.parametrize(("operation", "names"), [("conv", ["dx", "dw", "db"]), ("affine", ["dx", "dw"])])
@KINDS
def test_a_skipped_gradient_is_none_and_leaves_the_others_alone(operation, names, kind):
    forward, backward = twin(operation, kind)
    out, cache = CASES[operation][0].call(forward)
    whole = dict(zip(("dx", "dw", "db"), backward(upstream(out), cache), strict=True))
    for skipped in names:
        rest = dict(zip(whole, backward(upstream(out), cache, **{f"skip_{skipped}": True}), strict=True))
        assert rest.pop(skipped) is None
        for name, gradient in rest.items():
            np.testing.assert_array_equal(gradient, whole[name])
