"""Whatever the bytes, a reader gives an answer or one clear error. By the million: tests/fuzz/run.py."""

import functools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutations import mutated, sound_again, sound_png, sound_tar
from fuzz.targets import TARGETS


@functools.cache
def target(name):
    if name == "onnx":
        pytest.importorskip("onnx", reason="ONNX is not installed")
    return TARGETS[name]()


def read(name, data):
    """An answer or a refusal; anything else goes on up."""
    try:
        target(name).read(data)
    except target(name).refusals as error:
        assert str(error).strip()
        return False
    return True


@pytest.mark.parametrize("name", TARGETS)
def test_sound_files_are_read(name):
    sound = target(name).seeds
    assert any(read(name, data) for data in sound)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes(name):
    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=300))
    def check(data):
        read(name, data)

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_sound_files_made_unsound(name):
    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, 2**32), st.booleans())
    def check(seed, wrapped):
        rng, one = random.Random(seed), target(name)
        data = mutated(rng.choice(one.seeds), rng, one.seeds)
        read(name, one.wrap(data) if wrapped and one.wrap is not None else data)

    check()


@pytest.mark.parametrize(("name", "repaired", "place"), [("picture", sound_png, 20), ("cifar", sound_tar, 140)])
def test_repaired_checksums_reach_what_is_behind(name, repaired, place):
    sound = next(data for data in target(name).seeds if data[1:4] == b"PNG" or data[257:262] == b"ustar")
    assert repaired(sound) == sound
    changed = bytearray(sound)
    changed[place] ^= 1  # the width of the picture; a time in the archive
    checksum = slice(29, 33) if name == "picture" else slice(148, 156)
    assert repaired(bytes(changed))[checksum] != sound[checksum]
    assert repaired(b"") == b""
    assert repaired(sound[:30])[:29] == sound[:29]


def test_what_is_repaired_is_read():
    """Otherwise the changes would never reach what stands behind the digest."""
    (sound, _) = target("model").seeds
    assert sound_again(sound) == sound
    changed = bytearray(sound)
    changed[-3] ^= 1
    assert not read("model", bytes(changed))
    assert read("model", sound_again(bytes(changed)))
    assert read("checkpoint", sound_again(target("checkpoint").seeds[0]))
