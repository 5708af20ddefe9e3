"""The commands for trained models: their arguments and help. What they do stands in the file of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pellucid.cli.commands import Whole, whole_numbers

Names = Literal["sequential", "torchvision", "vgg", "resnet20", "resnet9", "airbench", "airbench_muon"]


def predict(
    model: Path,
    /,
    *images: Annotated[str, Parameter(allow_leading_hyphen=True)],
    top: Whole = 5,
    json: bool = False,
    views: bool = False,
    threads: Whole | None = None,
) -> int:
    """Tell what pictures show: for each the most probable classes.

    One line a picture, in the order given. A picture that cannot be read is named on standard error, the others are
    answered all the same, and the command leaves with status 2.

    Parameters
    ----------
    model
        A model file, or the folder of a finished run.
    images
        Picture files (PNG, JPEG, BMP or WebP), folders of them, or - for one picture on standard input.
    top
        How many classes to name.
    json
        One JSON object a line: image, label, probability, top (class and probability pairs); or image and error.
    views
        Use the mean over the views that the model was evaluated with: more accurate, and as many times slower.
    threads
        Threads to compute with (default: all processors this process may use).
    """
    from pellucid.cli.quick_start import quick_start

    with quick_start():
        from pellucid.cli.predict import answers

        rest = answers(model, images, top, json, views, threads)
        failed = next(rest, 0)
    return 2 if failed + sum(rest) else 0


def save(
    run: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    which: Literal["best", "last"] = "best",
) -> int:
    """Make a model file of a run, also of one that was interrupted. Finished runs have theirs already.

    Parameters
    ----------
    run
        The run folder.
    out
        The file to write (default: model.safetensors in the run folder).
    which
        Which weights: those that the run kept, or those of its last step.
    """
    from pellucid.cli.save import save_command

    return save_command(run, out, which)


def export(
    model: Path,
    out: Path,
    /,
    *,
    to: Literal["onnx", "torch"] | None = None,
    opset: Whole = 17,
    pixels: bool = False,
    names: Names | None = None,
    overwrite: bool = False,
) -> int:
    """Write a model for other tools: an ONNX file, or its weights under PyTorch's names as safetensors.

    An ONNX file is checked by ONNX's checker and run in ONNX Runtime beside the model; the largest difference is
    printed, and nothing is written where they disagree. Needs pip install 'pellucid[onnx]'.

    Parameters
    ----------
    model
        A model file, or the folder of a finished run.
    out
        The file to write: .onnx, or .safetensors for PyTorch.
    to
        Which kind, where the file's ending does not tell.
    opset
        ONNX: the version of its operators (13 to the newest that the installed onnx knows).
    pixels
        ONNX: put the preprocessing into the graph, which then takes uint8 pixels (N, H, W, C).
    names
        PyTorch: whose names of the modules (default: those of the network's best known implementation; sequential:
        the numbers that an nn.Sequential gives).
    overwrite
        Replace a file that is there.
    """
    from pellucid.cli.export import export_command

    return export_command(model, out, to, opset, pixels, names, overwrite)


def import_(
    file: Path,
    out: Path,
    /,
    *,
    input_shape: Annotated[tuple[int, int, int] | None, Parameter(converter=whole_numbers)] = None,
    classes: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True)] = None,
    mean: Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True)] = None,
    scale: Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True)] = None,
    like: Path | None = None,
    names: Names | None = None,
    overwrite: bool = False,
) -> int:
    """Make a model file of an ONNX file, or of PyTorch weights for a network that we have.

    Parameters
    ----------
    file
        An ONNX file; or a state dictionary as safetensors (safetensors.torch.save_file(model.state_dict(), ...)), which
        needs --like.
    out
        The model file to write.
    input_shape
        ONNX: channels, height and width, where the file leaves them open.
    classes
        The classes' names, in the order of the scores.
    mean
        What is subtracted from the bytes (0 to 255) of a picture: one number, or one a channel.
    scale
        What they are divided by after that.
    like
        PyTorch: a model file (or the folder of a finished run) whose network the weights are for.
    names
        PyTorch: whose names of the modules (default: whichever fits).
    overwrite
        Replace a file that is there.
    """
    from pellucid.cli.import_ import import_command

    return import_command(file, out, input_shape, classes, mean, scale, like, names, overwrite)


def studio(
    *paths: Path,
    runs: Path = Path("runs"),
    data: str | None = None,
    host: str = "127.0.0.1",
    port: Whole = 8765,
    token: str | None = None,
    no_browser: bool = False,
) -> int:
    """Open a live page in the browser: runs as they train, filters, what each layer makes of an image, mistakes.

    The page comes from this machine alone, and so does everything on it. Ctrl-C ends it; runs that were started from
    the page save then, and can be resumed.

    Parameters
    ----------
    paths
        Model files, run folders, folders of runs.
    runs
        The folder for new runs; the runs in it are shown, too.
    data
        Test images for the model files: a data set or a path, as for train. Runs know their own.
    host
        Where to listen. Another address than this machine's own opens the page to others, who then need a token.
    port
        0 takes any that is free.
    token
        What a browser must know, where others may reach the page (default: made up, and printed with the address).
    no_browser
        Only print the address.
    """
    from pellucid.cli.studio import studio_command

    return studio_command(paths, runs, data, host, port, token, no_browser)
