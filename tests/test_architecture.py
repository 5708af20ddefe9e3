"""The rules of the house, read off the syntax trees: what may import what, and what nobody may do."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "pellucid"
LEVELS = [
    "shapes",
    "check",
    "tolerances",
    "draws",
    "files",
    "tensors",
    "gradcheck",
    "data",
    "metrics",
    "kernels",
    "layers",
    "models",
    "training",
    "shipping",
    "recipes",
    "runs",
    "inspect",
    "checks",
    "estimators",
    "extras",
    "search",
    "launch",
    "studio",
    "cli",
    "cs231n",
    "__main__",
]
"""Reading order and import order: a level imports only itself and the levels before it."""

FILES = sorted(SOURCE.rglob("*.py"))


def level_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path):
    """(module, node) for every import in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module, node
            if node.module == "pellucid":
                levels = (alias.name for alias in node.names if alias.name != "__version__")
                yield from ((f"pellucid.{name}", node) for name in levels)


def test_every_file_stands_on_a_known_level():
    assert {level_of(path) for path in FILES} - {"__init__"} <= set(LEVELS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_one_way(path):
    own = level_of(path)
    for module, _ in imports_of(path):
        parts = module.split(".")
        if parts[0] == "pellucid" and len(parts) > 1:
            if own == "__init__":
                assert module == "pellucid.shipping", "pellucid/__init__.py knows nothing but where load is"
                continue
            assert LEVELS.index(parts[1]) <= LEVELS.index(own), f"{own} imports {module}"
        if own == "models":
            assert not module.startswith("pellucid.kernels"), "models know layers, never kernels"
        if parts[0] in ("numba", "llvmlite"):
            assert own == "kernels", f"{parts[0]} appears only in kernels/"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_nothing_is_unpickled_or_evaluated(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    refused = () if path == SOURCE / "kernels" / "store.py" else ("pickle",)  # Numba's format, in this user's folder
    for module, _ in imports_of(path):
        assert module.split(".")[0] not in (*refused, "marshal", "shelve", "dill", "joblib"), module
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in ("eval", "exec", "extractall", "extract"), f"line {node.lineno}: {name}"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant) and node.value.value is False, f"line {node.value.lineno}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, "a file past 400 lines wants to be two"


def test_importing_pellucid_loads_nothing_else():
    heavy = "('numpy', 'rich', 'sklearn', 'matplotlib', 'PIL')"
    code = f"import sys; import pellucid; print([m for m in sys.modules if m.split('.')[0] in {heavy}])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
