"""A small picture file that would keep its decoder busy for long is refused before it is decoded."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from pellucid.data.costs import MOST_NOTES, MOST_SCANS, refuse_costly
from pellucid.data.pictures import BrokenPicture, decode_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)


def content(kind, **options):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_usual_pictures_pass(kind):
    refuse_costly(content(kind))
    refuse_costly(content("JPEG", progressive=True, quality=95))


def test_a_jpeg_of_very_many_scans_is_refused():
    whole = content("JPEG", progressive=True)
    start = whole.index(b"\xff\xda")
    end = whole.index(b"\xff\xda", start + 2)
    many = whole[:end] + whole[start:end] * MOST_SCANS + whole[end:]
    with pytest.raises(BrokenPicture, match=f"it has more than {MOST_SCANS} scans"):
        decode_picture("here", "many.jpg", many)


def test_a_png_of_very_many_notes_is_refused():
    whole = content("PNG")
    body = b"tEXta\0b"
    note = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    place = whole.index(b"IDAT") - 4
    with pytest.raises(BrokenPicture, match="it has more than"):
        decode_picture("here", "many.png", whole[:place] + note * (MOST_NOTES + 1) + whole[place:])
