"""Text in files that takes the square of its length to read, or comes back in messages."""

import json
import os
import time

import pytest

from fuzz.mutations import sound_again
from fuzz.targets import TARGETS
from pellucid import check, recipes
from pellucid.metrics import read_metrics
from pellucid.runs.folder import RunFolder
from pellucid.shipping.model_file import ModelFileError, decoded

HUGE = int("9" * 4000)


def changed(change):
    """A sound model file after a change of its header and its description."""
    sound = TARGETS["model"]().seeds[0]
    end = 8 + int.from_bytes(sound[:8], "little")
    header = json.loads(sound[8:end])
    about = json.loads(header["__metadata__"]["model"])
    change(header, about)
    header["__metadata__"]["model"] = json.dumps(about)
    text = json.dumps(header).encode()
    return sound_again(len(text).to_bytes(8, "little") + text + sound[end:])


@pytest.mark.parametrize(
    "change",
    [
        lambda header, about: header.update(x={"dtype": "F32", "shape": [HUGE] * 1000, "data_offsets": [0, 0]}),
        lambda header, about: header.update(x={"dtype": "F32", "shape": [2**62] * 200_000, "data_offsets": [0, 0]}),
        lambda header, about: header.update({"a" * 10**7: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}),
        lambda header, about: about.update({"a" * 10**7: 1}),
        lambda header, about: about["network"].update(dtype="a" * 10**7),
        lambda header, about: about["network"]["steps"][1].update(name="a" * 10**7),
        lambda header, about: about["network"].update(options={"conv1.w": {"learning_rate": HUGE}}),
        lambda header, about: about.update(classes=[str(i) for i in range(10**6)]),
    ],
)
def test_a_model_file_with_endless_text_is_refused_in_short(change):
    data = changed(change)
    began = time.perf_counter()
    with pytest.raises(ModelFileError) as caught:
        decoded(data)
    assert time.perf_counter() - began < 3
    assert len(str(caught.value)) < 1000
    assert "ufunc" not in str(caught.value)


@pytest.mark.parametrize("count", [200, 300_000])
def test_a_recipe_of_many_dots_takes_no_memory(count):
    """120 kB of them took 12 GB."""
    with pytest.raises(ValueError, match="recipe mine: a line has more than 100 dots"):
        recipes.from_text("mine", "a" + ".a" * count + " = 1")


@pytest.mark.parametrize("value", ["9" * 5000, "9" * 400, "0x" + "f" * 5000, "-" + "9" * 400])
@pytest.mark.parametrize("key", ["[loss]\nreg", "[train]\nlr_decay", "[test]\nshare"])
def test_a_recipe_of_huge_integers_is_refused_by_name(key, value):
    with pytest.raises(ValueError, match=r"recipe mine: .*(huge integer|not TOML)"):
        recipes.from_text("mine", f"{key} = {value}")


def test_huge_integers_are_shown_in_short():
    for value in (10**400, -(10**5000)):
        with pytest.raises(ValueError, match="here: x is a huge integer"):
            check.number("here", "x", value)
    with pytest.raises(ValueError, match="here: x is a huge integer; it must be at least 1"):
        check.whole_number("here", "x", -(10**5000), least=1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_among_the_files_of_a_run_is_not_waited_for(tmp_path):
    run = RunFolder(tmp_path)
    for file in (run.metrics, run.record, run.lock):
        os.mkfifo(file)
    with pytest.raises(ValueError, match="not a regular file"):
        read_metrics(run.metrics)
    with pytest.raises(ValueError, match="not a regular file"):
        run.recorded()
    assert not run.is_held()
