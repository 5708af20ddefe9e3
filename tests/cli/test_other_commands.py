"""``pellucid check``, ``filters``, ``data``, help and errors through the installed program."""

import sys

import numpy as np
import pytest
from PIL import Image

from pellucid import cli


def test_help_names_every_command(pellucid):
    text = pellucid("--help").stdout
    for command in ("train", "recipes", "recipe", "evaluate", "runs", "plot", "check", "filters", "data", "explain"):
        assert command in text
    assert "--learning-rate" in pellucid("train", "--help").stdout


def test_help_loads_nothing_heavy():
    heavy = {"numpy", "numba", "matplotlib", "sklearn", "PIL", "safetensors"}
    code = (
        "import sys; from pellucid import cli\n"
        "try: cli.main(['--help'])\n"
        f"finally: assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_unknown_command(pellucid):
    done = pellucid("trian", status=2)
    assert "train" in done.stderr + done.stdout


@pytest.mark.slow
def test_check_passes_every_row(pellucid):
    done = pellucid("check")
    lines = done.stdout.splitlines()
    assert len(lines) > 60
    assert not [line for line in lines[1:-1] if not line.endswith("pass")]
    assert lines[-1] == f"all {len(lines) - 2} checks passed"
    assert "2.21214764e-08" in done.stdout
    assert "4.16666652e-08" in done.stdout


def test_check_leaves_with_one_if_a_row_fails(monkeypatch, capsys):
    import pellucid.layers.convolution as convolution

    right = convolution.conv_settings
    monkeypatch.setattr(convolution, "conv_settings", lambda *a: right(*a)._replace(dilation=1, pad=0))
    assert cli.run(["check"]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_filters_draws_the_bundled_photographs(pellucid):
    assert "wrote filters.png" in pellucid("filters").stdout
    with Image.open(pellucid.folder / "filters.png") as picture:
        assert picture.width > picture.height > 400


def test_filters_draws_ones_own(pellucid):
    for name, size in (("wide.png", (90, 41)), ("tall.jpg", (40, 70)), ("square.png", (50, 50))):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).save(
            pellucid.folder / name
        )
    pellucid("filters", "wide.png", "tall.jpg", "square.png", "--out", "three.svg", "--size", 64)
    assert (pellucid.folder / "three.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing.png",), "nothing.png"),
        (("--out", "picture.xyz"), "xyz"),
        (("--size", 1), "--size is 1"),
        (("--out", "nowhere/picture.png"), "nowhere"),
    ],
)
def test_bad_filters(pellucid, arguments, message):
    done = pellucid("filters", *arguments, status=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(pellucid.folder.iterdir()) == []


def test_filters_refuses_what_is_no_image(pellucid):
    (pellucid.folder / "a.png").write_bytes(b"rubbish")
    assert "a.png" in pellucid("filters", "a.png", status=2).stderr


def test_data_lists_what_is_here_and_what_can_be_fetched(pellucid):
    text = pellucid("data").stdout
    for name in ("digits", "cifar10", "mnist", "fashion-mnist"):
        assert name in text
    assert "MB" in text
    assert str(pellucid.folder / "data folder") in text
    assert list(pellucid.folder.iterdir()) == []


def test_fetching_an_unknown_data_set(pellucid):
    assert "did you mean 'cifar10'" in pellucid("data", "--fetch", "cifer10", status=2).stderr


def test_a_reader_that_leaves_is_no_error(pellucid):
    import subprocess

    from program import PROGRAM

    done = subprocess.run(f"{PROGRAM} data | head -1", shell=True, capture_output=True, text=True, cwd=pellucid.folder)
    assert "Traceback" not in done.stderr


def test_the_traceback_is_there_for_whoever_asks(pellucid):
    done = pellucid("train", "nothing", status=2, env={"PELLUCID_TRACEBACK": "1"})
    assert "Traceback" in done.stderr


def test_explain_names_the_choice_and_every_refusal(pellucid):
    lines = pellucid("explain", "conv", "64,3,32,32", "32,3,7,7").stdout.splitlines()
    assert "(64, 3, 32, 32) -> (64, 32, 32, 32)" in lines[0]
    assert "308.3 million multiply-adds" in lines[1]
    assert [line for line in lines if not line.startswith(" ")][2:] == [
        "forward: direct",
        "input gradient: scatter",
        "filter gradient: direct",
    ]
    assert any("winograd" in line and "3 x 3" in line for line in lines)


def test_explain_tells_what_asking_changes(pellucid):
    asked = pellucid("explain", "conv", "64,64,32,32", "64,64,3,3", "--algorithm", "direct").stdout
    assert "forward: direct" in asked
    assert "direct was asked for" in asked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["64,3,32", "32,3,7,7"], "images is '64,3,32'; it must be four sizes N,C,H,W"),
        (["64,3,32,0", "32,3,7,7"], "must be four sizes"),
        (["64,3,32,32", "32,4,7,7"], "filters must see C / groups channels"),
        (["64,3,5,5", "32,3,7,7", "--pad", "0"], "the filter is 7x7, larger than the 5x5 image"),
        (["64,3,32,32", "32,3,7,7", "--stride", "0"], "--stride is 0"),
        (["64,3,32,32", "32,3,7,7", "--algorithm", "fft"], "--algorithm is 'fft'; it must be one of"),
    ],
)
def test_explain_refuses_bad_shapes_in_one_sentence(pellucid, arguments, said):
    done = pellucid("explain", "conv", *arguments, status=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
