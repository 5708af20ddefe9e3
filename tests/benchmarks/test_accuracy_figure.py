"""Runs become recipes with a mean and a spread, and a figure. No PyTorch."""

import json

import pytest

from benchmarks import accuracy_figure


def run_folder(path, accuracy, seconds, seed=0, recipe="94", **record):
    path.mkdir()
    machine = {"processor": "test"}
    (path / "run.json").write_text(
        json.dumps({"format": 2, "recipe": {"about": recipe}, "seed": seed, "threads": 2, "machine": machine} | record)
    )
    (path / "result.json").write_text(json.dumps({"test_accuracy": accuracy, "train_time_s": seconds}))
    return str(path)


def test_seeds_of_a_recipe_become_mean_and_spread(tmp_path):
    runs = [run_folder(tmp_path / f"94-{seed}", 0.90 + 0.01 * seed, 600 + 60 * seed, seed) for seed in range(3)]
    torch_run = run_folder(tmp_path / "torch", 0.904, 1200, versions={"torch": "2.13"})
    quick = run_folder(tmp_path / "quick-1", 0.86, 90)
    quick_entry, ours, theirs = accuracy_figure.gathered([*runs, f"in PyTorch={torch_run}", quick])
    assert (quick_entry["name"], ours["name"], theirs["name"]) == ("quick", "94", "in PyTorch")
    assert ours["test_accuracy"] == pytest.approx(0.91) and ours["test_accuracy_spread"] == pytest.approx(0.01)
    assert ours["minutes"] == pytest.approx(11) and ours["seeds"] == [0, 1, 2]
    assert theirs["test_accuracy_spread"] is None and (ours["by"], theirs["by"]) == ("pellucid", "PyTorch")
    assert accuracy_figure.line(ours) == "94: 91.00 % +- 1.00 (3 seeds), 11.0 min"
    assert accuracy_figure.line(theirs) == "in PyTorch: 90.40 % (1 seed), 20.0 min"


def test_the_figure_and_the_numbers_are_written(tmp_path, capsys):
    runs = [run_folder(tmp_path / f"94-{seed}", 0.90 + 0.01 * seed, 600, seed) for seed in range(2)]
    torch_run = run_folder(tmp_path / "torch", 0.904, 1200, versions={"torch": "2.13"})
    docs = tmp_path / "docs"
    assert accuracy_figure.main(*runs, torch_run, docs=docs) == 0
    assert (docs / "images" / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((docs / "accuracy.json").read_text())
    assert written["data"] == "CIFAR-10, JPEG copy"
    assert [(entry["name"], entry["minutes"]) for entry in written["recipes"]] == [("94", 10), ("torch", 20)]
    assert "2 seeds" in capsys.readouterr().out
    figure = accuracy_figure.draw(written["recipes"])
    assert "JPEG copy" in figure.axes[0].get_title()
    assert {text.get_text() for text in figure.axes[0].get_legend().get_texts()} == {" pellucid", " PyTorch"}
    assert accuracy_figure.main(docs=docs) == 2
    assert accuracy_figure.main(str(tmp_path / "nowhere"), docs=docs) == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 0}, "no run counts twice"),
        ({"seed": 1, "recipe": "96"}, "differ in their recipe"),
        ({"seed": 1, "threads": 4}, "differ in their threads"),
    ],
)
def test_runs_that_are_no_seeds_of_one_recipe_are_not_averaged(tmp_path, other, message):
    runs = [run_folder(tmp_path / "94-0", 0.9, 600), run_folder(tmp_path / "94-1", 0.9, 600, **other)]
    with pytest.raises(ValueError, match=message):
        accuracy_figure.gathered(runs)


def test_runs_that_are_not_finished_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.run\.json is missing"):
        accuracy_figure.gathered([str(tmp_path / "nowhere")])
    unfinished = run_folder(tmp_path / "94-0", None, 600)
    with pytest.raises(ValueError, match="has no test_accuracy"):
        accuracy_figure.gathered([unfinished])
    for content in ("[]", "{"):
        (tmp_path / "94-0" / "result.json").write_text(content)
        with pytest.raises(ValueError, match="is damaged"):
            accuracy_figure.gathered([unfinished])
