"""What a training run is made of: every setting with its default, the tutorial's."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from pellucid import check
from pellucid.models import FullyConnectedNet, ThreeLayerConvNet, TwoLayerNet

FREE_ON_RESUME = ("epochs", "threads", "print_every")
"""What may differ when a run goes on; everything else is as it was."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Settings:
    """One value for each option of ``pellucid train``; the options' help says what they mean."""

    data: str
    model: str = "three-layer"
    epochs: int = 1
    batch_size: int = 50
    rule: str = "adam"
    learning_rate: float = 1e-3
    lr_decay: float = 1.0
    schedule: str = "constant"
    reg: float = 0.001
    filters: int = 32
    filter_size: int = 7
    hidden: tuple[int, ...] = (500,)
    normalization: str = "none"
    keep: float = 1.0
    weight_scale: float | None = None
    validation: int | None = None
    image_size: tuple[int, int] | None = None
    scale: float | None = None
    seed: int = 231
    threads: int = field(default_factory=processors)
    print_every: int = 20

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("threads", 1), ("seed", 0), ("print_every", 1)):
            check.whole_number("train", f"--{name.replace('_', '-')}", getattr(self, name), least=least)
        if self.model != "fully-connected":
            if len(self.hidden) != 1:
                raise ValueError(f"train: --hidden has {len(self.hidden)} numbers; {self.model} has one hidden layer")
            if self.normalization != "none" or self.keep != 1:
                raise ValueError(
                    f"train: --normalization and --keep are for fully-connected; the model is {self.model}"
                )

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Settings:
        """The settings that a run folder recorded."""
        check.known_keys("train", "the recorded settings", record, [f.name for f in fields(cls)], required=("data",))
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**values)

    def with_given(self, given: dict[str, Any]) -> Settings:
        """The recorded settings with those given on the command line, of which only a few may differ."""
        recorded = asdict(self)
        for key, value in given.items():
            if key not in FREE_ON_RESUME and recorded[key] != value:
                raise ValueError(
                    f"train: --resume goes on with the run's own settings, and {key} is {recorded[key]!r} there, not "
                    f"{value!r}; leave it out, or start a new run"
                )
        return Settings(**(recorded | given))

    def build_model(self, image_shape: tuple[int, int, int], num_classes: int, rng: np.random.Generator) -> Any:
        """The network for images of this shape."""
        input_dim = int(np.prod(image_shape))
        shared: dict[str, Any] = {"num_classes": num_classes, "reg": self.reg, "dtype": np.float32, "rng": rng}
        if self.weight_scale is not None:
            shared["weight_scale"] = self.weight_scale
        if self.model == "three-layer":
            return ThreeLayerConvNet(
                input_dim=image_shape,
                num_filters=self.filters,
                filter_size=self.filter_size,
                hidden_dim=self.hidden[0],
                **shared,
            )
        if self.model == "two-layer":
            return TwoLayerNet(input_dim=input_dim, hidden_dim=self.hidden[0], **shared)
        return FullyConnectedNet(
            list(self.hidden),
            input_dim=input_dim,
            dropout_keep_ratio=self.keep,
            normalization=None if self.normalization == "none" else self.normalization,
            **shared,
        )
