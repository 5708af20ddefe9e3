"""Every public name says what its arguments are, and every array its shape: on the page where it is looked up."""

import importlib.util
import inspect
import re
import sys
from dataclasses import is_dataclass
from pathlib import Path

import pytest

docscrape = pytest.importorskip("numpydoc.docscrape", reason="`make docs` installs what reads the docstrings")

spec = importlib.util.spec_from_file_location("reference", Path(__file__).parents[2] / "docs" / "reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

NAMED = re.compile(r"(?<!`)`([\w.]+)`(?!`)")
ARRAYS = {"x", "w", "b", "gamma", "beta", "dout", "dw", "y", "images", "scores"}
IN_A_SENTENCE = {"pellucid.inspect.draw_image", "pellucid.inspect.stretched"}
"""What a single plain sentence describes, its arguments included."""
SHAPE = re.compile(r"\([^)]*[,)]|shape|(?<!\w)\d-d")


def is_only_read(package, name):
    """Errors are caught, and the records that functions return are read: their fields stand beside their own words."""
    value = reference._value(package, name)
    if not inspect.isclass(value):
        return False
    record = hasattr(value, "_fields") or (is_dataclass(value) and value.__dataclass_params__.frozen)
    return issubclass(value, BaseException) or (record and "Parameters\n" not in inspect.getdoc(value))


NAMES = [(package, name) for package in reference.PACKAGES for name in reference.public_names(package)]
OURS = [
    (package, name)
    for package, name in NAMES
    if callable(reference._value(package, name))
    and not reference._is_other_name(package, name)
    and not is_only_read(package, name)
    and f"{package}.{name}" not in IN_A_SENTENCE
]


def arguments(value):
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each for each in inspect.signature(value).parameters.values() if each.kind not in kinds]


def words_of(value):
    """The docstrings that tell of a value: its own, or its classes', and that of the file it stands in."""
    ours = value.__mro__ if inspect.isclass(value) else (value,)
    texts = [inspect.cleandoc(each.__doc__ or "") for each in ours if each.__module__.startswith("pellucid")]
    return [*texts, inspect.cleandoc(sys.modules[value.__module__].__doc__ or "")]


def documents(package, value, seen=()):
    """Those docstrings, and the ones that they name in backticks, as the reference links them."""
    texts = words_of(value)
    for text in list(texts):
        for named in NAMED.findall(text):
            try:
                other = reference._value(package, named)
            except AttributeError:
                other = getattr(sys.modules[value.__module__], named, None)
            if (inspect.isfunction(other) or inspect.isclass(other)) and other not in (value, *seen):
                texts += documents(package, other, (*seen, value))
    return texts


def described(texts):
    """What the docstrings say of each argument: name -> its type and its description, or the prose that names it."""
    found, prose = {}, {}
    for text in texts:
        sections = docscrape.NumpyDocString(text)
        for section in ("Parameters", "Other Parameters", "Attributes"):
            for entry in sections[section]:
                for name in entry.name.split(","):
                    found.setdefault(name.strip().lstrip("*"), " ".join([entry.type, *entry.desc]))
        words = " ".join([*sections["Summary"], *sections["Extended Summary"]])
        for name in re.findall(r"``(\w+)``", words):
            prose.setdefault(name, words)
    return prose | found


@pytest.mark.parametrize(("package", "name"), OURS, ids=[f"{package}.{name}" for package, name in OURS])
def test_every_argument_is_described(package, name):
    value = reference._value(package, name)
    assert value.__doc__, "no docstring"
    said = described(documents(package, value))
    missing = [each.name for each in arguments(value) if each.name not in said]
    assert missing == []
    if package == "pellucid.layers":
        without = [each.name for each in arguments(value) if each.name in ARRAYS and not SHAPE.search(said[each.name])]
        assert without == [], "without a shape"


def test_a_missing_argument_is_noticed():
    def halved(x, other):
        """Half of it.

        Parameters
        ----------
        x : array (N,)
        """

    assert set(described([inspect.getdoc(halved)])) == {"x"}
    assert [each.name for each in arguments(halved)] == ["x", "other"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["A sum:", "", "    a + b", "", "and so on"],
            ["A sum:", "", ".. code-block:: text", "", "    a + b", "", "and so on"],
        ),
        (["A sum::", "", "    a + b"], ["A sum::", "", "    a + b"]),
        (["Half.", "", "Parameters", "----------", "x : float", "", "    More."], None),
    ],
)
def test_formulas_are_set_apart(lines, expected):
    assert reference.set_apart(lines) == (expected or lines)
