"""``pellucid filters``: photographs under the tutorial's two hand-made filters."""

from __future__ import annotations

from pathlib import Path

from pellucid import check
from pellucid.cli.console import say


def filters_command(images: list[Path], out: Path, size: int) -> int:
    """Draw the photographs, or scikit-learn's two, and say where."""
    from pellucid.inspect import filter_figure, save_figure

    check.whole_number("filters", "--size", size, least=8)
    figure = filter_figure(images or None, size=size)
    save_figure(figure, out)
    say(f"wrote {out}")
    return 0
