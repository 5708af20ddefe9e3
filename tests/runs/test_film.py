"""The film of the first layer's filters: which steps, what is shown, and that it never ends a run."""

import numpy as np
import pytest

from pellucid.layers import conv_forward_naive
from pellucid.models import Affine, Conv, Network, ReLU, ThreeLayerConvNet, TwoLayerNet
from pellucid.runs.film import Frame, frame_bytes, frame_file, frame_files, read_frame
from pellucid.runs.film_hook import FilmHook, frames_of, seen_through, shown_filters
from pellucid.training import Solver

SHAPE = (3, 6, 6)


def solver(folder, epochs=2, model=None, **settings):
    draw = np.random.default_rng(0)
    X = draw.standard_normal((40, *SHAPE)).astype(np.float32)
    y = draw.integers(0, 3, 40)
    model = model or Network([Conv(4, 3, pad=1), ReLU(), Affine(3)], SHAPE, rng=0)
    hook = FilmHook(folder, SHAPE)
    data = {"X_train": X, "y_train": y}
    made = Solver(
        model, data, num_epochs=epochs, batch_size=10, verbose=False, progress=False, rng=0, hooks=[hook], **settings
    )
    return made, hook


def test_a_run_leaves_its_first_and_last_filters_and_some_between(tmp_path):
    run, hook = solver(tmp_path / "film")
    before = run.model.params["conv1.w"].copy()
    run.train()
    steps = [step for step, _ in frame_files(tmp_path / "film")]
    assert steps == list(range(9))
    first, last = (read_frame(frame_file(tmp_path / "film", step)) for step in (0, 8))
    np.testing.assert_array_equal(first.filters, before)
    np.testing.assert_array_equal(last.filters, run.model.params["conv1.w"])
    assert (last.step, last.epoch, last.layer, last.through, last.frozen) == (8, 2.0, "conv1", "", False)
    assert hook.error is None


def test_a_run_that_goes_on_keeps_the_frames_up_to_its_checkpoint(tmp_path):
    film = tmp_path / "film"
    run, _ = solver(film, checkpoint_path=tmp_path / "c.safetensors")
    run.train()
    frame_file(film, 99).write_bytes(frame_file(film, 8).read_bytes())  # of steps that are lost
    again, _ = solver(film, epochs=3, checkpoint_path=tmp_path / "c.safetensors")
    again.resume(tmp_path / "c.safetensors")
    again.train()
    assert [step for step, _ in frame_files(film)] == list(range(13))


def test_a_new_run_drops_an_old_film(tmp_path):
    film = tmp_path / "film"
    solver(film, epochs=3)[0].train()
    solver(film, epochs=1)[0].train()
    assert [step for step, _ in frame_files(film)] == list(range(5))


def test_a_long_run_has_no_more_frames_than_a_film_needs():
    steps = frames_of(100_000)
    assert {0, 1, 2, 100_000} <= steps
    assert 60 <= len(steps) <= 82
    assert frames_of(1) == {0, 1}
    assert frames_of(0) == {0}


def test_a_film_that_cannot_be_written_does_not_end_the_run(tmp_path):
    (tmp_path / "film").write_text("a file where the folder should be")
    run, hook = solver(tmp_path / "film")
    run.train()
    assert run.iteration == 8
    assert isinstance(hook.error, OSError)


def test_filters_behind_a_frozen_layer_are_seen_through_it():
    net = Network([Conv(8, 2, name="whiten"), ReLU(), Conv(5, 3), ReLU(), Affine(3)], SHAPE, rng=0)
    assert shown_filters(net, SHAPE)[:3] == ("whiten", "", False)
    net.freeze("whiten.w")
    layer, through, frozen, filters = shown_filters(net, SHAPE)
    assert (layer, through, frozen, filters.shape) == ("conv1", "whiten", False, (5, 3, 4, 4))


def test_what_is_seen_through_is_both_convolutions_in_one():
    draw = np.random.default_rng(1)
    x, first, second = (draw.standard_normal(shape) for shape in ((2, 3, 7, 7), (4, 3, 2, 3), (5, 4, 3, 2)))
    plain = {"stride": 1, "pad": 0}
    middle, _ = conv_forward_naive(x, first, np.zeros(4), plain)
    both, _ = conv_forward_naive(middle, second, np.zeros(5), plain)
    once, _ = conv_forward_naive(x, seen_through(first, second), np.zeros(5), plain)
    np.testing.assert_allclose(once, both, atol=1e-12)


@pytest.mark.parametrize("stride, dilation", [(2, 1), (1, 2)])
def test_a_frozen_layer_that_skips_pixels_is_shown_itself(stride, dilation):
    net = Network([Conv(8, 2, stride=stride, dilation=dilation), Conv(5, 2), Affine(3)], SHAPE, rng=0)
    net.freeze("conv1.w")
    assert shown_filters(net, SHAPE)[:3] == ("conv1", "", True)


def test_the_courses_networks_are_shown_too():
    assert shown_filters(ThreeLayerConvNet((3, 8, 8), rng=0), (3, 8, 8)).filters.shape == (32, 3, 7, 7)
    w = TwoLayerNet(input_dim=192, hidden_dim=7, rng=0)
    shown = shown_filters(w, (3, 8, 8))
    assert shown.layer == "W1"
    np.testing.assert_array_equal(shown.filters[2], w.params["W1"][:, 2].reshape(3, 8, 8))


def test_large_layers_are_cut():
    wide = TwoLayerNet(input_dim=3 * 32 * 32, hidden_dim=500, rng=0)
    assert shown_filters(wide, (3, 32, 32)).filters.shape == (42, 3, 32, 32)


FRAME = Frame(3, 0.5, "conv1", "", False, np.zeros((2, 3, 2, 2), np.float32))


def damaged():
    good = frame_bytes(FRAME)
    yield "cut", good[:-1]
    yield "empty", b""
    yield "changed", good[:-1] + bytes([good[-1] ^ 1])
    yield "no step", good.replace(b'"step"', b'"stop"')
    yield "not a number", frame_bytes(FRAME._replace(step="three"))
    yield "not filters", frame_bytes(FRAME._replace(filters=np.zeros(3, np.float32)))


@pytest.mark.parametrize("content", [pytest.param(c, id=name) for name, c in damaged()])
def test_a_damaged_frame_is_refused(tmp_path, content):
    path = tmp_path / "00000003.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no frame of a film"):
        read_frame(path)


def test_what_is_no_frame_is_not_looked_at(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "abc.safetensors").write_text("x")
    assert frame_files(tmp_path) == []
    assert frame_files(tmp_path / "missing") == []
