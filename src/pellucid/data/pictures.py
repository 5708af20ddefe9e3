"""One picture from a stranger's file: bytes in, a small RGB array out, or one error.

Only four formats are opened, whatever the file's name says; the picture's size is looked at before it is decoded; a
picture that is cut short is refused, not filled up with grey.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
FITS = ("crop", "stretch", "pad")
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
# A photograph of 8,000 x 8,000 pixels is let through. Decoded it takes 192 MB, for each thread that decodes.
MOST_PIXELS = 64_000_000
# A file larger than this holds no picture that we would let through.
MOST_FILE_BYTES = 256 * 2**20


class BrokenPicture(ValueError):
    """A file that should be a picture and gives none. ``reason`` says what is wrong with it, without its name."""

    def __init__(self, where: str, name: str, reason: str, advice: str) -> None:
        super().__init__(f"{where}: {name} {reason}; {advice}")
        self.reason = reason


def decode_picture(
    where: str, name: str, content: bytes, size: tuple[int, int] | None = None, fit: str = "crop"
) -> np.ndarray:
    """An RGB picture, uint8 (H, W, 3), from a file's bytes.

    It is turned upright as its EXIF note says. Grey, palette and CMYK become RGB, what is transparent is laid on white,
    and of 16 bits the upper 8 are taken. With ``size`` = (height, width) it is brought to that size as ``fit`` says:

    crop : scaled in proportion until the shorter side fits (in proportion to size), and the middle cut out.
    stretch : scaled to size, whatever that does to its proportions.
    pad : scaled in proportion until the longer side fits, and laid in the middle of a picture of its own mean colour
        (rounded), so that padding changes neither the mean of a picture nor that of the data set.

    Scaling is Pillow's bilinear filter, which averages over all pixels when it shrinks.

    Raises
    ------
    BrokenPicture, a ValueError that names the file, for whatever is no picture of the four formats, is damaged, moves,
    or is too large.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_before_decoding(image)
            if size is not None:
                # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, much faster: twice what we need is left.
                image.draft(None, (2 * max(size), 2 * max(size)))
            return picture_of(image, size, fit)
    # Pillow's decoders raise OSError, SyntaxError, struct.error, IndexError and more at damaged files.
    except Exception as error:
        reason = f"it is no picture of the formats {', '.join(FORMATS)}" if _unknown(error) else str(error)
        advice = "replace it or take it out"
        raise BrokenPicture(where, name, f"cannot be read: {reason or type(error).__name__}", advice) from error


def picture_of(image: Any, size: tuple[int, int] | None = None, fit: str = "crop") -> np.ndarray:
    """What ``decode_picture`` makes of a Pillow image that is open already."""
    from PIL import ImageOps

    upright: Any = _rgb(ImageOps.exif_transpose(image))
    return np.asarray(upright if size is None else _fitted(upright, size, fit))


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
    if image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1:
        raise ValueError("it is animated")


def _rgb(image: Image.Image) -> Image.Image:
    """The picture in 8-bit RGB."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit grey
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _unknown(error: Exception) -> bool:
    from PIL import UnidentifiedImageError

    return isinstance(error, UnidentifiedImageError)
