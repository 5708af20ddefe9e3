"""The pages of the reference: for each package a page, on it a section for each of its files, with a table of the
public names and each name with its docstring."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = {
    "pellucid.layers": ("Layers: the maths, naive and fast", "层：数学，朴素与快速"),
    "pellucid.models": ("Models: networks as lists of steps", "模型：网络就是一列步骤"),
    "pellucid.training": ("Training: the solver, its rules and hooks", "训练：Solver、更新规则与钩子"),
    "pellucid.data": ("Data: from files to arrays", "数据：从文件到数组"),
    "pellucid.recipes": ("Recipes", "配方"),
    "pellucid.inspect": ("Looking inside", "看里面"),
    "pellucid.shipping": ("Shipping: models as files", "交付：模型就是文件"),
    "pellucid.estimators": ("An estimator for scikit-learn", "scikit-learn 的估计器"),
    "pellucid.gradcheck": ("Gradient checks", "梯度检验"),
}
FIRST = {
    "en": ("Reference", "The public names, package by package."),
    "zh-CN": ("参考", "公开的名字，一个包一页。各个名字的说明是英文的，与代码里的相同。"),
}
NOT_OURS = "set_fit_request, set_partial_fit_request, set_score_request, get_metadata_routing"
"""What scikit-learn adds to every estimator, described in its own documentation."""

UNDERLINE = re.compile(r"^-{3,}$")
END_OF_TITLE = re.compile(r": |\. |\.$|; |, which | \((?=[A-Z\"])")


def public_names(package: str) -> list[str]:
    """What a package hands on: its __all__, or what it defines and does not hide.

    A module that is handed on gives its own names, such as ``schedules.cosine``, where the package does not have them.
    """
    module = importlib.import_module(package)
    names = getattr(module, "__all__", None) or [name for name in vars(module) if _defined_in(module, name)]
    found = [name for name in names if not inspect.ismodule(getattr(module, name))]
    handed_on = [getattr(module, name) for name in found]
    for name in names:
        inner = getattr(module, name)
        if inspect.ismodule(inner):
            found += [
                f"{name}.{each}"
                for each in vars(inner)
                if _defined_in(inner, each) and not any(getattr(inner, each) is value for value in handed_on)
            ]
    return found


def _defined_in(module: ModuleType, name: str) -> bool:
    value = vars(module)[name]
    ours = getattr(value, "__module__", None) == module.__name__
    return not name.startswith("_") and ours and (inspect.isfunction(value) or inspect.isclass(value))


def _value(package: str, name: str) -> Any:
    value: Any = importlib.import_module(package)
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _home(package: str, name: str) -> str:
    """The module that defines a name; an empty word where that cannot be told, as of a number."""
    value = _value(package, name)
    return str(getattr(value, "__module__", "")) if callable(value) else ""


def _title(home: str) -> str:
    """A module's title: its docstring up to the first colon or full stop."""
    if not home:
        return "Constants"
    first = (importlib.import_module(home).__doc__ or home).strip().replace("\n", " ")
    return END_OF_TITLE.split(first, maxsplit=1)[0]


def _is_other_name(package: str, name: str) -> bool:
    """Whether a name is a second one: `relu_forward` is `relu_forward_fast`."""
    value = _value(package, name)
    own = getattr(value, "__name__", name)
    return inspect.isfunction(value) and own != name.rpartition(".")[2] and own in public_names(package)


def _line(package: str, name: str) -> int:
    """Where a name is defined in its file; a second name comes right behind the first."""
    value = _value(package, name)
    return inspect.getsourcelines(value)[1] if inspect.isfunction(value) or inspect.isclass(value) else 0


def sections(package: str) -> dict[str, list[str]]:
    """The names by the module that defines them, in each as they stand there: the naive layer, then the fast one.

    The modules are in the order of `__all__` where it is more than the alphabet.
    """
    names = public_names(package)
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_home(package, name), []).append(name)
    if names[:10] == sorted(names[:10]):
        found = dict(sorted(found.items(), key=lambda item: (not item[0].startswith(package), item[0])))
    for inside in found.values():
        inside.sort(key=lambda name: (_line(package, name), _is_other_name(package, name)))
    return found


def set_apart(lines: list[str]) -> list[str]:
    """Lines of a docstring in which what is indented, a formula or a table, keeps its lines.

    Behind the first heading (Parameters, Returns ...) indentation means something else, and stays.
    """
    result: list[str] = []
    for number, line in enumerate(lines):
        if UNDERLINE.match(line):
            return result + lines[number:]
        starts = line.startswith("    ") and not "".join(lines[max(number - 1, 0) : number]).strip()
        before = next((each for each in reversed(result) if each.strip()), "")
        if starts and not before.startswith((" ", "..")) and not before.endswith("::"):
            result += [".. code-block:: text", ""]
        result.append(line)
    return result


def _about(package: str, home: str) -> str:
    """What a section's module says of itself; the package's own words open its page."""
    if not home.startswith("pellucid.") or home == package:
        return ""
    words = inspect.getdoc(importlib.import_module(home)) or ""
    return "" if words == f"{_title(home)}." else "\n".join(set_apart(words.splitlines())) + "\n\n"


def _entry(package: str, name: str) -> str:
    value = _value(package, name)
    if inspect.isclass(value):
        return f".. autoclass:: {package}.{name}\n   :members:\n   :exclude-members: {NOT_OURS}\n"
    if _is_other_name(package, name):
        called = inspect.signature(value)
        return f".. py:function:: {name}{called}\n\n   Another name of `{value.__name__}`.\n"
    return f".. {'autofunction' if callable(value) else 'autodata'}:: {package}.{name}\n"


def page(package: str, title: str) -> str:
    """One package's page, as reStructuredText."""
    text = f"{title}\n{'=' * 2 * len(title)}\n\n.. automodule:: {package}\n\n.. currentmodule:: {package}\n\n"
    parts = sections(package)
    for home, names in parts.items():
        section = _title(home)
        heading = f"{section}\n{'-' * 2 * len(section)}\n\n{_about(package, home)}" if len(parts) > 1 else ""
        table = "\n".join(f"   {name}" for name in names if not _is_other_name(package, name))
        entries = "\n".join(_entry(package, name) for name in names)
        text += f"{heading}.. autosummary::\n\n{table}\n\n{entries}\n"
    return text


def write_reference(folder: Path, language: str) -> None:
    """A page for each package, and one that leads to them."""
    folder.mkdir(parents=True)
    for package, titles in PACKAGES.items():
        title = titles[language == "zh-CN"]
        (folder / f"{package.rpartition('.')[2]}.rst").write_text(page(package, title), encoding="utf-8")
    title, words = FIRST[language]
    rows = "\n".join(f"   {package.rpartition('.')[2]}" for package in PACKAGES)
    (folder / "index.rst").write_text(
        f"{title}\n{'=' * 2 * len(title)}\n\n{words}\n\n.. toctree::\n   :maxdepth: 2\n\n{rows}\n\n"
        ".. autofunction:: pellucid.load\n",
        encoding="utf-8",
    )
