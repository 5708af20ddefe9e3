"""From arrays to pictures: a layer's maps side by side, heat over an image, one filter."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid import check
from pellucid.inspect.grid import laid_out, stretched

COLD, MIDDLE, WARM = (0, 90, 181), (245, 245, 245), (220, 50, 32)
"""Below zero, zero, above: told apart by the colour-blind, too."""
BETWEEN = 128
"""The line between channels."""

Palette = Sequence[tuple[float, tuple[int, int, int]]]

HEAT: Palette = ((0.0, (48, 18, 110)), (0.35, (190, 40, 90)), (0.7, (245, 140, 30)), (1.0, (255, 245, 150)))
"""Colours by their places from 0 to 1: from dark to light all the way, so that it reads without colours, too."""
LIGHT: Palette = ((0.0, (255, 255, 255)), (1.0, (255, 255, 255)))
"""White, and only more or less of it."""
MOST_OPAQUE = 220


def maps_sheet(maps: Any, columns: int) -> np.ndarray:
    """Maps side by side, nothing between; all of them by one scale, so that a silent one is dark.

    Parameters
    ----------
    maps : array (K, h, w)
        Where nothing is below zero, black is 0 and white the largest value of all. Otherwise zero is near white, what
        is below blue, what is above red. Infinity is shown as the largest finite value.
    columns : int

    Returns
    -------
    uint8 array (rows * h, columns * w)
        Or (..., 3) where there are colours.
    """
    where = "maps_sheet"
    maps = _numbers(where, "maps", maps, 3)
    columns = check.whole_number(where, "columns", columns, least=1)
    shown = _diverging(maps) if maps.min() < 0 else _grey(maps)[..., None]
    sheet = laid_out(shown, math.ceil(len(maps) / columns), columns, padding=0, background=0).astype(np.uint8)
    return sheet[..., 0] if shown.shape[-1] == 1 else sheet


def filter_picture(w: Any) -> np.ndarray:
    """One filter as a picture.

    Parameters
    ----------
    w : array (C, HH, WW)
        With three channels, in colour, stretched to the whole range of brightness. With others, its channels side by
        side: zero near white, what is below blue, what is above red.

    Returns
    -------
    uint8 array (HH, WW, 3)
        With several channels, a square of them with a line of one pixel between.
    """
    w = _numbers("filter_picture", "w", w, 3)
    C, HH, WW = w.shape
    if C == 3:
        return np.rint(stretched(w)).astype(np.uint8).transpose(1, 2, 0)
    columns = math.ceil(math.sqrt(C))
    rows = math.ceil(C / columns)
    gap = 1
    picture = laid_out(_diverging(w), rows, columns, gap, BETWEEN).astype(np.uint8)
    return picture[: rows * (HH + gap) - gap, : columns * (WW + gap) - gap]


def overlay(heat: Any, palette: Palette = HEAT) -> np.ndarray:
    """Heat as a picture to lay over another: where there is none, it lets all through.

    Parameters
    ----------
    heat : array (H, W)
        From 0 to 1; what is beyond is cut off.
    palette : sequence of (place, (red, green, blue))
        Colours from 0 to 255 by places that grow from 0 to 1; between them, in between. `HEAT` or `LIGHT`.

    Returns
    -------
    uint8 array (H, W, 4), RGBA
    """
    where = "overlay"
    heat = np.clip(_numbers(where, "heat", heat, 2), 0, 1)
    at, colours = _checked_palette(where, palette)
    channels = [np.interp(heat, at, colours[:, c]) for c in range(3)]
    opaque = MOST_OPAQUE * np.sqrt(heat)  # so that little heat is seen, too
    return np.rint(np.stack([*channels, opaque], axis=-1)).astype(np.uint8)


def png(picture: Any) -> bytes:
    """A picture as a PNG file's content.

    Parameters
    ----------
    picture : uint8 array (H, W) in grey, (H, W, 3) in colour, or (H, W, 4), RGBA
    """
    from PIL import Image

    picture = np.asarray(picture)
    is_picture = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (3, 4))
    if not is_picture or picture.dtype != np.uint8 or picture.size == 0:
        raise ValueError(
            f"png: picture has shape {picture.shape} and type {picture.dtype}; it must be uint8, (H, W), (H, W, 3) or "
            "(H, W, 4), with at least one pixel"
        )
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(content, "PNG")
    return content.getvalue()


def _grey(maps: np.ndarray) -> np.ndarray:
    return np.rint(255 * (maps / _largest(maps)))


def _diverging(values: np.ndarray) -> np.ndarray:
    """(...) -> (..., 3), from 0 to 255."""
    share = (values / _largest(values))[..., None]  # -1 ... 1
    ends = np.where(share < 0, np.array(COLD, float), np.array(WARM, float))
    return np.rint(MIDDLE + np.abs(share) * (ends - MIDDLE))


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max()) or 1.0


def _checked_palette(where: str, palette: Any) -> tuple[np.ndarray, np.ndarray]:
    """The places (P,) and colours (P, 3)."""
    try:
        at = np.array([place for place, _ in palette], float)
        colours = np.array([colour for _, colour in palette], float).reshape(len(at), 3)
        good = len(at) > 0 and (np.diff(at) > 0).all() and ((colours >= 0) & (colours <= 255)).all()
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"{where}: palette is {check.shown(palette)}; it must be (place, (red, green, blue)) for places that grow "
            "from 0 to 1, with colours from 0 to 255"
        )
    return at, colours


def _numbers(where: str, name: str, array: Any, ndim: int) -> np.ndarray:
    """The array in float64, with infinity cut off to what is finite."""
    array = np.asarray(array)
    if array.ndim != ndim or array.size == 0 or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{where}: {name} has shape {array.shape} and type {array.dtype}; it must be numbers with {ndim} axes, "
            "none of them empty"
        )
    array = array.astype(np.float64)
    if np.isnan(array).any():
        raise ValueError(f"{where}: {name} has NaN in it")
    finite = array[np.isfinite(array)]
    return np.clip(array, finite.min(), finite.max()) if finite.size else np.sign(array)
