"""What each algorithm of a convolution needs around its kernels: tables, buffers, the filters in its order.

    direct      any convolution, any direction
    winograd    3 x 3 and 5 x 5 filters, stride 1
    depthwise   as many groups as channels and filters
    scatter     the gradient for an input of few channels

Every function takes channels-last images (N, H, W, C) and filters (F, C / groups, HH, WW), all contiguous, and writes
its result into ready-made arrays of the same forms.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from pellucid.kernels import depthwise, direct, packing, winograd
from pellucid.kernels import scatter as scattering
from pellucid.kernels.arrays import flat
from pellucid.kernels.geometry import Geometry, Sweep, backward_sweeps, forward_sweep, tap_table
from pellucid.kernels.jit import threads
from pellucid.kernels.processor import ROWS, WIDE_ROWS, lanes, wide_columns
from pellucid.kernels.processor import columns as tile_columns
from pellucid.kernels.workspace import empty

Bound = Callable[..., None]
"""The forward pass ready to run, ``(x, out)``: all that does not depend on the images is made. It has scratch memory of
its own, so it may run in one thread at a time, as kernels do."""


def direct_filters(w: np.ndarray, g: Geometry) -> np.ndarray:
    """The filters in the order of the forward sweep."""
    C_seen, taps = g.C // g.groups, g.HH * g.WW
    return _packed(w, forward_sweep(g), g, K=C_seen, k_step=taps, J=g.F // g.groups, j_step=C_seen * taps)


def bind_direct(filters: np.ndarray, b: np.ndarray, g: Geometry, relu: bool) -> Bound:
    """One sweep over the image."""
    images, results = (g.N, g.H, g.W, g.C), (g.N, g.H_out, g.W_out, g.F)
    return _bind_sweep(filters, _padded_bias(b, g.groups), forward_sweep(g), g.groups, images, results, relu)


def direct_input_gradient(dout: np.ndarray, w: np.ndarray, g: Geometry, dx: np.ndarray) -> None:
    """One sweep over the upstream gradient for each phase of a pixel."""
    C_seen, taps = g.C // g.groups, g.HH * g.WW
    no_bias = _padded_bias(np.zeros(g.C, dout.dtype), g.groups)
    sweeps = backward_sweeps(g)
    if any(sweep.empty for sweep in sweeps):
        dx.fill(0)
    for sweep in sweeps:
        if not sweep.empty:
            packed = _packed(w, sweep, g, K=g.F // g.groups, k_step=C_seen * taps, J=C_seen, j_step=taps)
            _bind_sweep(packed, no_bias, sweep, g.groups, dout.shape, dx.shape, relu=False)(dout, dx)


def direct_filter_gradient(x: np.ndarray, dout: np.ndarray, g: Geometry, dw: np.ndarray) -> None:
    """Sums over the pixels of every band, a copy of them for each thread."""
    sweep = forward_sweep(g)
    C_seen, F_group = g.C // g.groups, g.F // g.groups
    merged = g.groups == 1 and sweep.columns.consecutive
    K = C_seen * g.WW if merged else C_seen
    T = g.HH if merged else g.HH * g.WW
    parts = min(threads(), g.N * g.H_out)
    plan = _band_plan(sweep, g.H, g.W, g.C, g.N, parts, merged, direct.GRADIENT_PIXELS)
    bands = empty((parts * plan.size,), x.dtype)
    panels = empty((parts * plan.rows * g.W_out * tile_columns(x.dtype),), x.dtype)
    sums = empty((parts * g.groups * T * K * F_group,), x.dtype)
    direct.filter_gradient(
        flat(x), g.N, g.H, g.W, g.C, flat(dout), g.H_out, g.W_out, g.F, g.groups, K, tile_columns(x.dtype),
        plan.taps, plan.lines, sums, panels, sweep.rows.start, sweep.rows.span, sweep.columns.start, plan.columns,
        sweep.step, bands, plan.rows, plan.in_place, parts,
    )  # fmt: skip
    starts = np.arange(g.HH * g.WW)
    packing.unpack_sums(
        sums, flat(dw), starts, parts, g.groups, C_seen, F_group, g.HH * g.WW, C_seen * g.HH * g.WW, F_group, threads()
    )


def _packed(w: np.ndarray, sweep: Sweep, g: Geometry, K: int, k_step: int, J: int, j_step: int) -> np.ndarray:
    """Filters in the order in which a sweep meets them."""
    block = tile_columns(w.dtype)
    starts = np.array([r * g.WW + s for r in sweep.rows.taps for s in sweep.columns.taps], np.int64)
    packed = empty((g.groups * -(-J // block) * starts.size * K * block,), w.dtype)
    group_step = (g.F // g.groups) * (g.C // g.groups) * g.HH * g.WW
    packing.pack(flat(w), packed, starts, g.groups, group_step, K, k_step, J, j_step, block, threads())
    return packed


def _padded_bias(b: np.ndarray, groups: int) -> np.ndarray:
    """(groups, blocks, BLOCK) flat, zeros where a block is not full."""
    block = tile_columns(b.dtype)
    J = b.size // groups
    padded = np.zeros((groups, -(-J // block) * block), b.dtype)
    padded[:, :J] = b.reshape(groups, J)
    return padded.reshape(-1)


class _Bands:
    """How a sweep is cut into bands."""

    def __init__(
        self, sweep: Sweep, H: int, W: int, C: int, N: int, parts: int, merged: bool,
        pixels: int = direct.BAND_PIXELS, blocks: int = 1,
    ) -> None:  # fmt: skip
        rows = min(max(1, pixels // sweep.columns.results), sweep.rows.results)
        bands = N * -(-sweep.rows.results // rows)
        self.splits = min(blocks, -(-2 * parts // bands))  # where there are few bands, threads share one
        enough = max(1, N * sweep.rows.results * self.splits // (2 * parts))
        self.rows = min(rows, enough)
        self.columns = (sweep.columns.results - 1) * sweep.step + sweep.columns.span
        last_row = sweep.rows.start + (sweep.rows.results - 1) * sweep.step + sweep.rows.span
        last_column = sweep.columns.start + self.columns
        self.in_place = sweep.rows.start >= 0 and sweep.columns.start >= 0 and last_row <= H and last_column <= W
        pitch = (W if self.in_place else self.columns) * C
        seen = (self.rows - 1) * sweep.step + sweep.rows.span
        self.size = 0 if self.in_place else -(-seen * self.columns * C // 16) * 16  # each part's starts on a cache line
        self.taps = tap_table(sweep, pitch, C, merged)
        self.lines = np.arange(self.rows, dtype=np.int64) * sweep.step * pitch


_band_plan = functools.lru_cache(maxsize=512)(_Bands)


def _lane_plan(sweep: Sweep, N: int, C: int, parts: int) -> _Bands:
    """The bands of a depthwise sweep, which are always laid out."""
    return _band_plan(sweep, 0, 0, C, N, parts, False)


def _bind_sweep(
    packed: np.ndarray, bias: np.ndarray, sweep: Sweep, groups: int, images: tuple[int, ...], results: tuple[int, ...],
    relu: bool,
) -> Bound:  # fmt: skip
    """A sweep over ``images``, (N, H, W, C), into ``results``, (N, H_mem, W_mem, F), ready to run."""
    (N, H, W, C), (_, H_mem, W_mem, F), dtype = images, results, packed.dtype
    merged = groups == 1 and sweep.columns.consecutive
    K = C // groups * (len(sweep.columns.taps) if merged else 1)
    blocks = groups * -(-(F // groups) // tile_columns(dtype))
    parts = min(threads(), N * sweep.rows.results * blocks)
    plan = _band_plan(sweep, H, W, C, N, parts, merged, blocks=blocks)
    rows, columns = sweep.rows, sweep.columns
    before = N, H, W, C, packed, bias, groups, K, tile_columns(dtype), plan.taps
    after = (
        H_mem, W_mem, F, rows.results, rows.first, rows.start, rows.span, columns.results, columns.first, columns.start,
        plan.columns, sweep.step, sweep.spread, empty((parts * plan.size,), dtype), plan.rows, plan.in_place,
        plan.splits, relu, parts,
    )  # fmt: skip
    return lambda x, out: direct.correlate(flat(x), *before, flat(out), *after)


CACHE_BYTES = 900_000
"""What filters, transformed tiles and products of one thread may take of its second-level cache."""
FEW_TILES = 48
"""Tiles of a chunk at least: fewer don't pay for reading the filters again."""
MANY_TILES = 128
"""Tiles of a chunk where the transformed filters alone are larger than that: enough work for each time they are
read."""
OWN_SUMS_BYTES = 3_000_000
"""Each thread sums filter gradients of its own up to this size; beyond, all work on one copy, chunk by chunk."""
CACHED_SUMS_BYTES = 600_000
"""What the sums of one thread may take of its second-level cache; beyond, threads share filters out, not tiles."""
SHARED_TILES = 512
"""Tiles of such a chunk."""


def _tile_rows(across: int, rows: int, C: int, F: int, parts: int, register_rows: int, many: int = MANY_TILES) -> int:
    """Rows of tiles in a chunk: a number of tiles that fills register tiles, and chunks of one size for all threads.

    A last chunk of a few tiles would read all filters for them, and keep one thread busy while the others wait.
    """
    filters, tile = 4 * 36 * C * F, 4 * 36 * (C + F)
    tiles = max(FEW_TILES, (CACHE_BYTES - filters) // tile) if filters <= CACHE_BYTES else many
    whole = register_rows // math.gcd(across, register_rows)
    most = max(tiles // across // whole, 1) * whole
    share = -(-rows // parts)
    if share > 4 * most:
        return most
    return -(-share // round(share / most)) if share > most else max(1, share)


def _filters_together(C: int, F: int, block: int, parts: int) -> int:
    """Filters whose sums of gradients stay in the second-level cache together; as many for every thread."""
    shares = -(-4 * 36 * C * F // CACHED_SUMS_BYTES)
    if shares > 1:
        shares = -(-shares // parts) * parts
    return -(-F // shares // block) * block


def winograd_filters(w: np.ndarray, g: Geometry) -> np.ndarray:
    """The filters, transformed."""
    T = g.HH * g.WW
    return _winograd_filters(w, np.arange(T), g.C, T, g.F, g.C * T)


NOT_POOLED = np.zeros(0, np.uint8)
"""The taps of an image that no pooling shrank."""


def bind_winograd(filters: np.ndarray, b: np.ndarray, g: Geometry, relu: bool) -> Bound:
    """Tiles of 4 x 4 results. With ``out_taps`` to fill in, they are pooled, 2 x 2, and ``out`` gets what is left."""
    return _bind_winograd(filters, b, g.HH, g.pad, (g.N, g.H, g.W, g.C), (g.N, g.H_out, g.W_out, g.F), relu)


def winograd_input_gradient(
    dout: np.ndarray, w: np.ndarray, g: Geometry, dx: np.ndarray, dout_taps: np.ndarray = NOT_POOLED
) -> None:
    """The forward pass over the upstream gradient, with the filters turned by 180 degrees.

    With taps, ``dout`` is the gradient of what 2 x 2 pooling left of the results.
    """
    T = g.HH * g.WW
    turned = _winograd_filters(w, np.arange(T - 1, -1, -1), g.F, g.C * T, g.C, T)
    pad, no_bias = g.HH - 1 - g.pad, np.zeros(g.C, dout.dtype)
    images, results = (g.N, g.H_out, g.W_out, g.F), (g.N, g.H, g.W, g.C)
    _bind_winograd(turned, no_bias, g.HH, pad, images, results, relu=False)(dout, dx, x_taps=dout_taps)


def _winograd_block(F: int, dtype: np.dtype) -> int:
    """Filters that are computed together: those of a wide register tile where they fill it."""
    return wide_columns(dtype) if F % wide_columns(dtype) == 0 else tile_columns(dtype)


def _winograd_filters(w: np.ndarray, taps: np.ndarray, K: int, k_step: int, J: int, j_step: int) -> np.ndarray:
    """u flat (36, blocks of J, K, block). taps: the order of the weights; K channels k_step apart, J filters j_step
    apart."""
    block, LANES = _winograd_block(J, w.dtype), lanes(w.dtype)
    blocks = -(-J // block)
    u = empty((36 * (blocks * K * block + winograd.APART),), w.dtype)
    zero = np.zeros(max(block, LANES), w.dtype)
    winograd.transform_filters(flat(w), u, taps, K, k_step, J, j_step, block, LANES, zero, threads())
    return u


def _bind_winograd(
    u: np.ndarray, b: np.ndarray, size: int, pad: int, images: tuple[int, ...], results: tuple[int, ...], relu: bool
) -> Bound:
    """A sweep over ``images``, (N, H, W, C), into ``results``, (N, H_out, W_out, F), ready to run.

    Whoever runs it may say that either is what 2 x 2 pooling left of such an array, by its taps.
    """
    (N, H, W, C), (_, H_out, W_out, F), dtype = images, results, u.dtype
    LANES, block = lanes(dtype), _winograd_block(F, dtype)
    wide, blocks = block != tile_columns(dtype), -(-F // block)
    zero, tile = np.zeros(max(block, LANES), dtype), 7 - size
    down, across = -(-H_out // tile), -(-W_out // tile)
    parts = min(threads(), N * down)
    tile_rows = _tile_rows(across, N * down, C, blocks * block, parts, WIDE_ROWS if wide else ROWS)
    v = empty((parts * 36 * (tile_rows * across * C + winograd.APART),), dtype)
    m = empty((parts * 36 * (tile_rows * across * blocks * block + winograd.APART),), dtype)
    before = N, H, W, C, u, b, block, wide, LANES, np.zeros(1, np.int64)
    after = H_out, W_out, F, pad, tile, tile_rows, v, m, zero, empty((parts * LANES,), dtype), relu, parts

    def run(x: np.ndarray, out: np.ndarray, x_taps: np.ndarray = NOT_POOLED, out_taps: np.ndarray = NOT_POOLED) -> None:
        winograd.winograd_sweep(flat(x), flat(x_taps), *before, flat(out), flat(out_taps), *after)

    return run


def winograd_filter_gradient(
    x: np.ndarray, dout: np.ndarray, g: Geometry, dw: np.ndarray, dout_taps: np.ndarray = NOT_POOLED
) -> None:
    """Sums over tiles: a copy for each thread where they are small, one that all share where they are large.

    With taps, ``dout`` is the gradient of what 2 x 2 pooling left of the results.
    """
    block, LANES, dtype = _winograd_block(g.F, x.dtype), lanes(x.dtype), x.dtype
    wide = block != tile_columns(dtype)
    results = 7 - g.HH
    down, across = -(-g.H_out // results), -(-g.W_out // results)
    rows = g.N * down
    taps, zero = np.zeros(1, np.int64), np.zeros(max(block, LANES), dtype)
    parts = min(threads(), rows)
    own = 4 * 36 * g.C * g.F <= OWN_SUMS_BYTES
    if own:
        F_part = _filters_together(g.C, g.F, block, parts)
        copies = max(1, parts // -(-g.F // F_part))
        tile_rows = _tile_rows(across, rows, g.C, F_part, copies, ROWS, many=FEW_TILES)
    else:
        F_part, copies = g.F, 1
        tile_rows = max(1, min(SHARED_TILES // across, rows))
    scratch, tiles = parts if own else 1, tile_rows * across
    groups, blocks = -(-g.C // LANES), -(-F_part // block)
    v = empty((scratch * 36 * (tiles * groups * LANES + winograd.APART),), dtype)
    d = empty((scratch * 36 * (tiles * blocks * block + winograd.APART),), dtype)
    sums = empty((-(-g.F // F_part) * copies * 36 * (g.C * F_part + winograd.APART),), dtype)
    if own:
        winograd.winograd_filter_gradient(
            flat(x), g.N, g.H, g.W, g.C, flat(dout), flat(dout_taps), g.H_out, g.W_out, g.F, g.pad, results, block,
            wide, LANES, taps, tile_rows, v, d, sums, F_part, copies, zero, parts,
        )  # fmt: skip
    else:
        total = rows * across
        for first in range(0, total, tiles):
            here = min(tiles, total - first)
            winograd.transform_gradient_tiles(
                flat(x), g.H, g.W, g.C, flat(dout), flat(dout_taps), g.H_out, g.W_out, g.F, g.pad, results, block,
                LANES, first, here, tiles, v, d, zero, threads(),
            )  # fmt: skip
            winograd.multiply_gradient_tiles(
                v, d, g.C, g.F, block, wide, LANES, taps, here, tiles, first == 0, sums, zero, threads()
            )
    winograd.finish_filter_gradient(sums, copies, g.C, g.F, F_part, g.HH, LANES, flat(dw), zero, threads())


def depthwise_filters(w: np.ndarray, g: Geometry) -> np.ndarray:
    """The filters as they are: they are small."""
    return w


def bind_depthwise(filters: np.ndarray, b: np.ndarray, g: Geometry, relu: bool) -> Bound:
    """One sweep, vectors along the channels."""

    def run(x: np.ndarray, out: np.ndarray) -> None:
        _sweep_lanes(x, filters, b, forward_sweep(g), g, out)
        if relu:
            np.maximum(out, 0, out=out)

    return run


def depthwise_input_gradient(dout: np.ndarray, w: np.ndarray, g: Geometry, dx: np.ndarray) -> None:
    """One sweep over the upstream gradient for each phase of a pixel."""
    sweeps = backward_sweeps(g)
    if any(sweep.empty for sweep in sweeps):
        dx.fill(0)
    for sweep in sweeps:
        if not sweep.empty:
            _sweep_lanes(dout, w, np.zeros(g.C, dout.dtype), sweep, g, dx)


def depthwise_filter_gradient(x: np.ndarray, dout: np.ndarray, g: Geometry, dw: np.ndarray) -> None:
    """Sums over pixels, a copy of them for each thread."""
    sweep, block = forward_sweep(g), tile_columns(x.dtype)
    parts = min(threads(), g.N * g.H_out)
    plan = _lane_plan(sweep, g.N, g.C, parts)
    pixels = np.arange(g.W_out, dtype=np.int64) * (g.stride * g.C)
    sums = empty((parts, g.HH * g.WW, g.C), x.dtype)
    depthwise.lane_filter_gradient(
        flat(x), g.N, g.H, g.W, g.C, flat(dout), g.H_out, g.W_out, block, plan.taps, pixels, flat(sums),
        sweep.rows.start, sweep.rows.span, sweep.columns.start, plan.columns, g.stride,
        empty((parts * plan.size,), x.dtype), plan.rows, parts,
    )  # fmt: skip
    dw[...] = sums.sum(axis=0).T.reshape(dw.shape)


def _sweep_lanes(x: np.ndarray, w: np.ndarray, b: np.ndarray, sweep: Sweep, g: Geometry, out: np.ndarray) -> None:
    (N, H, W, C), (_, H_mem, W_mem, _) = x.shape, out.shape
    by_tap = np.ascontiguousarray(
        w.reshape(C, g.HH, g.WW)[:, sweep.rows.taps][:, :, sweep.columns.taps].transpose(1, 2, 0)
    )
    parts = min(threads(), N * sweep.rows.results)
    plan = _lane_plan(sweep, N, C, parts)
    pixels = np.arange(ROWS, dtype=np.int64) * (sweep.step * C)
    rows, columns = sweep.rows, sweep.columns
    depthwise.sweep_lanes(
        flat(x), N, H, W, C, flat(by_tap), flat(b), tile_columns(x.dtype), plan.taps, pixels, flat(out), H_mem, W_mem,
        rows.results, rows.first, rows.start, rows.span, columns.results, columns.first, columns.start, plan.columns,
        sweep.step, sweep.spread, empty((parts * plan.size,), x.dtype), plan.rows, parts,
    )  # fmt: skip


def scatter_input_gradient(dout: np.ndarray, w: np.ndarray, g: Geometry, dx: np.ndarray) -> None:
    """What every result sends back, a row of a filter's taps at a time."""
    block, run = tile_columns(dout.dtype), g.WW * g.C
    packed = np.zeros((g.HH, -(-run // block), g.F, block), dout.dtype)
    by_row = w.transpose(2, 0, 3, 1).reshape(g.HH, g.F, run)
    for q in range(packed.shape[1]):
        some = by_row[:, :, q * block : (q + 1) * block]
        packed[:, q, :, : some.shape[2]] = some
    rows, columns = g.H + 2 * g.pad, g.W + 2 * g.pad
    parts = min(threads(), g.N)
    scattering.scatter(
        flat(dout), g.N, g.H_out, g.W_out, g.F, flat(packed), g.HH, run, block, np.zeros(1, np.int64),
        flat(dx), g.H, g.W, g.C, g.stride, g.pad, empty((parts * rows * columns * g.C,), dout.dtype), rows, columns,
        parts,
    )  # fmt: skip
