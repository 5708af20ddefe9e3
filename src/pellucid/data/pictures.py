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
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
# A photograph of 8,000 x 8,000 pixels is let through. Decoded it takes 192 MB, for each thread that decodes.
MOST_PIXELS = 64_000_000
# A file larger than this holds no picture that we would let through.
MOST_FILE_BYTES = 256 * 2**20


def decode_picture(where: str, name: str, content: bytes, size: tuple[int, int] | None = None) -> np.ndarray:
    """An RGB picture, uint8 (H, W, 3), from a file's bytes.

    It is turned upright as its EXIF note says. Grey, palette and CMYK become RGB, what is transparent is laid on white,
    and of 16 bits the upper 8 are taken. With ``size`` = (height, width) it is scaled until its shorter side fits (in
    proportion to size), and the middle is cut out: Pillow's ImageOps.fit with its bilinear filter, which averages over
    all pixels when it shrinks.

    Raises
    ------
    ValueError, naming the file, for whatever is no picture of the four formats, is damaged, moves, or is too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_before_decoding(image)
            if size is not None:
                # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, much faster: twice what we need is left.
                image.draft(None, (2 * max(size), 2 * max(size)))
            upright: Any = _rgb(ImageOps.exif_transpose(image))
            if size is not None:
                upright = ImageOps.fit(upright, (size[1], size[0]), Image.Resampling.BILINEAR)
            return np.asarray(upright)
    # Pillow's decoders raise OSError, SyntaxError, struct.error, IndexError and more at damaged files.
    except Exception as error:
        reason = f"it is no picture of the formats {', '.join(FORMATS)}" if _unknown(error) else str(error)
        raise ValueError(f"{where}: {name} cannot be read: {reason}; replace it or take it out") from error


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
