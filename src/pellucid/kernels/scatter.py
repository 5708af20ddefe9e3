"""The gradient for an input of few channels, such as RGB.

A sweep would fill 3 of a tile's columns and multiply zeros in the others. Here a whole row of a filter's taps, WW * C
numbers that lie side by side in the image, are the columns, and what a result sends back is added where it came from:

    for every image:                                                     <- shared out between threads
        clear a small padded image
        for every column j of dout, every filter row r, every ROWS rows i of dout:
            one product over the filters, added to WW * C numbers of rows i*stride + r, from column j*stride on
        copy the inside of the padded image to dx

The rows of one product are different rows of the image, so that no number is added to twice at once.
"""

from __future__ import annotations

from numba import prange

from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.moves import clear, copy
from pellucid.kernels.processor import ROWS
from pellucid.kernels.product import every, product


@kernel
def scatter(dout, N, H_out, W_out, F, w, HH, run, BLOCK, taps, dx, H, W, C, stride, pad, images, rows, columns, parts):
    """dout flat (N, H_out, W_out, F); w flat (HH, blocks of run, F, BLOCK); dx flat (N, H, W, C).

    run: WW * C numbers; images flat (parts, rows, columns, C): padded images; taps: one zero.
    """
    for part in prange(parts):
        scatter_share(dout, N, H_out, W_out, F, w, HH, run, BLOCK, taps, dx, H, W, C, stride, pad,
                      images, rows, columns, part, parts)  # fmt: skip


@inner
def scatter_share(
    dout, N, H_out, W_out, F, w, HH, run, BLOCK, taps, dx, H, W, C, stride, pad, images, rows, columns, part, parts
):  # fmt: skip
    image, pitch = part * (images.size // parts), columns * C
    blocks = (run + BLOCK - 1) // BLOCK
    lines, below = every(W_out * F, ROWS), every(stride * pitch, ROWS)
    for n in range(N * part // parts, N * (part + 1) // parts):
        clear(images, image, rows * pitch)
        for i in range(0, H_out, ROWS):
            for j in range(W_out):
                for r in range(HH):
                    for q in range(blocks):
                        target = image + (i * stride + r) * pitch + j * stride * C + q * BLOCK
                        product(
                            dout, ((n * H_out + i) * W_out + j) * F, lines, taps, 1,
                            w, (r * blocks + q) * F * BLOCK, 0, BLOCK,
                            images, target, below,
                            images, target, below,
                            0, 1, F, min(ROWS, H_out - i), min(BLOCK, run - q * BLOCK),
                        )  # fmt: skip
        for y in range(H):
            source, target = image + (y + pad) * pitch + pad * C, (n * H + y) * W * C
            copy(dx, target, images, source, W * C)
