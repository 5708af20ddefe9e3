"""One picture from a stranger's file: bytes in, a small RGB array out, or one error.

Only four formats are opened, whatever the file's name says; the picture's size, and what its decoding would cost
(`pellucid.data.costs`), are looked at before it is decoded; a picture that is cut short is refused, not filled up with
grey.
"""

from __future__ import annotations

import contextlib
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.costs import refuse_costly
from pellucid.data.memory import Room

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
FITS = ("crop", "stretch", "pad")
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
# A photograph of 8,000 x 8,000 pixels is let through. While it is decoded it takes up to 0.9 GB, or 1.4 GB as WebP.
MOST_PIXELS = 64_000_000
# Of a picture's width and height. More, and scaling it takes gigabytes, however narrow it is.
MOST_SIDE = 2**16 - 1
# Pillow unpacks run lengths in Python, 0.1 microseconds for a pixel.
MOST_RUN_LENGTH_PIXELS = 2**22
_STRIP_PIXELS = 2**20
_RUN_LENGTHS = (1, 2)  # a BMP's, of 8 and of 4 bits
# ITU-R 601's weights of red, green and blue, times 2**16.
_LUMA = np.array([19595, 38470, 7471], np.uint32)
# EXIF's orientations from 2 on, by Pillow's names of what undoes them.
_TURNS = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
# A file larger than this holds no picture that we would let through.
MOST_FILE_BYTES = 256 * 2**20


class BrokenPicture(ValueError):
    """A file that should be a picture and gives none. ``reason`` says what is wrong with it, without its name."""

    def __init__(self, where: str, name: str, reason: str, advice: str) -> None:
        super().__init__(f"{where}: {name} {reason}; {advice}")
        self.reason = reason


def decode_picture(
    where: str,
    name: str,
    content: bytes,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    room: Room | None = None,
) -> np.ndarray:
    """An RGB picture, uint8 (H, W, 3), from a file's bytes.

    It is turned upright as its EXIF note says. Grey, palette and CMYK become RGB, what is transparent is laid on white,
    and of 16 bits the upper 8 are taken. With ``size`` = (height, width) it is brought to that size as ``fit`` says:

    crop : scaled in proportion until the shorter side fits (in proportion to size), and the middle cut out.
    stretch : scaled to size, whatever that does to its proportions.
    pad : scaled in proportion until the longer side fits, and laid in the middle of a picture of its own mean colour
        (rounded), so that padding changes neither the mean of a picture nor that of the data set.

    With ``room``, as many pixels are taken of it as are decoded: several threads together decode no more.

    Scaling is Pillow's bilinear filter, which averages over all pixels when it shrinks.

    Raises
    ------
    BrokenPicture, a ValueError that names the file, for whatever is no picture of the four formats, is damaged, moves,
    or is too large.
    """
    from PIL import Image

    try:
        refuse_costly(content)
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_before_decoding(image)
            if size is not None:
                # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, much faster: twice what we need is left.
                image.draft(None, (2 * max(size), 2 * max(size)))
            with room.taken(math.prod(image.size)) if room is not None else contextlib.nullcontext():
                return picture_of(image, size, fit)
    # Pillow's decoders raise OSError, SyntaxError, struct.error, IndexError and more at damaged files.
    except Exception as error:
        reason = f"it is no picture of the formats {', '.join(FORMATS)}" if _unknown(error) else str(error)
        advice = "replace it or take it out"
        raise BrokenPicture(where, name, f"cannot be read: {reason or type(error).__name__}", advice) from error


def picture_of(image: Any, size: tuple[int, int] | None = None, fit: str = "crop") -> np.ndarray:
    """What ``decode_picture`` makes of a Pillow image that is open already."""
    upright: Any = _rgb(_upright(image))
    return np.asarray(upright if size is None else _fitted(upright, size, fit))


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF note says. Itself, not a copy, where it is upright already."""
    from PIL import ExifTags, Image

    image.load()  # the note of a PNG may stand behind its pixels
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation not in range(2, 9):
        return image
    return image.transpose(Image.Transpose[_TURNS[int(orientation) - 2]])


def in_grey(rgb: np.ndarray) -> np.ndarray:
    """RGB pixels as grey ones, uint8 (..., 3) -> (..., 1), bit for bit as Pillow makes them."""
    return ((rgb @ _LUMA + 2**15) >> 16).astype(np.uint8)[..., None]


def _fitted(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    """The picture at the size (height, width), by one of the rules of ``decode_picture``."""
    from PIL import Image, ImageOps

    H, W = size
    if fit == "stretch":
        return image.resize((W, H), Image.Resampling.BILINEAR)
    if fit == "crop":
        return ImageOps.fit(image, (W, H), Image.Resampling.BILINEAR)
    ratio = min(H / image.height, W / image.width)
    height, width = (max(1, round(side * ratio)) for side in (image.height, image.width))
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    mean = np.asarray(scaled).mean(axis=(0, 1))
    padded = Image.new("RGB", (W, H), tuple(int(c) for c in np.rint(mean)))
    padded.paste(scaled, ((W - width) // 2, (H - height) // 2))
    return padded


def _check_before_decoding(image: Image.Image) -> None:
    """Not too many pixels, and one picture only. (Some cameras add a second one to a JPEG; the first is the one.)"""
    W, H = image.size
    if W * H > MOST_PIXELS:
        raise ValueError(f"it has {W} x {H} pixels, more than {MOST_PIXELS:,}")
    if max(W, H) > MOST_SIDE:
        raise ValueError(f"it has {W} x {H} pixels, more than {MOST_SIDE:,} in a row or a column")
    if image.format == "BMP" and image.info.get("compression") in _RUN_LENGTHS and W * H > MOST_RUN_LENGTH_PIXELS:
        raise ValueError(f"it has {W} x {H} pixels as run lengths, more than {MOST_RUN_LENGTH_PIXELS:,}")
    if image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1:
        raise ValueError("it is animated")


def _rgb(image: Image.Image) -> Image.Image:
    """The picture in 8-bit RGB."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit grey
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """A transparent picture laid on white, some rows at a time, for on the way there are four copies of them."""
    from PIL import Image

    W, H = image.size
    out, rows = Image.new("RGB", image.size), max(1, _STRIP_PIXELS // W)
    for top in range(0, H, rows):
        strip = image.crop((0, top, W, min(H, top + rows))).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        out.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return out


def _unknown(error: Exception) -> bool:
    from PIL import UnidentifiedImageError

    return isinstance(error, UnidentifiedImageError)
