"""Where a model is that the command line names, and where one may be written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.runs.folder import MODEL_FILE

if TYPE_CHECKING:
    from pellucid.shipping import Model


def open_model(where: str, path: Path) -> Model:
    """A model file, or that of a run folder."""
    from pellucid.shipping import load_model

    if path.is_dir():
        if not (path / MODEL_FILE).exists():
            raise FileNotFoundError(
                f"{where}: the folder {path} has no {MODEL_FILE}; give a model file, or make one of a run: "
                f"pellucid save {path}"
            )
        path = path / MODEL_FILE
    if not path.exists():
        raise FileNotFoundError(f"{where}: {path} does not exist (looked from {Path.cwd()})")
    return load_model(path)


def check_free(where: str, out: Path, overwrite: bool) -> None:
    """Nothing stands where the result will, or it may go."""
    if out.is_dir():
        raise IsADirectoryError(f"{where}: {out} is a folder; name a file in it")
    if out.exists() and not overwrite:
        raise FileExistsError(f"{where}: {out} exists; name another file, or replace it with --overwrite")
