"""ReLU, GELU, SiLU and their gradients, number by number, and the exponential function that they and softmax are made
of.

    for every LANES numbers:                                               <- shared out between threads
        out = max(0, x)                     dx = dout where x > 0
        out = x * P(x)                      dx = dout * (P(x) + x * p(x))
        out = x * s(x)                      dx = dout * s(x) * (1 + x * (1 - s(x)))

s is the logistic function, 1 / (1 + exp(-x)): x * s(x) is SiLU, computed from exp(-|x|), which cannot overflow.
P is the share of a normal distribution below x and p its density: GELU is x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks and
Gimpel 2016, arXiv:1606.08415). Both share one exponential:

    tail = P(-|x|) = exp(-x^2 / 2) * m(|x|),   P(x) = tail or 1 - tail,   p(x) = exp(-x^2 / 2) / sqrt(2 pi)

m falls slowly, from 1/2 like 1 / x, and (1 + a) * m(a) is a polynomial in u = (a - 4) / (a + 4), which maps 0 ... inf
to -1 ... 1 (the form that Shepherd and Laframboise 1981, doi:10.1090/S0025-5718-1981-0595058-X, gave for erfc). Unlike
1 + erf it loses no digits where x is far below zero.

The exponential: exp(v) = 2^n * exp(r) with n = v / log 2 rounded and |r| <= log 2 / 2; the 2^n is written into the bits
of a number, exp(r) is a polynomial. All polynomials interpolate at Chebyshev's points in 40 digits:

    function         float32: degree, error      float64: degree, error
    exp(r)                    6       2.5e-9              12       6e-20
    (1 + a) m(a)             10       4.6e-8              24       3e-17

What was tried (one core, ns a number of the gradient of GELU, data in the cache): math.erf and math.exp become calls,
number by number, unless Intel's own library is installed, 10 ns; vectors with a division 0.73; with Newton's steps in
its place 0.64. Memory could give a number every 0.4 ns: it is the arithmetic that limits GELU.
"""

from __future__ import annotations

import math

from numba import prange

from pellucid.kernels.jit import inner, kernel
from pellucid.kernels.lane_memory import load, store
from pellucid.kernels.lanes import absolute, lane_count, nearest, polynomial, power_of_two, reciprocal, where

NONE, RELU, GELU, SILU = 0, 1, 2, 3
"""What follows a norm; the number that kernels get."""

LOG2_E = 1 / math.log(2)
LN2_HIGH = 0.693359375
"""The first bits of log 2, so few that n times them is exact."""
LN2_LOW = -2.12194440054690582768e-4
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)
CENTRE = 4.0
"""Of u = (a - 4) / (a + 4)."""
FAR = 40.0
"""Beyond it the tail is zero in both types."""

lowest_exponent = polynomial([-87.0], [-708.0])
"""Below it exp is as good as zero, and 2^n no number."""
exp_near_0 = polynomial(
    [1.0, 1.000000038, 0.5000000047, 0.1666641551, 0.0416663529, 0.008375126398, 0.001394110843],
    [1.0, 1.0, 0.5, 0.16666666666666702, 0.04166666666666669, 0.008333333333309528, 0.0013888888888871887,
     0.000198412699092171, 2.4801587350110797e-05, 2.7557224958392624e-06, 2.7557251904174915e-07,
     2.5114869528657765e-08, 2.09215799649503e-09],
)  # fmt: skip
tail_factor = polynomial(
    [0.472053207, -0.0967033307, 0.0139997257, 0.0285974058, -0.0321996742, 0.0179530394, -0.00499185379,
     -0.000326125295, 0.000669695308, -4.98602374e-05, -5.99664052e-05],
    [0.47205320650984467, -0.09670347732652608, 0.013999634724424469, 0.028600364053578804, -0.0321978374280282,
     0.017936097478834515, -0.005002378592400097, -0.0002856230864018645, 0.0006948971208651091,
     -9.443034215049712e-05, -8.78532981753416e-05, 2.1250457860811776e-05, 1.3627374958716244e-05,
     -3.4334009324152583e-06, -2.61436294231482e-06, 4.0676642733334854e-07, 5.547606949893862e-07,
     -1.2919579985812396e-09, -1.1439312867331685e-07, -1.789372651986133e-08, 2.0208468930264034e-08,
     5.459373698638991e-09, -2.599563802271586e-09, -6.736634571009946e-10, 1.7569787339538164e-10],
)  # fmt: skip
"""(1 + a) * m(a) as a function of u."""


@inner
def exponential(v):
    """exp(v) for v <= 0; zero below 1e-38, or 1e-307 in float64."""
    nothing = v < lowest_exponent(v)
    v = where(nothing, 0, v)  # minus infinity has no remainder
    n = nearest(v * LOG2_E)
    r = (v - n * LN2_HIGH) - n * LN2_LOW
    return where(nothing, 0, exp_near_0(r) * power_of_two(n))


@inner
def normal_distribution(x):
    """P(x) and exp(-x^2 / 2)."""
    a = absolute(x)
    a = where(a > FAR, FAR, a)
    e = exponential(a * a * -0.5)
    once = reciprocal((a + CENTRE) * (a + 1))
    u = (a - CENTRE) * (a + 1) * once
    tail = e * tail_factor(u) * (a + CENTRE) * once
    return where(x < 0, tail, 1 - tail), e


@inner
def logistic(x):
    """s(x) = 1 / (1 + exp(-x)), and 1 - s(x), which a subtraction would leave without digits where x is large."""
    e = exponential(absolute(x) * -1.0)
    large = reciprocal(1 + e)
    small = e * large
    return where(x < 0, small, large), where(x < 0, large, small)


@inner
def activated(x, activation):
    """The activation of a vector."""
    if activation == RELU:
        return where(x < 0, 0, x)
    if activation == GELU:
        below, _ = normal_distribution(x)
        return x * below
    if activation == SILU:
        s, _ = logistic(x)
        return x * s
    return x


@inner
def gradient_through(x, dout, activation):
    """The gradient for a vector x before the activation."""
    if activation == RELU:
        return where(x > 0, dout, 0)
    if activation == GELU:
        below, e = normal_distribution(x)
        return dout * (below + x * e * DENSITY_AT_0)
    if activation == SILU:
        s, rest = logistic(x)
        return dout * s * (1 + x * rest)
    return dout


@kernel
def activate(x, activation, out, parts):
    """x flat -> out flat."""
    for part in prange(parts):
        activate_share(x, activation, out, part, parts)


@inner
def activate_share(x, activation, out, part, parts):
    end = x.size * (part + 1) // parts
    for i in range(x.size * part // parts, end, lane_count(x)):
        store(out, i, end - i, activated(load(x, i, end - i), activation))


@kernel
def activate_gradient(dout, x, activation, dx, parts):
    """dout and x flat -> dx flat."""
    for part in prange(parts):
        activate_gradient_share(dout, x, activation, dx, part, parts)


@inner
def activate_gradient_share(dout, x, activation, dx, part, parts):
    end = x.size * (part + 1) // parts
    for i in range(x.size * part // parts, end, lane_count(x)):
        rest = end - i
        store(dx, i, rest, gradient_through(load(x, i, rest), load(dout, i, rest), activation))
