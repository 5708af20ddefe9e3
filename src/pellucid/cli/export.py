"""``pellucid export``: a model for other tools."""

from __future__ import annotations

from pathlib import Path

from pellucid.cli.console import say
from pellucid.cli.model_path import check_free, open_model

ENDINGS = {".onnx": "onnx", ".safetensors": "torch"}


def export_command(
    path: Path, out: Path, to: str | None, opset: int, pixels: bool, names: str | None, overwrite: bool
) -> int:
    """Write the file that ``out`` is to be."""
    kind = to or ENDINGS.get(out.suffix.lower())
    if kind is None:
        raise ValueError(f"export: {out} ends neither in .onnx nor in .safetensors; say which with --to onnx or torch")
    if kind == "torch" and pixels:
        raise ValueError("export: --pixels puts the preprocessing into an ONNX graph; PyTorch weights have none")
    if kind == "onnx" and names is not None:
        raise ValueError("export: --names are PyTorch's; leave it out for ONNX")
    check_free("export", out, overwrite)
    model = open_model("export", path)
    if kind == "torch":
        from pellucid.shipping.torch_weights import write_torch_weights

        write_torch_weights(model.network, out, names)
        say(f"wrote {out}: weights under PyTorch's names")
        return 0
    from pellucid.extras.onnx_export import export_onnx

    try:
        say(f"wrote {export_onnx(model, out, opset=opset, pixels=pixels)}")
    except ImportError as error:
        raise ValueError(f"export: {error}") from None
    return 0
