"""What the bytes of a picture file tell of the work that decoding it would be. A few of them can ask for hours.

The number of pixels says nothing of it: a JPEG may go over all of its pixels again with every scan, a PNG may have any
number of packed notes between its pixels, and each of them takes a few bytes of the file.
"""

from __future__ import annotations

import re

# A JPEG that is sharpened step by step has about ten scans. A hundred over 64 million pixels take a second.
MOST_SCANS = 100
# A colour profile and long notes take a hundred segments of a JPEG; a PNG has a dozen chunks beside its pixels.
MOST_SEGMENTS = 1_000
MOST_NOTES = 256
# Libraries write pixels by 8 KB or more in a chunk: this is enough for 1 GB.
MOST_CHUNKS = 2**17

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Within the pixels a byte of 255 is followed by 0 or by a restart mark. Those, and two others, have no length.
_MARK = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_SCAN, _END = 0xDA, 0xD9


def refuse_costly(content: bytes) -> None:
    """Refuse a picture file that would keep its decoder busy out of all proportion.

    Raises
    ------
    ValueError that says what the file has too many of.
    """
    if content.startswith(_JPEG):
        _check_jpeg(content)
    elif content.startswith(_PNG):
        _check_png(content)


def _check_jpeg(content: bytes) -> None:
    """Walks from one segment to the next, over the pixels behind each scan's head, to the end of the first picture."""
    place, scans, segments = 2, 0, 0
    while mark := _MARK.search(content, place):
        kind, place = mark[1][0], mark.end()
        if kind == _END:
            return
        scans += kind == _SCAN
        segments += kind != _SCAN
        if scans > MOST_SCANS:
            raise ValueError(f"it has more than {MOST_SCANS} scans")
        if segments > MOST_SEGMENTS:
            raise ValueError(f"it has more than {MOST_SEGMENTS:,} segments")
        place += max(2, int.from_bytes(content[place : place + 2], "big"))


def _check_png(content: bytes) -> None:
    place, chunks, notes = len(_PNG), 0, 0
    while place + 8 <= len(content):
        kind = content[place + 4 : place + 8]
        chunks += 1
        notes += kind != b"IDAT"
        if notes > MOST_NOTES:
            raise ValueError(f"it has more than {MOST_NOTES} chunks beside its pixels")
        if chunks > MOST_CHUNKS:
            raise ValueError(f"it has more than {MOST_CHUNKS:,} chunks")
        if kind == b"IEND":
            return
        place += 12 + int.from_bytes(content[place : place + 4], "big")
