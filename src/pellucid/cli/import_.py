"""``pellucid import``: a model file of what other tools have written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pellucid.cli.console import say
from pellucid.cli.model_path import check_free, open_model
from pellucid.shipping import Model, Preprocessing


def import_command(
    file: Path,
    out: Path,
    input_shape: tuple[int, int, int] | None,
    classes: Sequence[str] | None,
    mean: Sequence[float] | None,
    scale: Sequence[float] | None,
    like: Path | None,
    names: str | None,
    overwrite: bool,
) -> int:
    """Read, show what was found, and write the model."""
    check_free("import", out, overwrite)
    if not file.exists():
        raise FileNotFoundError(f"import: {file} does not exist (looked from {Path.cwd()})")
    if file.suffix.lower() == ".onnx":
        for option, value in (("like", like), ("names", names)):
            if value is not None:
                raise ValueError(f"import: --{option} is for PyTorch weights; leave it out for an ONNX file")
        model, notes = _from_onnx(file, input_shape)
    else:
        if input_shape is not None:
            raise ValueError("import: --input-shape is for ONNX files; PyTorch weights go into the network of --like")
        model, notes = _from_torch(file, like, names)
    model = _described(model, classes, mean, scale)
    model.save(out)
    for note in notes:
        say(note)
    say(str(model.network.summary()))
    say(f"wrote {out}: {len(model.classes)} classes")
    return 0


def _from_onnx(file: Path, input_shape: tuple[int, int, int] | None) -> tuple[Model, Sequence[str]]:
    from pellucid.extras.onnx_import import import_onnx

    try:
        found = import_onnx(file, input_shape=input_shape)
    except ImportError as error:
        raise ValueError(f"import: {error}") from None
    return Model(found.network, found.classes or (), found.preprocessing, {"imported": file.name}), found.notes


def _from_torch(file: Path, like: Path | None, names: str | None) -> tuple[Model, Sequence[str]]:
    from pellucid.shipping.torch_weights import read_torch_weights

    if like is None:
        raise ValueError(
            f"import: {file} does not end in .onnx, so it is taken for PyTorch weights, which do not say what network "
            "they are for; give a model file of that network with --like"
        )
    model = open_model("import", like)
    convention = read_torch_weights(model.network, file, names)
    record = {"imported": file.name, "names": convention}
    return dataclasses.replace(model, training=record), [f"the names are those of {convention}"]


def _described(model: Model, classes: Any, mean: Any, scale: Any) -> Model:
    """With what the command line says of classes and pictures."""
    if classes is not None:
        model = dataclasses.replace(model, classes=classes)
    changes = {name: _number(value) for name, value in (("mean", mean), ("scale", scale)) if value is not None}
    if not changes:
        return model
    how = model.preprocessing
    if how is None:
        if len(model.network.input_shape) != 3:
            raise ValueError("import: --mean and --scale are for images, but the network reads rows")
        C, H, W = model.network.input_shape
        how = Preprocessing((H, W), C)
    return dataclasses.replace(model, preprocessing=dataclasses.replace(how, **changes))


def _number(values: Sequence[float]) -> Any:
    return values[0] if len(values) == 1 else list(values)
