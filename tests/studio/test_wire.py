"""What goes between the processes, and from the server to the page."""

import io
import json

import numpy as np
import pytest

from pellucid.studio import wire


def test_a_message_comes_out_as_it_went_in():
    stream = io.BytesIO(wire.message({"a": [1, "ä"]}, b"bytes") + wire.message(None))
    assert wire.read(stream) == ({"a": [1, "ä"]}, b"bytes")
    assert wire.read(stream) == (None, b"")
    assert wire.read(stream) is None


@pytest.mark.parametrize("cut", [1, 11, 13, 20])
def test_half_a_message_is_none(cut):
    assert wire.read(io.BytesIO(wire.message({"a": 1}, b"bytes")[:cut])) is None


def test_a_length_that_no_message_has():
    with pytest.raises(ValueError, match="a message of"):
        wire.lengths(wire.HEAD.pack(2**32 - 1, 0))


def test_numbers_that_are_none_are_null():
    content = {"a": [1.5, float("nan"), (float("inf"), "NaN")], "b": float(np.float64("-inf")), "c": True}
    assert json.loads(wire.encoded(content)) == {"a": [1.5, None, [None, "NaN"]], "b": None, "c": True}


def test_text_that_is_no_text_goes_through():
    assert json.loads(wire.encoded("od\udcff")) == "od\udcff"
    assert wire.encoded("猫").isascii()
