"""The commands: their arguments and help. What they do stands in the file of the same name beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token


def whole_numbers(kind: Any, tokens: Sequence[Token]) -> Any:
    """Whole numbers, and nothing else: cyclopts itself would round 1.5 to 2."""
    values = []
    for token in tokens:
        try:
            values.append(int(token.value))
        except ValueError:
            raise ValueError(f"{token.value!r} is not a whole number") from None
    return values[0] if kind is int else tuple(values)


Whole = Annotated[int, Parameter(converter=whole_numbers)]
Rule = Literal["sgd", "sgd_momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"]
Network = Literal["three-layer", "two-layer", "fully-connected", "tutorial", "vgg", "resnet9", "resnet20", "airbench"]
Schedule = Literal["constant", "step", "cosine", "triangle"]
Normalization = Literal["none", "batchnorm", "layernorm"]


def train(
    data: str | None = None,
    /,
    *,
    recipe: str | None = None,
    set: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False, show_default=False)] = (),
    model: Network | None = None,
    start: Annotated[str | None, Parameter(name="--from")] = None,
    freeze: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=False)] = None,
    epochs: Whole | None = None,
    batch_size: Whole | None = None,
    rule: Rule | None = None,
    learning_rate: float | None = None,
    lr_decay: float | None = None,
    schedule: Schedule | None = None,
    reg: float | None = None,
    filters: Whole | None = None,
    filter_size: Whole | None = None,
    hidden: Annotated[tuple[int, ...] | None, Parameter(consume_multiple=True, converter=whole_numbers)] = None,
    normalization: Normalization | None = None,
    keep: float | None = None,
    weight_scale: float | None = None,
    validation: Whole | None = None,
    image_size: Annotated[tuple[int, int] | None, Parameter(converter=whole_numbers)] = None,
    scale: float | None = None,
    seed: Whole | None = None,
    threads: Whole | None = None,
    print_every: Whole | None = None,
    cache: str | None = None,
    memory: float | None = None,
    tensorboard: bool = False,
    run: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> int:
    """Train a network by a recipe and leave its checkpoint, figures and report in a run folder.

    A recipe says how the images are prepared, which network is trained and how: `pellucid recipes` lists them. Most
    options below stand for one of its keys. The weights that the recipe keeps are evaluated once, at the end, on the
    test images. Ctrl-C finishes the step, saves and stops; --resume goes on with the same bits as if nothing had
    happened.

    Parameters
    ----------
    data
        A data set (cifar10, fashion-mnist, mnist, digits), a folder or zip of images a class, CIFAR-10's binary archive
        or folder, or a folder of IDX files. Not needed with --resume.
    recipe
        A recipe of the package by its name, or a TOML file (default tutorial).
    set
        Change one key of the recipe, --set train.epochs=4 or --set 'network.widths=[64, 128, 128]'; may be repeated.
    model
        The network (network.name; the tutorial's is three-layer: conv, relu, 2x2 max pool, affine, relu, affine).
        Another one starts from its own defaults.
    start
        Fine-tune: start from this model file, with a new last layer where the classes are others (network.path). The
        images are brought to its size and normalised as its own were; the recipe is finetune unless --recipe says
        another.
    freeze
        Parameters of that model which stay as they are, by name with * and ?, such as 'conv1.*'; may be repeated
        (network.freeze).
    epochs
        How often every training image is seen (train.epochs). May be raised with --resume.
    batch_size
        Images a step (train.batch_size).
    rule
        Update rule (optimizer.rule).
    learning_rate
        Size of a step (optimizer.learning_rate); groups of parameters may have rates of their own.
    lr_decay
        Multiply the learning rate by this after every epoch (train.lr_decay).
    schedule
        How the learning rate changes over the run (schedule.name).
    reg
        Strength of the L2 penalty on the weights (loss.reg).
    filters
        Filters of the tutorial's convolution (network.filters).
    filter_size
        Height and width of a filter of it (network.filter_size).
    hidden
        Units of the hidden layer (network.hidden); several for fully-connected, one number a layer.
    normalization
        Normalisation of the hidden layers, fully-connected only (network.normalization).
    keep
        Dropout's probability to keep a unit, fully-connected only (network.keep).
    weight_scale
        Standard deviation of the initial weights (network.weight_scale).
    validation
        How many training images to hold out (data.validation).
    image_size
        Height and width to bring images to, for folders and zips of images of several sizes (data.image_size).
    scale
        What pixels are divided by after the mean image is subtracted (data.scale; the course leaves them as they are,
        1).
    seed
        For the initial weights, the order of the images, augmentation and dropout (default 231).
    threads
        Threads to compute with (default: all processors this process may use). May change with --resume, which then no
        longer gives the same bits.
    print_every
        Print the loss every so many steps (default 20).
    cache
        A file or folder to keep decoded pictures in, for folders and zips larger than memory.
    memory
        Refuse a batch that would need more than so many GB (default: what is available).
    tensorboard
        Write event files for TensorBoard into the run folder, too.
    run
        The run folder (default runs/NAME-NUMBER, the first that is free).
    resume
        Go on with the run in the folder --run, with its own settings.
    overwrite
        Replace the run in the folder --run.
    """
    given = {key: value for key, value in locals().items() if value is not None}
    for key in ("recipe", "set", "run", "resume", "overwrite", "tensorboard", "memory"):
        given.pop(key, None)
    from pellucid.cli.train import Asked, train_command

    return train_command(Asked(given, recipe, set, run, resume, overwrite, tensorboard, memory))


def evaluate(
    run: Path,
    /,
    *,
    part: Literal["test", "val"] = "test",
    which: Literal["best", "last"] = "best",
    data: str | None = None,
) -> int:
    """Tell what the network of a run gets right: the accuracy of every class, and what is taken for what.

    The table is printed; the run folder gets evaluation.json and confusion.png (evaluation-val.json and
    confusion-val.png for the validation images).

    Parameters
    ----------
    run
        The run folder.
    part
        Which images: test, or val for those that were held out.
    which
        Which weights: those that the run kept, or those of its last step.
    data
        Where the run's data are now, if they have moved.
    """
    from pellucid.cli.evaluate import evaluate_command

    return evaluate_command(run, part, which, data)


def runs(folder: Path = Path("runs"), /) -> int:
    """List the runs in a folder: recipe, data, epochs, accuracies, minutes, and whether they finished.

    Parameters
    ----------
    folder
        Where the run folders are.
    """
    from pellucid.cli.runs import runs_command

    return runs_command(folder)


def plot(
    *run: Path,
    out: Annotated[Path, Parameter(alias="-o")] = Path("runs.png"),
    x: Literal["minutes", "epochs", "steps"] = "minutes",
) -> int:
    """Draw the loss and the accuracy of one run or several into one figure.

    Parameters
    ----------
    run
        Run folders.
    out
        The picture to write (PNG, JPEG, SVG or PDF).
    x
        What stands across.
    """
    from pellucid.cli.runs import plot_command

    return plot_command(run, out, x)


def recipes() -> int:
    """List the recipes: what each is, what it costs, and what it gives."""
    from pellucid.cli.recipe import recipes_command

    return recipes_command()


def recipe(name: str, /) -> int:
    """Print a recipe, to be read or copied: `pellucid recipe 94 > mine.toml`.

    Parameters
    ----------
    name
        The recipe's name.
    """
    from pellucid.cli.recipe import recipe_command

    return recipe_command(name)


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
