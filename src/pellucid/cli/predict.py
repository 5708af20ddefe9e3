"""``pellucid predict``: what pictures show."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pellucid import check
from pellucid.cli.console import say
from pellucid.cli.model_path import open_model
from pellucid.kernels.jit import at_most_threads, threads
from pellucid.shipping import Model, Prediction

STANDARD_INPUT = "-"
AT_A_TIME = 64
"""Pictures that are read before they are answered; the first alone, so that its answer does not wait."""


def answers(
    path: Path, images: Sequence[str], top: int, as_json: bool, views: bool, most_threads: int | None
) -> Iterator[int]:
    """Read, answer and print a few pictures at a time; gives how many of them could not be read."""
    if not images:
        raise ValueError("predict: say what to look at: picture files, folders of them, or - for standard input")
    check.whole_number("predict", "--top", top, least=1)
    if most_threads is not None:
        check.whole_number("predict", "--threads", most_threads, least=1)
    model = open_model("predict", path)
    if model.preprocessing is None:
        raise ValueError(
            f"predict: {path} does not say how pictures become the network's input; import it again with --mean and "
            "--scale, or use pellucid.load in Python and give arrays"
        )
    if views and model.views is None:
        raise ValueError(f"predict: {path} was not evaluated in several views; leave --views out")
    with at_most_threads(most_threads or threads()):
        for names in _in_groups(_names(images)):
            yield _answer(model, names, top, as_json, views)


def _in_groups(names: Iterator[str]) -> Iterator[list[str]]:
    size, group = 1, []
    for name in names:
        group.append(name)
        if len(group) == size:
            yield group
            size, group = AT_A_TIME, []
    if group:
        yield group


def _names(images: Sequence[str]) -> Iterator[str]:
    """The files that were named, and those of the folders that were."""
    from pellucid.data.listing import FolderListing
    from pellucid.data.pictures import EXTENSIONS

    for image in images:
        if image.startswith("-") and image != STANDARD_INPUT:
            raise ValueError(f"predict: there is no option {image}; a file of that name is ./{image}")
        if image == STANDARD_INPUT or not Path(image).is_dir():
            yield image
            continue
        listing = FolderListing("predict", Path(image))
        found = [listing.full_name(file) for file in listing.files if Path(file[-1]).suffix.lower() in EXTENSIONS]
        if not found:
            raise ValueError(f"predict: the folder {image} holds no pictures ({', '.join(EXTENSIONS)})")
        yield from found


def _answer(model: Model, names: list[str], top: int, as_json: bool, views: bool) -> int:
    """Print a line for each; returns how many could not be read."""
    import numpy as np

    assert model.preprocessing is not None
    found: list[Any] = []
    for name in names:
        try:
            found.append(model.preprocessing.pixels(_content(name), "predict"))
        except (ValueError, OSError) as error:
            found.append(error)
    pixels = [one for one in found if not isinstance(one, Exception)]
    predictions = iter(model.predict(np.concatenate(pixels), top, views=views) if pixels else [])
    for name, one in zip(names, found, strict=True):
        if isinstance(one, Exception):
            _say_failure(name, one, as_json)
        else:
            _say(name, next(predictions), as_json)
    return len(names) - len(pixels)


def _content(name: str) -> Any:
    """What `Preprocessing.pixels` reads."""
    if name != STANDARD_INPUT:
        return name
    from pellucid.data.pictures import MOST_FILE_BYTES

    content = bytearray()
    while piece := sys.stdin.buffer.read(2**20):
        content += piece
        if len(content) > MOST_FILE_BYTES:
            raise ValueError(f"predict: standard input has more than {MOST_FILE_BYTES:,} bytes; no picture has")
    return bytes(content)


def _say(name: str, prediction: Prediction, as_json: bool) -> None:
    if as_json:
        say(json.dumps({"image": name} | prediction._asdict(), ensure_ascii=False))
    else:
        say(f"{name}: " + ", ".join(f"{label} {100 * probability:.1f} %" for label, probability in prediction.top))


def _say_failure(name: str, error: Exception, as_json: bool) -> None:
    if as_json:
        say(json.dumps({"image": name, "error": str(error)}, ensure_ascii=False))
    print(f"pellucid: {error}", file=sys.stderr, flush=True)
