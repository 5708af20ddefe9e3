"""Every operation against PyTorch's results, kept in tests/reference; regenerated and compared where torch is
installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pairs import CASES, all_cases, results
from pellucid.tolerances import TOLERANCES

FOLDER = Path(__file__).parents[1] / "reference"
KEPT = load_file(FOLDER / "torch_reference.safetensors")
BOUND = TOLERANCES["reference, float64"].bound
KEPT_CASES = [p for p in all_cases() if f"{p.values[0]}/{p.values[1].name}/out" in KEPT]


def test_all_cases_but_the_named_exceptions_are_kept():
    kept = {key.rsplit("/", 1)[0] for key in KEPT}
    wanted = {f"{operation}/{case.name}" for operation, cases in CASES.items() for case in cases}
    assert kept <= wanted
    assert {name for name in wanted - kept if not name.startswith("dropout/")} == {"batchnorm/train, one sample"}


@pytest.mark.parametrize(("operation", "case"), KEPT_CASES)
@pytest.mark.parametrize("kind", ["naive", "fast"])
def test_results_and_gradients_are_those_of_pytorch(operation, case, kind):
    for name, array in results(operation, kind, case).items():
        theirs = KEPT[f"{operation}/{case.name}/{name}"]
        assert np.shape(array) == theirs.shape, name
        assert np.max(np.abs(array - theirs)) <= BOUND * max(1, np.max(np.abs(theirs))), name


def test_the_kept_results_are_what_the_installed_pytorch_gives():
    pytest.importorskip("torch", reason="PyTorch is not installed; its kept results are used")
    spec = importlib.util.spec_from_file_location("torch_reference", FOLDER / "torch_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fresh = module.all_references()
    assert set(fresh) == set(KEPT)
    for name, array in fresh.items():
        np.testing.assert_allclose(array, KEPT[name], rtol=1e-10, atol=1e-12, err_msg=name)
