"""PyTorch's side of single layers. Tensors here never ask for gradients, so nothing is recorded that nobody needs:
gradients are computed by the functions that its own backward pass would call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.case import Runner

aten = torch.ops.aten


def variants(function: Callable[..., Any], arrays: list[np.ndarray], compiled: bool) -> dict[str, Runner]:
    """The function on NCHW tensors, on channels_last ones, and compiled for these.

    Parameters
    ----------
    function : function of tensors
    arrays : list of arrays
        Its arguments; those with four axes are laid out as each variant wants them.
    compiled : bool
        Whether to have torch.compile's variant.
    """
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    last = [t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
    runners = {
        "NCHW": Runner(functools.partial(function, *tensors)),
        "channels_last": Runner(functools.partial(function, *last)),
    }
    if compiled:
        torch._dynamo.reset()  # else the second shape that a function meets is compiled for any shape
        runners["compile"] = Runner(functools.partial(torch.compile(function, dynamic=False), *last))
    return runners


def convolution(
    direction: str, x: Any, w: Any, b: Any, dout: Any, conv_param: dict, compiled: bool
) -> dict[str, Runner]:
    """One direction of a convolution."""
    stride, pad, groups = conv_param["stride"], conv_param["pad"], conv_param["groups"]
    if direction == "forward":
        return variants(functools.partial(F.conv2d, stride=stride, padding=pad, groups=groups), [x, w, b], compiled)
    wanted = [direction == "input gradient", direction == "filter gradient", False]
    place = wanted.index(True)

    def gradient(dout: torch.Tensor, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        both = [stride] * 2, [pad] * 2, [1, 1]
        return aten.convolution_backward(dout, x, w, None, *both, False, [0, 0], groups, wanted)[place]

    return variants(gradient, [dout, x, w], compiled)


def max_pool_forward(x: np.ndarray, compiled: bool) -> dict[str, Runner]:
    """2x2, with the places of the maxima that the backward pass needs: for torch.compile, a byte each, as in its own
    training steps. It must return them, or it would not compute them."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        return aten.max_pool2d_with_indices(x, [2, 2], [2, 2])[0]

    def with_offsets(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.ops.prims._low_memory_max_pool_with_offsets(x, [2, 2], [2, 2], [0, 0], [1, 1], False)

    runners = variants(forward, [x], compiled=False)
    if compiled:
        run = variants(with_offsets, [x], compiled)["compile"].run
        runners["compile"] = Runner(run, lambda: run()[0])
    return runners


def max_pool_backward(x: np.ndarray, dout: np.ndarray, compiled: bool) -> dict[str, Runner]:
    """Given the places of the maxima."""
    places = F.max_pool2d(torch.from_numpy(np.ascontiguousarray(x)), 2, return_indices=True)[1].numpy()

    def backward(dout: torch.Tensor, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return aten.max_pool2d_with_indices_backward(dout, x, [2, 2], [2, 2], [0, 0], [1, 1], False, places)

    return variants(backward, [dout, x, places], compiled)


def bn_relu_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, compiled: bool) -> dict[str, Runner]:
    """Batch norm in training mode, with running statistics, then ReLU."""
    running = [np.zeros_like(gamma), np.ones_like(gamma)]

    def forward(x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, *running: torch.Tensor) -> torch.Tensor:
        return F.relu(F.batch_norm(x, *running, gamma, beta, training=True), inplace=True)

    return variants(forward, [x, gamma, beta, *running], compiled)


def bn_relu_backward(x: Any, gamma: Any, beta: Any, dout: Any, compiled: bool) -> dict[str, Runner]:
    """Given the result of the ReLU and the statistics of the batch: dx, dgamma, dbeta."""
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in (x, gamma, beta)]
    out, mean, scale = torch.native_batch_norm(*tensors, None, None, True, 0.1, 1e-5)
    out = F.relu(out)

    def backward(dout: Any, out: Any, x: Any, gamma: Any, mean: Any, scale: Any) -> Any:
        dz = aten.threshold_backward(dout, out, 0)
        return aten.native_batch_norm_backward(dz, x, gamma, None, None, mean, scale, True, 1e-5, [True, True, True])

    return variants(backward, [dout, out.numpy(), x, gamma, mean.numpy(), scale.numpy()], compiled)


def softmax_loss(x: np.ndarray, y: np.ndarray, compiled: bool) -> dict[str, Runner]:
    """The mean loss and its gradient for the scores, without autograd's overhead."""

    def loss_and_gradient(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss = F.nll_loss(torch.log_softmax(x, 1), y)
        dx = torch.softmax(x, 1)
        dx.scatter_add_(1, y[:, None], torch.full_like(dx[:, :1], -1.0))
        return loss, dx.div_(len(x))

    def by_autograd(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = x.detach().requires_grad_()
        loss = F.cross_entropy(scores, y)
        loss.backward()
        return loss, scores.grad

    tensors = torch.from_numpy(x), torch.from_numpy(y)
    runners = variants(loss_and_gradient, [x, y], compiled)
    del runners["channels_last"]  # scores have no layout
    runners["by hand"] = runners.pop("NCHW")
    return {"autograd": Runner(functools.partial(by_autograd, *tensors)), **runners}


def update(rule: str, w: np.ndarray, dw: np.ndarray) -> dict[str, Runner]:
    """A fused update of one flat parameter; what is compared is the weights after one step from the start."""

    def optimizer(w: torch.Tensor) -> torch.optim.Optimizer:
        if rule == "Adam":
            return torch.optim.Adam([w], lr=1e-3, fused=True)
        return torch.optim.SGD([w], lr=1e-2, momentum=0.9, nesterov=True, fused=True)

    def parameter() -> torch.Tensor:
        weights = torch.from_numpy(w.copy()).requires_grad_()
        weights.grad = torch.from_numpy(dw)
        return weights

    def after_a_step() -> torch.Tensor:
        weights = parameter()
        optimizer(weights).step()
        return weights.detach()

    return {"fused": Runner(optimizer(parameter()).step, after_a_step)}
