"""``cs231n.optim``: the update rules, ``rule(w, dw, config=None) -> (next_w, config)``."""

from pellucid.training.optim import adam, adamw, nesterov, rmsprop, sgd, sgd_momentum

__all__ = ["adam", "adamw", "nesterov", "rmsprop", "sgd", "sgd_momentum"]
