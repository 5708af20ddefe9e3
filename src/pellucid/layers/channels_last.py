"""How the fast layers keep images: (N, H, W, C) in memory, seen by everybody as (N, C, H, W).

All channels of a pixel then lie side by side, which is the order in which matrix products and per-channel sums want
them, and since every fast layer returns its result in this form, none has to shuffle data for the next. Only an affine
layer wants the other order, and gives it back: `contiguous` turns images with vectors both ways.
"""

from pellucid.kernels.arrays import flat
from pellucid.kernels.rows import launch
from pellucid.kernels.turning import turn_tables
from pellucid.kernels.workspace import empty, zeros


def as_channels_last(x):
    """(N, C, H, W) as a contiguous (N, H, W, C) array; no copy if that is how it lies in memory already."""
    return contiguous(x.transpose(0, 2, 3, 1))


def contiguous(x):
    """The array in C order; a copy that is needed goes to the current workspace."""
    if x.flags.c_contiguous:
        return x
    copy = empty(x.shape, x.dtype)
    if x.ndim == 4 and x.dtype.kind == "f" and x.size:
        N, A, B, C = x.shape
        if x.transpose(0, 2, 3, 1).flags.c_contiguous:  # what lies last is wanted in front of the pixels
            launch(turn_tables, x.size, flat(x.transpose(0, 2, 3, 1)), N, B * C, A, flat(copy))
            return copy
        if x.transpose(0, 3, 1, 2).flags.c_contiguous:  # and the way back
            launch(turn_tables, x.size, flat(x.transpose(0, 3, 1, 2)), N, C, A * B, flat(copy))
            return copy
    copy[...] = x
    return copy


def zero_images(shape, dtype):
    """New images (N, C, H, W) of zeros, kept in this form."""
    N, C, H, W = shape
    return zeros((N, H, W, C), dtype).transpose(0, 3, 1, 2)
