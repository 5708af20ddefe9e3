"""The checkpoint file: exact arrays of every layout, nothing but whole files, and no code."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from pellucid.training import CheckpointError, load_checkpoint, save_checkpoint
from pellucid.training.checkpoint import decode, encode

numbers = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
LAYOUTS = {
    "contiguous": numbers,
    "Fortran order": np.asfortranarray(numbers),
    "transposed": numbers.T,
    "channels-last": np.ascontiguousarray(numbers.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "strided": numbers[:, ::2, :, ::3],
    "reversed": numbers[::-1, :, ::-1],
    "broadcast": np.broadcast_to(np.float32(3), (4, 2)),
    "big-endian": numbers.astype(">f4"),
    "big-endian and transposed": numbers.astype(">f8").T,
    "0-d": np.array(1.5),
    "0-d big-endian": np.array(7, ">i4"),
    "empty": np.zeros((0, 3), np.float32),
    "empty inside": np.zeros((3, 0, 2)),
    "one": np.ones((1, 1, 1)),
    "read-only": np.frombuffer(b"12345678", np.uint8),
    "not finite": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
}
for name in [
    "float64",
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
]:
    LAYOUTS[name] = np.array([0, 1, 100]).astype(name)

TREE = {
    "params": {"W": numbers, "b": np.arange(3.0)},
    "epoch": 3,
    "list": [1, {"mean": np.ones(2)}, 'é\n"', None, True],
}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def same(a, b):
    """The same nested data, arrays to the bit."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def content(tree):
    return b"".join(bytes(piece) for piece in encode(tree))


def test_nested_data_comes_back_the_same(tmp_path):
    save_checkpoint(tmp_path / "c.safetensors", TREE)
    assert same(load_checkpoint(tmp_path / "c.safetensors"), TREE)
    assert names_in(tmp_path) == ["c.safetensors"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_every_layout_come_back_to_the_bit(tmp_path, layout):
    """safetensors 0.8's own writer returns other numbers for those that are not contiguous."""
    array = LAYOUTS[layout]
    save_checkpoint(tmp_path / "c", {"a": array, "odd": np.zeros(3, np.uint8), "b": array})
    loaded = load_checkpoint(tmp_path / "c")
    expected = array.astype(array.dtype.newbyteorder("="))
    for name in ("a", "b"):
        assert loaded[name].shape == array.shape and loaded[name].dtype == expected.dtype
        np.testing.assert_array_equal(loaded[name], expected)
        loaded[name][...] = 0  # the caller's own, to be written to


def test_other_tools_read_the_tensors_by_name(tmp_path):
    save_checkpoint(tmp_path / "c.safetensors", TREE)
    tensors = safetensors.numpy.load_file(tmp_path / "c.safetensors")
    assert tensors.keys() == {"params/W", "params/b", "list/1/mean"}
    np.testing.assert_array_equal(tensors["params/W"], numbers)


def test_the_same_data_makes_the_same_file():
    assert content(TREE) == content(TREE)


def test_large_numbers_and_exact_floats_survive():
    tree = {"state": 2**127 + 1, "rate": 0.1 + 0.2}
    assert decode(content(tree), Path("c")) == tree


@pytest.mark.parametrize("tree", [TREE, {"epoch": 1}, {"empty": np.zeros((0, 3))}], ids=["arrays", "none", "empty"])
def test_file_cut_short_anywhere_is_refused(tmp_path, tree):
    whole, path = content(tree), tmp_path / "c.safetensors"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"c\.safetensors: not a sound checkpoint.*earlier checkpoint"):
            load_checkpoint(path)


def test_any_byte_changed_in_any_way_is_refused():
    """Three changes of every byte; one of them turns the header's spaces into tabs, which JSON does not mind."""
    whole = content(TREE)
    for place in range(len(whole)):
        for change in (0x01, 0x29, 0x80):
            broken = bytearray(whole)
            broken[place] ^= change
            with pytest.raises(CheckpointError, match=r"^c: "):
                decode(bytes(broken), Path("c"))


@pytest.mark.parametrize("tail", [b"\0", b"{}", b"\0" * 64])
def test_trailing_bytes_are_refused(tmp_path, tail):
    path = tmp_path / "c"
    path.write_bytes(content(TREE) + tail)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_a_pickle_is_refused_and_does_not_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "it ran",))

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "c.safetensors").write_bytes(pickle.dumps(Payload(), protocol))
        with pytest.raises(CheckpointError, match="pickles are not read"):
            load_checkpoint(tmp_path / "c.safetensors")
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(
    "junk", [b"", b"\x08", b"PK\x03\x04" + b"\0" * 100, b"\xff" * 1000, b"\x02" + b"\0" * 7 + b"{}"]
)
def test_files_of_other_kinds_are_refused(tmp_path, junk):
    (tmp_path / "c").write_bytes(junk)
    with pytest.raises(CheckpointError, match=r"c: "):
        load_checkpoint(tmp_path / "c")


def test_a_safetensors_file_of_something_else_is_told_apart(tmp_path):
    safetensors.numpy.save_file({"W": numbers}, tmp_path / "c")
    with pytest.raises(CheckpointError, match="not a checkpoint of pellucid"):
        load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize(
    "version, message", [("2", "a newer pellucid wrote it: upgrade"), ("0", "no such"), ("x", "no such")]
)
def test_other_format_versions_are_refused_by_name(tmp_path, version, message):
    data = content(TREE).replace(b'"format_version": "1"', f'"format_version": "{version}"'.encode())
    with pytest.raises(CheckpointError, match=f"format version '{version}'.*reads 1; .*{message}"):
        decode(data, Path("c"))


@pytest.mark.parametrize("state", ['{"a": {"$tensor": "absent"}}', "[1]", "{", "[" * 100_000])
def test_a_sound_file_with_a_senseless_description_is_refused(tmp_path, monkeypatch, state):
    """Whoever writes the digest right can still write nonsense."""
    monkeypatch.setattr(json, "dumps", lambda value, real=json.dumps, **k: state if value == {} else real(value, **k))
    data = content({})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="description"):
        decode(data, Path("c"))


@pytest.mark.parametrize(
    "tree, kind",
    [
        ({"a": np.array(["text"])}, TypeError),
        ({"a": np.array([object()], dtype=object)}, TypeError),
        ({"a": np.ones(2, complex)}, TypeError),
        ({"a": {1: np.ones(2)}}, TypeError),
        ({"a": object()}, TypeError),
        ({"a": float("nan")}, ValueError),
        ({"a": {"b": np.ones(1)}, "a/b": np.ones(1)}, ValueError),
    ],
)
def test_what_cannot_be_written_is_refused_and_the_old_file_stays(tmp_path, tree, kind):
    path = tmp_path / "c"
    save_checkpoint(path, TREE)
    with pytest.raises(kind):
        save_checkpoint(path, tree)
    assert same(load_checkpoint(path), TREE)
    assert names_in(tmp_path) == ["c"]


def test_missing_file_and_folder_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "absent")
    with pytest.raises(OSError):
        load_checkpoint(tmp_path)
