"""From arrays to pictures: a layer's maps side by side, heat over an image, one filter."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from pellucid import check
from pellucid.inspect.grid import stretched

COLD, MIDDLE, WARM = (0, 90, 181), (245, 245, 245), (220, 50, 32)
"""Below zero, zero, above: told apart by the colour-blind, too (blue and red of Okabe and Ito's kind)."""

HEAT = ((0.0, (48, 18, 110)), (0.35, (190, 40, 90)), (0.7, (245, 140, 30)), (1.0, (255, 245, 150)))
MOST_OPAQUE = 220


def maps_sheet(maps: Any, columns: int) -> np.ndarray:
    """Maps side by side, nothing between; all of them by one scale, so that a silent one is dark.

    Parameters
    ----------
    maps : array (K, h, w)
        Where nothing is below zero, black is 0 and white the largest value of all. Otherwise zero is near white, what
        is below blue, what is above red.
    columns : int

    Returns
    -------
    uint8 array (rows * h, columns * w), or (..., 3) where there are colours
    """
    where = "maps_sheet"
    maps = _finite(where, "maps", maps, 3)
    columns = check.whole_number(where, "columns", columns, least=1)
    K, h, w = maps.shape
    shown = _diverging(maps) if maps.min() < 0 else _grey(maps)
    rows = math.ceil(K / columns)
    whole = np.zeros((rows * columns, *shown.shape[1:]), np.uint8)
    whole[:K] = shown
    whole = whole.reshape(rows, columns, *shown.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(whole.reshape(rows * h, columns * w, *shown.shape[3:]))


def filter_picture(w: Any) -> np.ndarray:
    """One filter as a picture.

    Parameters
    ----------
    w : array (C, HH, WW)
        With three channels, in colour, stretched to the whole range of brightness. With others, its channels side by
        side: zero near white, what is below blue, what is above red.

    Returns
    -------
    uint8 array (.., .., 3)
    """
    w = _finite("filter_picture", "w", w, 3)
    C, HH, WW = w.shape
    if C == 3:
        return np.rint(stretched(w)).astype(np.uint8).transpose(1, 2, 0)
    columns = math.ceil(math.sqrt(C))
    rows = math.ceil(C / columns)
    gap = 0 if C == 1 else 1
    whole = np.full((rows * (HH + gap) - gap, columns * (WW + gap) - gap, 3), 128, np.uint8)
    for c, shown in enumerate(_diverging(w)):
        top, left = c // columns * (HH + gap), c % columns * (WW + gap)
        whole[top : top + HH, left : left + WW] = shown
    return whole


def overlay(heat: Any) -> np.ndarray:
    """Heat as a picture to lay over another: where there is none, it lets all through.

    Parameters
    ----------
    heat : array (H, W)
        From 0 to 1; what is beyond is cut off.

    Returns
    -------
    uint8 array (H, W, 4), RGBA
    """
    heat = np.clip(_finite("overlay", "heat", heat, 2), 0, 1)
    at = [place for place, _ in HEAT]
    channels = [np.interp(heat, at, [colour[c] for _, colour in HEAT]) for c in range(3)]
    return np.rint(np.stack([*channels, MOST_OPAQUE * np.sqrt(heat)], axis=-1)).astype(np.uint8)


def png(picture: np.ndarray) -> bytes:
    """A uint8 picture, (H, W), (H, W, 3) or (H, W, 4), as a PNG file's content."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(content, "PNG")
    return content.getvalue()


def _grey(maps: np.ndarray) -> np.ndarray:
    return np.rint(255 * maps / max(float(maps.max()), 1e-30)).astype(np.uint8)


def _diverging(values: np.ndarray) -> np.ndarray:
    """(...) -> uint8 (..., 3)"""
    share = values / max(float(np.abs(values).max()), 1e-30)  # -1 ... 1
    ends = np.where(share[..., None] < 0, np.array(COLD, float), np.array(WARM, float))
    return np.rint(MIDDLE + np.abs(share)[..., None] * (ends - MIDDLE)).astype(np.uint8)


def _finite(where: str, name: str, array: Any, ndim: int) -> np.ndarray:
    array = np.asarray(array, np.float64)
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{where}: {name} has shape {array.shape}; it must have {ndim} axes and something in it")
    if not np.isfinite(array).all():
        raise ValueError(f"{where}: {name} has values that are not finite")
    return array
