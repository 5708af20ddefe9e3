"""The tutorial's pages as notebooks: `python docs/tutorial/notebooks.py [NAME ...]`, or `make notebooks`.

A page is a Markdown file whose Python blocks are a notebook's code cells (jupytext's "md" format), in English
(NN-name.md) and in Chinese (NN-name.zh-CN.md), with the same code in both. The code is run once, and both notebooks get
what it printed and drew. `--check` only tells which notebooks are not those of their pages.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

from pellucid.files import write_atomically

HERE = Path(__file__).parent
CHINESE = ".zh-CN"
MOST_S = 900
"""Until a cell is taken to hang."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SETTINGS = """
%config InlineBackend.figure_formats = ["png"]
%config InlineBackend.rc = {"figure.dpi": 84, "savefig.bbox": "tight"}
%matplotlib inline
"""
"""Run before the page's first cell, and shown nowhere."""


def pages() -> list[str]:
    """The names of all pages, in their order."""
    return sorted(path.stem for path in HERE.glob("[0-9]*.md") if CHINESE not in path.name)


def read(path: Path) -> Any:
    """A page as a notebook without results, with cells whose names are always the same."""
    notebook = jupytext.read(path, fmt="md")
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        cell.id = f"cell-{number:02d}-{digest}"
        cell.metadata = nbformat.from_dict({})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def code_of(notebook: Any) -> list[str]:
    """The sources of its code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def run(notebook: Any) -> list[tuple[list[Any], int]]:
    """The results of each code cell and its number, run beside the page. Errors and warnings end it."""
    first = nbformat.v4.new_code_cell(SETTINGS.strip())
    strict = nbformat.v4.new_code_cell("import warnings\nwarnings.simplefilter('error')")
    last = nbformat.v4.new_code_cell("warnings.resetwarnings()")  # the kernel's own, when it ends, are not the page's
    whole = nbformat.v4.new_notebook(cells=[first, strict, *notebook.cells, last], metadata=METADATA)
    resources = {"metadata": {"path": str(HERE)}}  # where Jupyter runs them, too; they write nothing here
    NotebookClient(whole, timeout=MOST_S, record_timing=False, resources=resources, coalesce_streams=True).execute()
    cells = [cell for cell in whole.cells[2:-1] if cell.cell_type == "code"]
    return [([_tidied(output) for output in cell.outputs], i) for i, cell in enumerate(cells, 1)]


def _tidied(output: Any) -> Any:
    """A result without what is different each time, or of no use to a reader."""
    if output.output_type == "stream" and output.name == "stderr":
        output = nbformat.v4.new_output("stream", name="stdout", text=output.text)
    if "data" in output and "image/png" in output.data:
        output.data = nbformat.from_dict({"image/png": output.data["image/png"].strip()})
        output.metadata = nbformat.from_dict({})
    if output.output_type == "execute_result":
        output.execution_count = None
    return output


def write(name: str) -> float:
    """Run a page and write its two notebooks; returns how many seconds it ran."""
    english, chinese = (read(HERE / f"{name}{language}.md") for language in ("", CHINESE))
    if code_of(english) != code_of(chinese):
        raise ValueError(f"the code of {name}.md and {name}{CHINESE}.md differs")
    began = time.perf_counter()
    results = run(english)
    for notebook, language in ((english, ""), (chinese, CHINESE)):
        for cell, (outputs, number) in zip(
            (cell for cell in notebook.cells if cell.cell_type == "code"), results, strict=True
        ):
            cell.outputs, cell.execution_count = outputs, number
        nbformat.validate(notebook)
        text = nbformat.writes(notebook, indent=1)
        write_atomically(HERE / f"{name}{language}.ipynb", (text.rstrip() + "\n").encode())
    return time.perf_counter() - began


def is_stale(name: str) -> bool:
    """Whether a notebook is missing, or has other cells than its page."""
    for language in ("", CHINESE):
        file = HERE / f"{name}{language}.ipynb"
        if not file.exists():
            return True
        kept, page = nbformat.read(file, as_version=4), read(HERE / f"{name}{language}.md")
        if [(c.cell_type, c.source) for c in kept.cells] != [(c.cell_type, c.source) for c in page.cells]:
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="pages such as 01-convolution; all of them where none is named")
    parser.add_argument("--check", action="store_true", help="write nothing; tell which notebooks are stale")
    asked = parser.parse_args()
    names = asked.names or pages()
    if asked.check:
        stale = [name for name in names if is_stale(name)]
        print(
            "\n".join(f"{name}: the notebook is not that of the page" for name in stale)
            or "all notebooks are up to date"
        )
        return int(bool(stale))
    for name in names:
        print(f"{name}: {write(name):.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
