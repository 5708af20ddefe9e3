"""The commands: their arguments and help. What they do stands in the file of the same name beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token


def _whole(kind: Any, tokens: Sequence[Token]) -> Any:
    """Whole numbers, and nothing else: cyclopts itself would round 1.5 to 2."""
    values = []
    for token in tokens:
        try:
            values.append(int(token.value))
        except ValueError:
            raise ValueError(f"{token.value!r} is not a whole number") from None
    return values[0] if kind is int else tuple(values)


Whole = Annotated[int, Parameter(converter=_whole)]
Rule = Literal["sgd", "sgd_momentum", "nesterov", "rmsprop", "adam", "adamw"]
Network = Literal["three-layer", "two-layer", "fully-connected"]
Schedule = Literal["constant", "step", "cosine", "triangle"]
Normalization = Literal["none", "batchnorm", "layernorm"]


def train(
    data: str | None = None,
    /,
    *,
    model: Network | None = None,
    epochs: Whole | None = None,
    batch_size: Whole | None = None,
    rule: Rule | None = None,
    learning_rate: float | None = None,
    lr_decay: float | None = None,
    schedule: Schedule | None = None,
    reg: float | None = None,
    filters: Whole | None = None,
    filter_size: Whole | None = None,
    hidden: Annotated[tuple[int, ...] | None, Parameter(consume_multiple=True, converter=_whole)] = None,
    normalization: Normalization | None = None,
    keep: float | None = None,
    weight_scale: float | None = None,
    validation: Whole | None = None,
    image_size: Annotated[tuple[int, int] | None, Parameter(converter=_whole)] = None,
    scale: float | None = None,
    seed: Whole | None = None,
    threads: Whole | None = None,
    print_every: Whole | None = None,
    run: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> int:
    """Train a network and leave its checkpoint and figures in a run folder.

    The defaults are the tutorial's settings. The best weights on the validation images are kept; the test images are
    looked at once, at the end. Ctrl-C finishes the step, saves and stops; --resume goes on with the same bits as if
    nothing had happened.

    Parameters
    ----------
    data
        A data set (cifar10, fashion-mnist, mnist, digits), a folder or zip of images a class, CIFAR-10's binary archive
        or folder, or a folder of IDX files. Not needed with --resume.
    model
        The network (default three-layer: conv, relu, 2x2 max pool, affine, relu, affine, softmax).
    epochs
        How often every training image is seen (default 1). May be raised with --resume.
    batch_size
        Images a step (default 50).
    rule
        Update rule (default adam).
    learning_rate
        Size of a step (default 1e-3).
    lr_decay
        Multiply the learning rate by this after every epoch (default 1).
    schedule
        How the learning rate changes over the run (default constant).
    reg
        Strength of the L2 penalty on the weights (default 0.001).
    filters
        Filters of the convolution (default 32).
    filter_size
        Height and width of a filter (default 7).
    hidden
        Units of the hidden layer (default 500); several for fully-connected, one number a layer.
    normalization
        Normalisation of the hidden layers, fully-connected only (default none).
    keep
        Dropout's probability to keep a unit, fully-connected only (default 1, no dropout).
    weight_scale
        Standard deviation of the initial weights (default 1e-3; 1e-2 for fully-connected).
    validation
        How many training images to hold out (default a tenth, at most 1000).
    image_size
        Height and width to bring images to, for folders and zips of images of several sizes.
    scale
        What pixels are divided by after the mean image is subtracted (default: their standard deviation, so that they
        are about 1 in size; the course leaves them as they are, 1).
    seed
        For the initial weights, the order of the images and dropout (default 231).
    threads
        Threads for matrix products (default: all processors this process may use). May change with --resume, which
        then no longer gives the same bits.
    print_every
        Print the loss every so many steps (default 20).
    run
        The run folder (default runs/NAME-NUMBER, the first that is free).
    resume
        Go on with the run in the folder --run, with its own settings.
    overwrite
        Replace the run in the folder --run.
    """
    given = {key: value for key, value in locals().items() if value is not None}
    for key in ("run", "resume", "overwrite"):
        given.pop(key, None)
    from pellucid.cli.train import train_command

    return train_command(given, run, resume, overwrite)


def check() -> int:
    """Check every layer and network against the tutorial's and the course's results.

    One row a check: what, the error that the tutorial or course printed, ours, and whether it passes. Leaves with
    status 1 if any fails. Takes some ten seconds and needs no data.
    """
    from pellucid.cli.check import check_command

    return check_command()


def filters(
    *images: Path,
    out: Annotated[Path, Parameter(alias="-o")] = Path("filters.png"),
    size: Whole = 200,
) -> int:
    """Draw photographs as a greyscale filter and an edge filter see them: the tutorial's first picture.

    Parameters
    ----------
    images
        Photographs (PNG, JPEG, BMP or WebP); scikit-learn's two bundled ones where none are given.
    out
        The picture to write (PNG, JPEG, SVG or PDF).
    size
        Height and width that the photographs are brought to, in pixels (8 to 1000).
    """
    from pellucid.cli.filters import filters_command

    return filters_command(list(images), out, size)


def explain(
    operation: Literal["conv"],
    images: str,
    weights: str,
    /,
    *,
    stride: Whole = 1,
    pad: Whole | None = None,
    dilation: Whole = 1,
    groups: Whole = 1,
    dtype: Literal["float32", "float64"] = "float32",
    algorithm: str | None = None,
) -> int:
    """Tell which algorithm computes a convolution here, and why: for example `explain conv 64,64,32,32 64,64,3,3`.

    Parameters
    ----------
    operation
        What to explain: conv.
    images
        Shape of the images, N,C,H,W.
    weights
        Shape of the filters, F,C,HH,WW (C / groups channels).
    stride, dilation, groups
        As in conv_param.
    pad
        Zeros around each image; half the filter where it is not given.
    dtype
        Type of the arrays.
    algorithm
        What to ask for, as conv_param["algorithm"] would.
    """
    from pellucid.cli.explain import explain_command

    return explain_command(images, weights, stride, pad, dilation, groups, dtype, algorithm)


def data(*, fetch: str | None = None) -> int:
    """List the data sets: what is here, what can be fetched, and how large it is.

    Parameters
    ----------
    fetch
        Download this data set into the cache (the folder is printed; set PELLUCID_DATA to choose another).
    """
    from pellucid.cli.data import data_command

    return data_command(fetch)
