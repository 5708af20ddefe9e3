"""The tutorial: its code runs, is the same in both languages, and the notebooks are those of the pages."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
spec = importlib.util.spec_from_file_location("notebooks", TUTORIAL / "notebooks.py")
notebooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebooks)

PAGES = notebooks.pages()
CHAPTERS = 9


def test_all_chapters_are_there():
    assert [name[:2] for name in PAGES] == [f"{number:02d}" for number in range(1, CHAPTERS + 1)]


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_have_the_same_code(name):
    english, chinese = (notebooks.read(TUTORIAL / f"{name}{language}.md") for language in ("", notebooks.CHINESE))
    assert notebooks.code_of(english) == notebooks.code_of(chinese)
    assert len(notebooks.code_of(english)) > 3
    assert [cell.cell_type for cell in english.cells] == [cell.cell_type for cell in chinese.cells]


@pytest.mark.parametrize("name", PAGES)
def test_the_notebooks_are_those_of_the_page(name):
    assert not notebooks.is_stale(name)
    for language in ("", notebooks.CHINESE):
        notebook = nbformat.read(TUTORIAL / f"{name}{language}.ipynb", as_version=4)
        nbformat.validate(notebook)
        outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
        assert not any(output.output_type == "error" for output in outputs)
        assert any("image/png" in output.get("data", {}) for output in outputs), "a chapter without a picture"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", PAGES)
def test_the_page_runs(name):
    """Every cell, in a kernel of its own, with warnings as errors; what the text claims is asserted in the cells."""
    page = notebooks.read(TUTORIAL / f"{name}.md")
    results = notebooks.run(page)
    assert len(results) == len(notebooks.code_of(page))
