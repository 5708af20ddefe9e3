"""Augmented images: the kernel's, and what plain NumPy makes of the same changes."""

from typing import NamedTuple

import numpy as np

from pellucid.kernels.augmentation import augment


class Case(NamedTuple):
    name: str
    shape: tuple
    shift: int = 0
    flip: bool = False
    side: int = 0
    tones: bool = False


CASES = [
    Case("nothing", (3, 5, 4, 3)),
    Case("flip", (3, 5, 4, 3), flip=True),
    Case("shift", (6, 5, 4, 3), shift=3),
    Case("shift and flip", (6, 6, 7, 1), shift=2, flip=True),
    Case("cutout", (6, 8, 9, 3), side=4),
    Case("cutout of everything", (2, 3, 3, 2), side=3),
    Case("tones", (5, 4, 4, 3), tones=True),
    Case("tones of grey images", (5, 4, 4, 1), tones=True),
    Case("all", (9, 12, 11, 3), shift=4, flip=True, side=5, tones=True),
    Case("one pixel", (2, 1, 1, 3), flip=True, side=1),
]


def batch(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(256, size=shape).astype(dtype)
    floats = np.float32 if dtype == np.uint8 else dtype
    mean = rng.uniform(90, 130, shape[1:]).astype(floats)
    return pixels, mean, rng.uniform(40, 70, shape[3]).astype(floats)


def changed_by_kernel(pixels, chosen, moves, tones, mean, scale, side):
    H, W, C = pixels.shape[1:]
    out = np.empty((len(chosen), H, W, C), mean.dtype)
    flat = [np.ascontiguousarray(a).reshape(-1) for a in (moves, tones.astype(mean.dtype), mean)]
    augment(pixels.reshape(-1), chosen, *flat, np.tile(scale, W), H, W, C, side, out.reshape(-1), 2)
    return out


def changed_by_numpy(image, move, tone, mean, scale, side):
    down, right, mirrored, top, left = move.tolist()
    H, W = image.shape[:2]
    room = max(abs(down), abs(right))
    image = image[:, ::-1] if mirrored else image
    padded = np.pad(image, ((room, room), (room, room), (0, 0)), mode="reflect") if room else image
    moved = padded[room - down : room - down + H, room - right : room - right + W].astype(np.float64)
    out = (moved - mean) / scale
    contrast, saturation, brightness = tone
    grey = out.mean(axis=2, keepdims=True)
    out = (grey + (out - grey) * saturation) * contrast + brightness
    out[top : top + side, left : left + side] = 0
    return out


def check_case(case, dtype):
    rng = np.random.default_rng(1)
    pixels, mean, scale = batch(case.shape, dtype)
    N, H, W, C = case.shape
    chosen = rng.integers(N, size=N + 3)  # one image may be chosen twice
    moves = np.zeros((N + 3, 5), np.int64)
    moves[:, :2] = rng.integers(-case.shift, case.shift + 1, (N + 3, 2))
    moves[:, 2] = rng.integers(2, size=N + 3) if case.flip else 0
    moves[:, 3] = rng.integers(H - case.side + 1, size=N + 3)
    moves[:, 4] = rng.integers(W - case.side + 1, size=N + 3)
    tones = np.tile([1.0, 1, 0], (N + 3, 1))
    if case.tones:
        tones += rng.uniform(-0.5, 0.5, tones.shape)
    out = changed_by_kernel(pixels, chosen, moves, tones, mean, scale, case.side)
    for n in range(N + 3):
        expected = changed_by_numpy(pixels[chosen[n]], moves[n], tones[n], mean, scale, case.side)
        np.testing.assert_allclose(out[n], expected, atol=2e-6 if out.dtype == np.float32 else 1e-14)


def check_all():
    for case in CASES:
        for dtype in (np.uint8, np.float32, np.float64):
            check_case(case, dtype)


if __name__ == "__main__":
    check_all()
    print("augmentation: all agree")
