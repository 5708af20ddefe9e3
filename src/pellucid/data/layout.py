"""Which picture is of which class, and in which part: read off the names of an image folder's files.

    <class>/<picture>                    one part; a test part is set aside from it
    train/<class>/<picture>              and test/..., and val/... (or valid/, validation/) for validation

each also below one folder that wraps it all. Beside the pictures there may be text files (``*.txt``), Thumbs.db and
desktop.ini from Windows, and, outside the classes' folders, any file that is no picture. Anything else in a class's
folder is an error, or is reported as broken: it could be a picture in a format that is not read, and would be missed
without a word.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from pellucid.data.listing import Listing, one_line
from pellucid.data.pictures import EXTENSIONS

Name = tuple[str, ...]

_PARTS = {"train": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}
_JUNK = ("thumbs.db", "desktop.ini")
_JUNK_ENDINGS = (".txt",)


@dataclass(frozen=True)
class Layout:
    """The classes' names, and for every part its pictures, each with the number of its class. Sorted by name.

    ``strangers`` are the files in classes' folders that are no pictures by their names.
    """

    classes: tuple[str, ...]
    parts: dict[str, list[tuple[Name, int]]]
    strangers: list[Name] = field(default_factory=list)


def find_layout(where: str, root: str, listing: Listing, strangers: bool = False) -> Layout:
    """The layout of an image folder; every way in which the names do not add up is an error that names a file.

    With ``strangers`` a file in a class's folder that is no picture by its name is no error but one of the strangers.
    """
    skip = _wrapping(listing)
    has_parts = _has_parts(where, root, listing, skip)
    depth = skip + (2 if has_parts else 1)  # the depth of a class's folder
    found: dict[str, dict[str, list[Name]]] = {}
    for folder in sorted(listing.folders):
        if len(folder) == depth:
            found.setdefault(_part(folder, skip, has_parts), {}).setdefault(folder[-1], [])
    strange: list[Name] = []
    for file in listing.files:
        if strangers and len(file) == depth + 1 and not _is_picture(file) and not _is_junk(file):
            strange.append(file)
        elif _belongs(where, listing, file, depth):
            found[_part(file, skip, has_parts)][file[depth - 1]].append(file)
    return _numbered(where, root, found, strange)


def _wrapping(listing: Listing) -> int:
    """1 if one folder, which is no part, wraps folders of folders; else 0."""
    tops = {name[0] for name in listing.folders}
    if len(tops) == 1 and not tops & set(_PARTS) and any(len(name) > 1 for name in listing.folders):
        return 1
    return 0


def _has_parts(where: str, root: str, listing: Listing, skip: int) -> bool:
    """Whether the folders are parts (train, test, ...) and not classes. A mixture is refused."""
    names = sorted({name[skip] for name in listing.folders if len(name) > skip})
    parts = [name for name in names if name.lower() in _PARTS]
    if not parts:
        return False
    if len(parts) < len(names):
        other = next(name for name in names if name not in parts)
        raise ValueError(
            f"{where}: {root} has the part {parts[0]!r} beside {other!r}; give either train, test and val, or "
            "the classes"
        )
    meant = [_PARTS[name.lower()] for name in parts]
    for part in set(meant):
        if meant.count(part) > 1:
            same = [name for name in parts if _PARTS[name.lower()] == part]
            raise ValueError(f"{where}: {root} has {' and '.join(same[:3])}, which mean the same; keep one of them")
    if "train" not in meant:
        raise ValueError(f"{where}: {root} has {', '.join(parts)} but no train folder; add one")
    return True


def _part(name: Name, skip: int, has_parts: bool) -> str:
    return _PARTS[name[skip].lower()] if has_parts else "train"


def _is_junk(file: Name) -> bool:
    lower = file[-1].lower()
    return lower in _JUNK or lower.endswith(_JUNK_ENDINGS)


def _is_picture(file: Name) -> bool:
    return file[-1].lower().endswith(EXTENSIONS)


def _belongs(where: str, listing: Listing, file: Name, depth: int) -> bool:
    """Whether the file is a picture in a class's folder; True, False (left out) or an error."""
    if _is_junk(file):
        return False
    is_picture = _is_picture(file)
    if len(file) == depth + 1 and is_picture:
        return True
    if len(file) <= depth and not is_picture:
        return False
    shown = listing.full_name(file)
    if len(file) == depth + 1:
        raise ValueError(
            f"{where}: {shown} is no picture by its name; a class's folder holds {' '.join(EXTENSIONS)} files: convert "
            "it or take it out"
        )
    raise ValueError(
        f"{where}: {shown} lies {'above' if len(file) <= depth else 'below'} the classes' folders; pictures must be in "
        "<class>/ or in train/<class>/, test/<class>/ and val/<class>/"
    )


def _numbered(where: str, root: str, found: dict[str, dict[str, list[Name]]], strange: list[Name]) -> Layout:
    """The classes numbered by their names' order, and every picture with its class's number."""
    if not any(files for classes in found.values() for files in classes.values()):
        raise ValueError(
            f"{where}: {root} has no pictures ({' '.join(EXTENSIONS)}) in folders of classes; give a folder with one "
            "folder for each class"
        )
    number = {name: i for i, name in enumerate(sorted({_class_name(name) for name in found.get("train", ())}))}
    for part, classes in sorted(found.items()):
        for name, files in classes.items():
            shown = one_line(name)
            place = shown if part == "train" and len(found) == 1 else f"{part}/{shown}"
            if _class_name(name) not in number:
                raise ValueError(
                    f"{where}: {root} has the class {place} but no train/{shown}; add pictures to train on"
                )
            if not files:
                raise ValueError(f"{where}: {root} has no pictures in the class {place}; add some or remove the folder")
    names = tuple(number)
    if len(names) < 2:
        raise ValueError(f"{where}: {root} has one class only, {names[0]!r}; there is nothing to tell apart")
    parts = {
        part: [(file, number[_class_name(name)]) for name, files in sorted(classes.items()) for file in files]
        for part, classes in found.items()
    }
    return Layout(names, parts, strange)


def _class_name(folder: str) -> str:
    """The folder's name in one spelling: macOS takes letters and accents apart, other systems do not."""
    return unicodedata.normalize("NFC", folder)
