"""``cs231n.solver``: the Solver. Its checkpoints are safetensors files and can be resumed."""

from pellucid.training import Solver

__all__ = ["Solver"]
