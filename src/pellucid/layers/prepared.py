"""Convolution for networks that are no longer trained: batch norm folded in, filters laid out once.

In test mode, batch norm multiplies each channel by a number and adds another. A convolution in front of it can do both:

    gamma * (w . x + b - mean) / sqrt(var + eps) + beta  =  (s w) . x + s (b - mean) + beta

with s = gamma / sqrt(var + eps).
"""

import threading

import numpy as np

from pellucid import check
from pellucid.kernels import convolution as kernels
from pellucid.kernels import workspace
from pellucid.kernels.activations import GELU, activate
from pellucid.kernels.arrays import flat
from pellucid.kernels.jit import threads
from pellucid.kernels.rows import launch
from pellucid.layers.channels_last import as_channels_last
from pellucid.layers.convolution import conv_checked, conv_geometry


def fold_batchnorm(w, b, gamma, beta, running_mean, running_var, eps=1e-5):
    """Filters and biases that do what a convolution and the batch norm after it do in test mode.

    Parameters
    ----------
    w, b : arrays (F, C / groups, HH, WW), (F,)
        Filters and biases.
    gamma, beta, running_mean, running_var : arrays (F,)
        Of the batch norm.
    eps : float
        As it was trained with.

    Returns
    -------
    w, b : arrays of the same shapes and type
    """
    where = "fold_batchnorm"
    given = check.floats(where, w=w, b=b, gamma=gamma, beta=beta, running_mean=running_mean, running_var=running_var)
    w, b, *norm = given
    if w.ndim != 4:
        raise ValueError(f"{where}: w has shape {w.shape}; it must have four axes (F, C, HH, WW)")
    names = ("b", "gamma", "beta", "running_mean", "running_var")
    for name, array in zip(names, (b, *norm), strict=True):
        check.shape(where, name, array, (w.shape[0],), "one number for each filter of w")
    gamma, beta, mean, var = (array.astype(np.float64) for array in norm)
    eps = check.number(where, "eps", eps, least=0)
    scale = gamma / np.sqrt(var + eps)
    folded = (w * scale[:, None, None, None]).astype(w.dtype)
    return folded, (scale * (b - mean) + beta).astype(w.dtype)


class PreparedConvolution:
    """A convolution whose filters stay as they are: they are laid out for the kernels at the first call.

    ``PreparedConvolution(w, b, conv_param)(x)`` is ``conv_forward_fast(x, w, b, conv_param)[0]``, followed by an
    activation where there is one. Several threads may call it at once.

    Parameters
    ----------
    w, b : arrays (F, C / groups, HH, WW), (F,)
        Filters and biases; they are copied.
    conv_param : dict
        As `conv_forward_naive` takes it.
    activation : "relu" or "gelu", optional
        What follows.

    Raises
    ------
    ValueError, TypeError
        As `conv_forward_fast`, when images come; an unknown activation at once.
    """

    def __init__(self, w, b, conv_param, activation=None):
        if activation is not None:
            check.one_of("PreparedConvolution", "activation", activation, ("relu", "gelu"))
        self.w, self.b = np.array(w, order="C"), np.array(b, order="C")
        self.conv_param = dict(conv_param)
        self.activation = activation
        self._filters = {}  # by algorithm and type: what the plan takes depends on the images
        self._ready = {}  # by the images' shape and type, and the threads: all that follows from them
        self._lock = threading.Lock()

    def __call__(self, x):
        """(N, C, H, W) -> (N, F, H_out, W_out), channels-last in memory."""
        x = np.asarray(x)
        key = x.shape, x.dtype, threads()
        if key not in self._ready:
            x = self._get_ready(key, x)
        dtype, shape, run = self._ready[key]
        out = workspace.empty(shape, dtype)
        run(as_channels_last(x.astype(dtype, copy=False)), out)
        if self.activation == "gelu":
            numbers = flat(out)
            launch(activate, numbers.size, numbers, GELU, numbers)
        return out.transpose(0, 3, 1, 2)

    def _get_ready(self, key, x):
        """Check the images' kind, lay the filters out for it, and give the images back as an array."""
        x, w, b, settings = conv_checked("PreparedConvolution", x, self.w, self.b, self.conv_param)
        g = conv_geometry(x, w, settings)
        with self._lock:
            algorithm = kernels.prepared_algorithm(g, w.dtype, settings.algorithm)
            if (algorithm, w.dtype) not in self._filters:
                self._filters[algorithm, w.dtype] = kernels.prepare(w, g, algorithm)
            run = kernels.bind(self._filters[algorithm, w.dtype], b, g, relu=self.activation == "relu")
            self._ready[key] = x.dtype, (g.N, g.H_out, g.W_out, g.F), run
        return x
