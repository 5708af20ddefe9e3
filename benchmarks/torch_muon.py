"""PyTorch's side of a recipe: Muon for the filters, SGD for the rest, and rates that fall in a straight line to zero.

Muon: Keller Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from benchmarks.torch_airbench import Airbench

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial a x + b x^3 + c x^5 that brings singular values of 0 to 1 close to 1 in a few rounds."""


def orthogonal(matrix: torch.Tensor, rounds: int) -> torch.Tensor:
    """About the matrix (rows, columns) with all of its singular values set to 1, by Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    x = matrix / (matrix.norm() + 1e-7)
    is_tall = len(x) > x.shape[1]
    x = x.T if is_tall else x  # the smaller of the two products
    for _ in range(rounds):
        squares = x @ x.T
        x = a * x + (b * squares + c * squares @ squares) @ x
    return x.T if is_tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov's momentum whose step is made orthogonal, on filters kept at a fixed length.

    Before its update a parameter is brought to the norm sqrt(filters).
    """

    def __init__(self, params: Iterable[torch.Tensor], lr: float, momentum: float, rounds: int) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "rounds": rounds})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Update every parameter from its gradient."""
        for group in self.param_groups:
            for w in group["params"]:
                velocity = self.state[w].setdefault("velocity", torch.zeros_like(w))
                velocity.mul_(group["momentum"]).add_(w.grad)
                ahead = w.grad + group["momentum"] * velocity
                w.mul_(len(w) ** 0.5 / w.norm())
                w.add_(orthogonal(ahead.reshape(len(w), -1), group["rounds"]).view_as(w), alpha=-group["lr"])


class Optimizers:
    """Who updates what, and at which rate.

    Parameters
    ----------
    network : Airbench
    recipe : recipe_torch.Recipe
    steps_per_epoch : int
    """

    def __init__(self, network: Airbench, recipe: Any, steps_per_epoch: int) -> None:
        filters = [w for w in network.parameters() if w.ndim == 4 and w.requires_grad]
        biases = [b for name, b in network.blocks.named_parameters() if name.endswith("bias")]
        decay = recipe.weight_decay * recipe.batch_size
        groups = [
            {"params": each, "lr": rate, "weight_decay": decay / rate}
            for each, rate in (
                ([network.whiten.bias], recipe.bias_rate),
                (biases, recipe.bias_rate),
                ([network.head.weight], recipe.head_rate),
            )
        ]
        self.sgd = torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=True, fused=True)
        self.muon = Muon(filters, recipe.filter_rate, recipe.filter_momentum, recipe.rounds)
        self.whiten_bias = network.whiten.bias
        self.whiten_steps = recipe.whiten_epochs * steps_per_epoch
        self.steps = recipe.epochs * steps_per_epoch
        self.groups = [*self.sgd.param_groups, *self.muon.param_groups]
        self.rates = [group["lr"] for group in self.groups]

    def set_rates(self, step: int) -> float:
        """For a step, from 0 on. Returns Muon's. The whitening bias's falls sooner, then its gradient is left out."""
        ends = [self.whiten_steps, *[self.steps] * (len(self.groups) - 1)]
        for group, rate, end in zip(self.groups, self.rates, ends, strict=True):
            group["lr"] = rate * max(0.0, 1 - step / end)
        if step >= self.whiten_steps:
            self.whiten_bias.requires_grad_(False)
            self.whiten_bias.grad = None
        return self.muon.param_groups[0]["lr"]

    def update(self) -> None:
        """Every parameter, from its gradient, which is then gone."""
        for optimizer in (self.sgd, self.muon):
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
