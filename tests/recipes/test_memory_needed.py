"""The estimate of memory: what it counts, how near it is to the truth, and when a batch is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from pellucid import recipes

SHAPE = (3, 32, 32)


def needed(name="94", kept_steps=0, **changes):
    recipe = recipes.load(name).with_changes(changes)
    network = recipes.build_network(recipe, SHAPE, 10, rng=0)
    return recipes.memory_needed(recipe, network, SHAPE, kept_steps=kept_steps)


def test_twice_the_batch_needs_twice_the_memory_for_images():
    one, two = needed(**{"train.batch_size": 1000}), needed(**{"train.batch_size": 2000})
    assert two.total - one.total == pytest.approx(1000 * one.an_image)
    assert two.an_image == one.an_image


def test_rules_and_averages_are_counted():
    assert needed().parameters == 1_971_640 * 4 * 4
    assert needed(**{"average.decay": 0.9}).parameters == 1_971_640 * 4 * 5
    assert needed("tutorial").parameters == needed("tutorial", **{"optimizer.rule": "sgd"}).parameters * 5 / 3


def test_steps_that_are_kept_in_memory_are_counted():
    """Each has weights, the rule's state, and the average where there is one."""
    assert needed(kept_steps=2).parameters == 1_971_640 * 4 * (4 + 2 * 2)
    assert needed(kept_steps=2, **{"average.decay": 0.9}).parameters == 1_971_640 * 4 * (5 + 2 * 3)


def test_a_batch_that_cannot_fit_is_refused_with_the_estimate_and_one_that_fits():
    estimate = needed()
    recipes.check_memory(estimate, estimate.total)
    recipes.check_memory(estimate, None)
    with pytest.raises(
        MemoryError, match=r"a batch of 2000 images needs about 2\.\d\d GB .* 1\.00 GB are available"
    ) as e:
        recipes.check_memory(estimate, 1e9)
    fits = int(str(e.value).split("batches of ")[1].split()[0])
    recipes.check_memory(needed(**{"train.batch_size": fits}), 1e9)
    with pytest.raises(MemoryError):
        recipes.check_memory(needed(**{"train.batch_size": fits + 1}), 1e9)
    with pytest.raises(MemoryError, match="take a smaller network"):
        recipes.check_memory(estimate, 1e6)


MEASURE = """
import sys
import numpy as np
from pellucid import recipes

def status(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))

name, batch = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
X = rng.standard_normal((2 * batch, 32, 32, 3), dtype=np.float32).transpose(0, 3, 1, 2)
data = {"X_train": X, "y_train": rng.integers(0, 10, 2 * batch)}

def solver(batch, epochs):
    recipe = recipes.load(name).with_changes({"train.batch_size": batch, "train.epochs": epochs})
    return recipe, recipes.build_solver(recipe, data, 10, verbose=False, progress=False, num_train_samples=250)

short = {key: value[:16] for key, value in data.items()}
warm_up = recipes.load(name).with_changes({"train.batch_size": 8})
recipes.build_solver(warm_up, short, 10, verbose=False, progress=False).train()  # compiles
recipe, full = solver(batch, 1)
estimate = recipes.memory_needed(recipe, full.model, (3, 32, 32)).total
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
full.train()
print(estimate / (status("VmHWM") - before))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are measured on Linux only")
@pytest.mark.parametrize(("name", "batch"), [("94", 500), ("quick", 500), ("tutorial", 500)])
def test_the_estimate_is_near_the_truth(name, batch):
    done = subprocess.run([sys.executable, "-c", MEASURE, name, str(batch)], capture_output=True, text=True, check=True)
    assert 0.7 < float(done.stdout) < 1.5
