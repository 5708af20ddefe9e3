"""The files of an image folder, on disk or in a zip file: their names first, and their bytes when they are asked for.

Whatever could lead out of the folder is refused here: links, absolute names, "..", pipes and devices.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Protocol

from pellucid.data import places
from pellucid.data.pictures import MOST_FILE_BYTES, BrokenPicture

# Folders within folders. An image folder needs three.
_MOST_DEPTH = 8
# Of one folder's or file's name: what file systems take. A zip file could hold 65,535.
_MOST_LETTERS = 255
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")  # what ends a line, or steers a terminal
# Of a member's header in a zip file, before its name.
_ZIP_HEADER_BYTES = 30


class Listing(Protocol):
    """Files below one root. ``files`` and ``folders`` hold relative names, split at the slashes and sorted."""

    files: list[tuple[str, ...]]
    folders: set[tuple[str, ...]]

    def full_name(self, file: tuple[str, ...]) -> str:
        """The name for messages."""
        ...

    def read(self, file: tuple[str, ...]) -> bytes:
        """The bytes of one file. May be called from several threads at once.

        Raises BrokenPicture for what can be named and not read, and OSError where the system refuses.
        """
        ...

    def stamp(self, file: tuple[str, ...]) -> tuple[int, ...]:
        """Numbers that change when the file does: its size and when it was changed, and in a zip its checksum."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class FolderListing:
    """The regular files below a folder. Hidden files and folders are left out."""

    def __init__(self, where: str, root: Path) -> None:
        self._where, self._root = where, root
        self._resolved = root.resolve()
        self.files: list[tuple[str, ...]] = []
        self.folders: set[tuple[str, ...]] = set()
        self._walk(root, ())
        self.files.sort()

    def _walk(self, folder: Path, above: tuple[str, ...]) -> None:
        if len(above) > _MOST_DEPTH:
            raise _too_deep(self._where, one_line(str(folder)))
        with os.scandir(folder) as entries:
            for entry in entries:
                if _ignored(entry.name):
                    continue
                name = (*above, entry.name)
                _check_text(self._where, name)
                if entry.is_dir(follow_symlinks=False):
                    self.folders.add(name)
                    self._walk(folder / entry.name, name)
                else:
                    self._check_file(folder / entry.name, entry)
                    self.files.append(name)

    def _check_file(self, path: Path, entry: os.DirEntry[str]) -> None:
        shown = one_line(str(path))
        if entry.is_symlink():
            try:
                target = path.resolve(strict=True)
            except (OSError, RuntimeError):
                raise ValueError(f"{self._where}: {shown} is a link to nothing; take it out") from None
            if not target.is_relative_to(self._resolved):
                raise ValueError(
                    f"{self._where}: {shown} is a link out of the folder, to {one_line(str(target))}; copy the file "
                    "instead"
                )
            if target.is_dir():
                raise ValueError(f"{self._where}: {shown} is a link to a folder; copy the folder instead")
        if not entry.is_file():
            raise ValueError(f"{self._where}: {shown} is not a regular file; take it out")

    def full_name(self, file: tuple[str, ...]) -> str:
        return one_line(str(self._root.joinpath(*file)))

    def read(self, file: tuple[str, ...]) -> bytes:
        path = self._root.joinpath(*file)
        with places.opened(self._where, path) as stream:
            size = os.fstat(stream.fileno()).st_size
            _check_file_size(self._where, str(path), size)
            return stream.read(size)

    def stamp(self, file: tuple[str, ...]) -> tuple[int, ...]:
        status = self._root.joinpath(*file).stat()
        return status.st_size, status.st_mtime_ns

    def close(self) -> None:
        """There is nothing to close."""


class ZipListing:
    """The files in a zip file, which is read in place. Hidden files and ``__MACOSX`` are left out."""

    def __init__(self, where: str, path: Path) -> None:
        self._where, self._path = where, path
        self._members: dict[tuple[str, ...], zipfile.ZipInfo] = {}
        self.folders: set[tuple[str, ...]] = set()
        self._file = places.opened(where, path)
        try:
            self._mtime_ns = os.fstat(self._file.fileno()).st_mtime_ns
            self._archive = self._opened()
            self._check_places()
            for member in self._archive.infolist():
                self._add(member)
        except BaseException:
            self._file.close()
            raise
        self.files = sorted(self._members)

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, OverflowError, struct.error) as error:
            raise ValueError(
                f"{self._where}: {self._path} is damaged or no zip file ({_words(error)}); get it again"
            ) from error

    def _check_places(self) -> None:
        """No two members share bytes. A small file could else hold the same large picture a million times."""
        end, size = 0, os.fstat(self._file.fileno()).st_size
        for member in sorted(self._archive.infolist(), key=lambda member: member.header_offset):
            if 0 <= member.header_offset < end:
                raise ValueError(
                    f"{self._where}: {self._shown(member)} shares bytes with another member of the zip; make it anew"
                )
            end = member.header_offset + _ZIP_HEADER_BYTES + member.compress_size
            if member.header_offset < 0 or end > size:
                raise ValueError(
                    f"{self._where}: {self._shown(member)} is damaged: it would lie outside of the file; get it again"
                )

    def _shown(self, member: zipfile.ZipInfo) -> str:
        name = member.filename
        return f"{self._path}: {name if len(name) <= _MOST_LETTERS else name[:_MOST_LETTERS] + '...'!r}"

    def _add(self, member: zipfile.ZipInfo) -> None:
        shown = self._shown(member)
        name = _safe_parts(self._where, shown, member.filename)
        if not name or any(_ignored(part) for part in name):
            return
        _check_text(self._where, name)
        if len(name) > _MOST_DEPTH + (0 if member.is_dir() else 1):
            raise _too_deep(self._where, shown)
        # The upper half holds the Unix mode where the zip was made on Unix, else 0.
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{self._where}: {shown} is a link or a device; zip the files themselves")
        self.folders.update(name[:depth] for depth in range(1, len(name)))
        if member.is_dir():
            self.folders.add(name)
            return
        if member.flag_bits & 1:
            raise ValueError(f"{self._where}: {shown} is encrypted; zip it without a password")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{self._where}: {shown} is packed by a rare method; zip it with deflate, the usual one")
        if name in self._members:
            raise ValueError(f"{self._where}: {shown} is in the zip file twice; make it anew")
        self._members[name] = member

    def full_name(self, file: tuple[str, ...]) -> str:
        return f"{self._path}: {one_line('/'.join(file))}"

    def read(self, file: tuple[str, ...]) -> bytes:
        member = self._members[file]
        _check_file_size(self._where, self.full_name(file), member.file_size)
        try:
            with self._archive.open(member) as stream:
                return stream.read(member.file_size)  # not more: zipfile would unpack it all before it cuts it off
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            zlib.error,
            struct.error,
            EOFError,
            ValueError,
            OverflowError,
            OSError,
        ) as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a place before the file's start
                raise
            raise BrokenPicture(
                self._where, self.full_name(file), f"is damaged ({_words(error)})", "make the zip anew"
            ) from error

    def stamp(self, file: tuple[str, ...]) -> tuple[int, ...]:
        member = self._members[file]
        return member.file_size, member.CRC, self._mtime_ns

    def close(self) -> None:
        self._archive.close()
        self._file.close()


def one_line(name: str) -> str:
    """The name for messages: line breaks and what else steers a terminal written out."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], name)


def _ignored(name: str) -> bool:
    """What systems leave behind: hidden files, and the folder of hidden files that macOS puts into zips."""
    return name.startswith(".") or name in ("__MACOSX", "Icon\r")


def _words(error: Exception) -> str:
    """What an error says, without all of the file that it may repeat."""
    text = one_line(str(error))
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


def _too_deep(where: str, shown: str) -> ValueError:
    return ValueError(f"{where}: {shown} lies too deep for an image folder; give the folder of the classes")


def _safe_parts(where: str, shown: str, name: str) -> tuple[str, ...]:
    """The parts of a name in a zip file, which must stay below its root."""
    if name.startswith("/") or "\\" in name or name[1:2] == ":" or ".." in name.split("/"):
        raise ValueError(f"{where}: {shown} is a name that leads out of the zip file; make it anew with plain names")
    return PurePosixPath(name).parts


def _check_text(where: str, name: tuple[str, ...]) -> None:
    """Names end up in messages and in saved models, so they must be text, and not endless."""
    text = "/".join(name)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where}: the name {text!r} is no valid UTF-8; rename it") from None
    if max(map(len, name)) > _MOST_LETTERS:
        raise ValueError(f"{where}: the name {text[:_MOST_LETTERS]!r}... is longer than any file's; rename it")


def _check_file_size(where: str, name: str, size_bytes: int) -> None:
    if size_bytes > MOST_FILE_BYTES:
        raise BrokenPicture(where, name, f"has {size_bytes:,} bytes, more than {MOST_FILE_BYTES:,}", "take it out")
