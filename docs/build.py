"""The documentation site: `make docs`, or `python docs/build.py`.

The pages are the files of docs/, the notebooks of docs/tutorial/, ARCHITECTURE.md and CONTRIBUTING.md, and a reference
of the public names. They are gathered in build/docs/sources, once for each language and under the same names in both,
so that a page's twin is where the page is; pages that have no Chinese twin stand there in English. Sphinx makes
build/docs/en and build/docs/zh-CN of them. Any warning fails the build.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
BUILD = ROOT / "build" / "docs"
CHINESE = ".zh-CN"
LANGUAGES = {"en": "en", "zh-CN": "zh_CN"}
OUTSIDE = ("ARCHITECTURE.md", "CONTRIBUTING.md")
PACKAGES = {
    "pellucid.layers": "Layers: the maths, naive and fast",
    "pellucid.models": "Models: networks as lists of steps",
    "pellucid.training": "Training: the solver, its rules and hooks",
    "pellucid.data": "Data: from files to arrays",
    "pellucid.recipes": "Recipes",
    "pellucid.inspect": "Looking inside",
    "pellucid.shipping": "Shipping: models as files",
    "pellucid.estimators": "An estimator for scikit-learn",
    "pellucid.gradcheck": "Gradient checks",
}
NOT_OURS = "set_fit_request, set_partial_fit_request, set_score_request, get_metadata_routing"
"""What scikit-learn adds to every estimator, described in its own documentation."""

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def public_names(package: str) -> list[str]:
    """What a package hands on: its __all__, or what it defines and does not hide."""
    module = importlib.import_module(package)
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and (inspect.isfunction(value) or inspect.isclass(value))
            and value.__module__.startswith(package)
        ]
    return [name for name in names if not inspect.ismodule(getattr(module, name))]


def reference(folder: Path) -> None:
    """A page for each package: a table of its names, and each with its docstring."""
    folder.mkdir(parents=True)
    rows = "\n".join(package.rpartition(".")[2] for package in PACKAGES)
    (folder / "index.md").write_text(
        "# Reference\n\nThe public names, package by package. `pellucid.load` is `pellucid.shipping.load_model`.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{rows}\n```\n",
        encoding="utf-8",
    )
    for package, title in PACKAGES.items():
        entries = []
        names = sorted(public_names(package), key=str.lower)
        for name in names:
            kind = "autoclass" if inspect.isclass(getattr(importlib.import_module(package), name)) else "autofunction"
            if not callable(getattr(importlib.import_module(package), name)):
                kind = "autodata"
            members = f"\n   :members:\n   :exclude-members: {NOT_OURS}" if kind == "autoclass" else ""
            entries.append(f".. {kind}:: {package}.{name}{members}\n")
        table = "\n".join(f"   {name}" for name in names)
        text = f"{title}\n{'=' * len(title)}\n\n.. currentmodule:: {package}\n\n.. autosummary::\n\n{table}\n\n"
        (folder / f"{package.rpartition('.')[2]}.rst").write_text(text + "\n".join(entries), encoding="utf-8")


def gather(folder: Path, language: str) -> None:
    """All sources of one language, under names without the language."""
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns("*.zh-CN.*", "tutorial", "*.py"))
    shutil.copy(DOCS / "conf.py", folder)
    (folder / "tutorial").mkdir()
    for notebook in DOCS.glob("tutorial/[0-9]*.ipynb"):
        if (CHINESE in notebook.name) == (language == "zh-CN"):
            shutil.copy(notebook, folder / "tutorial" / notebook.name.replace(CHINESE, ""))
    if language == "zh-CN":
        for page in DOCS.glob(f"*{CHINESE}.md"):
            shutil.copy(page, folder / page.name.replace(CHINESE, ""))
    for name in OUTSIDE:
        shutil.copy(ROOT / name, folder)
    reference(folder / "api")
    for page in folder.rglob("*.md"):
        page.write_text(on_the_site(page.read_text(encoding="utf-8"), page, folder), encoding="utf-8")
    for notebook in folder.rglob("*.ipynb"):
        content = json.loads(notebook.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = on_the_site("".join(cell["source"]), notebook, folder)
        notebook.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def on_the_site(text: str, page: Path, folder: Path) -> str:
    """A page's text with links to pages of the site; links to the source code become plain words."""

    def changed(found: re.Match[str]) -> str:
        image, words, target = found.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return found.group(0)
        path, mark, anchor = target.partition("#")
        path = path.replace(CHINESE, "")
        for start in (page.parent, folder / "tutorial"):  # a page of the repository's root is one of docs/ here
            there = (start / path).resolve()
            if there.exists() and there.is_relative_to(folder.resolve()):
                return f"{image}[{words}]({os.path.relpath(there, page.parent)}{mark}{anchor})"
        inner = folder / path.removeprefix("docs/").removeprefix("../").removeprefix("../")
        if inner.is_file():
            return f"{image}[{words}]({os.path.relpath(inner, page.parent)}{mark}{anchor})"
        return "" if image else words

    return LINK.sub(changed, re.sub(r"^\[(中文|English)\]\([^)]*\)\n", "", text, flags=re.M))


def build(name: str) -> int:
    """One language; returns Sphinx's exit status."""
    sources = BUILD / "sources" / name
    gather(sources, name)
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-b",
        "html",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        str(BUILD / "cache" / name),
    ]
    environment = os.environ | {"PELLUCID_DOCS_LANGUAGE": LANGUAGES[name]}
    return subprocess.run([*command, str(sources), str(BUILD / name)], env=environment, check=False).returncode


def main() -> int:
    shutil.rmtree(BUILD, ignore_errors=True)
    (BUILD / "sources").mkdir(parents=True)
    failed = [name for name in LANGUAGES if build(name)]
    links = "".join(
        f'<p><a href="{name}/index.html">{words}</a></p>' for name, words in (("en", "English"), ("zh-CN", "中文"))
    )
    (BUILD / "index.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>pellucid</title>{links}</html>\n',
        encoding="utf-8",
    )
    if failed:
        print(f"docs: there were warnings or errors in {', '.join(failed)}", file=sys.stderr)
        return 1
    print(f"docs: open {BUILD / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
