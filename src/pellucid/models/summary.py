"""A network as a table: every step with its output, its parameters and its work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.models.step import Shape


@dataclass(frozen=True)
class Row:
    """One step. A block of steps has those of its steps in the rows below it, one deeper."""

    depth: int
    name: str
    step: str
    shape: Shape
    """Of what comes out, without the axis of the batch."""
    parameters: int
    frozen: int
    """How many of the parameters do not move."""
    multiply_adds: int
    """Of convolutions and matrix products, an image, forward."""


@dataclass(frozen=True)
class Summary:
    """``print(net.summary())`` shows a table; the numbers are in ``rows`` and the totals."""

    input_shape: Shape
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Of all steps."""
        return sum(row.parameters for row in self.rows)

    @property
    def frozen(self) -> int:
        """Parameters that do not move."""
        return sum(row.frozen for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """An image, forward; a training step takes three times as many."""
        return sum(row.multiply_adds for row in self.rows)

    def __str__(self) -> str:
        table: list[tuple[str, ...]] = [("name", "step", "output", "parameters", "multiply-adds")]
        table.append(("", "input", _size(self.input_shape), "", ""))
        for row in self.rows:
            indent = "  " * row.depth
            numbers = (f"{n:,}" if n else "" for n in (row.parameters, row.multiply_adds))
            table.append((indent + row.name, indent + row.step, _size(row.shape), *numbers))
        table.append(("total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}"))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(_aligned(table_row, widths)).rstrip() for table_row in table]
        lines.insert(1, "-" * max(map(len, lines)))
        lines.insert(-1, lines[1])
        if self.frozen:
            lines.append(f"{self.frozen:,} of the parameters are frozen")
        return "\n".join(lines)


def summary_of(
    places: Iterable[Any], input_shape: Shape, params: Mapping[str, np.ndarray], options: Mapping[str, Mapping]
) -> Summary:
    """The summary of a chain's steps, as `Chain.walk` gives them."""
    rows = []
    for depth, prefix, place in places:
        inside = bool(place.step.chains())  # then its parameters are counted in the rows below
        names = [] if inside else [f"{prefix}{place.name}.{short}" for short in place.arrays]
        rows.append(
            Row(
                depth=depth,
                name=prefix + place.name,
                step=place.step.describe(),
                shape=place.out_shape,
                parameters=sum(params[name].size for name in names),
                frozen=sum(params[name].size for name in names if options.get(name, {}).get("frozen")),
                multiply_adds=place.step.multiply_adds(place.in_shape),
            )
        )
    return Summary(input_shape, tuple(rows))


def _size(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _aligned(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    """Words to the left, numbers to the right."""
    return [
        cell.rjust(width) if i > 2 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
