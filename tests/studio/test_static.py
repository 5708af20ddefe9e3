"""The page's files, read as text: what holds of all of them, whatever they show."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "src" / "pellucid" / "studio" / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
FILES = sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html", ".svg"})
WORDS = [path for path in SCRIPTS if re.search(r"^export const strings = \{", path.read_text(encoding="utf-8"), re.M)]
"""Where the words of the page stand, in every language."""

ENTRY = re.compile(r'^\s*"(\w+\.\w+)":\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`)', re.M)
COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.S | re.M)


def name_of(path):
    return path.relative_to(STATIC).as_posix()


def text_of(path):
    return path.read_text(encoding="utf-8")


def code_of(path):
    """The text without comments that have a line of their own."""
    return COMMENT.sub("", text_of(path))


def words_of(path):
    """{language: {key: words}} of a file of words."""
    text = text_of(path)
    text = text[text.index("export const strings = {") :]
    before, _, chinese = text.partition("\n  zh: {")
    assert "\n  en: {" in before and chinese, f"{path} has no English or no Chinese words"
    end = chinese.find("\n};")
    parts = {"en": before, "zh": chinese if end < 0 else chinese[:end]}
    return {language: {m[1]: m[2] or m[3] for m in ENTRY.finditer(part)} for language, part in parts.items()}


def all_keys():
    return {key for path in WORDS for key in words_of(path)["en"]}


def test_there_are_words_and_scripts():
    assert {"lib/words.js", "rooms/runs/words.js", "rooms/mistakes/words.js"} <= {name_of(path) for path in WORDS}
    assert len(all_keys()) > 100


@pytest.mark.parametrize("path", WORDS, ids=name_of)
def test_both_languages_say_the_same_things(path):
    words = words_of(path)
    assert list(words["en"]) == list(words["zh"])
    for key, english in words["en"].items():
        places = [sorted(re.findall(r"\{\w+\}", text)) for text in (english, words["zh"][key])]
        assert places[0] == places[1], f"{key} has other places in Chinese"
        assert english and words["zh"][key], f"{key} says nothing"


@pytest.mark.parametrize("path", WORDS, ids=name_of)
def test_keys_begin_with_the_name_of_their_room(path):
    name = name_of(path)
    room = "shell" if name.startswith("lib/") else name.split("/")[1].split(".")[0].split("-")[0]
    assert {key.split(".")[0] for key in words_of(path)["en"]} == {room}


def test_every_word_is_used():
    code = "\n".join(ENTRY.sub("", text_of(path)) if path in WORDS else text_of(path) for path in SCRIPTS)
    begun = re.findall(r"`(\w+\.\w+_)\$\{", code)  # a key that is put together says where it comes from: runs.state_…
    unused = [
        key
        for key in sorted(all_keys())
        if f'"{key}"' not in code and not any(key.startswith(prefix) for prefix in begun)
    ]
    assert unused == []


def test_every_key_that_is_asked_for_is_there():
    keys = all_keys()
    rooms = {key.split(".")[0] for key in keys}
    for path in SCRIPTS:
        if path in WORDS:
            continue
        asked = {key for key in re.findall(r'"(\w+\.\w+)"', code_of(path)) if key.split(".")[0] in rooms}
        missing = {key for key in asked if not re.search(r"\.(js|css|png|toml)$", key)} - keys
        assert not missing, f"{name_of(path)} asks for words that nobody wrote: {sorted(missing)}"


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix != ".svg"], ids=name_of)
def test_files_stay_short(path):
    assert len(text_of(path).splitlines()) <= 400


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
@pytest.mark.parametrize(
    "forbidden",
    [
        r"\.(inner|outer)HTML\b",
        r"\binsertAdjacentHTML\b",
        r"\bdocument\.write\b",
        r"\beval\(",
        r"\bnew Function\b",
        r"\bset(Timeout|Interval)\(\s*[\"'`]",
        r"javascript:",
    ],
)
def test_no_text_becomes_markup_or_code(path, forbidden):
    assert not re.search(forbidden, code_of(path)), f"{name_of(path)} has {forbidden}"


def test_the_page_has_no_script_or_handler_of_its_own():
    html = text_of(STATIC / "index.html")
    assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", html) == []
    assert re.findall(r"<[^>]+\son\w+=", html) == []
    assert "<style" not in html and "style=" not in html


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_fetched_from_outside(path):
    text = text_of(path)
    addresses = {a for a in re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+[^\s\"'`)]*", text) if not a.startswith("//")}
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"""(src|href)=["']//|url\(["']?//|@import""", text)


def test_the_page_links_to_files_that_are_there():
    linked = re.findall(r'(?:src|href)="static/([^"]+)"', text_of(STATIC / "index.html"))
    assert len(linked) > 8
    missing = [name for name in linked if not (STATIC / name).is_file()]
    assert missing == []


def test_every_style_sheet_is_linked():
    html = text_of(STATIC / "index.html")
    assert [name_of(path) for path in STATIC.rglob("*.css") if f'"static/{name_of(path)}"' not in html] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_imports_lead_to_files_that_are_there(path):
    for name in re.findall(r'(?:from|import)\s+"([^"]+)"', code_of(path)):
        assert name.startswith("."), f"{name_of(path)} imports {name}, which is not of this page"
        assert (path.parent / name).is_file(), f"{name_of(path)} imports {name}, which is not there"


def test_light_and_dark_have_the_same_colours():
    css = text_of(STATIC / "colours.css")
    light, _, dark = css.partition('[data-theme="dark"]')
    names = re.compile(r"^\s*(--[\w-]+):\s*(?:#|rgb)", re.M)
    assert set(names.findall(dark)) == set(names.findall(light))
    assert len(names.findall(dark)) > 12


def test_colours_that_are_used_are_defined():
    css = "\n".join(text_of(path) for path in FILES if path.suffix in {".css", ".js"})
    defined = set(re.findall(r"(--[\w-]+)[\"']?\s*:", css))
    used = set(re.findall(r"var\((--[\w-]+)\)", css))  # with a second choice they need not be
    assert used - defined - {"--name"} == set()


def contrast(a, b):
    """The ratio of two colours' luminances, 1 to 21: Web Content Accessibility Guidelines 2.2."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "ink, ground",
    [
        ("ink", "bg"),
        ("ink", "card"),
        ("ink-soft", "bg"),
        ("ink-soft", "card"),
        ("ink-soft", "sunken"),
        ("accent", "card"),
        ("accent", "accent-soft"),
        ("accent-ink", "accent"),
        ("ink", "accent-soft"),
        ("bad", "card"),
        ("bad", "bad-soft"),
        ("ink", "bad-soft"),
        ("warn", "warn-soft"),
        ("warn", "sunken"),
    ],
)
def test_text_stands_out_from_its_ground(theme, ink, ground):
    light, _, dark = text_of(STATIC / "colours.css").partition('[data-theme="dark"]')
    colours = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", dark if theme == "dark" else light))
    assert contrast(colours[ink], colours[ground]) >= 4.5


def test_nothing_moves_for_those_who_want_it_still():
    assert "prefers-reduced-motion" in text_of(STATIC / "style.css")
