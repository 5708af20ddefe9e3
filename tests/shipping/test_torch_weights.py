"""State dictionaries out and in: round trips, files, and everything that does not fit. Without PyTorch."""

import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import tensors
from pellucid.models import (
    Affine,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalMaxPool,
    MaxPool,
    Network,
    ReLU,
    airbench,
    resnet9,
    resnet20,
    tutorial,
    vgg,
)
from pellucid.shipping import torch_weights
from pellucid.shipping.torch_weights import load_torch_state, read_torch_weights, torch_state, write_torch_weights
from random_networks import fill, images_for, networks, worst


def arrays_of(net):
    """All that makes its scores, by name."""
    statistics = {
        f"{i}.{key}": bn_param[key]
        for i, bn_param in enumerate(net.bn_params)
        for key in ("running_mean", "running_var")
    }
    return {**net.params, **statistics}


def assert_same(net, right):
    right = arrays_of(right)
    assert list(arrays_of(net)) == list(right)
    for name, array in arrays_of(net).items():
        assert array.dtype == right[name].dtype
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, right[name], err_msg=name)


def another(net, dtype=None):
    """A network of the same steps with other weights."""
    return fill(Network(net.steps, net.input_shape, dtype=dtype or net.dtype, rng=99), seed=98)


@given(networks())
@settings(max_examples=60, deadline=None)
def test_a_round_trip_keeps_every_bit(net):
    copy = another(net)
    assert load_torch_state(copy, torch_state(net)) == "sequential"
    assert_same(copy, net)
    X = images_for(net)
    assert worst(copy.loss(X), net.loss(X)) < 1e-5


READY_MADE = {
    "vgg": ("vgg", vgg(11, (2, 3, 4, 5, 6)), 16),
    "resnet20": ("resnet20", resnet20(2, 4), 8),
    "projections": ("resnet20", resnet20(2, 4, shortcut="projection"), 8),
    "torchvision": ("torchvision", resnet20(2, 4, shortcut="projection"), 8),
    "resnet9": ("resnet9", resnet9(2), 16),
    "airbench": ("airbench", airbench((4, 5, 6)), 18),
    "airbench96": ("airbench", airbench((4, 5, 6), convolutions=3), 18),
    "airbench_muon": ("airbench_muon", airbench((4, 5, 6)), 18),
    "tutorial": ("sequential", tutorial(2, 3, 5), 8),
    "vgg, sequential": ("sequential", vgg(11, (2, 3, 4, 5, 6)), 16),
}


@pytest.mark.parametrize(("names", "steps", "side"), READY_MADE.values(), ids=READY_MADE)
def test_files_of_ready_made_networks(names, steps, side, tmp_path):
    net = fill(Network(steps, (3, side, side), rng=0))
    copy = another(net)
    write_torch_weights(net, tmp_path / "w.safetensors", names)
    assert read_torch_weights(copy, tmp_path / "w.safetensors") == names
    assert_same(copy, net)
    X = images_for(net)
    np.testing.assert_array_equal(copy.loss(X), net.loss(X))


def test_a_file_is_what_safetensors_itself_writes(tmp_path):
    from safetensors import safe_open

    net = small()
    write_torch_weights(net, tmp_path / "w.safetensors")
    with safe_open(tmp_path / "w.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "pt"}
        state = torch_state(net)
        assert sorted(file.keys()) == sorted(state)
        for name, array in state.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
            assert file.get_tensor(name).dtype == array.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def small(dtype=np.float32, seed=1):
    """A network with everything: filters, batch norm without scale and without shift, affine layers."""
    steps = [
        Conv(4, 3, bias=False), BatchNorm(), ReLU(), Conv(5, (1, 2)), BatchNorm(scale=False), MaxPool(2),
        Affine(6, bias=False), BatchNorm(scale=False, shift=False), Affine(3),
    ]  # fmt: skip
    return fill(Network(steps, (2, 8, 7), dtype=dtype, rng=seed), seed)


def test_layout():
    net = small()
    state = torch_state(net)
    assert list(state)[:7] == ["0.weight", *(f"1.{own}" for own in ("weight", "bias", *STATISTICS)), "3.weight"]
    np.testing.assert_array_equal(state["0.weight"], net.params["conv1.w"])
    np.testing.assert_array_equal(state["7.weight"], net.params["affine1.w"].T)
    np.testing.assert_array_equal(state["1.weight"], net.params["batchnorm1.gamma"])
    np.testing.assert_array_equal(state["1.running_var"], net.bn_params[0]["running_var"])
    np.testing.assert_array_equal(state["4.weight"], np.ones(5, np.float32))
    np.testing.assert_array_equal(state["4.bias"], net.params["batchnorm2.beta"])
    np.testing.assert_array_equal(state["8.bias"], np.zeros(6, np.float32))
    assert state["1.num_batches_tracked"].dtype == np.int64
    assert state["1.num_batches_tracked"].shape == ()
    assert all(array.flags.c_contiguous and array.flags.owndata for array in state.values())


STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def test_arrays_in_any_order_of_memory(tmp_path):
    net, plain = small(), small()
    for name, array in net.params.items():
        net.params[name] = np.asfortranarray(array)
    net.params["conv1.w"] = np.ascontiguousarray(net.params["conv1.w"].transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert not net.params["conv1.w"].flags.c_contiguous
    write_torch_weights(net, tmp_path / "fortran")
    write_torch_weights(plain, tmp_path / "plain")
    assert (tmp_path / "fortran").read_bytes() == (tmp_path / "plain").read_bytes()
    state = {name: np.asfortranarray(array[..., None])[..., 0] for name, array in torch_state(net).items()}
    state = {name: array.astype(array.dtype.newbyteorder(">")) for name, array in state.items()}
    copy = another(net)
    load_torch_state(copy, state)
    assert_same(copy, plain)


def test_what_is_loaded_is_the_networks_own():
    net, state = another(small()), torch_state(small())
    params, bn_params = net.params, net.bn_params
    load_torch_state(net, state)
    for array in state.values():
        array[...] = 0
    assert_same(net, small())
    assert net.params is params
    assert all(ours is theirs for ours, theirs in zip(net.bn_params, bn_params, strict=True))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, "bfloat16"])
@pytest.mark.parametrize("own", [np.float32, np.float64])
def test_other_types_become_the_networks(dtype, own, tmp_path):
    dtype = np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype)
    net = another(small(), own)
    state = {name: array.astype(dtype) for name, array in torch_state(small()).items()}
    load_torch_state(net, state)
    assert {array.dtype for array in arrays_of(net).values()} == {np.dtype(own)}
    np.testing.assert_array_equal(net.params["conv1.w"], state["0.weight"].astype(own))
    file_types = {"float16": "F16", "float32": "F32", "float64": "F64", "bfloat16": "BF16"}
    path = raw_file(tmp_path, {name: (file_types[dtype.name], array) for name, array in state.items()})
    read = another(small(), own)
    read_torch_weights(read, path)
    assert_same(read, net)


def raw_file(folder, arrays, name="w.safetensors", **more):
    """A file written here, with any types."""
    header, data = dict(more), b""
    for key, (kind, array) in arrays.items():
        start, data = len(data), data + np.ascontiguousarray(array).tobytes()
        header[key] = {"dtype": kind, "shape": array.shape, "data_offsets": [start, len(data)]}
    head = json.dumps(header).encode()
    (folder / name).write_bytes(len(head).to_bytes(8, "little") + head + data)
    return folder / name


def test_wrappers_are_taken_off():
    state = torch_state(small())
    for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."):
        net = another(small())
        load_torch_state(net, {prefix + name: array for name, array in state.items()})
        assert_same(net, small())


def test_only_the_order_of_indices_counts():
    """As where a Sequential has nn.Dropout, nn.Identity or no nn.Flatten."""
    indices = {"0": "1", "1": "2", "3": "5", "4": "9", "7": "10", "8": "30", "9": "31"}
    state = {}
    for name, array in torch_state(small()).items():
        index, tensor = name.split(".")
        state[f"net.{indices[index]}.{tensor}".removeprefix("net.")] = array
    net = another(small())
    assert load_torch_state(net, state) == "sequential"
    assert_same(net, small())
    state["09.weight"] = state.pop("31.weight")  # the number of another
    with pytest.raises(ValueError, match=r"it lacks '9\.weight'; it has '09\.weight' "):
        load_torch_state(net, state)


def test_what_may_be_missing():
    net, state = another(small()), torch_state(small())
    for name in [name for name in state if name.endswith("num_batches_tracked")]:
        del state[name]
    for name in ("4.weight", "8.weight", "8.bias"):  # affine=False, where the network has neither scale nor shift
        del state[name]
    load_torch_state(net, state)
    assert_same(net, small())
    state["1.num_batches_tracked"] = np.array("what", dtype="U4")
    load_torch_state(net, state)


@pytest.mark.parametrize("shape", [(2, 6, 6), (5,)])
def test_a_bias_in_front_of_batch_norm_goes_into_the_running_mean(shape):
    def network(bias):
        first = Conv(4, bias=bias) if len(shape) == 3 else Affine(4, bias=bias)
        return fill(Network([first, BatchNorm(), ReLU(), Affine(3)], shape, rng=0))

    net, right = network(False), network(True)
    load_torch_state(net, torch_state(right))
    X = images_for(right)
    assert worst(net.loss(X), right.loss(X)) < 1e-5
    assert worst(network(False).loss(X), right.loss(X)) > 1e-2
    with pytest.raises(ValueError, match=r"it lacks '0\.bias'"):
        load_torch_state(right, torch_state(net))


def test_a_bias_elsewhere_is_not_taken():
    net = Network([Conv(4, bias=False), ReLU(), BatchNorm(), Affine(3)], (2, 6, 6), rng=0)
    state = torch_state(net)
    assert "0.bias" not in state
    with pytest.raises(ValueError, match=r"it has '0\.bias'.*, which the network has not"):
        load_torch_state(net, state | {"0.bias": np.zeros(4, np.float32)})


def test_names_by_hand(tmp_path):
    names = {"conv1": "stem.conv", "affine1": "head"}
    net = fill(Network([Conv(4), GlobalMaxPool(), Dropout(0.5), Flatten(), Affine(3)], (2, 6, 6), rng=0))
    write_torch_weights(net, tmp_path / "w", names)
    copy = another(net)
    assert read_torch_weights(copy, tmp_path / "w", names) == "by hand"
    assert_same(copy, net)
    with pytest.raises(ValueError, match=r"it lacks '0\.weight', '0\.bias', '5\.weight'"):
        read_torch_weights(copy, tmp_path / "w")


def test_a_dictionary_of_names_leaves_the_order_of_channels():
    net = fill(Network(resnet20(1, 4), (3, 8, 8), rng=0))
    by_hand = {place: place.replace(".", "_") for place in {name.rpartition(".")[0] for name in net.params}}
    state = torch_state(net, by_hand)
    np.testing.assert_array_equal(state["affine1.weight"], net.params["affine1.w"].T)
    assert not np.array_equal(torch_state(net)["linear.weight"], net.params["affine1.w"].T)


def changed(**changes):
    """The state of `small` with other arrays; None leaves one out. Underscores before a digit's name are none."""
    state = torch_state(small())
    for name, array in changes.items():
        if array is None:
            del state[name]
        else:
            state[name] = array
    return state


def with_number(name, number, dtype=np.float32):
    array = torch_state(small())[name].astype(dtype)
    array[(0,) * array.ndim] = number
    return {name: array}


BAD = {
    "missing": ({"3.weight": None}, ValueError, r"\('sequential' comes nearest\); it lacks '3.weight'"),
    "missing statistics": ({"1.running_var": None}, ValueError, "it lacks '1.running_var'"),
    "unexpected": ({"3.scale": np.ones(3)}, ValueError, "it has '3.scale', which the network has not"),
    "misspelt": (
        {"3.weight": None, "3.wieght": np.ones(3)},
        ValueError,
        r"it has '3.wieght' \(did you mean '3.weight'\?\), which the network has not",
    ),
    "shape": (
        {"0.weight": np.ones((4, 3, 3, 3), np.float32)},
        ValueError,
        r"the shapes are not those of this network: 0.weight \(4, 3, 3, 3\) instead of \(4, 2, 3, 3\)",
    ),
    "transposed": ({"9.weight": np.ones((6, 3))}, ValueError, r"9.weight \(6, 3\) instead of \(3, 6\)"),
    "shape of what is only looked at": ({"8.bias": np.zeros(7)}, ValueError, r"8.bias \(7,\) instead of \(6,\)"),
    "NaN": (with_number("9.bias", np.nan), ValueError, "9.bias holds numbers that are not finite"),
    "infinity": (with_number("1.running_mean", -np.inf), ValueError, "1.running_mean holds numbers that are not fin"),
    "too large": (with_number("9.bias", 1e300, np.float64), ValueError, "9.bias holds .* not finite in float32"),
    "variance": (with_number("4.running_var", -0.5), ValueError, "4.running_var holds -0.5; a variance cannot be neg"),
    "scale": (
        with_number("4.weight", 1.01),
        ValueError,
        "4.weight must be 1 everywhere, because the network's BatchNorm there has scale=False; build",
    ),
    "shift": (with_number("8.bias", 0.01), ValueError, "8.bias must be 0 everywhere, .* has shift=False; build"),
    "integers": ({"9.bias": np.arange(3)}, TypeError, "9.bias has type int64; it must be float16, bfloat16, float32"),
    "words": ({"9.bias": ["a", "b", "c"]}, TypeError, "9.bias has type <U1"),
    "ragged": ({"9.bias": [[1.0], [1.0, 2.0]]}, TypeError, "9.bias is a list that makes no array"),
}


@pytest.mark.parametrize(("changes", "error", "message"), BAD.values(), ids=BAD)
def test_what_does_not_fit_changes_nothing(changes, error, message):
    net = another(small())
    with pytest.raises(error, match=f"load_torch_state: .*{message}"):
        load_torch_state(net, changed(**changes))
    assert_same(net, another(small()))


def test_long_lists_are_cut_short():
    net = another(small())
    with pytest.raises(ValueError, match=r"it lacks '0\.weight', .* and \d+ more; it has 'x0x0") as error:
        load_torch_state(net, {f"x{i}" * 3000: np.zeros(1) for i in range(2000)})
    assert len(str(error.value)) < 4000
    assert "and 1,994 more" in str(error.value)
    with pytest.raises(ValueError, match=r"the shapes are not .* and \d+ more$"):
        load_torch_state(net, {name: np.zeros((9, *array.shape)) for name, array in torch_state(small()).items()})


def test_the_nearest_convention_is_named():
    net = Network(resnet20(2, 4, shortcut="projection"), (3, 8, 8), rng=0)
    for names in ("resnet20", "torchvision"):
        state = torch_state(net, names)
        del state["layer1.0.bn1.bias"]
        with pytest.raises(ValueError, match=rf"\({names!r} comes nearest\); it lacks 'layer1.0.bn1.bias'\. Give"):
            load_torch_state(net, state)
    with pytest.raises(ValueError, match=r"\('sequential' comes nearest\)"):
        load_torch_state(net, torch_state(net), "sequential")


@pytest.mark.parametrize(
    ("network", "state", "error", "message"),
    [
        (lambda: tutorial(), {}, TypeError, "network is a list; it must be a Network: make one of the course's"),
        (small, [("0.weight", 1)], TypeError, "state is a list; it must be a dictionary of arrays by name"),
        (small, {3: np.zeros(1)}, TypeError, "it must be a dictionary of arrays by name"),
        (small, {}, ValueError, "it lacks '0.weight'"),
    ],
)
def test_bad_arguments(network, state, error, message):
    with pytest.raises(error, match=f"load_torch_state: .*{message}"):
        load_torch_state(network(), state)


def test_a_network_without_arrays(tmp_path):
    net = Network([ReLU()], (3,), rng=0)
    write_torch_weights(net, tmp_path / "w")
    assert read_torch_weights(net, tmp_path / "w") == "sequential"


# Files


def good_bytes():
    return b"".join(tensors.encoded(torch_state(small()), {"format": "pt"}, digest=False))


def header_changed(change):
    """The good file with its header changed."""
    data = good_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    change(header)
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + data[end:]


def claim(**entry):
    return lambda: header_changed(lambda header: header["9.weight"].update(entry))


BAD_FILES = {
    "empty": (lambda: b"", "it does not begin as a safetensors file does"),
    "cut in the length": (lambda: good_bytes()[:5], "it does not begin as"),
    "cut in the header": (lambda: good_bytes()[:200], "it does not begin as"),
    "cut in the numbers": (lambda: good_bytes()[:-4], "it is not a whole safetensors file"),
    "longer": (lambda: good_bytes() + b"\0", "it is not a whole safetensors file"),
    "100 GB of header": (lambda: (10**11).to_bytes(8, "little") + b"{}", "it does not begin as"),
    "no JSON": (lambda: (2).to_bytes(8, "little") + b"{[", "its header cannot be read"),
    "a list": (lambda: (2).to_bytes(8, "little") + b"[]", "its header"),
    "deep": (lambda: (100_000).to_bytes(8, "little") + b"[" * 100_000, "its header cannot be read"),
    "numbers of 100 GB": (claim(shape=[3, 10**11]), "promises more numbers than the file holds"),
    "negative": (claim(shape=[-3, -6]), "not that of a safetensors file"),
    "another shape": (claim(shape=[6, 3]), r"9.weight \(6, 3\) instead of \(3, 6\)"),
    "wrong place": (claim(data_offsets=[0, 72]), "it is not a whole safetensors file"),
    "integers": (claim(dtype="I32"), r"9.weight has the type I32; it must be F64, F32, F16, BF16"),
    "no type": (claim(dtype="F" * 500), f"9.weight has the type {'F' * 200}; it"),
    "a type of eight bits": (claim(dtype="F8_E4M3"), "9.weight has the type F8_E4M3"),
    "a shape of many sizes": (claim(shape=[1] * 100_000 + [3, 6]), r"9.weight \(1, 1, 1"),
    "a name of many wrappers": (
        lambda: header_changed(lambda header: header.update({"module." * 10**6: header.pop("9.weight")})),
        "it lacks '9.weight'; it has 'module.module.",
    ),
    "missing": (lambda: header_changed(lambda header: header.pop("9.weight")), "it lacks '9.weight'"),
    "a pickle": (lambda: b"\x80\x04\x95" + b"x" * 99, r"it is a pickle, .*safetensors\.torch\.save_file\(model\.stat"),
    "text": (lambda: b"not weights at all", "not a sound file of weights"),
}


@pytest.mark.parametrize(("data", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_change_nothing(data, message, tmp_path):
    path, net = tmp_path / "w.safetensors", another(small())
    path.write_bytes(data())
    with pytest.raises(ValueError, match=rf"read_torch_weights: .*w\.safetensors: .*{message}") as error:
        read_torch_weights(net, path)
    assert len(str(error.value)) < 1500
    assert_same(net, another(small()))


def test_of_two_entries_the_last_counts_for_all_who_read(tmp_path):
    data = good_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    twice = json.dumps({"9.bias": {"dtype": "I32", "shape": [5], "data_offsets": [0, 20]}})
    head = twice[:-1].encode() + b", " + data[9:end]
    (tmp_path / "w").write_bytes(len(head).to_bytes(8, "little") + head + data[end:])
    net = another(small())
    read_torch_weights(net, tmp_path / "w")
    assert_same(net, small())


def test_two_readers_that_disagree_about_the_header_are_an_error(tmp_path, monkeypatch):
    """Shapes are compared with the network by one, numbers are read by the other."""
    header = tensors.header_of(good_bytes())
    monkeypatch.setattr(torch_weights, "header_of", lambda _: header)
    (tmp_path / "w").write_bytes(claim(shape=[6, 3])())
    with pytest.raises(ValueError, match="its header says two things of one tensor"):
        read_torch_weights(small(), tmp_path / "w")


def test_bad_numbers_in_a_file_change_nothing(tmp_path):
    state = changed(**with_number("9.bias", np.nan))
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"".join(tensors.encoded(state, {}, digest=False)))
    net = another(small())
    with pytest.raises(ValueError, match=r"read_torch_weights: .*w\.safetensors: 9.bias holds numbers that are not"):
        read_torch_weights(net, path)
    assert_same(net, another(small()))


def test_what_torch_save_writes_is_refused(tmp_path):
    for name in ("pytorch_model.bin", "model.pt"):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        with pytest.raises(ValueError, match=r"it is a pickle, as torch.save writes them; .*Convert it with PyTorch: "):
            read_torch_weights(small(), tmp_path / name)


def test_files_far_too_large_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_weights, "LEAST_LIMIT_BYTES", 1000)
    monkeypatch.setattr(torch_weights, "MOST_HEADER_BYTES", 3000)
    net = small()
    write_torch_weights(net, tmp_path / "w")
    read_torch_weights(net, tmp_path / "w")
    with (tmp_path / "w").open("ab") as file:
        file.truncate(100_000_000_000)  # takes no room: a file with a hole
    with pytest.raises(ValueError, match=r"it has 100,000,000,000 bytes, and no more than [\d,]+ are read"):
        read_torch_weights(net, tmp_path / "w")
    monkeypatch.setattr(torch_weights, "MOST_HEADER_BYTES", 50)
    write_torch_weights(net, tmp_path / "w")
    with pytest.raises(ValueError, match=r"its header has .* bytes, and no more than 50 are read"):
        read_torch_weights(net, tmp_path / "w")


def test_places_that_are_no_files(tmp_path):
    net = small()
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_torch_weights(net, tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        read_torch_weights(net, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"the folder .* is missing"):
        write_torch_weights(net, tmp_path / "no" / "w")
    with pytest.raises(TypeError, match="read_torch_weights: network is a str"):
        read_torch_weights("net", tmp_path / "w")


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_bytes_are_an_error_or_the_same_names(tmp_path_factory, data):
    content = bytearray(good_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(content)
    net = another(small())
    try:
        read_torch_weights(net, path)
    except ValueError:
        assert_same(net, another(small()))
