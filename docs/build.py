"""The documentation site: `make docs`, or `python docs/build.py`.

The pages are the files of docs/, the notebooks of docs/tutorial/, ARCHITECTURE.md and CONTRIBUTING.md, and a reference
of the public names (`reference.py`). They are gathered in build/docs/sources, once for each language and under the same
names in both, so that a page's twin is where the page is; a page that has no Chinese twin stands there in English.
Sphinx makes build/docs/en and build/docs/zh-CN of them. Any warning fails the build.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from reference import write_reference

DOCS = Path(__file__).parent.resolve()
ROOT = DOCS.parent
BUILD = ROOT / "build" / "docs"
CHINESE = ".zh-CN"
LANGUAGES = {"en": "en", "zh-CN": "zh_CN"}  # folder of the site: Sphinx's name of the language
OUTSIDE = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]
ICON = ROOT / "src" / "pellucid" / "studio" / "static" / "icon.svg"
BESIDE = ["_static", "_templates", "images", "locale"]
SETTINGS = ["conf.py", "reference.py", "chinese_search.py", "chinese_search.js"]

CODE = re.compile(r"(^```.*?^```[ ]*$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
ONE_LANGUAGE = r"(?:\[(?:English|中文|简体中文)\]\([^)]*\)|\*\*(?:English|中文|简体中文)\*\*)"
LANGUAGE_LINE = re.compile(rf"^{ONE_LANGUAGE}(?: · {ONE_LANGUAGE})?(?: · )?", re.MULTILINE)
"""What a page says of its twin. On the site the sidebar does, on every page."""


def place(origin: Path) -> Path | None:
    """Where a file of the project is on the site, in either language; None where it is not on it."""
    name = origin.name.replace(CHINESE, "")
    if origin in OUTSIDE:
        return Path(name)
    if not origin.is_relative_to(DOCS):
        return None
    if origin.parent == DOCS / "tutorial":  # its Markdown twins are what the notebooks were made of
        name = name.replace(".md", ".ipynb")
    return origin.parent.relative_to(DOCS) / name


def pages(language: str) -> list[Path]:
    """The project's files that are pages in one language."""
    chinese = {place(page): page for page in DOCS.glob(f"*{CHINESE}.md")}
    english = {place(page): page for page in [*DOCS.glob("*.md"), *OUTSIDE] if CHINESE not in page.name}
    chosen = english | chinese if language == "zh-CN" else english
    lessons = [
        lesson
        for lesson in DOCS.glob("tutorial/[0-9]*.ipynb")
        if (CHINESE in lesson.name) == (language == "zh-CN") and ".ipynb_checkpoints" not in lesson.parts
    ]
    return [*chosen.values(), *lessons]


def on_the_site(text: str, origin: Path, there: set[Path]) -> str:
    """A page's text with its links as they are on the site; links to what is not there become plain words."""
    here = place(origin)
    assert here is not None

    def changed(found: re.Match[str]) -> str:
        image, words, target = found.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return found.group(0)
        path, mark, anchor = target.partition("#")
        linked = (origin.parent / path).resolve()
        goal = place(linked)
        if goal is None or not (goal in there or goal.parts[0] in (*BESIDE, "api")):
            return "" if image else words
        chinese = linked.with_name(f"{linked.stem}{CHINESE}{linked.suffix}")
        if CHINESE in origin.name and chinese.is_file():  # it means the English page
            return f'<a href="{os.path.relpath(Path("../en") / goal.with_suffix(".html"), here.parent)}">{words}</a>'
        return f"{image}[{words}]({os.path.relpath(goal, here.parent)}{mark}{anchor})"

    parts = CODE.split(LANGUAGE_LINE.sub("", text, count=1))
    return "".join(part if CODE.fullmatch(part) else LINK.sub(changed, part) for part in parts)


def gather(folder: Path, language: str) -> None:
    """All sources of one language, under names without the language."""
    folder.mkdir(parents=True)
    for name in BESIDE:
        shutil.copytree(DOCS / name, folder / name)
    shutil.copy(ICON, folder / "_static")
    for name in SETTINGS:
        shutil.copy(DOCS / name, folder)
    origins = pages(language)
    there = {goal for goal in map(place, origins) if goal is not None}
    for origin in origins:
        goal = place(origin)
        assert goal is not None
        (folder / goal).parent.mkdir(exist_ok=True)
        text = origin.read_text(encoding="utf-8")
        if origin.suffix == ".ipynb":
            content = json.loads(text)
            for cell in content["cells"]:
                if cell["cell_type"] == "markdown":
                    cell["source"] = on_the_site("".join(cell["source"]), origin, there)
            text = json.dumps(content, ensure_ascii=False)
        else:
            text = on_the_site(text, origin, there)
        (folder / goal).write_text(text, encoding="utf-8")
    write_reference(folder / "api", language)


def build(name: str) -> int:
    """One language; returns Sphinx's exit status."""
    sources = BUILD / "sources" / name
    gather(sources, name)
    options = ["-b", "html", "-W", "--keep-going", "-q", "-d", str(BUILD / "cache" / name)]
    environment = os.environ | {"PELLUCID_DOCS_LANGUAGE": LANGUAGES[name]}
    command = [sys.executable, "-m", "sphinx", *options, str(sources), str(BUILD / name)]
    return subprocess.run(command, env=environment, check=False).returncode


def main() -> int:
    shutil.rmtree(BUILD, ignore_errors=True)
    failed = [name for name in LANGUAGES if build(name)]
    shutil.copy(DOCS / "_templates" / "start.html", BUILD / "index.html")
    if failed:
        print(f"docs: there were warnings or errors in {', '.join(failed)}", file=sys.stderr)
        return 1
    print(f"docs: open {BUILD / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
