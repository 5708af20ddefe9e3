"""Inference of the two deep networks, batch norm folded into the convolutions, one image and 256."""

from __future__ import annotations

import functools

import numpy as np

from benchmarks.case import Case, Contest, Runner
from benchmarks.networks import AIRBENCH94, IMAGE, RESNET9, Network, folded, forward_flops, parameters

BATCHES = (1, 256)


def cases() -> list[Case]:
    """One row a network and a batch."""
    return [
        Case(
            "inference",
            f"{network.name}, batch {N}",
            functools.partial(build, network, N),
            flops=N * forward_flops(network),
        )
        for network in (RESNET9, AIRBENCH94)
        for N in BATCHES
    ]


def build(network: Network, N: int, compiled: bool) -> Contest:
    """Ours, PyTorch in its ways, ONNX Runtime."""
    import torch

    from benchmarks import onnx_runtime, ours, torch_networks

    C, H, _ = IMAGE
    x = ours.images(np.random.default_rng(0), N, C, H)
    weights = folded(network, parameters(network))
    mine = Runner(ours.inference(network, weights, x))
    peers = torch_networks.inference(network, weights, x, compiled)
    peers["ONNX Runtime"] = Runner(onnx_runtime.inference(network, weights, x, torch.get_num_threads()))
    return Contest(mine, peers)
