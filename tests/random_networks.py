"""Random networks for property tests: every step of the package, in any order that fits together.

    @given(networks())
    def test_something(net):
        scores = net.loss(images_for(net))

They are small (images of at most 9x9, at most 8 channels), on images or on rows, fused or not, with residual blocks in
residual blocks. Every parameter and every running statistic is random, so that one that is lost or mixed up changes
the scores. Where a norm would divide rounding by next to nothing, it is not drawn: two right programs agree to 1e-5 of
the largest score in float32.
"""

import math

import numpy as np
from hypothesis import strategies as st

from pellucid.models import (
    GELU,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Network,
    Pad,
    ReLU,
    Residual,
    Scale,
    SiLU,
    Softmax,
    Subsample,
)

EVERYWHERE = (ReLU, GELU, SiLU, BatchNorm, LayerNorm, Dropout, Scale, Residual)
"""Steps for images and for rows that keep the shape."""
ON_IMAGES = (Conv, Conv, Conv, GroupNorm, MaxPool, AvgPool, Pad, Subsample)  # mostly convolutions, as in life
ON_ROWS = (Affine, Flatten)
TO_ROWS = (GlobalMaxPool, GlobalAvgPool, Flatten, Affine)
KEEPING = (Conv, Conv, Affine, GroupNorm, *EVERYWHERE)
"""Steps that may stand in a residual block without a shortcut: convolutions and affine layers of fitting sizes."""
ALL_STEPS = tuple(dict.fromkeys((*EVERYWHERE, *ON_IMAGES, *ON_ROWS, *TO_ROWS, Softmax)))
NAMES = ("stem", "scores", "images", "pixels", "probabilities", "w", "conv1_w")
"""For steps that get a name: some are those of other things in files."""
LEAST_NORMALISED = 4
"""Numbers that a norm is taken over, at least: two numbers' difference may be next to nothing."""
NORM_EPS = (1e-3, 1e-2)
"""Of layer and group norm. Behind max pooling a group's numbers may all but agree; then sqrt(1 / eps) multiplies
rounding, and with the usual 1e-5 it becomes more than 1e-5 of the scores."""
DEEPEST = 2


@st.composite
def networks(draw, *, without=(), dtypes=(np.float32, np.float64), most_steps=8):
    """A random `Network`.

    Parameters
    ----------
    without : tuple of classes
        Steps that it must not have.
    dtypes : tuple of float32, float64
        The network has one of them.
    most_steps : int
        In front of the last ones, which make scores of what is there.
    """
    image = draw(st.booleans(), label="images, not rows")
    sizes = [(1, 4), (4, 9), (4, 9)] if image else [(2, 8)]
    input_shape = tuple(draw(st.integers(least, most)) for least, most in sizes)
    drawing = _Drawing(draw, without)
    steps, shape = drawing.chain(input_shape, draw(st.integers(0, most_steps), label="steps"))
    steps += drawing.end(shape, draw(st.integers(1, 5), label="classes"))
    net = Network(
        drawing.named(steps or [ReLU()]),
        input_shape,
        dtype=draw(st.sampled_from(dtypes)),
        rng=draw(st.integers(0, 2**16), label="seed"),
        fuse=draw(st.booleans(), label="fuse"),
    )
    return fill(net)


def fill(net, seed=1):
    """Make every bias, scale, shift and running statistic random; weights are. Returns the network."""
    rng = np.random.default_rng(seed)
    for name, kind in net.kinds.items():
        array = net.params[name]
        if kind in ("bias", "shift"):
            array[...] = 0.4 * rng.standard_normal(array.shape)
        elif kind == "scale":
            array[...] = rng.uniform(0.5, 1.5, array.shape) * rng.choice([-1, 1, 1], array.shape)
    for bn_param in net.bn_params:
        C = len(bn_param["running_mean"])
        bn_param["running_mean"] = (0.4 * rng.standard_normal(C)).astype(net.dtype)
        bn_param["running_var"] = rng.uniform(0.4, 2, C).astype(net.dtype)
    return net


def images_for(net, N=3, seed=2):
    """N random samples that the network takes, in its type."""
    return np.random.default_rng(seed).standard_normal((N, *net.input_shape)).astype(net.dtype)


def worst(scores, right):
    """The largest difference, as a part of the largest right score (of at least 0.1)."""
    return float(np.max(np.abs(np.asarray(scores, np.float64) - right)) / max(0.1, np.max(np.abs(right))))


class _Drawing:
    """Steps drawn one after the other, each for the shape that is there."""

    def __init__(self, draw, without):
        self.draw, self.without = draw, without

    def chain(self, shape, count, depth=0):
        """That many steps (a few are two), and the shape that comes out."""
        steps = []
        for _ in range(count):
            kinds = (ON_IMAGES if len(shape) == 3 else ON_ROWS) + EVERYWHERE
            kinds += TO_ROWS if len(shape) == 3 and count > 3 and len(steps) >= count - 2 else ()
            drawn = self.step(kinds, shape, depth)
            steps += drawn
            shape = _out_shape(drawn, shape)
        return steps, shape

    def keeping(self, shape, count, depth):
        """That many steps that give the shape that comes in."""
        others = (Affine,) if len(shape) == 3 else (Conv, GroupNorm)
        kinds = tuple(kind for kind in KEEPING if kind not in others)
        steps = []
        for _ in range(count):
            kind = self.one_of([kind for kind in kinds if self.fits(kind, shape, depth)])
            if kind is Conv:
                dilation = self.integer(1, 2)
                half = self.integer(0, 1)
                steps.append(Conv(shape[0], 2 * half + 1, pad=half * dilation, dilation=dilation, bias=self.yes()))
            elif kind is Affine:
                steps.append(Affine(shape[0], bias=self.yes()))
            elif kind is Residual:
                steps.append(self.residual(shape, depth, keeping=True))
            else:
                steps += self.settings(kind, shape, depth)
        return steps

    def step(self, kinds, shape, depth):
        return self.settings(self.one_of([kind for kind in kinds if self.fits(kind, shape, depth)]), shape, depth)

    def fits(self, kind, shape, depth):
        if kind in self.without or (kind is Residual and depth == DEEPEST):
            return False
        if kind is LayerNorm:
            return math.prod(shape) >= LEAST_NORMALISED
        if kind is GroupNorm:
            return shape[1] * shape[2] >= LEAST_NORMALISED
        return kind is not Pad or max(shape[1:]) <= 9

    def settings(self, kind, shape, depth):
        """A step of the kind for the shape; a list, as some need another beside them."""
        if kind is BatchNorm:
            eps = self.one_of([1e-5, 1e-3, 1e-12])
            return [BatchNorm(momentum=self.one_of([0.9, 0.6]), eps=eps, scale=self.yes(), shift=self.yes())]
        if kind is LayerNorm:
            return [LayerNorm(eps=self.one_of(NORM_EPS))]
        if kind is GroupNorm:
            return [GroupNorm(self.divisor(shape[0]), eps=self.one_of(NORM_EPS))]
        if kind is Dropout:
            return [Dropout(self.one_of([0.5, 1.0]))]
        if kind is Scale:
            return [Scale(self.one_of([0.5, -1.5, 1 / 9]))]
        if kind is Affine:
            return [Affine(self.integer(2, 8), bias=self.yes(), init="lecun")]
        if kind is Conv:
            return [self.convolution(shape)]
        if kind in (MaxPool, AvgPool):
            return [self.pool(kind, shape)]
        if kind is Pad:
            return self.padding(shape)
        if kind is Subsample:
            return [Subsample(shape[0] + self.integer(0, 2), self.integer(1, 3))]
        if kind is Residual:
            return [self.residual(shape, depth)]
        return [kind()]

    def convolution(self, shape):
        C, H, W = shape
        groups = self.divisor(C)
        pad, dilation = self.integer(0, 2), self.integer(1, 2)
        size = tuple(self.integer(1, min(3, (n + 2 * pad - 1) // dilation + 1)) for n in (H, W))
        filters = groups * self.integer(1, max(1, 6 // groups))
        stride = self.integer(1, 2)
        return Conv(filters, size, stride, pad, dilation, groups, bias=self.yes(), init=self.one_of(["he", "uniform"]))

    def pool(self, kind, shape):
        size = tuple(self.integer(1, min(3, n)) for n in shape[1:])
        if size[0] == size[1] and self.yes():
            return kind(size[0])
        return kind(size, stride=self.integer(1, 3))

    def padding(self, shape):
        """Around images; with minus infinity only in front of a pooling whose every window has a pixel."""
        if MaxPool in self.without or self.yes():
            return [Pad(*(self.integer(0, 2) for _ in range(4)), value=self.one_of([0.0, -0.5]))]
        height, width = (self.integer(2, min(3, n + 1)) for n in shape[1:])
        before_and_after = [self.integer(0, size - 1) for size in (height, height, width, width)]
        stride = self.integer(1, 2)
        pad = Pad(*before_and_after, value=-math.inf)
        _, H, W = pad.plan(shape)[0]
        return [pad, MaxPool((min(height, H), min(width, W)), stride=stride)]

    def residual(self, shape, depth, keeping=False):
        shortcut = [kind for kind in (Conv, Subsample) if kind not in self.without] if len(shape) == 3 else []
        if keeping or not shortcut or Conv in self.without or self.yes():
            return Residual(self.named(self.keeping(shape, self.integer(1, 3), depth + 1)))
        stride, kind = self.integer(1, 2), self.one_of(shortcut)
        filters = self.integer(shape[0], 6) if shape[0] < 6 else shape[0]
        first = Conv(filters, 3, stride=stride, pad=1, bias=self.yes())
        steps = [first, *self.keeping(first.plan(shape)[0], self.integer(0, 2), depth + 1)]
        other = [Subsample(filters, stride)]
        if kind is Conv:
            norm = [BatchNorm()] if BatchNorm not in self.without and self.yes() else []
            other = [Conv(filters, 1, stride=stride, bias=self.yes()), *norm]
        return Residual(self.named(steps), shortcut=other)

    def end(self, shape, classes):
        """What makes scores of what is there."""
        steps = []
        if len(shape) == 3:
            kinds = [kind for kind in TO_ROWS if kind not in self.without]
            kind = self.one_of(kinds)
            steps = [Affine(classes, bias=self.yes(), init="lecun")] if kind is Affine else [kind()]
        elif not self.yes() and Affine not in self.without:
            steps = [Affine(classes, bias=self.yes(), init="lecun")]
        if Scale not in self.without and self.yes():
            steps.append(Scale(0.25))
        if Softmax not in self.without and self.yes():
            steps.append(Softmax())
        return steps

    def named(self, steps):
        """Some with a name of their own."""
        free = list(NAMES)
        for step in steps:
            if free and self.integer(0, 5) == 5:
                step.name = free.pop(self.integer(0, len(free) - 1))
        return steps

    def divisor(self, number):
        return self.one_of([n for n in range(1, number + 1) if number % n == 0])

    def one_of(self, options):
        return self.draw(st.sampled_from(options))

    def integer(self, least, most):
        return self.draw(st.integers(least, most))

    def yes(self):
        return self.draw(st.booleans())


def _out_shape(steps, shape):
    for step in steps:
        shape = step.plan(shape)[0]
    return shape
