"""Update rules: one walk over a parameter, its gradient and its state, changed in place.

In words: every thread takes an equal share of the numbers; for each it reads the weight, the gradient and the state,
and writes the state and the weight. Nothing is kept in between, so a step costs what it takes to read and write each
array once: 28 bytes a number for Adam. The settings come as an array of the parameter's own type, so that float32
stays float32 and a changed learning rate compiles nothing. The result goes where the weights are: with a second array
for it, which may be the same, the compiler has to assume the worst and makes no vectors.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.kernels.jit import inner, inner_unfused, kernel
from pellucid.kernels.lane_memory import load, store
from pellucid.kernels.lanes import lane_count


@inner_unfused
def times(a, b):
    """A product that is rounded by itself.

    In a * b + c * d one of two products may be rounded together with the sum. Which one, the compiler decides anew
    wherever a function becomes part of another, and a process that compiles a kernel would get other bits than those
    that find it on the disk. With ``times(c, d)`` it is the first.
    """
    return a * b


@kernel
def sgd(w, dw, settings, parts):
    """settings: learning rate, and the share by which weights shrink. All arrays here are flat, and of one size."""
    for part in prange(parts):
        begin, end = w.size * part // parts, w.size * (part + 1) // parts
        sgd_share(w[begin:end], dw[begin:end], settings)


@inner
def sgd_share(w, dw, settings):
    learning_rate, shrink = settings[0], settings[1]
    for i in range(w.size):
        w[i] = w[i] - (learning_rate * dw[i] + times(shrink, w[i]))


@kernel
def momentum(w, dw, velocity, settings, parts):
    """settings: learning rate, momentum, 1 for Nesterov's form, else 0, and the share by which weights shrink."""
    for part in prange(parts):
        begin, end = w.size * part // parts, w.size * (part + 1) // parts
        momentum_share(w[begin:end], dw[begin:end], velocity[begin:end], settings)


@inner
def momentum_share(w, dw, velocity, settings):
    learning_rate, friction, is_nesterov, shrink = settings[0], settings[1], settings[2] != 0, settings[3]
    for i in range(0, w.size, lane_count(w)):
        rest = w.size - i
        step = load(dw, i, rest) * learning_rate
        speed = load(velocity, i, rest) * friction - step
        store(velocity, i, rest, speed)
        weights = load(w, i, rest)
        store(w, i, rest, weights + ((speed * friction - step if is_nesterov else speed) - weights * shrink))


@kernel
def rmsprop(w, dw, cache, settings, parts):
    """settings: learning rate, decay rate, 1 - decay rate, epsilon."""
    for part in prange(parts):
        begin, end = w.size * part // parts, w.size * (part + 1) // parts
        rmsprop_share(w[begin:end], dw[begin:end], cache[begin:end], settings)


@inner
def rmsprop_share(w, dw, cache, settings):
    learning_rate, decay, fresh, epsilon = settings[0], settings[1], settings[2], settings[3]
    for i in range(w.size):
        cache[i] = decay * cache[i] + times(fresh, dw[i] * dw[i])
        w[i] = w[i] - learning_rate * dw[i] / (np.sqrt(cache[i]) + epsilon)


@kernel
def adam(w, dw, m, v, settings, parts):
    """settings: learning rate, beta1, 1 - beta1, beta2, 1 - beta2, both corrections, epsilon, weight decay."""
    for part in prange(parts):
        begin, end = w.size * part // parts, w.size * (part + 1) // parts
        adam_share(w[begin:end], dw[begin:end], m[begin:end], v[begin:end], settings)


@inner
def adam_share(w, dw, m, v, settings):
    learning_rate, beta1, fresh1, beta2, fresh2 = settings[0], settings[1], settings[2], settings[3], settings[4]
    m_correction, v_correction, epsilon, decay = settings[5], settings[6], settings[7], settings[8]
    for i in range(w.size):
        m[i] = beta1 * m[i] + times(fresh1, dw[i])
        v[i] = beta2 * v[i] + times(fresh2, dw[i] * dw[i])
        step = m[i] * m_correction / (np.sqrt(v[i] * v_correction) + epsilon)
        w[i] = w[i] - learning_rate * (step + decay * w[i])


@kernel
def blend(w, towards, share, parts):
    """w += share * (towards - w). share: an array of one number of w's type."""
    for part in prange(parts):
        begin, end = w.size * part // parts, w.size * (part + 1) // parts
        blend_share(w[begin:end], towards[begin:end], share)


@inner
def blend_share(w, towards, share):
    part = share[0]
    for i in range(w.size):
        w[i] = w[i] + part * (towards[i] - w[i])


@kernel
def penalise(w, dw, reg, squares, parts):
    """dw += reg * w, and the sum of w**2 for each part, in float64. reg: an array of one number of w's type."""
    for part in prange(parts):
        begin, end = w.size * part // parts, w.size * (part + 1) // parts
        penalise_share(w[begin:end], dw[begin:end], reg, squares, part)


RUN = 512
"""Numbers whose squares are added in the working type before they go to the total in float64."""
LANES_APART = 16
"""Sums that are kept side by side, so that vectors can add them."""


@inner
def penalise_share(w, dw, reg, squares, part):
    strength, total, sums = reg[0], 0.0, np.zeros(LANES_APART, w.dtype)
    for start in range(0, w.size, RUN):
        sums[:] = 0
        line, gradient = w[start : start + RUN], dw[start : start + RUN]
        whole = line.size // LANES_APART * LANES_APART
        for i in range(0, whole, LANES_APART):
            piece = line[i : i + LANES_APART]
            for lane in range(LANES_APART):
                sums[lane] += piece[lane] * piece[lane]
        for i in range(whole, line.size):
            sums[0] += line[i] * line[i]
        for i in range(line.size):
            gradient[i] += strength * line[i]
        for lane in range(LANES_APART):
            total += sums[lane]
    squares[part] = total
