"""How the fast layers keep images: (N, H, W, C) in memory, seen by everybody as (N, C, H, W).

All channels of a pixel then lie side by side, which is the order in which matrix products and per-channel sums want
them, and since every fast layer returns its result in this form, none has to shuffle data for the next.
"""

from pellucid.kernels.workspace import empty


def as_channels_last(x):
    """(N, C, H, W) as a contiguous (N, H, W, C) array; no copy if that is how it lies in memory already."""
    return contiguous(x.transpose(0, 2, 3, 1))


def contiguous(x):
    """The array in C order; a copy that is needed goes to the current workspace."""
    if x.flags.c_contiguous:
        return x
    copy = empty(x.shape, x.dtype)
    copy[...] = x
    return copy
