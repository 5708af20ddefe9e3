"""The members of a tar archive, read as a stream: as much of the format as CIFAR-10's archive needs.

An archive is blocks of 512 bytes: for every member a header with its name, its kind, its size and a sum over the header
itself, and then its bytes, filled up to whole blocks. A block of zeros ends it.

The standard library's reader also knows sparse files, links and extended headers, which it keeps in memory whole and,
before Python 3.11.10 and 3.12.6, searches in quadratic time: with it an archive of 500 bytes took hours.

Format: https://www.gnu.org/software/tar/manual/html_node/Standard.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

BLOCK = 512
_PIECE = 1 << 20
# A file, also as very old archives write it.
_PLAIN = (b"0", b"\0")
# Links, devices, folders and pipes have none, whatever size stands in their headers.
_EMPTY = (b"1", b"2", b"3", b"4", b"5", b"6")
# An extended header says more about the member behind it. Ours have none, or one that changes nothing that we read.
_EXTENDED = b"x"
_MOST_EXTENDED_BYTES = 1 << 16
_SPARSE = b"GNU.sparse"

Read = Callable[[int], bytes]


class BrokenArchive(ValueError):
    """Bytes that are no tar archive."""


class Member:
    """One member. Its bytes can be read until the next member is asked for.

    name : the name, as it is written.
    is_plain : whether it is a file, and no link, device or folder, nor packed with its zeros left out.
    size : its bytes.
    """

    def __init__(self, read: Read, name: str, is_plain: bool, size: int) -> None:
        self.name, self.is_plain, self.size = name, is_plain, size
        self._read, self._left = read, size

    def read(self, count: int) -> bytes:
        """At most so many of its bytes that are left; none at its end."""
        piece = self._read(min(count, self._left)) if self._left else b""
        if self._left and count and not piece:
            raise BrokenArchive(f"it ends within {self.name!r}")
        self._left -= len(piece)
        return piece


def members(read: Read) -> Iterator[Member]:
    """The members of an archive, whose bytes ``read(count)`` gives, at most so many at a time, and none at the end.

    Raises
    ------
    BrokenArchive, and what ``read`` raises.
    """
    is_sparse = False
    while header := _block(read):
        kind, size = header[156:157], _size(header)
        is_folder = header[:100].partition(b"\0")[0].endswith(b"/")  # as very old archives write it
        member = Member(read, _name(header), kind in _PLAIN and not is_sparse and not is_folder, size)
        is_sparse = kind == _EXTENDED and _SPARSE in member.read(_MOST_EXTENDED_BYTES)
        yield member
        while member.read(_PIECE):
            pass
        _exactly(read, -size % BLOCK)


def _block(read: Read) -> bytes:
    """A header whose sum is right; nothing at the archive's end."""
    header = _exactly(read, BLOCK, may_end=True)
    if not header.strip(b"\0"):
        return b""
    # The sum is taken with blanks in its own place; some old programs took the bytes for signed numbers.
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    signed = total - 256 * sum(byte > 127 for byte in header[:148] + header[156:])
    if _octal(header[148:156]) not in (total, signed):
        raise BrokenArchive("what should be a header is none")
    return header


def _exactly(read: Read, count: int, may_end: bool = False) -> bytes:
    content = b""
    while len(content) < count:
        piece = read(count - len(content))
        if not piece and may_end and not content:
            return b""
        if not piece:
            raise BrokenArchive("it ends within a block")
        content += piece
    return content


def _name(header: bytes) -> str:
    name = _text(header[:100])
    is_posix = header[257:263] == b"ustar\0"  # in GNU's kind other things stand in the place of the first half
    before = _text(header[345:500]) if is_posix else ""
    return f"{before}/{name}".rstrip("/") if before else name.rstrip("/")


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _size(header: bytes) -> int:
    """The bytes behind the header."""
    if header[156:157] in _EMPTY:
        return 0
    field = header[124:136]
    if field[0] < 0x80:
        return _octal(field)
    if field[0] != 0x80:
        raise BrokenArchive("a member has a size below zero")
    return int.from_bytes(field[1:], "big")  # as GNU's tar writes what has no place in 11 octal digits


def _octal(field: bytes) -> int:
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):
        raise BrokenArchive("a number in a header is none")
    return int(digits or b"0", 8)
